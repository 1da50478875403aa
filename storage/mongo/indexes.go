package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// SchemaVersion is the layout that this package writes.
const SchemaVersion = 1

// index is one index: its name says its keys, so that two that differ never share a name.
type index struct {
	coll    string
	keys    bson.D
	unique  bool
	partial bson.D
}

func (i *index) name() string {
	var name string
	for _, k := range i.keys {
		if name != "" {
			name += "_"
		}
		name += k.Key
	}
	return name
}

func ascending(fields ...string) bson.D {
	d := make(bson.D, len(fields))
	for i, f := range fields {
		d[i] = bson.E{Key: f, Value: 1}
	}
	return d
}

// The indexes that statements name: a type has many that begin with the organization, memberships two, and a server that has seen few
// memberships may take the one that reads all of them.
const (
	byID     = "org_id" // of each type
	byGroup  = "org_group_mtype_member"
	byMember = "org_member_group"
)

// indexes are all that the store relies on. Each begins with the organization, but for those of the few documents
// that are looked up before it is known.
func (c *catalog) indexes() []index {
	list := []index{
		{coll: collOrganizations, keys: ascending("slug"), unique: true},
		{coll: collTokens, keys: ascending("digest"), unique: true},
		{coll: collTokens, keys: ascending("org", "created")},
		// The members of a group in the order in which they are read.
		{coll: collMemberships, keys: ascending("org", "group", "mtype", "member")},
		// The groups of a member; also what makes a membership exist once.
		{coll: collMemberships, keys: ascending("org", "member", "group"), unique: true},
		// Members with an id in other case than folded, which no resource of ours has.
		{coll: collMemberships, keys: ascending("org", "fold"), partial: bson.D{{Key: "fold", Value: bson.D{{Key: "$gt", Value: ""}}}}},
		{coll: collChanges, keys: ascending("org", "pos"), partial: positive("pos")},
		{coll: collChanges, keys: ascending("org", "pending", "type", "records"), partial: positive("pending")},
		{coll: collChanges, keys: ascending("org", "id", "order")},
		{coll: collChangeParts, keys: ascending("org", "change", "n"), unique: true},
	}
	for _, t := range c.sorted {
		list = append(list, index{coll: t.coll, keys: ascending("org", "id"), unique: true})
		for _, a := range t.attrs {
			ix := index{coll: t.coll, keys: ascending("org", a.path, "id")}
			if a.sparse {
				ix.partial = exists(a.path, true)
			}
			list = append(list, ix)
			if a.sort != a.path {
				list = append(list, index{coll: t.coll, keys: ascending("org", a.sort, "id")})
			}
		}
	}
	return list
}

// positive is the condition that a partial index of numbers has; a query must say it in the same way to use it.
func positive(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$gt", Value: int64(0)}}}}
}

func exists(field string, yes bool) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: yes}}}}
}

// ensureIndexes makes the indexes that are missing. The server does nothing for one that is there, and two processes
// that build the same one share the build.
func (s *Store) ensureIndexes(ctx context.Context) error {
	byColl := make(map[string][]mongo.IndexModel)
	for _, i := range s.indexes() {
		o := options.Index().SetName(i.name())
		if i.unique {
			o.SetUnique(true)
		}
		if i.partial != nil {
			o.SetPartialFilterExpression(i.partial)
		}
		byColl[i.coll] = append(byColl[i.coll], mongo.IndexModel{Keys: i.keys, Options: o})
	}
	// These have no index of their own but must exist before a transaction writes to them.
	for _, coll := range []string{collKeys, collFeeds, collSettings} {
		err := s.db.CreateCollection(ctx, coll)
		var server mongo.ServerError
		if err != nil && (!errors.As(err, &server) || !server.HasErrorCode(48)) { // NamespaceExists
			return translate(ctx, "create a collection", err)
		}
	}
	colls := make([]string, 0, len(byColl))
	for coll := range byColl {
		colls = append(colls, coll)
	}
	slices.Sort(colls)
	for _, coll := range colls {
		if _, err := s.db.Collection(coll).Indexes().CreateMany(ctx, byColl[coll]); err != nil {
			var server mongo.ServerError
			if errors.As(err, &server) && (server.HasErrorCode(codeIndexConflict) || server.HasErrorCode(codeIndexKeyConflict)) {
				return fmt.Errorf("mongo: collection %s has an index under a name that Rollcall uses, with other keys: drop it", coll)
			}
			return translate(ctx, "create indexes", err)
		}
	}
	return nil
}
