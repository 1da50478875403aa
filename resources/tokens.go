package resources

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/storage"
)

const (
	tokenPrefix = "rc_" // lets secret scanners find leaked tokens
	tokenBytes  = 32
	// maxTokenText bounds what is hashed for a stranger.
	maxTokenText = 1024
	// touchEvery is how exact a token's last use is known; finer would be a write for every request.
	touchEvery   = time.Minute
	touchTimeout = 10 * time.Second
)

// The reasons of a scim.AuthError.
const (
	reasonUnknown = "unknown"
	reasonExpired = "expired"
	reasonRevoked = "revoked"
)

// NewToken says what a token is to be.
type NewToken struct {
	Name    string
	Scopes  []string  // see scim.Allows; empty is scim
	Profile string    // compatibility profile; empty is auto
	Expires time.Time // zero: never
}

// CreateToken makes a token and returns it with its text, which exists nowhere else from then on.
func (s *Service) CreateToken(ctx context.Context, org scim.OrgID, n NewToken) (t *storage.Token, text string, err error) {
	b := make([]byte, tokenBytes)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return nil, "", fmt.Errorf("read random token: %w", err)
	}
	text = tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	t, err = s.insertToken(ctx, org, n, text)
	if err != nil {
		return nil, "", err
	}
	return t, text, nil
}

func (s *Service) insertToken(ctx context.Context, org scim.OrgID, n NewToken, text string) (*storage.Token, error) {
	if !validName(n.Name) {
		return nil, scim.InvalidValue("name", "must be 1 to %d characters, none of them a control character", maxName)
	}
	if len(n.Scopes) == 0 {
		n.Scopes = []string{scim.ScopeSCIM}
	}
	for _, scope := range n.Scopes {
		if !scim.ValidScope(scope, s.registry.Endpoints()) {
			return nil, scim.InvalidValue("scopes", "choose from %v, app:<key>, scim:<endpoint> and scim:<endpoint>:read",
				[]string{
					scim.ScopeSCIM, scim.ScopeSCIMRead, scim.ScopeAdmin, scim.ScopeAdminRead, scim.ScopeAdminMembers,
					scim.ScopeAdminInvites, scim.ScopeAdminCatalog, scim.ScopeAdminClients, scim.ScopeOperator,
				})
		}
	}
	p, err := compat.Lookup(n.Profile)
	if err != nil {
		return nil, scim.InvalidValue("profile", "%v", err)
	}
	at := s.now()
	if !n.Expires.IsZero() {
		if n.Expires = scim.Millis(n.Expires); !n.Expires.After(at) {
			return nil, scim.InvalidValue("expires", "must lie in the future")
		}
	}
	t := storage.Token{
		ID: s.newID(), Org: org, Name: n.Name, Digest: sha256.Sum256([]byte(text)),
		Scopes: slices.Compact(slices.Sorted(slices.Values(n.Scopes))), Profile: p.Name, Created: at, Expires: n.Expires,
	}
	err = s.store.InsertToken(ctx, t)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, scim.NotFound("organization")
	case errors.Is(err, storage.ErrExists):
		return nil, scim.Conflict("token: this text is already in use")
	case err != nil:
		return nil, fail(scim.Caller{}, nil, err)
	}
	return &t, nil
}

// Tokens returns an organization's tokens, oldest first.
func (s *Service) Tokens(ctx context.Context, org scim.OrgID) ([]storage.Token, error) {
	list, err := s.store.ListTokens(ctx, org)
	if err != nil {
		return nil, fail(scim.Caller{}, nil, err)
	}
	return list, nil
}

// RevokeToken ends a token: the next request with it is refused. Revoking twice is no error.
func (s *Service) RevokeToken(ctx context.Context, org scim.OrgID, id string) error {
	if !isID(id) {
		return scim.NotFound("token")
	}
	err := s.store.RevokeToken(ctx, org, id, s.now())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return scim.NotFound("token")
	case err != nil:
		return fail(scim.Caller{}, nil, err)
	}
	return nil
}

// Authenticate resolves a bearer token, or refuses it with a *scim.AuthError. The store is asked each time, so
// that a revocation is seen by the next request; stores keep what is asked for this often at hand.
func (s *Service) Authenticate(ctx context.Context, token string) (*scim.Client, error) {
	if token == "" || len(token) > maxTokenText {
		return nil, &scim.AuthError{Reason: reasonUnknown}
	}
	digest := sha256.Sum256([]byte(token))
	t, err := s.store.TokenByDigest(ctx, digest)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, &scim.AuthError{Reason: reasonUnknown}
	case err != nil:
		return nil, fail(scim.Caller{}, nil, err)
	}
	// The look-up is by the digest, which tells a clock nothing about the token; comparing again in constant time
	// keeps that true whatever a store takes for equal.
	if subtle.ConstantTimeCompare(t.Digest[:], digest[:]) != 1 {
		return nil, &scim.AuthError{Reason: reasonUnknown}
	}
	at := s.now()
	switch {
	case !t.Revoked.IsZero():
		return nil, &scim.AuthError{Reason: reasonRevoked}
	case !t.Expires.IsZero() && !at.Before(t.Expires):
		return nil, &scim.AuthError{Reason: reasonExpired}
	}
	slug, err := s.slug(ctx, t.Org)
	if err != nil {
		return nil, err
	}
	s.touch(ctx, t, at)
	client := &scim.Client{
		Org: t.Org, OrgSlug: slug, Actor: scim.Actor{Kind: "token", ID: t.ID, Name: t.Name},
		Scopes: t.Scopes, Profile: s.profile(t.Profile),
	}
	if s.admit != nil {
		if err := s.admit(ctx, client); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// profile returns a stored profile; one that this version does not know any more is strict.
func (s *Service) profile(name string) compat.Profile {
	if p, ok := s.profiles[name]; ok {
		return p
	}
	return s.profiles["strict"]
}

// touch notes the use of a token, at most once a minute and beside the request, which does not wait for a write.
func (s *Service) touch(ctx context.Context, t *storage.Token, at time.Time) {
	recent := func(last time.Time) bool { return at.Sub(last) < touchEvery }
	if recent(t.LastUsed) {
		return
	}
	if last, ok := s.touched.get(t.ID); ok && recent(last) || !s.touched.claim(t.ID, at, recent) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, touchTimeout)
		defer cancel()
		// A use that is not noted is noted a minute later; if the store is down, its requests say so.
		_ = s.store.TouchToken(ctx, t.Org, t.ID, at)
	})
}
