package lifecycle

import (
	"context"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// catalogueView works out how many people have an entry of the catalogue, and how sub-accounts hang together.
type catalogueView struct{ s *Service }

// Settle makes sure that the built-in roles are there, and the occupations that clients have brought if they are to be.
func (v catalogueView) Settle(ctx context.Context, c scim.Caller, _ string) error {
	snap, err := v.s.snapshot(ctx, c.Org)
	if err != nil {
		return err
	}
	if snap.settings.Occupation.Unknown == "create" || snap.connections.create() {
		return v.s.createOccupations(ctx, c.Org)
	}
	return nil
}

// Compute puts counts and references in the documents.
func (v catalogueView) Compute(ctx context.Context, c scim.Caller, list []scim.Resource, docs []scim.Attributes) error {
	snap, err := v.s.snapshot(ctx, c.Org)
	if err != nil {
		return err
	}
	for i := range list {
		if err := v.compute(ctx, snap, c.Org, list[i].Type, docs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v catalogueView) compute(ctx context.Context, snap *snapshot, org scim.OrgID, t scim.TypeName, doc scim.Attributes) error {
	key, _ := doc["value"].(string)
	where, attr := query.Expr(nil), "totalAssignmentsUsed"
	switch t {
	case typeRole:
		where = v.s.hasRole(snap, key)
		own, _ := doc[scim.SchemaRollcallRole].(scim.Attributes)
		limit, _ := own["maxAssignments"].(int64)
		doc["limitedAssignmentsPermitted"] = limit > 0
		if limit > 0 {
			doc["totalAssignmentsPermitted"] = limit
		}
	case typeEntitlement:
		where = v.s.hasEntitlement(key)
		if e := snap.Entitlement(key); e != nil && e.Kind == resources.EntitlementSubAccount {
			hang(snap, e, doc)
		}
	case typeOccupation:
		where, attr = v.s.hasOccupation(snap.Occupation(key)), "userCount"
	}
	n, err := v.s.count(ctx, org, typeUser, where)
	if err != nil {
		return err
	}
	doc[attr] = int64(n)
	return nil
}

// hang puts in a sub-account what it is a part of, and its parts. The references are relative to the resource's own URL
// (RFC 7643 2.3.7).
func hang(snap *snapshot, e *Entitlement, doc scim.Attributes) {
	ref := func(e *Entitlement) any { return "../Entitlements/" + e.ID }
	var parts []any
	for _, child := range snap.children[query.Fold(e.Key)] {
		parts = append(parts, ref(child))
	}
	if len(parts) > 0 {
		doc["contains"] = parts
	}
	if p := snap.Entitlement(e.Parent); e.Parent != "" && p != nil {
		doc["containedBy"] = []any{ref(p)}
	}
}

// hasRole matches the users who have the role, by themselves or by a group.
func (s *Service) hasRole(snap *snapshot, key string) query.Expr {
	some := query.Or{s.eq(typeUser, "roles.value", key)}
	for id, g := range snap.groups {
		for _, r := range g.Roles {
			if query.Fold(r) == query.Fold(key) {
				some = append(some, s.eq(typeUser, "groups.value", id))
				break
			}
		}
	}
	return some
}

// catalogueTypes are the definitions of what the catalogue is made of.
func (s *Service) catalogueTypes() []*resources.Definition {
	return []*resources.Definition{
		s.registry.Definition(typeRole), s.registry.Definition(typeOccupation), s.registry.Definition(typeEntitlement),
	}
}
