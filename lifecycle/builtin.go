package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The keys of the built-in roles.
const (
	RoleOwner   = "owner"
	RoleAdmin   = "admin"
	RoleManager = "manager"
	RoleMember  = "member"
	RoleGuest   = "guest"
	RoleAgent   = "agent" // a sample of an organization's own
)

// builtinRoles are what every organization begins with. Permissions of people that are not about the organization itself
// are the applications' to name; "product.*" stands for using them.
func builtinRoles() []*Role {
	own := []string{"forms.own.*", "documents.own.*"}
	list := []*Role{
		{
			Key: RoleOwner, Display: "Owner", Rank: RankOwner, OrgAdmin: true, Modules: []string{"*"}, Permissions: []string{"*"},
			Description: "Does everything, closing the organization and its plan included.",
		},
		{
			Key: RoleAdmin, Display: "Administrator", Rank: RankAdmin, OrgAdmin: true, Modules: []string{"*"}, Suppresses: own,
			Permissions: []string{
				"account.details", "account.status", "audit.*", "catalog.*", "clients.*", "invites.*", "join.*", "org.*", "product.*",
				"profile.*", "users.*",
			},
			Description: "Manages users, settings and branding; has no forms and documents of their own.",
		},
		{
			Key: RoleManager, Display: "Manager", Rank: RankManager, Modules: []string{"*"},
			Permissions: []string{"clients.*", "documents.*", "forms.*", "product.*", "profile.own.*"},
			Description: "Does everything but manage users and change status and details of the account.",
		},
		{
			Key: RoleMember, Display: "Member", Rank: RankMember, Permissions: []string{"product.use", permissionName, "profile.own.*"},
			Description: "Uses the product, in the modules that are given to them.",
		},
		{
			Key: RoleGuest, Display: "Guest", Rank: RankGuest, Permissions: []string{"product.use"},
			Description: "Sees only the sub-accounts and clients that are given to them.",
		},
	}
	for _, r := range list {
		r.System, r.Supported = true, true
	}
	return list
}

// sampleRoles are those that a new organization gets beside the built-in ones, and may delete.
func sampleRoles() []*Role {
	return []*Role{{
		Key: RoleAgent, Display: "Agent", Rank: RankMember, Supported: true,
		Permissions: []string{"documents.own.*", "forms.own.*", "product.use", permissionName, "profile.own.*"},
		Description: "Works with forms and documents of their own.",
	}}
}

func catalogueKey(org scim.OrgID) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeEpoch, ID: idOf("epoch", string(org), "catalogue")}
}

// EnsureCatalogue gives an organization the built-in roles that it lacks: all when it is new, those that a newer version
// of the server brings later. It may run at any time, in several processes at once.
func (s *Service) EnsureCatalogue(ctx context.Context, org scim.OrgID) error {
	have, err := find[roleDoc](ctx, s, org, typeRole, nil, maxCatalogue)
	if err != nil {
		return fail(typeRole, err)
	}
	c, at := System(org, "catalogue").Caller, s.now()
	err = s.store.Within(ctx, org, func(tx storage.Tx) error {
		first, err := load[epoch](ctx, tx, catalogueKey(org))
		if err != nil {
			return err
		}
		roles := builtinRoles()
		if first == nil {
			roles = append(roles, sampleRoles()...)
		}
		roles = slices.DeleteFunc(roles, func(r *Role) bool {
			return slices.ContainsFunc(have, func(h *record[roleDoc]) bool { return query.Fold(h.Value.Value) == r.Key })
		})
		if first != nil && len(roles) == 0 {
			return nil
		}
		for _, r := range roles {
			k := storage.Key{Org: org, Type: typeRole, ID: idOf("role", string(org), r.Key)}
			if _, err := s.insert(ctx, tx, c, k, at, r.doc(), nil); err != nil {
				return err
			}
		}
		return s.bumpCatalogue(ctx, tx, c, at)
	})
	if errors.Is(err, storage.ErrExists) { // another process was faster, with the same
		return nil
	}
	return fail(typeRole, err)
}

// bumpCatalogue says that the catalogue is another one from this step on.
func (s *Service) bumpCatalogue(ctx context.Context, tx storage.Tx, c scim.Caller, at time.Time) error {
	k := catalogueKey(c.Org)
	was, err := load[epoch](ctx, tx, k)
	if err != nil {
		return err
	}
	if was == nil {
		_, err = s.insert(ctx, tx, c, k, at, epoch{1}, nil)
		return err
	}
	_, err = change(ctx, s, tx, c, k, at, func(r *record[epoch]) error { r.Value.N++; return nil })
	return err
}
