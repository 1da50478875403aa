package lifecycle

import (
	"context"
	"errors"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// RoleChange is what roles a person is to have.
type RoleChange struct {
	Roles     []string // keys of all that the person is to have from now on
	Primary   string   // the main one; empty: the highest
	AckLosses []string // what the person is known to lose
}

// RolePreview says what a change of roles, of the occupation, or of both would do, without doing it. A nil pointer leaves
// what there is.
func (s *Service) RolePreview(ctx context.Context, sub Subject, user string, roles *[]string, occupation *string) (*Consequences, error) {
	p, snap, err := s.person(ctx, sub.Org, user)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActChangeRole, Target{User: user, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	next := p.Facts
	if roles != nil {
		if _, err := snap.newRoles(sub, p, *roles); err != nil {
			return nil, err
		}
		next.Roles = *roles
	}
	if occupation != nil {
		if *occupation != "" && snap.Occupation(*occupation) == nil {
			return nil, invalid("occupation", "unknown_occupation", "is not in the organization's catalogue of occupations")
		}
		next.Occupation = *occupation
	}
	return compare(p.Grant, snap.Grant(next, snap.settings.Plan)), nil
}

// ChangeRole gives a person exactly these roles of their own; what groups give stays. It is refused for roles and people
// above the subject, if nobody would remain owner, if a role is full, and if the person loses what is not acknowledged.
func (s *Service) ChangeRole(ctx context.Context, sub Subject, user string, pre scim.Precondition, ch RoleChange) (*Consequences, error) {
	var (
		p    *Person
		out  *Consequences
		list []any
	)
	look := func() error {
		var (
			snap *snapshot
			err  error
		)
		if p, snap, err = s.person(ctx, sub.Org, user); err != nil {
			return err
		}
		if err := pre.Check(p.Version); err != nil {
			return err
		}
		if err := Allowed(sub, ActChangeRole, Target{User: user, Rank: p.Grant.Rank()}); err != nil {
			return err
		}
		given, err := snap.newRoles(sub, p, ch.Roles)
		if err != nil {
			return err
		}
		if err := s.rolesHaveRoom(ctx, sub.Org, snap, given); err != nil {
			return err
		}
		next := p.Facts
		next.Roles = ch.Roles
		after := snap.Grant(next, snap.settings.Plan)
		if p.Grant.Rank() >= RankOwner && after.Rank() < RankOwner {
			if err := s.otherOwner(ctx, sub.Org, snap, user); err != nil {
				return err
			}
		}
		out, list = compare(p.Grant, after), snap.roleValues(p.Doc, ch)
		if err := s.mayRegrant(ctx, sub.Org, user, pathRoles, p.Doc[pathRoles], list); err != nil {
			return err
		}
		return out.acknowledge(ch.AckLosses)
	}
	err := s.guarded(ctx, sub.Caller, guardOwners, look, func(tx storage.Tx) error {
		return s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) {
			if doc["roles"] = list; len(list) == 0 {
				delete(doc, "roles")
			}
		})
	})
	if err != nil {
		return nil, fail(typeUser, err)
	}
	return out, nil
}

// newRoles are the roles of keys that the person has not yet, each of which the subject may give. Others that the
// person has may stay, also those that the catalogue does not know.
func (s *snapshot) newRoles(sub Subject, p *Person, keys []string) ([]*Role, error) {
	var list []*Role
	for _, key := range keys {
		if slices.ContainsFunc(p.Facts.Roles, func(have string) bool { return query.Fold(have) == query.Fold(key) }) {
			continue
		}
		r, err := s.assignable(sub, "roles", key)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// rolesHaveRoom refuses roles that as many people have already as can.
func (s *Service) rolesHaveRoom(ctx context.Context, org scim.OrgID, snap *snapshot, roles []*Role) error {
	for _, r := range roles {
		if r.Max == 0 {
			continue
		}
		n, err := s.count(ctx, org, typeUser, s.hasRole(snap, r.Key))
		if err != nil {
			return err
		}
		if n >= r.Max {
			return conflict("role_full", "no more than %d people can have the role", r.Max)
		}
	}
	return nil
}

// otherOwner refuses what would leave an organization without an owner who can sign in. Steps that rest on it are
// guarded by guardOwners.
func (s *Service) otherOwner(ctx context.Context, org scim.OrgID, snap *snapshot, user string) error {
	owners := query.Or{}
	for _, r := range snap.Roles() {
		if r.Rank >= RankOwner {
			owners = append(owners, s.hasRole(snap, r.Key))
		}
	}
	r := rewriter{s: s, snap: snap, now: query.InstantKey(s.now())}
	others := query.And{r.effective(owners), query.Not{Expr: s.eq(typeUser, "id", user)}}
	n, err := s.count(ctx, org, typeUser, others)
	if err != nil {
		return err
	}
	if n == 0 {
		return conflict("last_owner", "the organization would have no owner any more: make somebody else owner first")
	}
	return nil
}

// roleValues is the attribute roles of a user with the roles of a change: those that the person has keep what clients
// have written beside the value.
func (s *snapshot) roleValues(doc scim.Attributes, ch RoleChange) []any {
	have, _ := doc["roles"].([]any)
	var list []any
	seen := map[string]bool{}
	best, bestRank := 0, -1
	for _, key := range ch.Roles {
		folded := query.Fold(key)
		if seen[folded] {
			continue
		}
		seen[folded] = true
		el, rank := scim.Attributes{"value": key}, 0
		if r := s.Role(key); r != nil {
			el, rank = scim.Attributes{"value": r.Key, "display": r.Display, "type": roleType}, r.Rank
		}
		for _, h := range have {
			if was, _ := h.(scim.Attributes); query.Fold(text(was["value"])) == folded {
				el = scim.CloneAttributes(was)
			}
		}
		if folded == query.Fold(ch.Primary) {
			rank = maxRank + 1
		}
		if rank > bestRank {
			best, bestRank = len(list), rank
		}
		delete(el, "primary")
		list = append(list, el)
	}
	if len(list) > 0 {
		el, _ := list[best].(scim.Attributes)
		el["primary"] = true
	}
	return list
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// editUser writes what fn makes of a user's document, if it is still the one that was looked at.
func (s *Service) editUser(ctx context.Context, tx storage.Tx, c scim.Caller, p *Person, fn func(doc scim.Attributes)) error {
	d := s.registry.Definition(typeUser)
	k := storage.Key{Org: c.Org, Type: typeUser, ID: p.ID}
	_, _, err := tx.Update(ctx, k, s.now(), func(cur storage.Current) (*storage.Edit, error) {
		rec := cur.Record()
		if rec.Version != p.Version {
			return nil, errEpoch // look again
		}
		old, err := scim.DecodeAttributes(rec.Doc)
		if err != nil {
			return nil, err
		}
		next := scim.CloneAttributes(old)
		fn(next)
		d.SetSchemas(next)
		if err := d.Validate(next); err != nil {
			return nil, err
		}
		return d.NewEdit(c, storage.OpPatch, old, next, noteLocal(cur.Record().Secret, old, next)), nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(typeUser)
	}
	return err
}
