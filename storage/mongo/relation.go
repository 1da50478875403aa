package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// relationCompare compiles "members.value eq" and "groups.value eq" to the ids that the relation gives; other
// questions about relations are for query.Match.
func (k *compiler) relationCompare(rel string, f *query.Field, op query.Op, v query.Value) cond {
	if op != query.Eq || len(f.Steps) != 2 || f.Steps[1] != "value" || f.Kind != query.String && f.Kind != query.Reference {
		return maybe
	}
	if !storable(v.Str) {
		return never()
	}
	var ids []string
	var err error
	if rel == k.t.Members {
		ids, err = k.holders(f, v.Str)
	} else {
		ids, err = k.inGroup(v.Str)
	}
	if err != nil {
		if k.err == nil {
			k.err = err
		}
		return maybe
	}
	return cond{ids: &ids, exact: true, index: true}
}

// holders are the groups with a member. Where case is ignored, other spellings of it may be stored.
func (k *compiler) holders(f *query.Field, member string) ([]string, error) {
	filter := groupsOf(k.org, member)
	if !f.CaseExact {
		// Each branch has its index.
		filter = bson.D{{Key: "$or", Value: bson.A{
			groupsOf(k.org, member), bson.D{{Key: "org", Value: string(k.org)}, {Key: "fold", Value: bson.D{{Key: "$gt", Value: ""}, {Key: "$eq", Value: member}}}},
		}}}
	}
	return k.s.related(k.ctx, filter, "group")
}

// inGroup are the members of a group, directly or through groups in it.
func (k *compiler) inGroup(group string) ([]string, error) {
	groups := []string{group}
	if len(k.s.groups) > 0 {
		known := map[string]bool{group: true}
		for level := groups; len(level) > 0; {
			var next []string
			for chunk := range chunks(level) {
				inner, err := k.s.related(k.ctx, bson.D{
					{Key: "org", Value: string(k.org)}, in("group", chunk)[0], in("mtype", k.s.groupNames())[0],
				}, "member")
				if err != nil {
					return nil, err
				}
				for _, id := range inner {
					if !known[id] {
						known[id] = true
						next = append(next, id)
					}
				}
			}
			groups = append(groups, next...)
			level = next
		}
	}
	var all []string
	for chunk := range chunks(groups) {
		ids, err := k.s.related(k.ctx, bson.D{
			{Key: "org", Value: string(k.org)}, in("group", chunk)[0], {Key: "mtype", Value: string(k.t.Name)},
		}, "member")
		if err != nil {
			return nil, err
		}
		if all = append(all, ids...); len(all) > storage.MaxLoadedMembers {
			return nil, storage.ErrTooExpensive
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// related returns the distinct values of one side of memberships, in order.
func (s *reader) related(ctx context.Context, filter bson.D, side string) ([]string, error) {
	var ids []string
	cur, err := s.db.Collection(collMemberships).Find(ctx, filter,
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: side, Value: 1}}))
	if err != nil {
		return nil, err
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		id, _ := raw.Lookup(side).StringValueOK()
		if ids = append(ids, id); len(ids) > storage.MaxLoadedMembers {
			return storage.ErrTooExpensive
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// mentions reports whether an expression asks about a relation.
func mentions(e query.Expr, relation string) bool {
	if relation == "" {
		return false
	}
	of := func(f *query.Field) bool { return f.Steps[0] == relation }
	switch e := e.(type) {
	case query.And:
		return slices.ContainsFunc(e, func(t query.Expr) bool { return mentions(t, relation) })
	case query.Or:
		return slices.ContainsFunc(e, func(t query.Expr) bool { return mentions(t, relation) })
	case query.Not:
		return mentions(e.Expr, relation)
	case query.Any:
		return of(&e.Field)
	case query.Compare:
		return of(&e.Field)
	case query.Present:
		return of(&e.Field)
	case query.Const:
	}
	return false
}

// matchDoc is a record's document as query.Match wants it: with id, meta and the relations put in.
func matchDoc(t *resourceType, r *storage.Record) (scim.Attributes, error) {
	doc, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		return nil, err
	}
	t.Complete(doc, r, true)
	return doc, nil
}
