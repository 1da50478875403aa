package sqlite

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"sync/atomic"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// errDangling: an index row without its record; "check" tells more.
var errDangling = errors.New("sqlite: an index row has no record")

// errLost: another write came between reading a record and storing its edit.
var errLost = errors.New("sqlite: lost a race")

// Update implements storage.Writer. The callback runs in the caller's goroutine on a committed state, and the write is
// guarded by its version; so callbacks of many callers run side by side and the writer only writes. Twice beaten, or
// when another Update of the record is under way, the callback runs inside the writer, where nothing can come between:
// that is the progress under contention, and cheaper than to run callbacks for versions that are gone.
func (s *Store) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (rec *storage.Record, changed bool, err error) {
	defer s.observe("update", &err)()
	if err := s.enter(ctx); err != nil {
		return nil, false, err
	}
	t, err := s.typeOf(k)
	if err != nil {
		return nil, false, err
	}
	at = scim.Millis(at)
	hot := s.w.busy(k)
	hot.Add(1)
	defer hot.Add(-1)
	for range 2 {
		if hot.Load() > 1 { // somebody else is at it: one of the two would lose
			break
		}
		r, err := s.toUpdate(ctx, t, k)
		if err != nil {
			return nil, false, err
		}
		u, err := s.newUpdate(t, k, r, at, fn, func(f func(*conn) error) error {
			c, err := s.reader(ctx)
			if err != nil {
				return err
			}
			defer s.putBack(c)
			return f(c)
		})
		if err != nil {
			return nil, false, err
		}
		if u == nil {
			return r.bare(), false, nil
		}
		if err = s.w.do(ctx, k.Org, 1, u.run); err == nil {
			s.keepUpdated(u)
			return u.record(), u.changed, nil
		}
		if !errors.Is(err, errLost) {
			return nil, false, err
		}
	}
	err = s.w.do(ctx, k.Org, 1, func(w *writer) (err error) {
		rec, changed, err = w.update(t, k, at, fn)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return rec, changed, nil
}

// update is an Update inside the writer.
func (w *writer) update(t *resourceType, k storage.Key, at time.Time, fn storage.UpdateFunc) (*storage.Record, bool, error) {
	r, err := w.c.record(w.org(k.Org), t, k)
	if err != nil {
		return nil, false, translate(context.Background(), "read", err)
	}
	if r == nil {
		return nil, false, storage.ErrNotFound
	}
	u, err := w.s.newUpdate(t, k, r, at, fn, func(f func(*conn) error) error { return f(w.c) })
	if err != nil {
		return nil, false, err
	}
	if u == nil {
		return r.bare(), false, nil
	}
	if err := u.run(w); err != nil {
		return nil, false, err
	}
	return u.record(), u.changed, nil
}

func (s *Store) readRecord(ctx context.Context, t *resourceType, k storage.Key) (*storedRecord, error) {
	org, ok := s.orgs.get(k.Org)
	if !ok {
		return nil, storage.ErrNotFound
	}
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	r, err := c.record(org, t, k)
	if err != nil {
		return nil, translate(ctx, "read", err)
	}
	if r == nil {
		return nil, storage.ErrNotFound
	}
	return r, nil
}

// bare is the record as writes return it: without secrets and relations.
func (r *storedRecord) bare() *storage.Record {
	rec := r.rec
	rec.Secret, rec.Groups = nil, nil
	return &rec
}

// update is an Edit of a known version on its way through the writer.
type update struct {
	t         *resourceType
	old       *storedRecord
	at        time.Time
	draft     *draft // nil: the document stays
	oldRows   []row
	newSecret bool
	secret    []byte
	members   storage.MemberDelta
	change    storage.Change
	vals      []byte // its values
	changed   bool   // set by run
	txn       int64  // that it was part of
	touch     int64  // of its cache entry
	sameGroup bool   // its groups are those that old was kept with
}

// newUpdate runs the callback and compares what it wants with what there is; nil if that is surely the same.
func (s *Store) newUpdate(t *resourceType, k storage.Key, r *storedRecord, at time.Time, fn storage.UpdateFunc,
	with func(func(*conn) error) error,
) (*update, error) {
	rec := r.rec
	rec.Groups = nil
	e, err := fn(&current{s: s, rec: rec, key: k, with: with})
	if err != nil || e == nil {
		return nil, err
	}
	u := &update{t: t, old: r, at: at, change: e.Change}
	u.change.Values = nil // they are encoded below
	if e.Doc != nil {
		d, err := newDraft(t, e, r.rec.Created, at)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(d.doc, r.rec.Doc) {
			u.draft = d
			u.vals = d.vals
			if u.oldRows, err = storedRows(t, r); err != nil {
				return nil, err
			}
		}
	}
	if len(e.Secret) > 0 {
		u.secret = encodeSecret(e.SecretsAfter(r.rec.Secret))
		u.newSecret = !bytes.Equal(u.secret, encodeSecret(r.rec.Secret))
	}
	if t.Members != "" {
		u.members = e.Members
	}
	if u.draft == nil {
		u.vals = encodeValues(e.Change.Values)
	}
	if u.draft == nil && !u.newSecret && !u.members.Replace && len(u.members.Add) == 0 && len(u.members.Remove) == 0 {
		return nil, nil
	}
	return u, nil
}

func (u *update) record() *storage.Record {
	rec := u.old.bare()
	if !u.changed {
		return rec
	}
	rec.Version++
	rec.Modified = u.at
	if u.draft != nil {
		rec.Doc = u.draft.doc
	}
	return rec
}

func (u *update) run(w *writer) error {
	same, err := u.isCurrent(w.c)
	if err != nil {
		return translate(context.Background(), "read", err)
	}
	if !same {
		return errLost
	}
	if u.draft != nil {
		for _, k := range u.draft.unique {
			// Of the version that it was read in the record has its keys still.
			if code := w.uniqueAttr(u.t, k.Attr); hasKey(u.old.keys, code, k.Value) {
				continue
			}
			if err := w.checkKeys(u.old.org, u.t, []query.UniqueKey{k}, u.old.rid); err != nil {
				return err
			}
		}
	}
	return w.write(func() error { return u.store(w) })
}

func (u *update) store(w *writer) error {
	c, org, rid, id := w.c, u.old.org, u.old.rid, u.old.rec.ID
	added, removed, err := w.changeMembers(org, id, &u.members)
	if err != nil {
		return err
	}
	if u.draft == nil && !u.newSecret && len(added) == 0 && len(removed) == 0 {
		return nil
	}
	u.changed = true
	u.noteKept(w.s.cache)
	version := u.old.rec.Version + 1
	if u.newSecret {
		q := c.prep("UPDATE res SET secret=? WHERE rid=?")
		if err := q.blob(u.secret).int(rid).exec(); err != nil {
			return err
		}
	}
	if u.draft == nil {
		q := c.prep("UPDATE res SET version=?, modified=? WHERE rid=?")
		if err := q.int(version).int(millis(u.at)).int(rid).exec(); err != nil {
			return err
		}
		old, now := metaRows(u.t, u.old.rec.Created, u.old.rec.Modified), metaRows(u.t, u.old.rec.Created, u.at)
		if err := w.moveRows(org, id, rid, old, now); err != nil {
			return err
		}
	} else if err := u.storeDraft(w, version); err != nil {
		return err
	}
	change := u.change
	change.MembersAdded, change.MembersRemoved = added, removed
	return w.appendChange(org, u.t, id, version, u.at, &change, u.vals)
}

func (u *update) storeDraft(w *writer, version int64) error {
	c, org, rid, id := w.c, u.old.org, u.old.rid, u.old.rec.ID
	keys := w.keysOf(u.t, u.draft.unique)
	q := c.prep("UPDATE res SET version=?, modified=?, keys=?, doc=? WHERE rid=?")
	q.int(version).int(millis(u.at)).blob(appendKeys(nil, keys)).blob(u.draft.doc).int(rid)
	if err := q.exec(); err != nil {
		return err
	}
	for _, k := range u.old.keys {
		if !hasKey(keys, k.attr, k.value) {
			w.s.cache.touchUnique(org, k)
			if err := c.deleteKey(org, k); err != nil {
				return err
			}
		}
	}
	for _, k := range keys {
		if !hasKey(u.old.keys, k.attr, k.value) {
			w.s.cache.touchUnique(org, k)
			if err := c.insertKey(org, id, rid, k); err != nil {
				return err
			}
		}
	}
	if err := w.moveRows(org, id, rid, u.oldRows, u.draft.rows); err != nil {
		return err
	}
	if u.draft.label == u.old.label {
		return nil
	}
	if u.t.Members != "" {
		w.s.cache.touchRelations(org) // each member shows the label
	}
	q = c.prep("UPDATE ids SET label=? WHERE org=? AND type=? AND id=?")
	return q.text(u.draft.label).int(org).int(u.t.code).id(id).exec()
}

// busy counts the Updates under way of a record, and of a few others that share its counter: those run their
// callbacks in the writer for nothing, which is right as well.
func (w *writer) busy(k storage.Key) *atomic.Int32 {
	return &w.updates[maphash.Comparable(w.seed, k)%uint64(len(w.updates))]
}
