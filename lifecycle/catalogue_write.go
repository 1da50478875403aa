package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// ReadCatalogue returns the catalogue, for whoever may read it.
func (s *Service) ReadCatalogue(ctx context.Context, sub Subject) (*Catalogue, error) {
	if err := Allowed(sub, ActReadCatalog, Target{}); err != nil {
		return nil, err
	}
	return s.Catalogue(ctx, sub.Org)
}

// SaveRole makes a role, or with an id replaces what one is. Nobody makes or changes a role of their own rank or above,
// owners aside, nor gives one a permission that they lack.
func (s *Service) SaveRole(ctx context.Context, sub Subject, id string, pre scim.Precondition, r Role) (*Role, error) {
	snap, err := s.writable(ctx, sub)
	if err != nil {
		return nil, err
	}
	was := snap.RoleByID(id)
	if id != "" && was == nil {
		return nil, notFound(typeRole)
	}
	if err := s.mayShape(ctx, sub, snap, was, &r); err != nil {
		return nil, err
	}
	if was != nil {
		r.Key, r.Type, r.System = was.Key, was.Type, was.System
	}
	for i, key := range r.Modules {
		if e := snap.Entitlement(parseEntitled("", key).Key); key != "*" && (e == nil || e.Kind != resources.EntitlementModule) {
			return nil, invalid(fmt.Sprintf("modules[%d]", i), "unknown_module", "is not a module of the organization")
		}
	}
	rec, err := s.saveEntry(ctx, sub, typeRole, id, pre, r.doc())
	if err != nil {
		return nil, err
	}
	r.ID, r.Version = rec.ID, rec.Version
	return &r, nil
}

// mayShape keeps people from raising themselves by way of a role.
func (s *Service) mayShape(ctx context.Context, sub Subject, snap *snapshot, was, now *Role) error {
	if sub.Kind == KindOwner {
		return nil
	}
	if now.Rank >= sub.Rank || was != nil && was.Rank >= sub.Rank {
		return forbidden("role_above_yours", "you can make and change roles below the rank of your own")
	}
	if now.OrgAdmin && (was == nil || !was.OrgAdmin) {
		return forbidden("role_above_yours", "only an owner makes a role one of administrators")
	}
	var have []string
	if was != nil {
		have = was.Permissions
	}
	return s.mayGive(ctx, sub, snap, have, now.Permissions)
}

// mayGive keeps people from giving by a role or an occupation what they may not do themselves. It is about the
// permissions over the organization; those of applications are the applications' to name and whoever may write the
// catalogue gives them. have are those that the entry gives already.
func (s *Service) mayGive(ctx context.Context, sub Subject, snap *snapshot, have, want []string) error {
	if sub.Kind == KindOwner {
		return nil
	}
	mine := snap.Grant(Facts{Active: true, Roles: []string{RoleAdmin}}, snap.settings.Plan) // what a token stands for
	if sub.User != "" {
		p, _, err := s.person(ctx, sub.Org, sub.User)
		if err != nil {
			return err
		}
		mine = p.Grant
	}
	for i, p := range want {
		given := slices.ContainsFunc(mine.Permissions, func(m GrantedPermission) bool { return covers(m.Value, p) })
		if !given && governs(p) && !slices.Contains(have, p) {
			return &scim.Error{
				Status: 403, Code: "permission_not_yours", Path: fmt.Sprintf("permissions[%d]", i),
				Detail: fmt.Sprintf("permissions[%d]: you can give permissions over the organization that you have", i),
			}
		}
	}
	return nil
}

// governs reports whether a permission is over the organization itself: all, or one of the areas that the built-in role
// of administrators is about.
func governs(permission string) bool {
	area, _, _ := strings.Cut(permission, ".")
	switch area {
	case "*", "account", "audit", "catalog", "clients", "invites", "join", "org", "profile", "users":
		return true
	}
	return false
}

