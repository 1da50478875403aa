package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	driver "go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// The calls of the bare driver: the commands that the server sends for a step, in their order. Those of a write that
// the server sends in a transaction are in one here.

func (b *bare) random(w, i int) string {
	return b.users[int(rand.NewPCG(uint64(w), uint64(i)).Uint64()%uint64(len(b.users)))]
}

func (b *bare) key(id string) bson.D {
	return bson.D{{Key: "org", Value: b.org}, {Key: "id", Value: id}}
}

func (b *bare) readFields() bson.D {
	return bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "meta", Value: 1}, {Key: "_doc", Value: 1}}
}

// groupsOf reads the memberships of one user, and what the groups are called.
func (b *bare) groupsOf(ctx context.Context, id string) error {
	cur, err := b.db.Collection("memberships").Find(ctx, bson.D{{Key: "org", Value: b.org}, {Key: "member", Value: bson.D{{Key: "$in", Value: bson.A{id}}}}})
	if err != nil {
		return err
	}
	var all []bson.Raw
	if err := cur.All(ctx, &all); err != nil || len(all) == 0 {
		return err
	}
	groups := make(bson.A, len(all))
	for i, raw := range all {
		groups[i] = raw.Lookup("group")
	}
	cur, err = b.db.Collection("groups").Find(ctx, bson.D{{Key: "org", Value: b.org}, {Key: "id", Value: bson.D{{Key: "$in", Value: groups}}}},
		driver.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "_label", Value: 1}}))
	if err != nil {
		return err
	}
	return cur.All(ctx, &all)
}

// snapshot runs reads that see one state.
func (b *bare) snapshot(f func(ctx context.Context) error) error {
	sess, err := b.client.StartSession(driver.Session().SetSnapshot(true))
	if err != nil {
		return err
	}
	defer sess.EndSession(b.ctx)
	return f(mongo.NewSessionContext(b.ctx, sess))
}

func (b *bare) get(w int) caller {
	return func(i int) func() (int, error) {
		id := b.random(w, i)
		return func() (int, error) {
			var raw bson.Raw
			err := b.snapshot(func(ctx context.Context) (err error) {
				raw, err = b.db.Collection("users").FindOne(ctx, b.key(id), driver.FindOne().SetProjection(b.readFields())).Raw()
				if err != nil {
					return err
				}
				return b.groupsOf(ctx, id)
			})
			return len(raw), err
		}
	}
}

func (b *bare) filter(w int) caller {
	return func(i int) func() (int, error) {
		name := fmt.Sprintf("u%07d@example.com", int(rand.NewPCG(uint64(w), uint64(i)).Uint64()%uint64(len(b.users))))
		return func() (int, error) {
			size := 0
			err := b.snapshot(func(ctx context.Context) error {
				cur, err := b.db.Collection("users").Find(ctx, bson.D{{Key: "org", Value: b.org}, {Key: "_f.userName", Value: name}},
					driver.Find().SetSort(bson.D{{Key: "id", Value: 1}}).SetLimit(101).SetProjection(b.readFields()))
				if err != nil {
					return err
				}
				var found []bson.Raw
				if err := cur.All(ctx, &found); err != nil || len(found) != 1 {
					return errors.Join(err, fmt.Errorf("%d users of one name", len(found)))
				}
				size = len(found[0])
				id, _ := found[0].Lookup("id").StringValueOK()
				return b.groupsOf(ctx, id)
			})
			return size, err
		}
	}
}

// transaction runs f in one, again if it meets another.
func (b *bare) transaction(f func(ctx context.Context) error) error {
	for {
		err := b.attempt(f)
		var labeled mongo.LabeledError
		if err == nil || !errors.As(err, &labeled) || !labeled.HasErrorLabel("TransientTransactionError") {
			return err
		}
	}
}

func (b *bare) attempt(f func(ctx context.Context) error) error {
	sess, err := b.client.StartSession(driver.Session().SetCausalConsistency(false))
	if err != nil {
		return err
	}
	defer sess.EndSession(b.ctx)
	if err := sess.StartTransaction(driver.Transaction().SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority())); err != nil {
		return err
	}
	if err := f(mongo.NewSessionContext(b.ctx, sess)); err != nil {
		return errors.Join(err, sess.AbortTransaction(b.ctx))
	}
	return sess.CommitTransaction(b.ctx)
}

func without(d bson.D, name string) bson.D {
	out := make(bson.D, 0, len(d)+4)
	for _, e := range d {
		if e.Key != name {
			out = append(out, e)
		}
	}
	return out
}

func replaced(d bson.D, name string, v any) bson.D {
	out := make(bson.D, len(d))
	copy(out, d)
	for i := range out {
		if out[i].Key == name {
			out[i].Value = v
		}
	}
	return out
}

// newUser is the document of another user.
func (b *bare) newUser(id, name string) bson.D {
	doc := replaced(replaced(without(b.user, "_id"), "id", id), "userName", name)
	f, _ := lookup(doc, "_f").(bson.D)
	return replaced(doc, "_f", replaced(f, "userName", name))
}

