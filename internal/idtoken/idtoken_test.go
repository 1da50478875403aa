package idtoken_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rollcall/internal/idtoken"
	"rollcall/internal/idtoken/idtokentest"
	"rollcall/internal/testkit"
)

type fixture struct {
	*idtokentest.Issuer
	v     *idtoken.Verifier
	clock *testkit.Clock
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Issuer: idtokentest.New(t), clock: testkit.NewClock()}
	v, err := idtoken.New([]idtoken.Issuer{
		{URL: f.URL, Audience: idtokentest.Audience, Organization: "acme"},
		{URL: "https://another.example.com", Audience: "x"},
	}, f.clock.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.v = v
	return f
}

func (f *fixture) good() map[string]any { return f.Claims("ada", "ada@example.com", f.clock.Now()) }

func (f *fixture) verify(t *testing.T, token string) error {
	t.Helper()
	_, err := f.v.Verify(t.Context(), token)
	return err
}

func (f *fixture) wantInvalid(t *testing.T, what, token string) {
	t.Helper()
	if err := f.verify(t, token); !errors.Is(err, idtoken.ErrInvalid) {
		t.Errorf("%s: %v", what, err)
	}
}

// eventually awaits what must come to be after keys were fetched: the key set answers who asked for them before it keeps
// them, so a token that comes in the same moment meets the keys of before.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func TestVerify(t *testing.T) {
	f := newFixture(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		f.Rotate(alg)
		f.clock.Advance(time.Minute)
		claims := f.good()
		claims["name"] = "Ada Lovelace"
		token := f.Sign(claims)
		eventually(t, string(alg), func() bool { return f.verify(t, token) == nil })
		c, err := f.v.Verify(t.Context(), token)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if c.Issuer.Organization != "acme" || c.Subject != "ada" || c.Email != "ada@example.com" || !c.EmailVerified || c.Name != "Ada Lovelace" {
			t.Errorf("%s: %+v", alg, c)
		}
	}
}

