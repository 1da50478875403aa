package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// draft is an edit of a document made ready for the writer in the caller's goroutine: encoding and index rows are
// most of a write's work and need no lock.
type draft struct {
	doc    []byte
	rows   []row
	unique []query.UniqueKey
	label  string
	vals   []byte // of the change row
}

var errUnique = errors.New("sqlite: the edit's unique keys are not in its document")

var errPrepared = errors.New("sqlite: the edit was prepared for another insertion")

func newDraft(t *resourceType, e *storage.Edit, created, modified time.Time) (*draft, error) {
	d := &draft{unique: e.Unique, label: e.Label, vals: encodeValues(e.Change.Values)}
	d.doc = scim.AppendJSON(make([]byte, 0, 1024), e.Doc)
	d.rows = indexRows(make([]row, 0, len(t.attrs)+2), t, e.Doc, created, modified)
	markStrays(d.rows, func(a *attr, v string) bool { return hasUnique(e.Unique, a.field().Path, v) })
	for _, r := range d.rows {
		if r.stray {
			r.attr.strays.Store(true) // before it is there: asking both tables is right at any time
		}
	}
	for _, u := range e.Unique {
		// A filter takes every key of such a field for a value of the document.
		if a := t.uniqAttr(u.Attr); a != nil && !slices.ContainsFunc(d.rows, func(r row) bool { return r.attr == a && r.value == text(u.Value) }) {
			return nil, fmt.Errorf("%w: %s", errUnique, u.Attr)
		}
	}
	return d, nil
}

func hasUnique(keys []query.UniqueKey, attr, value string) bool {
	for _, k := range keys {
		if k.Attr == attr && k.Value == value {
			return true
		}
	}
	return false
}

// keysOf gives the unique keys their codes.
func (w *writer) keysOf(t *resourceType, unique []query.UniqueKey) []key {
	keys := make([]key, 0, len(unique))
	for _, u := range unique {
		if code := w.uniqueAttr(t, u.Attr); !hasKey(keys, code, u.Value) {
			keys = append(keys, key{code, u.Value})
		}
	}
	return keys
}

// Insert implements storage.Writer.
func (s *Store) Insert(ctx context.Context, k storage.Key, at time.Time, e *storage.Edit) (rec *storage.Record, err error) {
	defer s.observe("insert", &err)()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	ins, err := s.prepared(k, at, e)
	if err != nil {
		return nil, err
	}
	if err := s.w.do(ctx, k.Org, 1, ins.run); err != nil {
		return nil, err
	}
	return ins.record(), nil
}

// insert is an Insert on its way through the writer.
type insert struct {
	s      *Store
	t      *resourceType
	key    storage.Key
	at     time.Time
	draft  *draft
	secret []byte
	add    []string
	change storage.Change
}

func (s *Store) newInsert(k storage.Key, at time.Time, e *storage.Edit) (*insert, error) {
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	at = scim.Millis(at)
	d, err := newDraft(t, e, at, at)
	if err != nil {
		return nil, err
	}
	ins := &insert{s: s, t: t, key: k, at: at, draft: d, change: e.Change}
	ins.change.Values = nil // they are in the draft
	ins.secret = encodeSecret(e.SecretsAfter(nil))
	if t.Members != "" {
		ins.add = e.Members.Add
	}
	return ins, nil
}

// Prepare implements storage.Preparer: what does not need the writer is most of an Insert's work.
func (s *Store) Prepare(k storage.Key, at time.Time, e *storage.Edit) error {
	ins, err := s.newInsert(k, at, e)
	if err != nil {
		return err
	}
	e.Prepared, e.Doc, e.Change.Values = ins, nil, nil
	return nil
}

// prepared is the insertion that Prepare made for this very Insert, else a new one.
func (s *Store) prepared(k storage.Key, at time.Time, e *storage.Edit) (*insert, error) {
	if e.Prepared == nil {
		return s.newInsert(k, at, e)
	}
	ins, ok := e.Prepared.(*insert)
	if !ok || ins.s != s || ins.key != k || !ins.at.Equal(scim.Millis(at)) {
		return nil, errPrepared
	}
	return ins, nil
}

func (i *insert) record() *storage.Record {
	return &storage.Record{Key: i.key, Version: 1, Created: i.at, Modified: i.at, Doc: i.draft.doc}
}

func (i *insert) run(w *writer) error {
	org := w.org(i.key.Org)
	keys := w.keysOf(i.t, i.draft.unique)
	// Everything that may refuse the record comes first; see writer. Of its own id and of a single unique key the
	// insertion itself tells, which saves their look-ups.
	if err := w.loadRanges(org); err != nil {
		return translate(context.Background(), "look up ids", err)
	}
	if other, err := w.s.typeOfID(w.c, org, i.key.ID, i.t); err != nil {
		return translate(context.Background(), "look up an id", err)
	} else if other != 0 {
		return storage.ErrExists
	}
	if len(keys) > 1 {
		if err := w.checkKeys(org, i.t, i.draft.unique, 0); err != nil {
			return err
		}
	}
	var refused error
	err := w.write(func() (err error) {
		if refused, err = i.claim(w, org, keys); err != nil || refused != nil {
			return err
		}
		return i.store(w, org, keys)
	})
	return firstError(err, refused)
}

