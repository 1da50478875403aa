package sqlite

import (
	"context"
	"slices"
	"time"

	"rollcall/scim/query"
	"rollcall/storage"
)

// nestedCount is the "type" in table counts under which the membership rows whose member is a group are counted:
// where there are none, no read needs to look for groups of groups.
const nestedCount = 0

// pendingCount is the same for rows of pending members: where there are none, a new record has none to adopt.
const pendingCount = -1

// adopt turns the pending memberships of an id into real ones.
func (w *writer) adopt(org int64, t *resourceType, id string) error {
	may, known := w.pending[org]
	if !known {
		q := w.c.prep("SELECT n FROM counts WHERE org=? AND type=?")
		n, _, err := q.int(org).int(pendingCount).one()
		if err != nil {
			return err
		}
		may = n > 0
		w.pending[org] = may
	}
	if !may {
		return nil
	}
	q := w.c.prep("UPDATE members SET mtype=? WHERE org=? AND member=? AND mtype=0")
	if err := q.int(t.code).int(org).id(id).exec(); err != nil {
		return err
	}
	if n := int64(w.c.c.Changes()); n > 0 {
		w.countMembers(org, 0, -n)
		w.countMembers(org, t.code, n)
	}
	return nil
}

// countMembers counts membership rows of the kinds that are counted. That an organization may have pending ones
// stays noted until the next start, whether the transaction is committed or not.
func (w *writer) countMembers(org, mtype, n int64) {
	if mtype == 0 {
		if n > 0 {
			w.pending[org] = true
		}
		w.count(org, pendingCount, n)
	}
	if t := w.s.byCode[mtype]; t != nil && t.Members != "" {
		w.count(org, nestedCount, n)
		// The groups of everything in the member change with its own.
		w.s.cache.org(org).nested.Store(true)
		w.s.cache.touchRelations(org)
	}
}

// addMembers adds those of ids that are not members yet and returns them.
func (w *writer) addMembers(org int64, grp string, ids []string) (added []string, err error) {
	for _, id := range ids {
		mtype, err := w.s.typeOfID(w.c, org, id, nil)
		if err != nil {
			return nil, err
		}
		q := w.c.prep("INSERT OR IGNORE INTO members (org, grp, mtype, member) VALUES (?, ?, ?, ?)")
		if err := q.int(org).id(grp).int(mtype).id(id).exec(); err != nil {
			return nil, err
		}
		if w.c.c.Changes() == 0 {
			continue
		}
		added = append(added, id)
		w.s.cache.touchRecord(org, id)
		w.countMembers(org, mtype, 1)
		if len(added)%16 == 0 {
			w.logged++ // a job that adds thousands is more than one write
		}
		if folded := query.Fold(id); folded != id {
			q := w.c.prep("INSERT OR IGNORE INTO spellings (org, folded, member) VALUES (?, ?, ?)")
			if err := q.int(org).text(folded).text(id).exec(); err != nil {
				return nil, err
			}
		}
	}
	return added, nil
}

// removeMembers removes those of ids that are members and returns them.
func (w *writer) removeMembers(org int64, grp string, ids []string) (removed []string, err error) {
	for _, id := range ids {
		q := w.c.prep("DELETE FROM members WHERE org=? AND member=? AND grp=? RETURNING mtype")
		mtype, found, err := q.int(org).id(id).id(grp).one()
		if err != nil {
			return nil, err
		}
		if found {
			removed = append(removed, id)
			w.s.cache.touchRecord(org, id)
			w.countMembers(org, mtype, -1)
		}
	}
	return removed, nil
}

// changeMembers applies a delta.
func (w *writer) changeMembers(org int64, grp string, d *storage.MemberDelta) (added, removed []string, err error) {
	remove := d.Remove
	if d.Replace {
		if remove, err = w.notIn(org, grp, d.Add); err != nil {
			return nil, nil, err
		}
	}
	if removed, err = w.removeMembers(org, grp, remove); err != nil {
		return nil, nil, err
	}
	added, err = w.addMembers(org, grp, d.Add)
	if err != nil || len(removed) == 0 || len(added) == 0 || d.Replace {
		return added, removed, err
	}
	// What was removed and added again did not change.
	again := make(map[string]bool, len(removed))
	for _, id := range removed {
		again[id] = true
	}
	added, both := split(added, again)
	clear(again)
	for _, id := range both {
		again[id] = true
	}
	removed, _ = split(removed, again)
	return added, removed, nil
}

// split separates the ids that are in set from the others.
func split(ids []string, set map[string]bool) (others, in []string) {
	for _, id := range ids {
		if set[id] {
			in = append(in, id)
		} else {
			others = append(others, id)
		}
	}
	return others, in
}

// notIn returns the members that are not in keep.
func (w *writer) notIn(org int64, grp string, keep []string) ([]string, error) {
	set := make(map[string]bool, len(keep))
	for _, id := range keep {
		set[id] = true
	}
	all, err := w.c.memberIDs(org, grp)
	if err != nil {
		return nil, err
	}
	others, _ := split(all, set)
	return others, nil
}

func (c *conn) memberIDs(org int64, grp string) ([]string, error) {
	var all []string
	q := c.prep("SELECT member FROM members WHERE org=? AND grp=?")
	q.int(org).id(grp)
	for {
		more, err := q.step()
		if err != nil || !more {
			return all, err
		}
		all = append(all, q.colID(0))
	}
}