func lookup(d bson.D, name string) any {
	for _, e := range d {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

func (b *bare) newChange(id string, version int64) bson.D {
	ch := replaced(replaced(without(b.change, "_id"), "id", id), "version", version)
	return append(without(without(ch, "pos"), "pending"), bson.E{Key: "pending", Value: 2 * version})
}

func (b *bare) claims(id, name string) []mongo.WriteModel {
	claim := func(t, attr, value, field string, holder any) mongo.WriteModel {
		key := bson.D{{Key: "org", Value: b.org}, {Key: "type", Value: t}, {Key: "attr", Value: attr}, {Key: "value", Value: value}}
		return mongo.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: key}, {Key: field, Value: bson.D{{Key: "$exists", Value: false}}}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: holder}}}})
	}
	return []mongo.WriteModel{claim("", "id", id, "type", "User"), claim("User", "userName", name, "id", id)}
}

// insert stores users in one transaction.
func (b *bare) insert(ids []string) error {
	var claims []mongo.WriteModel
	docs, changes := make([]any, len(ids)), make([]any, len(ids))
	for i, id := range ids {
		name := "bare" + id
		claims = append(claims, b.claims(id, name)...)
		docs[i], changes[i] = b.newUser(id, name), b.newChange(id, 1)
	}
	return b.transaction(func(ctx context.Context) error {
		if _, err := b.db.Collection("keys").BulkWrite(ctx, claims); err != nil {
			return err
		}
		if _, err := b.db.Collection("users").InsertMany(ctx, docs); err != nil {
			return err
		}
		_, err := b.db.Collection("changes").InsertMany(ctx, changes)
		return err
	})
}

func newIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7()).String()
	}
	return ids
}

func (b *bare) create(int) caller {
	return func(int) func() (int, error) {
		ids := newIDs(1)
		return func() (int, error) {
			return 0, b.insert(ids)
		}
	}
}

// bulk inserts a thousand users, as many to a transaction as the server does.
func (b *bare) bulk(int) caller {
	const together = 64
	return func(int) func() (int, error) {
		ids := newIDs(bulkSize)
		return func() (int, error) {
			for from := 0; from < len(ids); from += together {
				if err := b.insert(ids[from:min(from+together, len(ids))]); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}
	}
}

func (b *bare) patch(w int) caller {
	return func(i int) func() (int, error) {
		id := b.random(w, i)
		return func() (int, error) {
			for {
				var doc bson.D
				if err := b.db.Collection("users").FindOne(b.ctx, b.key(id)).Decode(&doc); err != nil {
					return 0, err
				}
				meta, _ := lookup(doc, "meta").(bson.D)
				version, _ := lookup(meta, "version").(int64)
				next := replaced(replaced(without(doc, "_id"), "meta", replaced(meta, "version", version+1)), "nickName", fmt.Sprint(i))
				lost := false
				err := b.transaction(func(ctx context.Context) error {
					res, err := b.db.Collection("users").ReplaceOne(ctx, append(b.key(id), bson.E{Key: "meta.version", Value: version}), next)
					if err != nil {
						return err
					}
					if lost = res.MatchedCount == 0; lost {
						return nil
					}
					_, err = b.db.Collection("changes").InsertOne(ctx, b.newChange(id, version+1))
					return err
				})
				if err != nil || !lost {
					return 0, errors.Join(err, b.groupsOf(b.ctx, id))
				}
			}
		}
	}
}

// member adds and removes one member of a group that all workers share; they take turns, as within the server.
func (b *bare) member(w int, group string) caller {
	turn := b.turn(group)
	return func(i int) func() (int, error) {
		who := b.users[w]
		return func() (int, error) {
			turn.Lock()
			defer turn.Unlock()
			return 0, b.changeMember(group, who, i%2 == 1)
		}
	}
}

func (b *bare) turn(group string) *sync.Mutex {
	m, _ := b.turns.LoadOrStore(group, &sync.Mutex{})
	return m.(*sync.Mutex)
}

func (b *bare) changeMember(group, who string, add bool) error {
	raw, err := b.db.Collection("groups").FindOne(b.ctx, b.key(group)).Raw()
	if err != nil {
		return err
	}
	version, _ := raw.Lookup("meta", "version").AsInt64OK()
	members := b.db.Collection("memberships")
	one := bson.D{{Key: "org", Value: b.org}, {Key: "group", Value: group}, {Key: "member", Value: bson.D{{Key: "$in", Value: bson.A{who}}}}}
	cur, err := members.Find(b.ctx, one)
	if err != nil {
		return err
	}
	var has []bson.Raw
	if err := cur.All(b.ctx, &has); err != nil || (len(has) == 0) != add {
		return err
	}
	return b.transaction(func(ctx context.Context) error {
		_, err := b.db.Collection("groups").UpdateOne(ctx, append(b.key(group), bson.E{Key: "meta.version", Value: version}),
			bson.D{{Key: "$set", Value: bson.D{{Key: "meta.version", Value: version + 1}}}})
		if err != nil {
			return err
		}
		if add {
			key := bson.D{{Key: "org", Value: b.org}, {Key: "type", Value: ""}, {Key: "attr", Value: "id"}, {Key: "value", Value: who}}
			_, err := b.db.Collection("keys").FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: key}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "refs", Value: 1}}}}).Raw()
			if err != nil {
				return err
			}
			_, err = members.InsertOne(ctx, bson.D{
				{Key: "org", Value: b.org}, {Key: "group", Value: group}, {Key: "gtype", Value: "Group"}, {Key: "member", Value: who}, {Key: "mtype", Value: "User"},
			})
			if err != nil {
				return err
			}
		} else if _, err := members.DeleteMany(ctx, one); err != nil {
			return err
		}
		_, err = b.db.Collection("changes").InsertOne(ctx, b.newChange(group, version+1))
		return err
	})
}
