package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// SignIn returns the subject that a person is in an organization, and the organization's slug. organization is a slug or
// id; it may be empty if the person belongs to one only, else 400 organization_required. home is the slug or id of the
// organization whose people the identity provider signs in, empty for a provider that is bound to none. It is refused,
// 403 not_a_member, for somebody who is nobody there, be there such an organization or not.
func (s *Service) SignIn(ctx context.Context, l *Login, home, organization string) (Subject, string, error) {
	list, err := s.memberships(ctx, l, home)
	if err != nil {
		return Subject{}, "", err
	}
	if organization != "" {
		list = slices.DeleteFunc(list, func(x Membership) bool {
			return x.Org.Slug != organization && string(x.Org.ID) != organization
		})
	}
	if len(list) > 1 {
		if list, err = s.present(ctx, list); err != nil {
			return Subject{}, "", err
		}
	}
	switch len(list) {
	case 0:
		return Subject{}, "", notAMember()
	case 1:
	default:
		return Subject{}, "", refuse(http.StatusBadRequest, "organization_required", "you belong to several organizations: say which one is meant")
	}
	is := list[0]
	sub, err := s.PersonSubject(ctx, scim.Caller{Org: is.Org.ID, Actor: scim.Actor{Kind: actorUser, ID: is.User}}, is.User)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == http.StatusNotFound { // left, or was removed
		err = notAMember()
	}
	return sub, is.Org.Slug, err
}

func notAMember() error {
	return forbidden("not_a_member", "you are not a member of this organization")
}

// present are the memberships whose user is there.
func (s *Service) present(ctx context.Context, list []Membership) ([]Membership, error) {
	var out []Membership
	for _, m := range list {
		_, err := s.store.Get(ctx, userKey(m.Org.ID, m.User), query.Load{})
		switch {
		case err == nil:
			out = append(out, m)
		case !errors.Is(err, storage.ErrNotFound):
			return nil, fail(typeUser, err)
		}
	}
	return out, nil
}

// memberships are the organizations that a login leads to, with the user in each; one of them may be gone.
func (s *Service) memberships(ctx context.Context, l *Login, home string) ([]Membership, error) {
	list, err := s.OrganizationsOfLogin(ctx, l)
	if err != nil {
		return nil, err
	}
	m, err := s.atHome(ctx, l, home)
	if err != nil {
		return nil, err
	}
	// A login that was bound when the person came in says more than an address.
	if m != nil && !slices.ContainsFunc(list, func(x Membership) bool { return x.Org.ID == m.Org.ID }) {
		list = append(list, *m)
	}
	return list, nil
}

// atHome finds the person in the organization that the provider is bound to: there it speaks for addresses, so who has
// proved one to it is the user with that address. Two users with it are nobody's to choose from. It returns nil for
// somebody who is nobody there.
func (s *Service) atHome(ctx context.Context, l *Login, home string) (*Membership, error) {
	if home == "" || l.Email == "" || !l.EmailVerified {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	org, err := s.store.Organization(ctx, home)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	if err != nil {
		return nil, fail("Organization", err)
	}
	for _, path := range []string{"userName", "emails.value"} {
		q := query.Query{Sources: []query.Source{{Type: typeUser, Where: s.eq(typeUser, path, l.Email)}}, Limit: 2}
		page, err := s.store.Query(ctx, org.ID, q)
		if err != nil {
			return nil, fail(typeUser, err)
		}
		if len(page.Records) == 1 {
			return &Membership{*org, page.Records[0].ID}, nil
		}
	}
	return nil, nil //nolint:nilnil // absence is an answer here
}