// hasMembers reports whether a group has n members or more: a walk along one index, without a look at any.
func (c *conn) hasMembers(org int64, grp string, n int) (bool, error) {
	q := c.prep("SELECT 1 FROM members WHERE org=? AND grp=? LIMIT 1 OFFSET ?")
	_, found, err := q.int(org).id(grp).int(int64(n - 1)).one()
	return found, err
}

// removeAllMembers empties a group that is being deleted.
func (w *writer) removeAllMembers(org int64, t *resourceType, grp string) ([]string, error) {
	if t.Members == "" {
		return nil, nil
	}
	all, err := w.c.memberIDs(org, grp)
	if err != nil {
		return nil, err
	}
	return w.removeMembers(org, grp, all)
}

// leaveGroups takes a record that is being deleted out of its groups; each gets a new version and a change row with
// the actor and request of the deletion.
func (w *writer) leaveGroups(org int64, id string, at time.Time, cause *storage.Change) error {
	var groups []string
	q := w.c.prep("SELECT grp FROM members WHERE org=? AND member=?")
	q.int(org).id(id)
	for {
		more, err := q.step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		groups = append(groups, q.colID(0))
	}
	for _, grp := range groups {
		if _, err := w.removeMembers(org, grp, []string{id}); err != nil {
			return err
		}
		if grp == id {
			continue // a group in itself: it is gone with its change row
		}
		change := storage.Change{
			Op: storage.OpPatch, Actor: cause.Actor, Request: cause.Request, MembersRemoved: []string{id},
		}
		if err := w.bump(org, grp, at, &change); err != nil {
			return err
		}
	}
	return nil
}

// bump gives a group a new version.
func (w *writer) bump(org int64, grp string, at time.Time, change *storage.Change) error {
	code, err := w.s.typeOfID(w.c, org, grp, nil)
	if err != nil {
		return err
	}
	t := w.s.byCode[code]
	if t == nil {
		return nil // of a type that this store was opened without
	}
	q := w.c.prep("SELECT r.rid, r.version, r.created, r.modified FROM ids i CROSS JOIN res r ON r.rid=i.rid WHERE i.org=? AND i.type=? AND i.id=?")
	found, err := q.int(org).int(code).id(grp).step()
	if err != nil || !found {
		return err
	}
	w.s.cache.touchRecord(org, grp)
	rid, version := q.colInt(0), q.colInt(1)+1
	created, modified := instant(q.colInt(2)), instant(q.colInt(3))
	if err := q.done(); err != nil {
		return err
	}
	q = w.c.prep("UPDATE res SET version=?, modified=? WHERE rid=?")
	if err := q.int(version).int(millis(at)).int(rid).exec(); err != nil {
		return err
	}
	old, now := metaRows(t, created, modified), metaRows(t, created, at)
	if err := w.moveRows(org, grp, rid, old, now); err != nil {
		return err
	}
	return w.appendChange(org, t, grp, version, at, change, encodeValues(change.Values))
}

// metaRows are the index rows that do not come from the document.
func metaRows(t *resourceType, created, modified time.Time) []row {
	var rows []row
	for _, a := range t.attrs {
		switch a.meta {
		case metaCreated:
			rows = append(rows, row{attr: a, value: text(query.InstantKey(created)), first: isFirst})
		case metaModified:
			rows = append(rows, row{attr: a, value: text(query.InstantKey(modified)), first: isFirst})
		}
	}
	return rows
}

// moveRows writes the difference between two sets of index rows.
func (w *writer) moveRows(org int64, id string, rid int64, old, now []row) error {
	for i, r := range old {
		if !hasRow(now, r) {
			w.s.cache.touchRows(org, old[i:i+1])
			if err := w.c.deleteRow(org, id, r); err != nil {
				return err
			}
		}
	}
	var buf [16]row
	fresh := buf[:0]
	for _, r := range now {
		if !hasRow(old, r) {
			fresh = append(fresh, r)
		}
	}
	w.s.cache.touchRows(org, fresh)
	return w.c.insertRows(org, id, rid, fresh)
}

func hasRow(rows []row, r row) bool {
	return slices.Contains(rows, r)
}

// current is what callbacks look at.
type current struct {
	s    *Store
	rec  storage.Record
	key  storage.Key
	with func(func(*conn) error) error // runs f on a connection that sees the record's state
}

// Record implements storage.Current. The callback gets a copy: what it does to it must not reach the comparison
// with what it returns.
func (c *current) Record() *storage.Record {
	return c.rec.Copy()
}

// HasMembers implements storage.Current.
func (c *current) HasMembers(ids []string) (map[string]bool, error) {
	has := make(map[string]bool, len(ids))
	org, ok := c.s.orgs.get(c.key.Org)
	if !ok {
		return has, nil
	}
	err := c.with(func(k *conn) error {
		for _, id := range ids {
			q := k.prep("SELECT 1 FROM members WHERE org=? AND member=? AND grp=?")
			_, found, err := q.int(org).id(id).id(c.key.ID).one()
			if err != nil {
				return err
			}
			if found {
				has[id] = true
			}
		}
		return nil
	})
	return has, translate(context.Background(), "read members", err)
}

// Members implements storage.Current.
func (c *current) Members() ([]storage.Member, error) {
	var list []storage.Member
	org, ok := c.s.orgs.get(c.key.Org)
	if !ok {
		return nil, nil
	}
	err := c.with(func(k *conn) error {
		budget := storage.MaxLoadedMembers
		var err error
		list, err = c.s.loadMembers(k, org, c.key.ID, 0, &budget)
		return err
	})
	return list, translate(context.Background(), "read members", err)
}
