package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
)

// nestedField marks a group that is a member of a group, or was once: the mark stays, which costs whoever reads it a
// look-up in vain. Most groups are in none, and who reads the groups of a person, with their names, learns from the
// marks that there is nothing more to ask. It is set by the transaction that makes the membership, without a new
// version: nothing that a client sees has changed.
const nestedField = "_nested"

// markNested marks those of new members that have members themselves.
func (x *txn) markNested(ctx context.Context, ids []string, types map[string]scim.TypeName) error {
	byColl := make(map[string][]string)
	for _, id := range ids {
		name := types[id]
		// One of a type that this store was opened without may be a group.
		if t := x.s.types[name]; name != "" && (t == nil || t.Members != "") {
			byColl[collectionName(name)] = append(byColl[collectionName(name)], id)
		}
	}
	for coll, groups := range byColl {
		for chunk := range chunks(groups) {
			x.wrote = true
			_, err := x.s.db.Collection(coll).UpdateMany(ctx, slices.Concat(
				bson.D{{Key: "org", Value: string(x.org)}}, in("id", chunk), exists(nestedField, false),
			), bson.D{{Key: "$set", Value: bson.D{{Key: nestedField, Value: true}}}})
			if err != nil {
				return x.fail(ctx, "mark groups", err)
			}
		}
	}
	return nil
}

// markAllNested marks the groups of a type that were members before there was a mark. Whoever makes one of them a
// member meanwhile marks it.
func (s *Store) markAllNested(ctx context.Context, t *resourceType) error {
	cur, err := s.db.Collection(collMemberships).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "mtype", Value: string(t.Name)}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "org", Value: "$org"}, {Key: "id", Value: "$member"}}}}}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return translate(ctx, "look for groups in groups", err)
	}
	var models []mongo.WriteModel
	flush := func() error {
		if len(models) == 0 {
			return nil
		}
		_, err := s.db.Collection(t.coll).BulkWrite(ctx, models)
		models = models[:0]
		return err
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		models = append(models, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "org", Value: text(raw, "_id", "org")}, {Key: "id", Value: text(raw, "_id", "id")}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: nestedField, Value: true}}}}))
		if len(models) < scanBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return translate(ctx, "mark groups", err)
}
