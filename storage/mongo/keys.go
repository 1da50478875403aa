package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// A document of collection keys is one thing that exists once in an organization. Its _id says what:
//
//	{org, type: "User", attr: "userName", value: "ada"}   a unique value; id is the record that has it
//	{org, type: "", attr: "id", value: "0190..."}         an id; type is its record's, absent while it has none
//
// The second kind is written by whoever makes, removes or refers to the id. So a group that takes in a member and the
// insert or delete of that member cannot pass by each other: the server lets one of the two transactions win.

func keyID(org scim.OrgID, t scim.TypeName, attr, value string) bson.D {
	return bson.D{
		{Key: "org", Value: string(org)}, {Key: "type", Value: string(t)}, {Key: "attr", Value: attr}, {Key: "value", Value: value},
	}
}

func idKey(org scim.OrgID, id string) bson.D { return keyID(org, "", "id", id) }

// claimID is the statement that makes an id a record's. It meets a duplicate if it is one's already.
func claimID(k storage.Key) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: idKey(k.Org, k.ID)}, {Key: "type", Value: bson.D{{Key: "$exists", Value: false}}}}).
		SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "type", Value: string(k.Type)}}}})
}

// claimValue is the same for a unique value, which is never there without a holder. It is an update as well, so that
// one command has all claims.
func claimValue(k storage.Key, u query.UniqueKey) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: keyID(k.Org, k.Type, u.Attr, u.Value)}, {Key: "id", Value: bson.D{{Key: "$exists", Value: false}}}}).
		SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "id", Value: k.ID}}}})
}

// claim takes unique values for a record that is there.
func (x *txn) claim(ctx context.Context, k storage.Key, values []query.UniqueKey) error {
	if len(values) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(values))
	for i, u := range values {
		models[i] = claimValue(k, u)
	}
	x.wrote = true
	_, err := x.s.db.Collection(collKeys).BulkWrite(ctx, models)
	if i, dup := duplicateIndex(err); dup {
		x.failed = errRefused
		return &storage.UniqueError{Attr: values[i].Attr}
	}
	return x.fail(ctx, "claim keys", err)
}

// errRefused: a statement was refused, which ended the transaction.
var errRefused = errors.New("mongo: the transaction was ended by a refused statement")

// lookFor returns the error that claiming would meet.
func (x *txn) lookFor(ctx context.Context, k storage.Key, id bool, values []query.UniqueKey) error {
	var ids bson.A
	if id {
		ids = append(ids, idKey(k.Org, k.ID))
	}
	for _, u := range values {
		ids = append(ids, keyID(k.Org, k.Type, u.Attr, u.Value))
	}
	if len(ids) == 0 {
		return nil
	}
	taken := make(map[query.UniqueKey]bool)
	exists := false
	cur, err := x.s.db.Collection(collKeys).Find(ctx, in("_id", ids))
	if err != nil {
		return x.fail(ctx, "look for keys", err)
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		key, _ := raw.Lookup("_id").DocumentOK()
		attr, _ := key.Lookup("attr").StringValueOK()
		value, _ := key.Lookup("value").StringValueOK()
		if t, _ := key.Lookup("type").StringValueOK(); t != "" {
			taken[query.UniqueKey{Attr: attr, Value: value}] = true
			return nil
		}
		_, hasType := raw.Lookup("type").StringValueOK()
		exists = exists || hasType
		return nil
	})
	if err != nil {
		return x.fail(ctx, "look for keys", err)
	}
	if exists {
		return storage.ErrExists
	}
	for _, u := range values {
		if taken[u] {
			return &storage.UniqueError{Attr: u.Attr}
		}
	}
	return nil
}

// yieldID is the statement that takes an id from its record. The document stays, so that a record that comes back under
// the id has its changes after those of this one, whose last is at base.
func yieldID(k storage.Key, base int64) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: idKey(k.Org, k.ID)}}).SetUpdate(bson.D{
		{Key: "$unset", Value: bson.D{{Key: "type", Value: ""}}}, {Key: "$set", Value: bson.D{{Key: "base", Value: base}}},
	})
}

