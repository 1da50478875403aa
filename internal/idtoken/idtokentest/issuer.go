// Package idtokentest is an OpenID provider for tests: a real HTTP server with discovery and keys, and tokens signed as
// the test wants them. It is imported by tests only.
package idtokentest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is the one that tokens have if the test says nothing else.
const Audience = "rollcall-console"

// Issuer is a provider that runs as long as the test.
type Issuer struct {
	URL string

	t    testing.TB
	base string // where the server really is
	mu   sync.Mutex
	keys []jose.JSONWebKey // the first signs
	down bool
	asks map[string]int
	made int
}

// New starts a provider with one RSA key.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := start(t)
	i.URL = i.base
	i.Rotate(jose.RS256)
	return i
}

// NewAt starts a provider that calls itself url and is reached by its RoundTrip, with one key on a curve.
func NewAt(t testing.TB, url string) *Issuer {
	t.Helper()
	i := start(t)
	i.URL = url
	i.Rotate(jose.ES256)
	return i
}

// RoundTrip sends every request to the provider, wherever it goes.
func (i *Issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	there, err := url.Parse(i.base)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = there.Scheme, there.Host, ""
	return http.DefaultTransport.RoundTrip(r)
}

func start(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t, asks: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.serve("discovery", func() any {
		return map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}, "response_types_supported": []string{"code"},
			"subject_types_supported": []string{"public"},
		}
	}))
	mux.HandleFunc("GET /keys", i.serve("keys", func() any {
		set := jose.JSONWebKeySet{}
		for _, k := range i.keys {
			set.Keys = append(set.Keys, k.Public())
		}
		return set
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.base = server.URL
	return i
}

func (i *Issuer) serve(what string, answer func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asks[what]++
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer())
	}
}

// Asked returns how often "discovery" or "keys" was asked for.
func (i *Issuer) Asked(what string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asks[what]
}

// SetDown lets the provider answer nothing but failures.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Rotate makes a new key the one that signs, beside no other.
func (i *Issuer) Rotate(alg jose.SignatureAlgorithm) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	k := jose.JSONWebKey{KeyID: fmt.Sprintf("key-%d", i.made), Algorithm: string(alg), Use: "sig"}
	var err error
	if alg == jose.ES256 {
		k.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		k.Key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	i.keys = []jose.JSONWebKey{k}
}

// Claims are the usual ones of a person who signed in at an instant.
func (i *Issuer) Claims(subject, email string, at time.Time) map[string]any {
	return map[string]any{
		"iss": i.URL, "aud": Audience, "sub": subject, "email": email, "email_verified": true,
		"iat": at.Unix(), "exp": at.Add(time.Hour).Unix(),
	}
}

// Sign returns a token with the claims, signed with the present key.
func (i *Issuer) Sign(claims map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	k := i.keys[0]
	i.mu.Unlock()
	return SignWith(i.t, jose.SignatureAlgorithm(k.Algorithm), k, claims)
}

// SignWith returns a token with the claims, signed with a key of one's own.
func SignWith(t testing.TB, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
