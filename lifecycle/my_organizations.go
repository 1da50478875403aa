package lifecycle

import (
	"context"
	"errors"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// MyOrganization is an organization that somebody belongs to, and as whom.
type MyOrganization struct {
	Org    storage.Organization
	User   string // id; empty for a token
	Name   string // that the person has there
	Active bool   // may come in
	Roles  []string
}

// MyOrganizations are those that a person belongs to, be it deactivated: one login may lead to several. home is as for
// [Service.SignIn].
func (s *Service) MyOrganizations(ctx context.Context, l *Login, home string) ([]MyOrganization, error) {
	list, err := s.memberships(ctx, l, home)
	if err != nil {
		return nil, err
	}
	out := make([]MyOrganization, 0, len(list))
	for _, m := range list {
		rec, err := s.store.Get(ctx, userKey(m.Org.ID, m.User), query.Load{})
		if errors.Is(err, storage.ErrNotFound) { // left, or was removed
			continue
		}
		if err != nil {
			return nil, fail(typeUser, err)
		}
		facts, err := s.MemberOf(resourceOf(rec))
		if err != nil {
			return nil, err
		}
		out = append(out, MyOrganization{m.Org, m.User, facts.Label, facts.Active, facts.Roles})
	}
	return out, nil
}

// OrganizationOf is the one organization of a token.
func (s *Service) OrganizationOf(ctx context.Context, sub Subject) (*MyOrganization, error) {
	o, err := s.store.Organization(ctx, string(sub.Org))
	if err != nil {
		return nil, fail("Organization", err)
	}
	return &MyOrganization{Org: *o, Name: sub.Label, Active: true, Roles: []string{}}, nil
}

// Leave takes the subject out of the organization, as Remove does: the last owner cannot, and the statements of the
// removal effects are acknowledged.
func (s *Service) Leave(ctx context.Context, sub Subject, pre scim.Precondition, r Removal) error {
	if sub.User == "" {
		return notAPerson()
	}
	p, _, err := s.person(ctx, sub.Org, sub.User)
	if err != nil {
		return err
	}
	if err := pre.Check(p.Version); err != nil {
		return err
	}
	version := int64(0)
	if pre.IfMatch != "" {
		version = p.Version
	}
	return s.Remove(ctx, sub, sub.User, version, r)
}
