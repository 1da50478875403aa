// Package idtoken verifies the tokens of people that OpenID providers sign: JSON Web Tokens with an issuer that is
// trusted, the right audience, a signature by one of the issuer's present keys, and a lifetime that holds now. It knows
// neither organizations nor HTTP requests.
package idtoken

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Issuer is a provider that is trusted.
type Issuer struct {
	URL      string // exactly as in its tokens
	Audience string // that its tokens must be for
	// Organization is the slug or id of the organization whose people the issuer signs in, and whose addresses it may
	// speak for; empty for one that says who somebody is, not where they belong.
	Organization string
}

// Claims are what a token says of a person.
type Claims struct {
	Issuer        *Issuer
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
}

// What Verify refuses a token with. Any other error means that it could not find out.
var (
	ErrIssuer  = errors.New("idtoken: the issuer is not trusted")
	ErrInvalid = errors.New("idtoken: the token is not valid")
)

// Leeway is how much clocks may differ.
const Leeway = time.Minute

const (
	maxToken   = 16 << 10
	maxSubject = 255 // OpenID Connect Core 2
	maxEmail   = 254
	maxName    = 200
)

// algorithms are those that are accepted: signatures with a public key only. "none" and those whose key the verifier
// would share are not among them.
func algorithms() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
	}
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	issuers map[string]*provider
	now     func() time.Time
}

// New returns a verifier of the issuers' tokens. Nothing is asked of them before the first token comes. transport, which
// may be nil, carries the requests to them.
func New(issuers []Issuer, now func() time.Time, transport http.RoundTripper) (*Verifier, error) {
	v := &Verifier{issuers: map[string]*provider{}, now: now}
	for _, i := range issuers {
		if err := i.Check(); err != nil {
			return nil, err
		}
		if v.issuers[i.URL] != nil {
			return nil, fmt.Errorf("issuer %s is named twice", i.URL)
		}
		v.issuers[i.URL] = newProvider(i, now, transport)
	}
	return v, nil
}

// Check reports what is wrong with an issuer.
func (i *Issuer) Check() error {
	u, err := url.Parse(i.URL)
	local := err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("an issuer must be a URL without user, query and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !local):
		return fmt.Errorf("issuer %s: must be https", i.URL)
	case i.Audience == "":
		return fmt.Errorf("issuer %s: has no audience, the client id that its tokens are for", i.URL)
	}
	return nil
}

// Verify returns what a token says of a person. It is an [ErrIssuer] or [ErrInvalid], or the failure to find out.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("%w: too long", ErrInvalid)
	}
	p := v.issuers[claimedIssuer(token)]
	if p == nil {
		return nil, ErrIssuer
	}
	t, err := p.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	var c struct {
		Exp           json.Number `json:"exp"`
		Nbf           json.Number `json:"nbf"`
		Iat           json.Number `json:"iat"`
		Email         string      `json:"email"`
		EmailVerified any         `json:"email_verified"` // some providers write a string
		Name          string      `json:"name"`
	}
	if err := t.Claims(&c); err != nil {
		return nil, fmt.Errorf("%w: claims", ErrInvalid)
	}
	if err := lives(v.now(), c.Exp, c.Nbf, c.Iat); err != nil {
		return nil, err
	}
	if t.Subject == "" || len(t.Subject) > maxSubject || len(c.Email) > maxEmail {
		return nil, fmt.Errorf("%w: subject or email", ErrInvalid)
	}
	if r := []rune(c.Name); len(r) > maxName {
		c.Name = string(r[:maxName])
	}
	return &Claims{
		Issuer: &p.issuer, Subject: t.Subject, Email: c.Email, Name: c.Name,
		EmailVerified: c.Email != "" && (c.EmailVerified == true || c.EmailVerified == "true"),
	}, nil
}

// claimedIssuer is the issuer that a token names, which nothing proves yet; "" if there is none.
func claimedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return ""
	}
	return c.Issuer
}

// lives checks the lifetime of a token (RFC 7519 4.1.4 to 4.1.6), give or take [Leeway]. One that never ends is refused.
func lives(now time.Time, exp, nbf, iat json.Number) error {
	at := func(n json.Number) (time.Time, bool) {
		f, err := n.Float64()
		if err != nil || f < 0 || f > 1<<40 {
			return time.Time{}, false
		}
		return time.Unix(int64(f), 0), true
	}
	end, ok := at(exp)
	switch {
	case !ok:
		return fmt.Errorf("%w: no exp", ErrInvalid)
	case !now.Before(end.Add(Leeway)):
		return fmt.Errorf("%w: expired", ErrInvalid)
	}
	for _, n := range []json.Number{nbf, iat} {
		if n == "" {
			continue
		}
		if begin, ok := at(n); !ok || now.Add(Leeway).Before(begin) {
			return fmt.Errorf("%w: not valid yet", ErrInvalid)
		}
	}
	return nil
}
