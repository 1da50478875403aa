package mongo

import (
	"cmp"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

var (
	_ storage.Memberships = (*Store)(nil)
	_ storage.MemberLists = (*Store)(nil)
)

// Members implements storage.MemberLists.
func (s *Store) Members(ctx context.Context, k storage.Key, load query.Load) (list []storage.Member, err error) {
	end, err := s.call(ctx, "members")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	t, err := s.typeOf(k.Type)
	if err != nil || t.Members == "" {
		return nil, err
	}
	err = s.snapshot(ctx, func(ctx context.Context) error {
		rec, budget := storage.Record{Key: k}, storage.MaxLoadedMembers
		err := s.clients.loadMembers(ctx, k.Org, []*storage.Record{&rec}, load, &budget)
		list = rec.Members
		return err
	})
	if err != nil {
		return nil, translate(ctx, "read members", err)
	}
	return list, nil
}

// Groups implements storage.Memberships.
func (s *Store) Groups(ctx context.Context, k storage.Key) (list []storage.Membership, err error) {
	end, err := s.call(ctx, "groups")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	t, err := s.typeOf(k.Type)
	if err != nil || t.Groups == "" {
		return nil, err
	}
	rec := storage.Record{Key: k}
	err = s.snapshot(ctx, func(ctx context.Context) error {
		return s.clients.loadGroups(ctx, k.Org, []*storage.Record{&rec})
	})
	if err != nil {
		return nil, translate(ctx, "read groups", err)
	}
	return rec.Groups, nil
}

// groupGraph is who is directly in which groups, for all ids that some records lead to.
type groupGraph struct {
	groups map[string][]string
	labels map[string]string // of the groups
}

// climb reads the groups of the ids, the groups of those, and so on. A level takes two statements, one for who is in
// which groups and one for what those are called; nobody asks for the groups of a group that is in none.
func (s *reader) climb(ctx context.Context, org scim.OrgID, ids []string) (*groupGraph, error) {
	g := &groupGraph{groups: make(map[string][]string), labels: make(map[string]string)}
	asked, known := make(map[string]bool), make(map[string]bool)
	for level := distinct(ids); len(level) > 0; {
		for _, id := range level {
			asked[id] = true
		}
		found := make(map[scim.TypeName][]string)
		for chunk := range chunks(level) {
			err := s.directGroups(ctx, org, chunk, func(member, group string, t scim.TypeName) {
				g.groups[member] = append(g.groups[member], group)
				if !known[group] {
					known[group] = true
					found[t] = append(found[t], group)
				}
			})
			if err != nil {
				return nil, err
			}
		}
		nested, err := s.labels(ctx, org, found, g.labels)
		if err != nil {
			return nil, err
		}
		level = slices.DeleteFunc(nested, func(id string) bool { return asked[id] })
	}
	return g, nil
}

// directGroups calls f with each membership of the ids that are records.
func (s *reader) directGroups(ctx context.Context, org scim.OrgID, ids []string, f func(member, group string, t scim.TypeName)) error {
	cur, err := s.db.Collection(collMemberships).Find(ctx, append(bson.D{{Key: "org", Value: string(org)}}, in("member", ids)...),
		options.Find().SetHint(byMember).SetProjection(bson.D{
			{Key: "_id", Value: 0}, {Key: "member", Value: 1}, {Key: "mtype", Value: 1}, {Key: "group", Value: 1}, {Key: "gtype", Value: 1},
		}))
	if err != nil {
		return err
	}
	return each(ctx, cur, func(raw bson.Raw) error {
		t := scim.TypeName(text(raw, "gtype"))
		if s.types[t] != nil && text(raw, "mtype") != "" { // else this store was opened without the type, or it is pending
			f(text(raw, "member"), text(raw, "group"), t)
		}
		return nil
	})
}

// loadGroups fills in the groups of records: each group from which a path of members leads to the record, once.
func (s *reader) loadGroups(ctx context.Context, org scim.OrgID, recs []*storage.Record) error {
	ids := make([]string, len(recs))
	for i, r := range recs {
		ids[i] = r.ID
	}
	g, err := s.climb(ctx, org, ids)
	if err != nil {
		return err
	}
	for _, r := range recs {
		r.Groups = g.memberships(r.ID)
	}
	return nil
}

func (g *groupGraph) memberships(id string) []storage.Membership {
	var list []storage.Membership
	seen := make(map[string]bool)
	todo := slices.Clone(g.groups[id])
	direct := len(todo)
	for i := 0; i < len(todo); i++ {
		group := todo[i]
		if seen[group] {
			continue
		}
		seen[group] = true
		list = append(list, storage.Membership{ID: group, Display: g.labels[group], Direct: i < direct})
		todo = append(todo, g.groups[group]...)
	}
	slices.SortFunc(list, func(a, b storage.Membership) int {
		switch {
		case a.Direct && !b.Direct:
			return -1
		case b.Direct && !a.Direct:
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return list
}
