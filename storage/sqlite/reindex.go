package sqlite

import (
	"context"
	"fmt"

	"rollcall/scim"
	"rollcall/storage"
)

// loadCatalog gives types and attributes their codes and reads those of organizations. Where the indexes of a type
// are not what the database was built with, its rows are made anew, all in one transaction.
func (s *Store) loadCatalog(c *conn) error {
	err := c.inTransaction(func() error {
		if err := s.loadTypes(c); err != nil {
			return err
		}
		specs, err := s.loadAttrs(c)
		if err != nil {
			return err
		}
		for _, t := range s.sorted {
			if err := s.loadIndexes(c, t, specs); err != nil {
				return fmt.Errorf("sqlite: index type %s: %w", t.Name, err)
			}
		}
		q := c.prep("SELECT code, id FROM orgs")
		for {
			more, err := q.step()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			s.orgs.add(scim.OrgID(q.colText(1)), q.colInt(0))
		}
		return s.findStrays(c)
	})
	return translate(context.Background(), "load the catalog", err)
}

func (s *Store) loadTypes(c *conn) error {
	for _, t := range s.sorted {
		q := c.prep("INSERT INTO types (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name=name RETURNING code")
		code, _, err := q.text(string(t.Name)).one()
		if err != nil {
			return err
		}
		t.code = code
	}
	s.byCode = make(map[int64]*resourceType)
	for _, t := range s.sorted {
		s.byCode[t.code] = t
	}
	return nil
}

// findStrays looks whether unique fields have values outside of uniq.
func (s *Store) findStrays(c *conn) error {
	for _, t := range s.sorted {
		for _, a := range t.attrs {
			if !a.uniq {
				continue
			}
			for _, org := range s.orgs.known {
				q := c.prep("SELECT 1 FROM idx WHERE attr=? AND org=? AND value<x'' LIMIT 1")
				_, found, err := q.int(a.code).int(org).one()
				if err != nil {
					return err
				}
				if found {
					a.strays.Store(true)
				}
			}
		}
	}
	return nil
}

// stored is an attribute as the database knows it.
type stored struct {
	code int64
	spec string
}

func (s *Store) loadAttrs(c *conn) (map[attrKey]stored, error) {
	all := make(map[attrKey]stored)
	q := c.prep("SELECT code, type, path, spec FROM attrs")
	for {
		more, err := q.step()
		if err != nil || !more {
			return all, err
		}
		k := attrKey{q.colInt(1), q.colText(2)}
		all[k] = stored{q.colInt(0), q.colText(3)}
		s.attrs.add(k, q.colInt(0))
	}
}

// loadIndexes compares the indexes of a type with the database's and rebuilds those that differ.
func (s *Store) loadIndexes(c *conn, t *resourceType, have map[attrKey]stored) error {
	var changed []*attr
	declared := make(map[string]bool)
	for _, a := range t.attrs {
		path := a.field().Path
		declared[path] = true
		old := have[attrKey{t.code, path}]
		a.code = old.code
		if old.code == 0 {
			a.code = s.attrs.last + 1
			s.attrs.add(attrKey{t.code, path}, a.code)
		}
		if old.spec == a.spec() {
			continue
		}
		if err := c.setSpec(a.code, t.code, path, a.spec()); err != nil {
			return err
		}
		changed = append(changed, a)
	}
	for k, old := range have {
		if k.typ == t.code && old.spec != "" && !declared[k.path] {
			// The index was dropped; the code stays, as unique keys may go on without an index.
			if err := c.dropIndex(old.code); err != nil {
				return err
			}
			if err := c.setSpec(old.code, t.code, k.path, ""); err != nil {
				return err
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, a := range changed {
		if err := c.dropIndex(a.code); err != nil {
			return err
		}
	}
	return c.rebuild(t, changed)
}

func (c *conn) setSpec(code, typ int64, path, spec string) error {
	q := c.prep("INSERT INTO attrs (code, type, path, spec) VALUES (?, ?, ?, ?) ON CONFLICT (code) DO UPDATE SET spec=excluded.spec")
	return q.int(code).int(typ).text(path).text(spec).exec()
}

func (c *conn) dropIndex(code int64) error {
	q := c.prep("DELETE FROM idx WHERE attr=?")
	return q.int(code).exec()
}

// rebuild derives the rows of some attributes from each document of the type.
func (c *conn) rebuild(t *resourceType, attrs []*attr) error {
	part := *t
	part.attrs = attrs
	last := int64(-1)
	for {
		r, err := c.nextRecord(t.code, last)
		if err != nil || r == nil {
			return err
		}
		last = r.rid
		rows, err := storedRows(&part, r)
		if err != nil {
			return err
		}
		if err := c.promote(r, rows); err != nil {
			return err
		}
		if err := c.insertRows(r.org, r.rec.ID, r.rid, rows); err != nil {
			return err
		}
	}
}

// promote makes the values of fields that are unique from now on the record's unique keys, where they are not yet.
func (c *conn) promote(r *storedRecord, rows []row) error {
	keys := r.keys
	for i := range rows {
		w := &rows[i]
		if !w.stray {
			continue
		}
		w.stray = false
		k := key{w.attr.code, w.value.s}
		taken, err := c.keyTaken(r.org, k, r.rid)
		if err != nil {
			return err
		}
		if taken {
			return fmt.Errorf("%s cannot become unique: %w", w.attr.field().Path, &storage.UniqueError{Attr: w.attr.field().Path})
		}
		if err := c.insertKey(r.org, r.rec.ID, r.rid, k); err != nil {
			return err
		}
		keys = append(keys, k)
	}
	if len(keys) == len(r.keys) {
		return nil
	}
	q := c.prep("UPDATE res SET keys=? WHERE rid=?")
	return q.blob(appendKeys(nil, keys)).int(r.rid).exec()
}

func hasKey(keys []key, attr int64, value string) bool {
	for _, k := range keys {
		if k.attr == attr && k.value == value {
			return true
		}
	}
	return false
}
