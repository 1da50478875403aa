package mongo

import (
	"bytes"
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Update implements storage.Writer. The callback runs on a state that was read outside of the transaction, which
// then is short; the write is guarded by the state's version.
func (s *Store) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (rec *storage.Record, changed bool, err error) {
	end, err := s.call(ctx, "update")
	if err != nil {
		return nil, false, err
	}
	defer end(&err)
	t, err := s.typeOf(k.Type)
	if err != nil {
		return nil, false, err
	}
	leave, err := s.queue.enter(ctx, k)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	at = scim.Millis(at)
	err = again(ctx, func() error {
		u, err := s.newUpdate(ctx, t, k, at, fn)
		if err != nil {
			return err
		}
		if !u.changes() {
			rec, changed = u.old.bare(), false
			return nil
		}
		if err := s.attempt(ctx, k.Org, false, u.run); err != nil {
			return err
		}
		rec, changed = u.record(), true
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return rec, changed, nil
}

// update is an Edit of a known version.
type update struct {
	t           *resourceType
	old         *stored
	at          time.Time
	draft       *draft // nil: the document stays
	newSecret   bool
	secret      []byte
	add, remove []string
	change      storage.Change
}

// newUpdate reads the record, runs the callback and compares what it wants with what there is.
func (s *Store) newUpdate(ctx context.Context, t *resourceType, k storage.Key, at time.Time, fn storage.UpdateFunc) (*update, error) {
	r, err := s.readStored(ctx, t, k)
	if err != nil {
		return nil, err
	}
	u := &update{t: t, old: r, at: at, secret: r.secret}
	e, err := fn(&current{ctx: ctx, s: s, rec: r.rec})
	if err != nil || e == nil {
		return u, err
	}
	u.change = e.Change
	if e.Doc != nil {
		if d := t.newDraft(e); !bytes.Equal(d.doc, r.rec.Doc) {
			u.draft = d
		}
	}
	if len(e.Secret) > 0 {
		u.secret = encodeSecret(e.SecretsAfter(r.rec.Secret))
		u.newSecret = !bytes.Equal(u.secret, r.secret)
	}
	if t.Members != "" {
		if u.add, u.remove, err = s.diff(ctx, k, &e.Members); err != nil {
			return nil, translate(ctx, "read members", err)
		}
	}
	return u, nil
}

func (u *update) changes() bool {
	return u.draft != nil || u.newSecret || len(u.add) > 0 || len(u.remove) > 0
}

func (u *update) record() *storage.Record {
	rec := u.old.bare()
	rec.Version++
	rec.Modified = u.at
	if u.draft != nil {
		rec.Doc = u.draft.doc
	}
	return rec
}

// run stores the update. The record comes first: whoever else writes it now finds it taken, before either has done
// much work.
func (u *update) run(ctx context.Context, x *txn) error {
	k, version := u.old.rec.Key, u.old.rec.Version+1
	var freed, taken []query.UniqueKey
	if u.draft != nil {
		freed, taken = without(u.old.keys, u.draft.keys), without(u.draft.keys, u.old.keys)
		if x.look {
			if err := x.lookFor(ctx, k, false, taken); err != nil {
				return err
			}
		}
	}
	if err := u.store(ctx, x, version); err != nil {
		return err
	}
	if len(freed) > 0 {
		models := make([]mongo.WriteModel, len(freed))
		for i, f := range freed {
			models[i] = releaseValue(k, f)
		}
		if err := x.release(ctx, models); err != nil {
			return err
		}
	}
	if err := x.claim(ctx, k, taken); err != nil {
		return err
	}
	if err := x.removeMembers(ctx, k, u.remove); err != nil {
		return err
	}
	if err := x.addMembers(ctx, k, u.add); err != nil {
		return err
	}
	change := u.change
	change.MembersAdded, change.MembersRemoved = u.add, u.remove
	x.change(k, version, u.old.base, u.at, &change, 0)
	return nil
}

func (u *update) store(ctx context.Context, x *txn, version int64) error {
	x.wrote = true
	k := u.old.rec.Key
	coll := x.s.db.Collection(u.t.coll)
	filter := u.old.filter()
	if u.draft != nil {
		doc := u.draft.document(k, version, u.old.rec.Created, u.at, u.secret, u.old.kept)
		if u.t.Members != "" {
			filter = append(filter, exists(nestedField, u.old.nested)...) // a mark that was set meanwhile is not lost
		}
		res, err := coll.ReplaceOne(ctx, filter, doc)
		if err == nil && res.MatchedCount == 0 {
			return errLost
		}
		return x.fail(ctx, "replace", err)
	}
	set := bson.D{{Key: "meta.version", Value: version}, {Key: "meta.lastModified", Value: dateTime(u.at)}}
	var change bson.D
	switch {
	case u.newSecret && u.secret == nil:
		change = bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: bson.D{{Key: "_secret", Value: ""}}}}
	case u.newSecret:
		set = append(set, bson.E{Key: "_secret", Value: bson.Binary{Data: u.secret}})
		fallthrough
	default:
		change = bson.D{{Key: "$set", Value: set}}
	}
	res, err := coll.UpdateOne(ctx, filter, change)
	if err == nil && res.MatchedCount == 0 {
		return errLost
	}
	return x.fail(ctx, "update", err)
}

// without returns the keys of a that are not in b.
func without(a, b []query.UniqueKey) []query.UniqueKey {
	var list []query.UniqueKey
	for _, k := range a {
		if !hasKey(b, k) {
			list = append(list, k)
		}
	}
	return list
}