func releaseValue(k storage.Key, u query.UniqueKey) mongo.WriteModel {
	return mongo.NewDeleteOneModel().SetFilter(bson.D{{Key: "_id", Value: keyID(k.Org, k.Type, u.Attr, u.Value)}})
}

// release gives keys back.
func (x *txn) release(ctx context.Context, models []mongo.WriteModel) error {
	if len(models) == 0 {
		return nil
	}
	x.wrote = true
	_, err := x.s.db.Collection(collKeys).BulkWrite(ctx, models)
	return x.fail(ctx, "release keys", err)
}

// bases returns where the changes of records begin whose ids have a document already.
func (x *txn) bases(ctx context.Context, list []*insert) (map[string]int64, error) {
	ids := make(bson.A, len(list))
	for i, ins := range list {
		ids[i] = idKey(x.org, ins.key.ID)
	}
	bases := make(map[string]int64, len(list))
	cur, err := x.s.db.Collection(collKeys).Find(ctx, in("_id", ids))
	if err != nil {
		return nil, x.fail(ctx, "read keys", err)
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		bases[text(raw, "_id", "value")], _ = raw.Lookup("base").AsInt64OK()
		return nil
	})
	return bases, x.fail(ctx, "read keys", err)
}

// refer notes in the keys of ids that somebody refers to them, and returns the types of those that are records.
func (x *txn) refer(ctx context.Context, ids []string) (map[string]scim.TypeName, error) {
	x.wrote = true
	coll := x.s.db.Collection(collKeys)
	refs := bson.D{{Key: "$inc", Value: bson.D{{Key: "refs", Value: int64(1)}}}}
	if len(ids) == 1 {
		raw, err := coll.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: idKey(x.org, ids[0])}}, refs,
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
		if err != nil {
			return nil, x.fail(ctx, "refer to an id", again11000(err))
		}
		types := make(map[string]scim.TypeName, 1)
		if t, ok := raw.Lookup("type").StringValueOK(); ok {
			types[ids[0]] = scim.TypeName(t)
		}
		return types, nil
	}
	for chunk := range chunks(ids) {
		models := make([]mongo.WriteModel, len(chunk))
		for i, id := range chunk {
			models[i] = mongo.NewUpdateOneModel().SetUpsert(true).SetFilter(bson.D{{Key: "_id", Value: idKey(x.org, id)}}).SetUpdate(refs)
		}
		if _, err := coll.BulkWrite(ctx, models); err != nil {
			return nil, x.fail(ctx, "refer to ids", again11000(err))
		}
	}
	types, err := x.s.typesOf(ctx, x.org, ids)
	if err != nil {
		return nil, x.fail(ctx, "refer to ids", err)
	}
	return types, nil
}

// conflictError makes a transaction run again.
type conflictError struct{ error }

func (e conflictError) Unwrap() error { return errTransient }

// again11000: an upsert by _id that meets a duplicate met another upsert.
func again11000(err error) error {
	if mongo.IsDuplicateKeyError(err) {
		return conflictError{errTransient}
	}
	return err
}

// typesOf returns the types of the ids that are records.
func (s *Store) typesOf(ctx context.Context, org scim.OrgID, ids []string) (map[string]scim.TypeName, error) {
	types := make(map[string]scim.TypeName, len(ids))
	for chunk := range chunks(ids) {
		list := make(bson.A, 0, len(chunk))
		for _, id := range chunk {
			if storable(id) {
				list = append(list, idKey(org, id))
			}
		}
		cur, err := s.db.Collection(collKeys).Find(ctx, in("_id", list))
		if err != nil {
			return nil, err
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			id, _ := raw.Lookup("_id", "value").StringValueOK()
			if t, ok := raw.Lookup("type").StringValueOK(); ok {
				types[id] = scim.TypeName(t)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return types, nil
}

// Exists implements storage.Resources.
func (s *Store) Exists(ctx context.Context, org scim.OrgID, ids []string) (_ map[string]scim.TypeName, err error) {
	end, err := s.call(ctx, "exists")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	types, err := s.typesOf(ctx, org, ids)
	if err != nil {
		return nil, translate(ctx, "look for ids", err)
	}
	for id, t := range types {
		if s.types[t] == nil {
			delete(types, id)
		}
	}
	return types, nil
}
