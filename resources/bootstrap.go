package resources

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"

	"rollcall/scim"
	"rollcall/storage"
)

const (
	bootstrapName = "bootstrap"
	firstName     = "first"
	// minBootstrap refuses texts that can be guessed: 20 characters of base64 are 120 bits.
	minBootstrap = 20
)

// EnsureBootstrap makes sure that the organization default exists and text is a token of it, with the scopes scim
// and admin. It may be called at every start, by many processes. A token that was made so and revoked since stays
// revoked; another text adds a token and leaves the older ones alone.
func (s *Service) EnsureBootstrap(ctx context.Context, text string) error {
	if len(text) < minBootstrap || len(text) > maxTokenText {
		return scim.InvalidValue("bootstrap token", "must have %d to %d characters", minBootstrap, maxTokenText)
	}
	if strings.ContainsFunc(text, notInBearer) {
		return scim.InvalidValue("bootstrap token", "may hold letters, digits and -._~+/= only, as bearer tokens do")
	}
	org, err := s.ensureDefault(ctx)
	if err != nil {
		return err
	}
	_, err = s.store.TokenByDigest(ctx, sha256.Sum256([]byte(text)))
	if !errors.Is(err, storage.ErrNotFound) {
		if err != nil {
			return fail(scim.Caller{}, nil, err)
		}
		return nil
	}
	_, err = s.insertToken(ctx, org.ID, NewToken{Name: bootstrapName, Scopes: allScopes()}, text)
	if isConflict(err) { // another process was faster
		return nil
	}
	return err
}

// FirstStart makes the organization default and a token in a store that has no organization, and returns the
// token's text; it returns "" if there is an organization already.
func (s *Service) FirstStart(ctx context.Context) (string, error) {
	list, err := s.Organizations(ctx)
	if err != nil || len(list) > 0 {
		return "", err
	}
	org, err := s.CreateOrganization(ctx, DefaultOrganization, "")
	if isConflict(err) { // another process was faster and tells its own user the token
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, text, err := s.CreateToken(ctx, org.ID, NewToken{Name: firstName, Scopes: allScopes()})
	return text, err
}

func (s *Service) ensureDefault(ctx context.Context) (*storage.Organization, error) {
	org, err := s.store.Organization(ctx, DefaultOrganization)
	if !errors.Is(err, storage.ErrNotFound) {
		if err != nil {
			return nil, fail(scim.Caller{}, nil, err)
		}
		return org, nil
	}
	org, err = s.CreateOrganization(ctx, DefaultOrganization, "")
	if isConflict(err) {
		return s.Organization(ctx, DefaultOrganization)
	}
	return org, err
}

// notInBearer reports whether r cannot be part of a bearer token, which no request could then carry (RFC 6750 2.1).
func notInBearer(r rune) bool {
	alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !alnum && !strings.ContainsRune("-._~+/=", r)
}

func allScopes() []string { return []string{scim.ScopeSCIM, scim.ScopeAdmin} }

func isConflict(err error) bool {
	var e *scim.Error
	return errors.As(err, &e) && e.Status == http.StatusConflict
}
