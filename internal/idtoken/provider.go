package idtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// patience is how long an issuer may take to answer.
	patience = 10 * time.Second
	// maxBody bounds what an issuer may answer.
	maxBody = 1 << 20
	// maxRedirects bounds how often it may send us elsewhere.
	maxRedirects = 3
	// pause is how long an issuer is left alone between two questions: tokens with keys that do not exist must not
	// become a flood of requests to it.
	pause = 10 * time.Second
	// fresh is how long what an issuer said about itself is believed.
	fresh = 24 * time.Hour
)

// errPause: the issuer was asked a moment ago.
var errPause = errors.New("idtoken: the issuer was asked a moment ago")

// provider is an issuer and what is known of it.
type provider struct {
	issuer Issuer
	now    func() time.Time
	client *http.Client
	keys   *http.Client // the same, for keys: not more often than pause

	mu    sync.Mutex
	known oidc.KeySet // nil: not asked yet
	next  time.Time   // when to ask the issuer about itself again
	err   error       // what came of asking, if there is no answer to go by
}

func newProvider(i Issuer, now func() time.Time, transport http.RoundTripper) *provider {
	if transport == nil {
		transport = http.DefaultTransport
	}
	bounded := &boundedTransport{next: transport}
	client := func(t http.RoundTripper) *http.Client {
		return &http.Client{Transport: t, Timeout: patience, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != via[0].URL.Scheme {
				return http.ErrUseLastResponse
			}
			return nil
		}}
	}
	return &provider{issuer: i, now: now, client: client(bounded), keys: client(&pausedTransport{next: bounded, now: now})}
}

// verify checks issuer, audience, algorithm and signature.
func (p *provider) verify(ctx context.Context, token string) (*oidc.IDToken, error) {
	set, err := p.keySet(ctx)
	if err != nil {
		return nil, err
	}
	asked := &askedKeySet{KeySet: set}
	t, err := oidc.NewVerifier(p.issuer.URL, asked, &oidc.Config{
		ClientID: p.issuer.Audience, SupportedSigningAlgs: algorithms(), Now: p.now,
		SkipExpiryCheck: true, // see lives: with leeway
	}).Verify(ctx, token)
	switch {
	case err == nil:
		return t, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case asked.failed && !errors.Is(asked.err, errPause):
		return nil, fmt.Errorf("ask issuer %s for its keys: %w", p.issuer.URL, asked.err)
	}
	return nil, fmt.Errorf("%w: signature, algorithm or audience", ErrInvalid)
}

// keySet returns the issuer's keys; it asks the issuer where they are, if that is not known or known for long.
func (p *provider) keySet(ctx context.Context) (oidc.KeySet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Before(p.next) {
		return p.known, p.err
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.issuer.URL)
	var about struct {
		Keys string `json:"jwks_uri"`
	}
	if err == nil {
		err = found.Claims(&about)
	}
	if err == nil && about.Keys == "" {
		err = errors.New("it names no jwks_uri")
	}
	switch {
	case err == nil:
		p.known = oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), p.keys), about.Keys)
		p.next, p.err = p.now().Add(fresh), nil
	case ctx.Err() != nil:
		return nil, ctx.Err() // the client's own impatience says nothing about the issuer
	default:
		p.next = p.now().Add(pause)
		if p.known == nil { // otherwise the old answer goes on to hold
			p.err = fmt.Errorf("ask issuer %s about itself: %w", p.issuer.URL, err)
		}
	}
	return p.known, p.err
}

// askedKeySet remembers whether the issuer could be asked for keys, which the verifier above it does not tell.
type askedKeySet struct {
	oidc.KeySet
	failed bool
	err    error
}

// VerifySignature is the key set's.
func (k *askedKeySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	// Of a signature that does not match, the key set says only that.
	k.failed, k.err = err != nil && errors.Unwrap(err) != nil, err
	return payload, err
}

// boundedTransport cuts off answers that are too long.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip is the next transport's.
func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxBody), resp.Body}
	return resp, nil
}

// pausedTransport refuses requests that follow each other too soon.
type pausedTransport struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	free time.Time
}

// RoundTrip is the next transport's, or errPause.
func (t *pausedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	now := t.now()
	early := now.Before(t.free)
	if !early {
		t.free = now.Add(pause)
	}
	t.mu.Unlock()
	if early {
		return nil, errPause
	}
	return t.next.RoundTrip(r)
}
