package lifecycle

import (
	"context"
	"errors"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// GroupGrants lists what groups give to their members.
func (s *Service) GroupGrants(ctx context.Context, sub Subject) ([]GroupGrant, error) {
	if err := Allowed(sub, ActReadCatalog, Target{}); err != nil {
		return nil, err
	}
	return each(ctx, s, sub.Org, resources.TypeGroupGrant, func(r *record[GroupGrant]) GroupGrant { return r.Value })
}

// SetGroupGrant says what the members of a group get, whoever puts them in. It is refused if it gives a role above that
// of who asks, an occupation, a module or a sub-account that there is not. Nothing at all takes the grant away.
func (s *Service) SetGroupGrant(ctx context.Context, sub Subject, group string, g GroupGrant) (*GroupGrant, error) {
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActWriteCatalog, Target{}); err != nil {
		return nil, err
	}
	if _, err := s.store.Get(ctx, storage.Key{Org: sub.Org, Type: typeGroup, ID: group}, query.Load{}); err != nil {
		return nil, fail(typeGroup, err)
	}
	g.Group = group
	if err := snap.admitGrant(sub, g); err != nil {
		return nil, err
	}
	k := storage.Key{Org: sub.Org, Type: resources.TypeGroupGrant, ID: idOf("groupGrant", string(sub.Org), group)}
	at, c := s.now(), sub.Caller
	empty := len(g.Roles) == 0 && g.Occupation == "" && len(g.Entitlements) == 0
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		have, err := load[GroupGrant](ctx, tx, k)
		switch {
		case err != nil:
			return err
		case empty && have == nil:
			return nil
		case empty:
			err = tx.Delete(ctx, k, at, func(storage.Current) (storage.Change, error) {
				return storage.Change{Op: storage.OpDelete, Actor: c.Actor, Request: c.RequestID}, nil
			})
		case have == nil:
			_, err = s.insert(ctx, tx, c, k, at, g, nil)
		default:
			_, err = change(ctx, s, tx, c, k, at, func(r *record[GroupGrant]) error { r.Value = g; return nil })
		}
		if err != nil {
			return err
		}
		return s.bumpCatalogue(ctx, tx, c, at)
	})
	s.snapshots.forget(sub.Org)
	if errors.Is(err, storage.ErrExists) { // two at once: the other was first
		return nil, conflict("try_again", "somebody else has just set what the group gives")
	}
	return &g, fail(resources.TypeGroupGrant, err)
}

// admitGrant checks what a group is to give.
func (s *snapshot) admitGrant(sub Subject, g GroupGrant) error {
	admin := false
	for _, key := range g.Roles {
		r, err := s.assignable(sub, "roles", key)
		if err != nil {
			return err
		}
		admin = admin || r.OrgAdmin
	}
	if g.Occupation != "" && s.Occupation(g.Occupation) == nil {
		return invalid("occupation", "unknown_occupation", "is not in the organization's catalogue of occupations")
	}
	for _, text := range g.Entitlements {
		if err := s.admitEntitlement("entitlements", parseEntitled("", text), admin); err != nil {
			return err
		}
	}
	return nil
}

// assignable returns the role called key if the subject may give it.
func (s *snapshot) assignable(sub Subject, path, key string) (*Role, error) {
	r := s.Role(key)
	switch {
	case r == nil:
		return nil, invalid(path, "unknown_role", "is not a role of the organization")
	case !r.Supported:
		return nil, invalid(path, "role_retired", "the role is not given any more")
	case r.Rank > sub.Rank:
		return nil, forbidden("role_above_yours", "you can give roles up to the rank of your own")
	}
	if len(r.AssignableBy) > 0 && sub.Kind != KindOwner && sub.Kind != KindOperator {
		for _, by := range r.AssignableBy {
			for _, have := range sub.Roles {
				if query.Fold(by) == query.Fold(have) {
					return r, nil
				}
			}
		}
		return nil, forbidden("role_not_yours_to_give", "only people with certain roles can give this one")
	}
	return r, nil
}

// admitEntitlement checks that there is such a module or sub-account, and that it may be given to somebody who is an
// administrator of the organization, or is not.
func (s *snapshot) admitEntitlement(path string, d Entitled, admin bool) error {
	e := s.Entitlement(d.Key)
	switch {
	case e == nil || d.Kind != "" && d.Kind != e.Kind:
		return invalid(path, "unknown_entitlement", "is not a module or sub-account of the organization")
	case !e.Supported:
		return invalid(path, "entitlement_retired", "is not given any more")
	case e.AdminOnly && !admin:
		return invalid(path, "module_admin_only", "only administrators can have the module")
	case e.Feature != "" && !s.settings.Plan.Has(e.Feature):
		return &scim.Error{Status: 402, Code: "plan_required", Path: path, Detail: "the plan does not include the module"}
	}
	return nil
}