func TestClaims(t *testing.T) {
	f := newFixture(t)
	now := f.clock.Now()
	for _, c := range []struct {
		name  string
		claim string
		value any // nil: without the claim
		ok    bool
	}{
		{"audience of another", "aud", "somebody-else", false},
		{"no audience", "aud", nil, false},
		{"several audiences", "aud", []string{"x", idtokentest.Audience}, true},
		{"expired within the leeway", "exp", now.Add(-59 * time.Second).Unix(), true},
		{"expired", "exp", now.Add(-time.Minute).Unix(), false},
		{"never expires", "exp", nil, false},
		{"expires in a word", "exp", "tomorrow", false},
		{"not valid yet, within the leeway", "nbf", now.Add(time.Minute).Unix(), true},
		{"not valid yet", "nbf", now.Add(61 * time.Second).Unix(), false},
		{"issued in the future", "iat", now.Add(time.Hour).Unix(), false},
		{"no subject", "sub", nil, false},
		{"a long subject", "sub", strings.Repeat("x", 256), false},
		{"no address", "email", nil, true},
		{"a long address", "email", strings.Repeat("x", 255), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := f.good()
			claims[c.claim] = c.value
			if c.value == nil {
				delete(claims, c.claim)
			}
			err := f.verify(t, f.Sign(claims))
			if c.ok && err != nil || !c.ok && !errors.Is(err, idtoken.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEmailVerified(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		value any
		want  bool
	}{{true, true}, {"true", true}, {false, false}, {"false", false}, {nil, false}, {1, false}} {
		claims := f.good()
		claims["email_verified"] = c.value
		got, err := f.v.Verify(t.Context(), f.Sign(claims))
		if err != nil || got.EmailVerified != c.want {
			t.Errorf("%v: %v, %v", c.value, got, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	f := newFixture(t)
	good := f.Sign(f.good())
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	f.wantInvalid(t, "alg none", part(map[string]any{"alg": "none"})+"."+part(f.good())+".")
	f.wantInvalid(t, "alg none with the signature", part(map[string]any{"alg": "none"})+"."+part(f.good())+"."+strings.Split(good, ".")[2])
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.wantInvalid(t, "another's key with a known id",
		idtokentest.SignWith(t, jose.RS256, jose.JSONWebKey{Key: other, KeyID: "key-1"}, f.good()))
	f.wantInvalid(t, "a shared secret", idtokentest.SignWith(t, jose.HS256, []byte(strings.Repeat("x", 32)), f.good()))
	parts := strings.Split(good, ".")
	claims := f.good()
	claims["sub"] = "somebody else"
	f.wantInvalid(t, "other claims under the signature", parts[0]+"."+part(claims)+"."+parts[2])
	f.wantInvalid(t, "too long", good+strings.Repeat("x", 16<<10))
	if err := f.verify(t, good); err != nil {
		t.Errorf("the good token: %v", err)
	}
}

func TestIssuers(t *testing.T) {
	f := newFixture(t)
	claims := f.good()
	claims["iss"] = "https://evil.example.com"
	for _, token := range []string{f.Sign(claims), "a.b.c", "eyJ.e30.x", "nothing"} {
		if err := f.verify(t, token); !errors.Is(err, idtoken.ErrIssuer) {
			t.Errorf("%.20s: %v", token, err)
		}
	}
	if n := f.Asked("discovery"); n != 0 {
		t.Errorf("%d requests for issuers that are not trusted", n)
	}
}

func TestKeyRotation(t *testing.T) {
	f := newFixture(t)
	old := f.Sign(f.good())
	if err := f.verify(t, old); err != nil {
		t.Fatal(err)
	}
	f.Rotate(jose.ES256)
	f.clock.Advance(time.Minute)
	fresh := f.Sign(f.good())
	eventually(t, "the new key", func() bool { return f.verify(t, fresh) == nil })
	f.clock.Advance(time.Minute)
	eventually(t, "the key that is gone", func() bool { return errors.Is(f.verify(t, old), idtoken.ErrInvalid) })
	f.wantInvalid(t, "the key that is gone, again", old)
}

// Tokens with keys that do not exist cost the issuer one request in ten seconds, and others nothing.
func TestUnknownKeys(t *testing.T) {
	f := newFixture(t)
	good := f.Sign(f.good())
	if err := f.verify(t, good); err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		f.clock.Advance(5 * time.Second)
		for range 20 {
			f.wantInvalid(t, "unknown key", idtokentest.SignWith(t, jose.RS256, jose.JSONWebKey{Key: other, KeyID: "made-up"}, f.good()))
		}
		if err := f.verify(t, good); err != nil {
			t.Errorf("a good token meanwhile: %v", err)
		}
	}
	if n := f.Asked("keys"); n > 4 {
		t.Errorf("the issuer was asked for its keys %d times in 30 seconds", n)
	}
	if n := f.Asked("discovery"); n != 1 {
		t.Errorf("the issuer was asked about itself %d times", n)
	}
}

func TestIssuerIsDown(t *testing.T) {
	f := newFixture(t)
	f.SetDown(true)
	failure := func() {
		t.Helper()
		err := f.verify(t, f.Sign(f.good()))
		if err == nil || errors.Is(err, idtoken.ErrInvalid) || errors.Is(err, idtoken.ErrIssuer) {
			t.Errorf("got %v", err)
		}
	}
	for range 5 {
		failure()
	}
	if n := f.Asked("discovery"); n != 1 {
		t.Errorf("an issuer that is down was asked %d times at once", n)
	}
	f.SetDown(false)
	f.clock.Advance(10 * time.Second)
	if err := f.verify(t, f.Sign(f.good())); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	// What is known goes on to hold, for keys that are known.
	f.SetDown(true)
	f.clock.Advance(25 * time.Hour)
	if err := f.verify(t, f.Sign(f.good())); err != nil {
		t.Errorf("a known key: %v", err)
	}
	f.Rotate(jose.RS256)
	f.clock.Advance(time.Minute)
	failure()
}

func TestCheck(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/realms/x": true, "http://127.0.0.1:8080": true,
		"http://login.example.com": false, "login.example.com": false, "https://u:p@login.example.com": false,
		"https://login.example.com?x=1": false, "": false,
	} {
		if err := (&idtoken.Issuer{URL: url, Audience: "x"}).Check(); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if (&idtoken.Issuer{URL: "https://login.example.com"}).Check() == nil {
		t.Error("an issuer without audience is taken")
	}
}
