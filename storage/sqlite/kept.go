package sqlite

import (
	"context"

	"rollcall/storage"
)

// A client reads before it writes, so the record that an Update is of is mostly in the cache. Then nothing is read by
// the caller, whose connection would have to read all pages again after each commit of others; the writer, whose pages
// are its own, compares version and row. What was written stays in the cache, for who reads it next.

// keptGroups is what is known of the groups of a record that comes from the cache.
type keptGroups struct {
	known bool
	at    int64 // done when they were read
}

// toUpdate is the record that an Update begins with.
func (s *Store) toUpdate(ctx context.Context, t *resourceType, k storage.Key) (*storedRecord, error) {
	if org, ok := s.orgs.get(k.Org); ok && s.cache.c != nil {
		if r := s.keptRecord(org, t, k); r != nil {
			return r, nil
		}
	}
	return s.readRecord(ctx, t, k)
}

// keptRecord is the newest state of a record that has no secrets, nil if the cache does not have it.
func (s *Store) keptRecord(org int64, t *resourceType, k storage.Key) *storedRecord {
	var kb keyBuffer
	key := recordKey(kb[:0], org, k.ID)
	if key == nil {
		return nil
	}
	var room [1024]byte
	value, ok := s.cache.get(room[:0], key, newest)
	if !ok {
		return nil
	}
	e, ok := parseEntry(value)
	if !ok || e.typ != t.code || !e.open {
		return nil
	}
	r := &storedRecord{rid: e.rid, org: org, typ: t.code, rec: storage.Record{Key: k}, kept: &keptGroups{known: e.groups, at: e.at}}
	if !s.cache.packer(t.code).unpack(&r.rec, &e, e.groups, &arena{}) {
		return nil
	}
	return r
}

// isCurrent reports whether the record is still the version that the update is of, and completes one that comes from
// the cache.
func (u *update) isCurrent(c *conn) (bool, error) {
	old := u.old
	if old.kept == nil {
		q := c.prep("SELECT version FROM res WHERE rid=? AND org=? AND type=? AND id=?")
		version, found, err := q.int(old.rid).int(old.org).int(u.t.code).id(old.rec.ID).one()
		return found && version == old.rec.Version, err
	}
	q := c.prep("SELECT r.version, r.rid, r.keys, i.label FROM ids i CROSS JOIN res r ON r.rid=i.rid WHERE i.org=? AND i.type=? AND i.id=?")
	found, err := q.int(old.org).int(u.t.code).id(old.rec.ID).step()
	if err != nil || !found {
		return false, err
	}
	// Another record that came under the id of one that was deleted may have its version, never its rid.
	same := q.colInt(0) == old.rec.Version && q.colInt(1) == old.rid
	old.label = q.colText(3)
	if old.keys, err = parseKeys(q.colBytes(2)); err != nil {
		return false, q.abandon(err)
	}
	markStrays(u.oldRows, func(a *attr, v string) bool { return hasKey(old.keys, a.code, v) })
	return same, q.done()
}

// noteKept drops the record's entry and notes what keepUpdated has to know.
func (u *update) noteKept(c *cache) {
	old := u.old
	if old.kept != nil {
		u.sameGroup = c.sameGroups(old.org, old.rec.ID, old.kept)
	}
	u.txn, u.touch = c.txn, c.touchRecord(old.org, old.rec.ID)
}

// sameGroups reports whether nothing has changed the groups of a record since they were read: then its entry is still
// there. For the writer.
func (c *cache) sameGroups(org int64, id string, k *keptGroups) bool {
	var kb keyBuffer
	var room [1024]byte
	value, ok := c.c.HasGet(room[:0], recordKey(kb[:0], org, id))
	if !ok {
		return false
	}
	e, ok := parseEntry(value)
	return ok && e.at == k.at && c.org(org).relations.Load() <= k.at
}

// keepUpdated puts what a committed update of a record from the cache has made of it.
func (s *Store) keepUpdated(u *update) {
	// Of a change of relations in the same transaction nobody knows whether it came before or after the update.
	if u.old.kept == nil || !u.changed || u.newSecret || !u.sameGroup || s.cache.org(u.old.org).relations.Load() == u.txn {
		return
	}
	rec := u.record()
	rec.Groups = u.old.rec.Groups
	var kb keyBuffer
	var room [2048]byte
	value := s.cache.packer(u.t.code).pack(room[:0], u.t.code, u.old.rid, rec, u.old.kept.known, true, u.txn)
	if len(value) < maxEntry {
		s.cache.replace(recordKey(kb[:0], u.old.org, rec.ID), value, u.touch)
	}
}
