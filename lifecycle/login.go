package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// boundLogin is a login in an organization.
type boundLogin struct {
	Issuer  string  `json:"issuer"`
	Subject string  `json:"subject"`
	User    string  `json:"user"`
	At      Instant `json:"at"`
}

// loginOrgs is a login in scim.SystemOrg: where it leads. It follows what organizations hold, which is the truth.
type loginOrgs struct {
	Issuer        string       `json:"issuer"`
	Subject       string       `json:"subject"`
	Organizations []scim.OrgID `json:"organizations"`
}

func loginKey(org scim.OrgID, l *Login) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeLogin, ID: l.key()}
}

// bindLogin makes a login that of a user, in the step that lets the person in. A login that leads to another user of the
// organization stays so.
func (s *Service) bindLogin(ctx context.Context, tx storage.Tx, c scim.Caller, l *Login, user string, now time.Time) error {
	k := loginKey(c.Org, l)
	old, err := load[boundLogin](ctx, tx, k)
	if err != nil {
		return err
	}
	next := boundLogin{Issuer: l.Issuer, Subject: l.Subject, User: user, At: at(now)}
	if old == nil {
		_, err := s.insert(ctx, tx, c, k, now, next, nil)
		return err
	}
	if old.Value.User == user {
		return nil
	}
	is, err := load[userFacts](ctx, tx, storage.Key{Org: c.Org, Type: typeUser, ID: old.Value.User})
	if err != nil {
		return err
	}
	if is != nil {
		return conflict("login_in_use", "the login belongs to another member of the organization")
	}
	_, err = change(ctx, s, tx, c, k, now, func(r *record[boundLogin]) error { r.Value = next; return nil })
	return err
}

// indexLogin notes for a login that it leads to an organization. It may be repeated.
func (s *Service) indexLogin(ctx context.Context, l *Login, org scim.OrgID) error {
	c := System(scim.SystemOrg, "login").Caller
	k, now := loginKey(scim.SystemOrg, l), s.now()
	for {
		_, err := change(ctx, s, s.store, c, k, now, func(r *record[loginOrgs]) error {
			if !slices.Contains(r.Value.Organizations, org) {
				r.Value.Organizations = append(r.Value.Organizations, org)
			}
			return nil
		})
		if !errors.Is(err, storage.ErrNotFound) {
			return fail(resources.TypeLogin, err)
		}
		_, err = s.insert(ctx, s.store, c, k, now, loginOrgs{l.Issuer, l.Subject, []scim.OrgID{org}}, nil)
		if !errors.Is(err, storage.ErrExists) { // another process was first: its record is there now
			return fail(resources.TypeLogin, err)
		}
	}
}

// Membership is a person in one organization.
type Membership struct {
	Org  storage.Organization
	User string // id
}

// UserOfLogin is the id of the user that a login leads to in an organization; "" if none.
func (s *Service) UserOfLogin(ctx context.Context, org scim.OrgID, l *Login) (string, error) {
	r, err := load[boundLogin](ctx, s.store, loginKey(org, l))
	if err != nil || r == nil {
		return "", fail(resources.TypeLogin, err)
	}
	return r.Value.User, nil
}

// OrganizationsOfLogin are the organizations that a login leads to, with the user in each.
func (s *Service) OrganizationsOfLogin(ctx context.Context, l *Login) ([]Membership, error) {
	r, err := load[loginOrgs](ctx, s.store, loginKey(scim.SystemOrg, l))
	if err != nil || r == nil {
		return nil, fail(resources.TypeLogin, err)
	}
	var list []Membership
	for _, org := range r.Value.Organizations {
		user, err := s.UserOfLogin(ctx, org, l)
		if err != nil {
			return nil, err
		}
		o, err := s.store.Organization(ctx, string(org))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			continue
		case err != nil:
			return nil, fail("Organization", err)
		}
		if user != "" {
			list = append(list, Membership{*o, user})
		}
	}
	return list, nil
}
