package resources

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"rollcall/scim"
	"rollcall/storage"
)

// DefaultOrganization is the slug of the organization that a fresh installation has.
const DefaultOrganization = "default"

// Bounds of names that people type.
const (
	maxSlug = 63 // as a DNS label
	maxName = 200
)

// CreateOrganization makes an organization. Without a name it is called by its slug.
func (s *Service) CreateOrganization(ctx context.Context, slug, name string) (*storage.Organization, error) {
	if !validSlug(slug) {
		return nil, scim.InvalidValue("slug", "must be 1 to %d of a-z, 0-9 and hyphens, not at its ends, and not a UUID", maxSlug)
	}
	if name == "" {
		name = slug
	}
	if !validName(name) {
		return nil, scim.InvalidValue("name", "must be 1 to %d characters, none of them a control character", maxName)
	}
	o := storage.Organization{ID: scim.OrgID(s.newID()), Slug: slug, Name: name, Created: s.now()}
	err := s.store.InsertOrganization(ctx, o)
	switch {
	case errors.Is(err, storage.ErrExists):
		return nil, scim.Conflict("slug: an organization is already called that")
	case err != nil:
		return nil, fail(scim.Caller{}, nil, err)
	}
	return &o, nil
}

// Organizations returns all, by slug.
func (s *Service) Organizations(ctx context.Context) ([]storage.Organization, error) {
	list, err := s.store.ListOrganizations(ctx)
	if err != nil {
		return nil, fail(scim.Caller{}, nil, err)
	}
	return list, nil
}

// Organization finds one by id or slug.
func (s *Service) Organization(ctx context.Context, idOrSlug string) (*storage.Organization, error) {
	o, err := s.store.Organization(ctx, idOrSlug)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, scim.NotFound("organization")
	case err != nil:
		return nil, fail(scim.Caller{}, nil, err)
	}
	return o, nil
}

// slug returns the slug of an organization. Slugs do not change, so it is asked for once.
func (s *Service) slug(ctx context.Context, id scim.OrgID) (string, error) {
	if slug, ok := s.slugs.get(id); ok {
		return slug, nil
	}
	o, err := s.Organization(ctx, string(id))
	if err != nil {
		return "", err
	}
	s.slugs.put(id, o.Slug)
	return o.Slug, nil
}

// validSlug keeps slugs apart from ids, as commands take either.
func validSlug(s string) bool {
	if s == "" || len(s) > maxSlug || s[0] == '-' || s[len(s)-1] == '-' || isID(s) {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func validName(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxName &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
