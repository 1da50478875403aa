package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"rollcall/storage"
)

// Redact implements storage.Changes.
func (s *Store) Redact(ctx context.Context, k storage.Key) (err error) {
	end, err := s.call(ctx, "redact")
	if err != nil {
		return err
	}
	defer end(&err)
	if _, err := s.typeOf(k.Type); err != nil {
		return err
	}
	path := bson.D{{Key: "path", Value: "$$v.path"}, {Key: "old", Value: nil}, {Key: "new", Value: nil}}
	_, err = s.db.Collection(collChanges).UpdateMany(ctx,
		bson.D{
			{Key: "org", Value: string(k.Org)},
			{Key: "id", Value: k.ID},
			{Key: "type", Value: string(k.Type)},
			{Key: "values", Value: bson.D{{Key: "$exists", Value: true}}},
		},
		mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "values", Value: bson.D{{Key: "$map", Value: bson.D{
			{Key: "input", Value: "$values"}, {Key: "as", Value: "v"}, {Key: "in", Value: path},
		}}}}}}}})
	return translate(ctx, "redact a history", err)
}
