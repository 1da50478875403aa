package sqlite

import (
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// storedRecord is a row of res as writes need it.
type storedRecord struct {
	rid, org, typ int64
	label         string // record only
	keys          []key
	rec           storage.Record
	// kept: it comes from the cache, so there are only rid and rec (whose Groups are those that it was kept with); label
	// and keys are read by the writer.
	kept *keptGroups
}

const recordColumns = "r.rid, r.org, r.type, r.id, r.version, r.created, r.modified, r.keys, r.secret, r.doc"

func (c *conn) scanRecord(q *stmt, name scim.TypeName) (*storedRecord, error) {
	r := &storedRecord{rid: q.colInt(0), org: q.colInt(1), typ: q.colInt(2)}
	r.rec.Type, r.rec.ID = name, q.colID(3)
	r.rec.Version = q.colInt(4)
	r.rec.Created, r.rec.Modified = instant(q.colInt(5)), instant(q.colInt(6))
	var err error
	if r.keys, err = parseKeys(q.colBytes(7)); err != nil {
		return nil, err
	}
	if r.rec.Secret, err = decodeSecret(q.colBytes(8)); err != nil {
		return nil, err
	}
	r.rec.Doc = q.colBytes(9)
	return r, nil
}

// record reads a record with everything in its row; nil if there is none.
func (c *conn) record(org int64, t *resourceType, k storage.Key) (*storedRecord, error) {
	q := c.prep("SELECT " + recordColumns +
		", i.label FROM ids i CROSS JOIN res r ON r.rid=i.rid WHERE i.org=? AND i.type=? AND i.id=?")
	found, err := q.int(org).int(t.code).id(k.ID).step()
	if err != nil || !found {
		return nil, err
	}
	r, err := c.scanRecord(&q, t.Name)
	if err != nil {
		return nil, q.abandon(err)
	}
	r.rec.Org, r.label = k.Org, q.colText(10)
	return r, q.done()
}

// nextRecord walks the records of a type in the order of rid.
func (c *conn) nextRecord(typ, after int64) (*storedRecord, error) {
	q := c.prep("SELECT " + recordColumns + " FROM res r WHERE r.rid>? AND r.type=? ORDER BY r.rid LIMIT 1")
	found, err := q.int(after).int(typ).step()
	if err != nil || !found {
		return nil, err
	}
	r, err := c.scanRecord(&q, "")
	if err != nil {
		return nil, q.abandon(err)
	}
	return r, q.done()
}

func (c *conn) keyTaken(org int64, k key, rid int64) (bool, error) {
	q := c.prep("SELECT rid FROM uniq WHERE attr=? AND org=? AND value=?")
	holder, found, err := q.int(k.attr).int(org).text(k.value).one()
	return found && holder != rid, err
}

func (c *conn) insertKey(org int64, id string, rid int64, k key) error {
	q := c.prep("INSERT INTO uniq (attr, org, value, id, rid) VALUES (?, ?, ?, ?, ?)")
	return q.int(k.attr).int(org).text(k.value).id(id).int(rid).exec()
}

func (c *conn) deleteKey(org int64, k key) error {
	q := c.prep("DELETE FROM uniq WHERE attr=? AND org=? AND value=?")
	return q.int(k.attr).int(org).text(k.value).exec()
}

// insertRows writes index rows, several to a statement. Those of fields in uniq are there already, but for the mark
// of an absent value.
func (c *conn) insertRows(org int64, id string, rid int64, rows []row) error {
	var buf [16]row
	todo := buf[:0]
	for _, r := range rows {
		if !r.inUniq() {
			todo = append(todo, r)
		}
	}
	for len(todo) > 0 {
		n := min(len(todo), len(insertRowsSQL))
		q := c.prep(insertRowsSQL[n-1])
		q.int(org).id(id).int(rid)
		for _, r := range todo[:n] {
			q.int(r.attr.code).value(r.value).int(r.first)
		}
		if err := q.exec(); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

// insertRowsSQL inserts 1, 2, ... 8 rows that share organization, id and rid (?1, ?2, ?3).
var insertRowsSQL = [...]string{
	insertRow,
	insertRow + insertRow2,
	insertRow + insertRow2 + insertRow3,
	insertRow + insertRow2 + insertRow3 + insertRow4,
	insertRow + insertRow2 + insertRow3 + insertRow4 + insertRow5,
	insertRow + insertRow2 + insertRow3 + insertRow4 + insertRow5 + insertRow6,
	insertRow + insertRow2 + insertRow3 + insertRow4 + insertRow5 + insertRow6 + insertRow7,
	insertRow + insertRow2 + insertRow3 + insertRow4 + insertRow5 + insertRow6 + insertRow7 + insertRow8,
}

const (
	insertRow  = "INSERT INTO idx (org, id, rid, attr, value, first) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	insertRow2 = ", (?1, ?2, ?3, ?7, ?8, ?9)"
	insertRow3 = ", (?1, ?2, ?3, ?10, ?11, ?12)"
	insertRow4 = ", (?1, ?2, ?3, ?13, ?14, ?15)"
	insertRow5 = ", (?1, ?2, ?3, ?16, ?17, ?18)"
	insertRow6 = ", (?1, ?2, ?3, ?19, ?20, ?21)"
	insertRow7 = ", (?1, ?2, ?3, ?22, ?23, ?24)"
	insertRow8 = ", (?1, ?2, ?3, ?25, ?26, ?27)"
)

func (c *conn) deleteRow(org int64, id string, r row) error {
	if r.inUniq() {
		return nil
	}
	q := c.prep("DELETE FROM idx WHERE attr=? AND org=? AND value=? AND id=?")
	return q.int(r.attr.code).int(org).value(r.value).id(id).exec()
}

func decodeSecret(b []byte) (scim.Attributes, error) {
	if b == nil {
		return nil, nil
	}
	return scim.DecodeAttributes(b)
}

// encodeSecret is nil for no secrets.
func encodeSecret(s scim.Attributes) []byte {
	if len(s) == 0 {
		return nil
	}
	return scim.AppendJSON(nil, s)
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func millis(t time.Time) int64 { return scim.Millis(t).UnixMilli() }
