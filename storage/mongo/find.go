package mongo

import (
	"context"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// chunkSize is how many values one statement asks for.
const chunkSize = 5000

func chunks(ids []string) iter.Seq[[]string] { return slices.Chunk(ids, chunkSize) }

// in is the condition that a field has one of the values. An empty list is one all the same: the server refuses null.
func in[T any](field string, values []T) bson.D {
	if values == nil {
		values = []T{}
	}
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// each calls f for the documents of a cursor and closes it.
func each(ctx context.Context, cur *mongo.Cursor, f func(bson.Raw) error) error {
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	for cur.Next(ctx) {
		if err := f(cur.Current); err != nil {
			return err
		}
	}
	return cur.Err()
}
