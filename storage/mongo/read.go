package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Get implements storage.Resources.
func (s *Store) Get(ctx context.Context, k storage.Key, load query.Load) (rec *storage.Record, err error) {
	end, err := s.call(ctx, "get")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	t, err := s.typeOf(k.Type)
	if err != nil {
		return nil, err
	}
	if load.Members && t.Members != "" || load.Groups && t.Groups != "" {
		err = s.snapshot(ctx, func(ctx context.Context) (err error) {
			rec, err = s.clients.get(ctx, t, k, load)
			return err
		})
	} else {
		// One statement is a snapshot by itself.
		rec, err = s.clients.get(ctx, t, k, load)
	}
	if err != nil {
		return nil, translate(ctx, "get", err)
	}
	return rec, nil
}

func (s *reader) get(ctx context.Context, t *resourceType, k storage.Key, load query.Load) (*storage.Record, error) {
	raw, err := s.db.Collection(t.coll).FindOne(ctx, keyFilter(k), options.FindOne().SetProjection(readProjection(load.Secret))).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	rec, err := decodeRecord(k.Org, k.Type, raw)
	if err != nil {
		return nil, err
	}
	budget := storage.MaxLoadedMembers
	return rec, s.loadRelations(ctx, k.Org, t, []*storage.Record{rec}, load, &budget)
}

// loadRelations brings what load asks for and the type has, for all records at once.
func (s *reader) loadRelations(ctx context.Context, org scim.OrgID, t *resourceType, recs []*storage.Record, load query.Load, budget *int) error {
	if len(recs) == 0 {
		return nil
	}
	if load.Members && t.Members != "" {
		if err := s.loadMembers(ctx, org, recs, load, budget); err != nil {
			return err
		}
	}
	if load.Groups && t.Groups != "" {
		return s.loadGroups(ctx, org, recs)
	}
	return nil
}

// loadMembers fills in the members of groups, ordered by type and id, as far as load says; those pending come first, as
// their type is empty. budget is how many more may be loaded.
func (s *reader) loadMembers(ctx context.Context, org scim.OrgID, groups []*storage.Record, load query.Load, budget *int) error {
	limit := load.MemberLimit
	byID := make(map[string]*storage.Record, len(groups))
	ids := make([]string, len(groups))
	for i, g := range groups {
		byID[g.ID], ids[i] = g, g.ID
	}
	read := func(filter bson.D, n int) error {
		cur, err := s.db.Collection(collMemberships).Find(ctx, filter, options.Find().SetHint(byGroup).
			SetSort(ascending("group", "mtype", "member")).SetLimit(int64(n)).SetBatchSize(int32(min(n, chunkSize))).
			SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "group", Value: 1}, {Key: "mtype", Value: 1}, {Key: "member", Value: 1}}))
		if err != nil {
			return err
		}
		return each(ctx, cur, func(raw bson.Raw) error {
			group, _ := raw.Lookup("group").StringValueOK()
			mtype, _ := raw.Lookup("mtype").StringValueOK()
			member, _ := raw.Lookup("member").StringValueOK()
			g := byID[group]
			g.Members = append(g.Members, storage.Member{ID: member, Type: scim.TypeName(mtype)})
			if *budget--; *budget < 0 {
				return storage.ErrTooExpensive
			}
			return nil
		})
	}
	if limit == 0 {
		if err := read(append(bson.D{{Key: "org", Value: string(org)}}, in("group", ids)...), *budget+1); err != nil {
			return err
		}
	} else {
		for _, id := range ids {
			if err := read(membersOf(org, id), min(limit, *budget+1)); err != nil {
				return err
			}
		}
	}
	if load.FewMembers && limit > 0 {
		groups = slices.DeleteFunc(slices.Clone(groups), func(g *storage.Record) bool { return len(g.Members) == limit })
	}
	return s.labelMembers(ctx, org, groups)
}

// labelMembers fills in what members are called now.
func (s *reader) labelMembers(ctx context.Context, org scim.OrgID, groups []*storage.Record) error {
	byType := make(map[scim.TypeName][]string)
	for _, g := range groups {
		for _, m := range g.Members {
			if m.Type != "" {
				byType[m.Type] = append(byType[m.Type], m.ID)
			}
		}
	}
	labels := make(map[string]string)
	if _, err := s.labels(ctx, org, byType, labels); err != nil {
		return err
	}
	for _, g := range groups {
		for i := range g.Members {
			m := &g.Members[i]
			if s.types[m.Type] == nil {
				m.Type = "" // this store was opened without the type
			}
			m.Display = labels[m.ID]
		}
	}
	return nil
}

// labels puts the labels of records in a map, and returns the ids of those that may be members of a group in their turn.
func (s *reader) labels(ctx context.Context, org scim.OrgID, byType map[scim.TypeName][]string, labels map[string]string) (nested []string, err error) {
	for name, ids := range byType {
		t := s.types[name]
		if t == nil {
			continue
		}
		for chunk := range chunks(distinct(ids)) {
			cur, err := s.db.Collection(t.coll).Find(ctx, append(bson.D{{Key: "org", Value: string(org)}}, in("id", chunk)...),
				options.Find().SetHint(byID).SetBatchSize(int32(len(chunk)+1)).
					SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "_label", Value: 1}, {Key: nestedField, Value: 1}}))
			if err != nil {
				return nil, err
			}
			err = each(ctx, cur, func(raw bson.Raw) error {
				id := text(raw, "id")
				labels[id] = text(raw, "_label")
				if yes, _ := raw.Lookup(nestedField).BooleanOK(); yes {
					nested = append(nested, id)
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return nested, nil
}
