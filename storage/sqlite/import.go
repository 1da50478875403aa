package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"rollcall/scim"
	"rollcall/storage"
)

// importMark is the name of a note among the secrets: a copy into this database has begun and not ended.
const importMark = ".import"

// unfinished reports whether the mark is set.
func (c *conn) unfinished() (bool, error) {
	q := c.prep("SELECT 1 FROM secrets WHERE name=?")
	_, found, err := q.text(importMark).one()
	return found, translate(context.Background(), "look for an unfinished copy", err)
}

// refuseUnfinished is how Open keeps half a database from being served.
func (s *Store) refuseUnfinished(c *conn) error {
	if s.options.Import {
		return nil
	}
	found, err := c.unfinished()
	if found {
		return storage.ErrUnfinished
	}
	return err
}

// BeginImport implements storage.Importer.
func (s *Store) BeginImport(ctx context.Context) (err error) {
	defer s.observe("begin import", &err)()
	return s.w.do(ctx, "", 1, func(w *writer) error {
		if marked, err := w.c.unfinished(); err != nil || marked {
			return err
		}
		q := w.c.prep("SELECT 1 FROM organizations LIMIT 1")
		if _, found, err := q.one(); err != nil || found {
			return firstError(translate(ctx, "look for organizations", err), storage.ErrExists)
		}
		return w.write(func() error {
			q := w.c.prep("INSERT INTO secrets (name, value) VALUES (?, x'')")
			return q.text(importMark).exec()
		})
	})
}

// EndImport implements storage.Importer.
func (s *Store) EndImport(ctx context.Context) (err error) {
	defer s.observe("end import", &err)()
	return s.w.do(ctx, "", 1, func(w *writer) error {
		return w.write(func() error {
			q := w.c.prep("DELETE FROM secrets WHERE name=?")
			return q.text(importMark).exec()
		})
	})
}

// ImportSecret implements storage.Importer.
func (s *Store) ImportSecret(ctx context.Context, name string, value []byte) (err error) {
	defer s.observe("import secret", &err)()
	return s.w.do(ctx, "", 1, func(w *writer) error {
		q := w.c.prep("SELECT value FROM secrets WHERE name=?")
		found, err := q.text(name).step()
		if err != nil {
			return translate(ctx, "read a secret", err)
		}
		if found {
			same := bytes.Equal(q.colBytes(0), value)
			if err := q.done(); err != nil || same {
				return translate(ctx, "read a secret", err)
			}
			return storage.ErrExists
		}
		return w.write(func() error {
			q := w.c.prep("INSERT INTO secrets (name, value) VALUES (?, ?)")
			return q.text(name).blob(value).exec()
		})
	})
}

