package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func membersOf(org scim.OrgID, group string) bson.D {
	return bson.D{{Key: "org", Value: string(org)}, {Key: "group", Value: group}}
}

func groupsOf(org scim.OrgID, member string) bson.D {
	return bson.D{{Key: "org", Value: string(org)}, {Key: "member", Value: member}}
}

// adopt turns the pending memberships of an id into real ones.
func (x *txn) adopt(ctx context.Context, k storage.Key) error {
	_, err := x.s.db.Collection(collMemberships).UpdateMany(ctx, groupsOf(k.Org, k.ID),
		bson.D{{Key: "$set", Value: bson.D{{Key: "mtype", Value: string(k.Type)}}}}, options.UpdateMany().SetHint(byMember))
	return x.fail(ctx, "adopt", err)
}

// link is one membership that is to be.
type link struct {
	group  *storage.Key
	member string
}

// addMembers adds members that the group does not have.
func (x *txn) addMembers(ctx context.Context, group storage.Key, ids []string) error {
	links := make([]link, len(ids))
	for i, id := range ids {
		links[i] = link{&group, id}
	}
	return x.addLinks(ctx, links)
}

// addLinks adds memberships that there are not.
func (x *txn) addLinks(ctx context.Context, links []link) error {
	if len(links) == 0 {
		return nil
	}
	ids := make([]string, len(links))
	for i, l := range links {
		ids[i] = l.member
	}
	ids = distinct(ids)
	types, err := x.refer(ctx, ids)
	if err != nil {
		return err
	}
	if err := x.markNested(ctx, ids, types); err != nil {
		return err
	}
	for chunk := range slices.Chunk(links, chunkSize) {
		rows := make([]any, len(chunk))
		for i, l := range chunk {
			rows[i] = membership(*l.group, l.member, types[l.member])
		}
		x.wrote = true
		if _, err := x.s.db.Collection(collMemberships).InsertMany(ctx, rows); err != nil {
			// The group's version was looked at, so a member that is there already was added by a write that this
			// transaction has to lose against.
			return x.fail(ctx, "add members", again11000(err))
		}
	}
	return nil
}

// membership is the document of one member of a group; t is empty for a pending one.
func membership(group storage.Key, member string, t scim.TypeName) bson.D {
	row := bson.D{
		{Key: "org", Value: string(group.Org)},
		{Key: "group", Value: group.ID},
		{Key: "gtype", Value: string(group.Type)},
		{Key: "member", Value: member},
		{Key: "mtype", Value: string(t)},
	}
	if folded := query.Fold(member); folded != member {
		row = append(row, bson.E{Key: "fold", Value: folded})
	}
	return row
}

func (x *txn) removeMembers(ctx context.Context, group storage.Key, ids []string) error {
	for chunk := range chunks(ids) {
		x.wrote = true
		filter := append(membersOf(group.Org, group.ID), in("member", chunk)...)
		if _, err := x.s.db.Collection(collMemberships).DeleteMany(ctx, filter, options.DeleteMany().SetHint(byMember)); err != nil {
			return x.fail(ctx, "remove members", err)
		}
	}
	return nil
}

// hasMembers returns which of ids are members of the group.
func (s *Store) hasMembers(ctx context.Context, org scim.OrgID, group string, ids []string) (map[string]bool, error) {
	has := make(map[string]bool, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !storable(id) })
	for chunk := range chunks(ids) {
		cur, err := s.db.Collection(collMemberships).Find(ctx, append(membersOf(org, group), in("member", chunk)...),
			options.Find().SetHint(byMember).SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "member", Value: 1}}))
		if err != nil {
			return nil, err
		}
		err = each(ctx, cur, func(raw bson.Raw) error {
			id, _ := raw.Lookup("member").StringValueOK()
			has[id] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return has, nil
}

func (s *Store) memberIDs(ctx context.Context, org scim.OrgID, group string) ([]string, error) {
	var all []string
	cur, err := s.db.Collection(collMemberships).Find(ctx, membersOf(org, group),
		options.Find().SetHint(byGroup).SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "member", Value: 1}}))
	if err != nil {
		return nil, err
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		id, _ := raw.Lookup("member").StringValueOK()
		all = append(all, id)
		return nil
	})
	return all, err
}

// diff is what a delta really changes. It is computed before anything is written, so that a delta that changes
// nothing costs no transaction; the guard on the group's version makes it hold when it is stored.
func (s *Store) diff(ctx context.Context, group storage.Key, d *storage.MemberDelta) (add, remove []string, err error) {
	if !d.Replace && len(d.Add) == 0 && len(d.Remove) == 0 {
		return nil, nil, nil
	}
	has := make(map[string]bool)
	if d.Replace {
		all, err := s.memberIDs(ctx, group.Org, group.ID)
		if err != nil {
			return nil, nil, err
		}
		keep := make(map[string]bool, len(d.Add))
		for _, id := range d.Add {
			keep[id] = true
		}
		for _, id := range all {
			has[id] = true
			if !keep[id] {
				remove = append(remove, id)
			}
		}
	} else {
		asked := distinct(slices.Concat(d.Add, d.Remove))
		if has, err = s.hasMembers(ctx, group.Org, group.ID, asked); err != nil {
			return nil, nil, err
		}
	}
	added := make(map[string]bool, len(d.Add))
	for _, id := range d.Add {
		if !has[id] && !added[id] {
			add = append(add, id)
		}
		added[id] = true
	}
	if d.Replace {
		return add, remove, nil
	}
	for _, id := range distinct(d.Remove) {
		// Removed and added again: no change.
		if has[id] && !added[id] {
			remove = append(remove, id)
		}
	}
	return add, remove, nil
}

// current is what callbacks look at.
type current struct {
	ctx context.Context //nolint:containedctx // the callback's own interface has none; it lives as long as the call
	s   *Store
	rec storage.Record
}

// Record implements storage.Current. The callback gets a copy: what it does to it must not reach the comparison
// with what it returns.
func (c *current) Record() *storage.Record {
	return c.rec.Copy()
}

// HasMembers implements storage.Current.
func (c *current) HasMembers(ids []string) (map[string]bool, error) {
	has, err := c.s.hasMembers(c.ctx, c.rec.Org, c.rec.ID, ids)
	if err != nil {
		return nil, translate(c.ctx, "read members", err)
	}
	return has, nil
}

// Members implements storage.Current.
func (c *current) Members() ([]storage.Member, error) {
	rec := storage.Record{Key: c.rec.Key}
	err := c.s.snapshot(c.ctx, func(ctx context.Context) error {
		rec.Members = nil
		budget := storage.MaxLoadedMembers
		return c.s.loadMembers(ctx, c.rec.Org, []*storage.Record{&rec}, query.Load{}, &budget)
	})
	if err != nil {
		return nil, translate(c.ctx, "read members", err)
	}
	return rec.Members, nil
}