// SaveOccupation makes an occupation, or with an id replaces what one is.
func (s *Service) SaveOccupation(ctx context.Context, sub Subject, id string, pre scim.Precondition, o Occupation) (*Occupation, error) {
	snap, err := s.writable(ctx, sub)
	if err != nil {
		return nil, err
	}
	var have []string
	if id != "" {
		was := snap.OccupationByID(id)
		if was == nil {
			return nil, notFound(typeOccupation)
		}
		o.Key, have = was.Key, was.Permissions
	}
	if err := s.mayGive(ctx, sub, snap, have, o.Permissions); err != nil {
		return nil, err
	}
	rec, err := s.saveEntry(ctx, sub, typeOccupation, id, pre, o.doc())
	if err != nil {
		return nil, err
	}
	o.ID, o.Version = rec.ID, rec.Version
	return &o, nil
}

// SaveEntitlement makes a module or a sub-account, or with an id replaces what one is. Its kind stays.
func (s *Service) SaveEntitlement(ctx context.Context, sub Subject, id string, pre scim.Precondition, e Entitlement) (*Entitlement, error) {
	snap, err := s.writable(ctx, sub)
	if err != nil {
		return nil, err
	}
	if id != "" {
		was := snap.EntitlementByID(id, e.Kind)
		if was == nil {
			return nil, notFound(typeEntitlement)
		}
		e.Key = was.Key
	}
	rec, err := s.saveEntry(ctx, sub, typeEntitlement, id, pre, e.doc())
	if err != nil {
		return nil, err
	}
	e.ID, e.Version = rec.ID, rec.Version
	return &e, nil
}

// DeleteEntry deletes a role, an occupation or, of one kind, an entitlement that nobody has.
func (s *Service) DeleteEntry(ctx context.Context, sub Subject, t scim.TypeName, kind, id string, pre scim.Precondition) error {
	snap, err := s.writable(ctx, sub)
	if err != nil {
		return err
	}
	switch r := snap.RoleByID(id); {
	case t == typeRole && r != nil && sub.Kind != KindOwner && r.Rank >= sub.Rank:
		return forbidden("role_above_yours", "you can delete roles below the rank of your own")
	case t == typeEntitlement && snap.EntitlementByID(id, kind) == nil:
		return notFound(t)
	}
	err = s.resources.Delete(ctx, sub.Caller, s.registry.Type(t), id, pre)
	s.snapshots.forget(sub.Org)
	return coded(err)
}

// writable is the catalogue as it is now, for whoever may write it.
func (s *Service) writable(ctx context.Context, sub Subject) (*snapshot, error) {
	if err := Allowed(sub, ActWriteCatalog, Target{}); err != nil {
		return nil, err
	}
	return s.fresh(ctx, sub.Org)
}

// saveEntry writes an entry by the way that SCIM takes, with its checks and rules.
func (s *Service) saveEntry(ctx context.Context, sub Subject, t scim.TypeName, id string, pre scim.Precondition, v any) (*scim.Resource, error) {
	attrs, err := attributes(s.registry.Definition(t), v)
	if err != nil {
		return nil, err
	}
	var rec *scim.Resource
	rt, doc := s.registry.Type(t), &schema.Document{Attrs: attrs}
	if id == "" {
		rec, err = s.resources.Create(ctx, sub.Caller, rt, doc, query.Load{})
	} else {
		rec, err = s.resources.Replace(ctx, sub.Caller, rt, id, pre, doc, query.Load{})
	}
	s.snapshots.forget(sub.Org)
	return rec, coded(err)
}

// coded gives an error of SCIM the machine code of the companion API.
func coded(err error) error {
	e, ok := err.(*scim.Error) //nolint:errorlint // the service returns it unwrapped
	if !ok || e.Code != "" {
		return err
	}
	c := *e
	switch {
	case e.Type == scim.TypeUniqueness:
		c.Code = "already_in_use"
	case e.Status == 404:
		c.Code = "not_found"
	}
	return &c
}

// RoleByID finds a role by its id; nil if there is none.
func (c *Catalogue) RoleByID(id string) *Role {
	for _, r := range c.roles {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// OccupationByID finds an occupation by its id; nil if there is none.
func (c *Catalogue) OccupationByID(id string) *Occupation {
	for _, o := range c.occupations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// EntitlementByID finds an entitlement of a kind by its id; nil if there is none.
func (c *Catalogue) EntitlementByID(id, kind string) *Entitlement {
	for _, e := range c.entitlements {
		if e.ID == id && e.Kind == kind {
			return e
		}
	}
	return nil
}