// ImportRecords implements storage.Importer.
func (s *Store) ImportRecords(ctx context.Context, org scim.OrgID, list []storage.ExportedRecord) (err error) {
	defer s.observe("import records", &err)()
	inserts := make([]*insert, len(list))
	for i := range list {
		if inserts[i], err = s.newImport(org, &list[i]); err != nil {
			return err
		}
	}
	return s.w.do(ctx, org, len(list), func(w *writer) error {
		return w.savepoint(func() error {
			for i, ins := range inserts {
				if err := w.importRecord(ins, &list[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// newImport makes a record ready for the writer.
func (s *Store) newImport(org scim.OrgID, r *storage.ExportedRecord) (*insert, error) {
	k := storage.Key{Org: org, Type: r.Type, ID: r.ID}
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	doc, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		return nil, fmt.Errorf("sqlite: import a record: %w", err)
	}
	d, err := newDraft(t, &storage.Edit{Doc: doc, Unique: r.Unique, Label: r.Label}, r.Created, r.Modified)
	if err != nil {
		return nil, err
	}
	d.doc = r.Doc
	return &insert{s: s, t: t, key: k, at: r.Created, draft: d, secret: encodeSecret(r.Secret)}, nil
}

func (w *writer) importRecord(ins *insert, r *storage.ExportedRecord) error {
	org := w.org(ins.key.Org)
	old, err := w.c.record(org, ins.t, ins.key)
	if err != nil {
		return translate(context.Background(), "read", err)
	}
	keys := w.keysOf(ins.t, ins.draft.unique)
	if old != nil {
		if w.same(old, ins, r, keys) {
			return nil
		}
		return storage.ErrExists
	}
	if code, err := w.s.typeOfID(w.c, org, ins.key.ID, nil); err != nil || code != 0 {
		return firstError(translate(context.Background(), "look up an id", err), storage.ErrExists)
	}
	if err := w.checkKeys(org, ins.t, ins.draft.unique, 0); err != nil {
		return err
	}
	var room [128]byte
	return w.write(func() error {
		if refused, err := ins.claim(w, org, keys); err != nil || refused != nil {
			return firstError(err, refused)
		}
		q := w.c.prep("INSERT INTO res (rid, org, type, id, version, created, modified, keys, secret, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
		q.int(w.rid).int(org).int(ins.t.code).id(ins.key.ID).int(r.Version).int(millis(r.Created)).int(millis(r.Modified))
		if err := q.blob(appendKeys(room[:0], keys)).blob(ins.secret).blob(r.Doc).exec(); err != nil {
			return err
		}
		w.s.cache.touchRows(org, ins.draft.rows)
		if err := w.c.insertRows(org, ins.key.ID, w.rid, ins.draft.rows); err != nil {
			return err
		}
		if err := w.adopt(org, ins.t, ins.key.ID); err != nil {
			return err
		}
		w.count(org, ins.t.code, 1)
		return nil
	})
}

// same reports whether a stored record is the one that is to be imported.
func (w *writer) same(old *storedRecord, ins *insert, r *storage.ExportedRecord, keys []key) bool {
	return old.rec.Version == r.Version && millis(old.rec.Created) == millis(r.Created) && millis(old.rec.Modified) == millis(r.Modified) &&
		bytes.Equal(old.rec.Doc, r.Doc) && bytes.Equal(encodeSecret(old.rec.Secret), ins.secret) && old.label == r.Label &&
		len(old.keys) == len(keys) && !slices.ContainsFunc(keys, func(k key) bool { return !hasKey(old.keys, k.attr, k.value) })
}

// ImportLinks implements storage.Importer.
func (s *Store) ImportLinks(ctx context.Context, org scim.OrgID, list []storage.Link) (err error) {
	defer s.observe("import members", &err)()
	return s.w.do(ctx, org, len(list), func(w *writer) error {
		code := w.org(org)
		return w.write(func() error {
			for _, l := range list {
				if _, err := w.addMembers(code, l.Group, []string{l.Member}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// ImportChanges implements storage.Importer.
func (s *Store) ImportChanges(ctx context.Context, org scim.OrgID, list []storage.Change) (err error) {
	defer s.observe("import changes", &err)()
	return s.w.do(ctx, org, len(list), func(w *writer) error {
		code := w.org(org)
		return w.savepoint(func() error {
			for i := range list {
				if err := w.importChange(code, &list[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (w *writer) importChange(org int64, ch *storage.Change) error {
	n, err := strconv.ParseInt(string(ch.Position), 10, 64)
	if err != nil || n <= 0 || n >= 1<<seqBits {
		return fmt.Errorf("sqlite: import a change: position %q cannot be kept", ch.Position)
	}
	t, err := w.s.typeOf(ch.Key)
	if err != nil {
		return err
	}
	seq := org<<seqBits + n
	q := w.c.prep("SELECT version FROM changes WHERE seq=? AND type=? AND id=?")
	version, found, err := q.int(seq).int(t.code).id(ch.Key.ID).one()
	if err != nil {
		return translate(context.Background(), "read a change", err)
	}
	if found {
		if version == ch.Version {
			return nil
		}
		return storage.ErrExists
	}
	q = w.c.prep("SELECT 1 FROM changes WHERE seq=?")
	if _, found, err := q.int(seq).one(); err != nil || found {
		return firstError(translate(context.Background(), "read a change", err), storage.ErrExists)
	}
	return w.write(func() error {
		w.seqs[org] = seq - 1
		defer delete(w.seqs, org) // the next change looks for the last one itself
		return w.appendChange(org, t, ch.Key.ID, ch.Version, ch.At, ch, encodeValues(ch.Values))
	})
}