// claim takes the id and the unique keys. If it refuses, it has written nothing.
func (i *insert) claim(w *writer, org int64, keys []key) (refused, err error) {
	c := w.c
	w.rid++
	q := c.prep("INSERT OR IGNORE INTO ids (org, type, id, rid, label) VALUES (?, ?, ?, ?, ?)")
	if err := q.int(org).int(i.t.code).id(i.key.ID).int(w.rid).text(i.draft.label).exec(); err != nil {
		return nil, err
	}
	if c.c.Changes() == 0 {
		return storage.ErrExists, nil
	}
	w.s.ids.note(org, i.t.code, i.key.ID)
	for _, k := range keys {
		w.s.cache.touchUnique(org, k)
		q := c.prep("INSERT OR IGNORE INTO uniq (attr, org, value, id, rid) VALUES (?, ?, ?, ?, ?)")
		if err := q.int(k.attr).int(org).text(k.value).id(i.key.ID).int(w.rid).exec(); err != nil {
			return nil, err
		}
		if c.c.Changes() == 0 { // only of a single key, the others were looked up
			q := c.prep("DELETE FROM ids WHERE org=? AND type=? AND id=?")
			return &storage.UniqueError{Attr: i.draft.unique[0].Attr}, q.int(org).int(i.t.code).id(i.key.ID).exec()
		}
	}
	return nil, nil
}

func (i *insert) store(w *writer, org int64, keys []key) error {
	c, rid := w.c, w.rid
	q := c.prep("INSERT INTO res (rid, org, type, id, version, created, modified, keys, secret, doc) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?)")
	q.int(rid).int(org).int(i.t.code).id(i.key.ID).int(millis(i.at)).int(millis(i.at))
	if err := q.blob(appendKeys(nil, keys)).blob(i.secret).blob(i.draft.doc).exec(); err != nil {
		return err
	}
	w.s.cache.touchRows(org, i.draft.rows)
	if err := c.insertRows(org, i.key.ID, rid, i.draft.rows); err != nil {
		return err
	}
	if err := w.adopt(org, i.t, i.key.ID); err != nil {
		return err
	}
	added, err := w.addMembers(org, i.key.ID, i.add)
	if err != nil {
		return err
	}
	w.count(org, i.t.code, 1)
	change := i.change
	change.MembersAdded, change.MembersRemoved = added, nil
	return w.appendChange(org, i.t, i.key.ID, 1, i.at, &change, i.draft.vals)
}

// checkKeys refuses unique keys that another record than rid holds.
func (w *writer) checkKeys(org int64, t *resourceType, unique []query.UniqueKey, rid int64) error {
	for _, u := range unique {
		taken, err := w.c.keyTaken(org, key{w.uniqueAttr(t, u.Attr), u.Value}, rid)
		if err != nil {
			return translate(context.Background(), "look up a unique key", err)
		}
		if taken {
			return &storage.UniqueError{Attr: u.Attr}
		}
	}
	return nil
}

// Delete implements storage.Writer.
func (s *Store) Delete(ctx context.Context, k storage.Key, at time.Time, fn storage.DeleteFunc) (err error) {
	defer s.observe("delete", &err)()
	if err := s.enter(ctx); err != nil {
		return err
	}
	t, err := s.typeOf(k)
	if err != nil {
		return err
	}
	return s.w.do(ctx, k.Org, 1, func(w *writer) error { return w.delete(t, k, scim.Millis(at), fn) })
}

func (w *writer) delete(t *resourceType, k storage.Key, at time.Time, fn storage.DeleteFunc) error {
	org := w.org(k.Org)
	r, err := w.c.record(org, t, k)
	if err != nil {
		return translate(context.Background(), "read", err)
	}
	if r == nil {
		return storage.ErrNotFound
	}
	cur := &current{rec: r.rec, key: k, with: func(f func(*conn) error) error { return f(w.c) }, s: w.s}
	var change storage.Change
	if err := w.guard(func() (err error) { change, err = fn(cur); return err }); err != nil {
		return err
	}
	rows, err := storedRows(t, r)
	if err != nil {
		return err
	}
	return w.write(func() error { return w.deleteRecord(t, r, rows, at, change) })
}

func (w *writer) deleteRecord(t *resourceType, r *storedRecord, rows []row, at time.Time, change storage.Change) error {
	c, id := w.c, r.rec.ID
	if err := w.leaveGroups(r.org, id, at, &change); err != nil {
		return err
	}
	removed, err := w.removeAllMembers(r.org, t, id)
	if err != nil {
		return err
	}
	w.s.cache.touchRecord(r.org, id)
	for _, k := range r.keys {
		w.s.cache.touchUnique(r.org, k)
		if err := c.deleteKey(r.org, k); err != nil {
			return err
		}
	}
	w.s.cache.touchRows(r.org, rows)
	for _, row := range rows {
		if err := c.deleteRow(r.org, id, row); err != nil {
			return err
		}
	}
	q := c.prep("DELETE FROM ids WHERE org=? AND type=? AND id=?")
	if err := q.int(r.org).int(t.code).id(id).exec(); err != nil {
		return err
	}
	q = c.prep("DELETE FROM res WHERE rid=?")
	if err := q.int(r.rid).exec(); err != nil {
		return err
	}
	w.count(r.org, t.code, -1)
	change.Op = storage.OpDelete
	change.MembersAdded, change.MembersRemoved = nil, removed
	return w.appendChange(r.org, t, id, r.rec.Version, at, &change, encodeValues(change.Values))
}
