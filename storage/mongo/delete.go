package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/storage"
)

// Delete implements storage.Writer.
func (s *Store) Delete(ctx context.Context, k storage.Key, at time.Time, fn storage.DeleteFunc) (err error) {
	end, err := s.call(ctx, "delete")
	if err != nil {
		return err
	}
	defer end(&err)
	t, err := s.typeOf(k.Type)
	if err != nil {
		return err
	}
	leave, err := s.queue.enter(ctx, k)
	if err != nil {
		return err
	}
	defer leave()
	return again(ctx, func() error {
		d, err := s.newDeletion(ctx, t, k, at, fn)
		if err != nil {
			return err
		}
		return s.attempt(ctx, k.Org, false, d.run)
	})
}

// deletion is a Delete that its callback allowed.
type deletion struct {
	t      *resourceType
	old    *stored
	at     time.Time
	change storage.Change
}

func (s *Store) newDeletion(ctx context.Context, t *resourceType, k storage.Key, at time.Time, fn storage.DeleteFunc) (*deletion, error) {
	r, err := s.readStored(ctx, t, k)
	if err != nil {
		return nil, err
	}
	change, err := fn(&current{ctx: ctx, s: s, rec: r.rec})
	if err != nil {
		return nil, err
	}
	return &deletion{t: t, old: r, at: scim.Millis(at), change: change}, nil
}

func (d *deletion) run(ctx context.Context, x *txn) error {
	k := d.old.rec.Key
	x.wrote = true
	res, err := x.s.db.Collection(d.t.coll).DeleteOne(ctx, d.old.filter())
	if err != nil {
		return x.fail(ctx, "delete", err)
	}
	if res.DeletedCount == 0 {
		return errLost
	}
	models := []mongo.WriteModel{yieldID(k, order(d.old.rec.Version, d.old.base, storage.OpDelete))}
	for _, u := range d.old.keys {
		models = append(models, releaseValue(k, u))
	}
	if err := x.release(ctx, models); err != nil {
		return err
	}
	if err := x.leaveGroups(ctx, k, d.at, &d.change); err != nil {
		return err
	}
	change := d.change
	change.Op, change.MembersAdded, change.MembersRemoved = storage.OpDelete, nil, nil
	if d.t.Members != "" {
		if change.MembersRemoved, err = x.s.memberIDs(ctx, k.Org, k.ID); err != nil {
			return x.fail(ctx, "read members", err)
		}
		if len(change.MembersRemoved) > 0 {
			if _, err := x.s.db.Collection(collMemberships).DeleteMany(ctx, membersOf(k.Org, k.ID), options.DeleteMany().SetHint(byGroup)); err != nil {
				return x.fail(ctx, "remove members", err)
			}
		}
	}
	x.change(k, d.old.rec.Version, d.old.base, d.at, &change, -1)
	return nil
}

// leaveGroups takes a record that is being deleted out of its groups; each gets a new version and a change row with
// the actor and request of the deletion.
func (x *txn) leaveGroups(ctx context.Context, k storage.Key, at time.Time, cause *storage.Change) error {
	byType := make(map[scim.TypeName][]string)
	cur, err := x.s.db.Collection(collMemberships).Find(ctx, groupsOf(k.Org, k.ID), options.Find().SetHint(byMember))
	if err != nil {
		return x.fail(ctx, "read groups", err)
	}
	found := false
	err = each(ctx, cur, func(raw bson.Raw) error {
		found = true
		group, _ := raw.Lookup("group").StringValueOK()
		t, _ := raw.Lookup("gtype").StringValueOK()
		// A group in itself: it is gone with its own change row. One of a type that this store was opened without
		// keeps its version.
		if group != k.ID && x.s.types[scim.TypeName(t)] != nil {
			byType[scim.TypeName(t)] = append(byType[scim.TypeName(t)], group)
		}
		return nil
	})
	if err != nil {
		return x.fail(ctx, "read groups", err)
	}
	if !found {
		return nil
	}
	for _, t := range x.s.groups {
		change := storage.Change{Op: storage.OpPatch, Actor: cause.Actor, Request: cause.Request, MembersRemoved: []string{k.ID}}
		if err := x.bump(ctx, t, byType[t.Name], at, &change); err != nil {
			return err
		}
	}
	_, err = x.s.db.Collection(collMemberships).DeleteMany(ctx, groupsOf(k.Org, k.ID), options.DeleteMany().SetHint(byMember))
	return x.fail(ctx, "leave groups", err)
}

// bump gives groups a new version and a change row each.
func (x *txn) bump(ctx context.Context, t *resourceType, groups []string, at time.Time, change *storage.Change) error {
	coll := x.s.db.Collection(t.coll)
	for chunk := range chunks(groups) {
		filter := append(bson.D{{Key: "org", Value: string(x.org)}}, in("id", chunk)...)
		_, err := coll.UpdateMany(ctx, filter, bson.D{
			{Key: "$inc", Value: bson.D{{Key: "meta.version", Value: int64(1)}}},
			{Key: "$set", Value: bson.D{{Key: "meta.lastModified", Value: dateTime(at)}}},
		})
		if err != nil {
			return x.fail(ctx, "bump groups", err)
		}
		cur, err := coll.Find(ctx, filter, options.Find().SetProjection(bson.D{
			{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "meta.version", Value: 1}, {Key: "_base", Value: 1},
		}))
		if err != nil {
			return x.fail(ctx, "read groups", err)
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			id, _ := raw.Lookup("id").StringValueOK()
			version, _ := raw.Lookup("meta", "version").AsInt64OK()
			base, _ := raw.Lookup("_base").AsInt64OK()
			x.change(storage.Key{Org: x.org, Type: t.Name, ID: id}, version, base, at, change, 0)
			return nil
		})
		if err != nil {
			return x.fail(ctx, "read groups", err)
		}
	}
	return nil
}
