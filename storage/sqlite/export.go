package sqlite

import (
	"context"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

var (
	_ storage.Exporter = (*Store)(nil)
	_ storage.Importer = (*Store)(nil)
)

// read runs f on a reading connection, with the organization's code; not at all if it has nothing.
func (s *Store) read(ctx context.Context, op string, org scim.OrgID, f func(c *conn, org int64) error) error {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer s.putBack(c)
	code, ok := s.orgs.get(org)
	if !ok {
		return nil
	}
	return translate(ctx, op, f(c, code))
}

// Secrets implements storage.Exporter. Names that begin with a dot are the store's own notes.
func (s *Store) Secrets(ctx context.Context) (secrets map[string][]byte, err error) {
	defer s.observe("secrets", &err)()
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	secrets = make(map[string][]byte)
	q := c.prep("SELECT name, value FROM secrets")
	for {
		more, err := q.step()
		if err != nil || !more {
			return secrets, translate(ctx, "read secrets", err)
		}
		if name := q.colText(0); !strings.HasPrefix(name, ".") {
			secrets[name] = q.colBytes(1)
		}
	}
}

// ExportOrganizations implements storage.Exporter.
func (s *Store) ExportOrganizations(ctx context.Context) (orgs []scim.OrgID, err error) {
	defer s.observe("export organizations", &err)()
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	q := c.prep("SELECT id FROM orgs")
	for {
		more, err := q.step()
		if err != nil || !more {
			return orgs, translate(ctx, "read organizations", err)
		}
		orgs = append(orgs, scim.OrgID(q.colText(0)))
	}
}

// ExportCounts implements storage.Exporter.
func (s *Store) ExportCounts(ctx context.Context, org scim.OrgID) (n storage.ExportCounts, err error) {
	defer s.observe("export counts", &err)()
	err = s.read(ctx, "count", org, func(c *conn, org int64) error {
		q := c.prep("SELECT count(*) FROM ids WHERE org=?")
		if n.Records, _, err = q.int(org).one(); err != nil {
			return err
		}
		q = c.prep("SELECT count(*) FROM members WHERE org=?")
		if n.Links, _, err = q.int(org).one(); err != nil {
			return err
		}
		q = c.prep("SELECT count(*) FROM changes WHERE seq>=? AND seq<?")
		n.Changes, _, err = q.int(org << seqBits).int((org + 1) << seqBits).one()
		return err
	})
	return n, err
}

// ExportRecords implements storage.Exporter.
func (s *Store) ExportRecords(ctx context.Context, org scim.OrgID, name scim.TypeName, after string, limit int) (list []storage.ExportedRecord, err error) {
	defer s.observe("export records", &err)()
	t, err := s.typeOf(storage.Key{Type: name})
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "export records", org, func(c *conn, code int64) error {
		var q stmt
		const columns = "SELECT " + recordColumns + ", i.label FROM ids i CROSS JOIN res r ON r.rid=i.rid WHERE i.org=? AND i.type=?"
		if after == "" {
			q = c.prep(columns + " ORDER BY i.id LIMIT ?")
			q.int(code).int(t.code).int(int64(limit))
		} else {
			q = c.prep(columns + " AND i.id>? ORDER BY i.id LIMIT ?")
			q.int(code).int(t.code).id(after).int(int64(limit))
		}
		for {
			more, err := q.step()
			if err != nil || !more {
				return err
			}
			r, err := c.scanRecord(&q, name)
			if err != nil {
				return q.abandon(err)
			}
			r.rec.Org = org
			list = append(list, storage.ExportedRecord{Record: r.rec, Unique: s.uniqueOf(t, r.keys), Label: q.colText(10)})
		}
	})
	return list, err
}

// uniqueOf gives stored keys their names back.
func (s *Store) uniqueOf(t *resourceType, keys []key) []query.UniqueKey {
	list := make([]query.UniqueKey, 0, len(keys))
	for _, k := range keys {
		list = append(list, query.UniqueKey{Attr: s.attrPath(t, k.attr), Value: k.value})
	}
	return list
}

// attrPath is the way back from an attribute's code.
func (s *Store) attrPath(t *resourceType, code int64) string {
	for _, a := range t.attrs {
		if a.code == code {
			return a.field().Path
		}
	}
	s.attrs.mu.RLock()
	defer s.attrs.mu.RUnlock()
	for k, n := range s.attrs.known {
		if n == code {
			return k.path
		}
	}
	return ""
}

// ExportLinks implements storage.Exporter.
func (s *Store) ExportLinks(ctx context.Context, org scim.OrgID, after *storage.Link, limit int) (list []storage.Link, err error) {
	defer s.observe("export members", &err)()
	err = s.read(ctx, "export members", org, func(c *conn, code int64) error {
		var q stmt
		if after == nil {
			q = c.prep("SELECT grp, member FROM members WHERE org=? ORDER BY member, grp LIMIT ?")
			q.int(code).int(int64(limit))
		} else {
			q = c.prep("SELECT grp, member FROM members WHERE org=? AND (member, grp)>(?, ?) ORDER BY member, grp LIMIT ?")
			q.int(code).id(after.Member).id(after.Group).int(int64(limit))
		}
		for {
			more, err := q.step()
			if err != nil || !more {
				return err
			}
			list = append(list, storage.Link{Group: q.colID(0), Member: q.colID(1)})
		}
	})
	return list, err
}
