package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// row is one row of idx, or for attributes in uniq the value that their unique key must have.
type row struct {
	attr  *attr
	value value
	first int64
	// stray: the value of a unique field that is not among the record's unique keys. The resource types make keys
	// of all of them; for a store that is used otherwise such values go to idx, and filters ask both tables.
	stray bool
}

// inUniq: the row's value lies in table uniq, as a unique key.
func (r *row) inUniq() bool { return r.attr.uniq && r.value.t != isAbsent && !r.stray }

// markStrays compares rows with the record's unique keys.
func markStrays(rows []row, isKey func(a *attr, value string) bool) {
	for i := range rows {
		if r := &rows[i]; r.attr.uniq && r.value.t != isAbsent {
			r.stray = !isKey(r.attr, r.value.s)
		}
	}
}

// storedRows are the index rows of a record as it is stored.
func storedRows(t *resourceType, r *storedRecord) ([]row, error) {
	doc, err := scim.DecodeSome(r.rec.Doc, t.names)
	if err != nil {
		return nil, fmt.Errorf("sqlite: decode a stored document: %w", err)
	}
	rows := indexRows(make([]row, 0, len(t.attrs)+2), t, doc, r.rec.Created, r.rec.Modified)
	markStrays(rows, func(a *attr, v string) bool { return hasKey(r.keys, a.code, v) })
	return rows, nil
}

// How a row of idx takes part in sorting (column first).
const (
	notFirst     = 0
	isFirst      = 1
	isFirstThere = 2 // sorted as absent although present: a value that is not of the field's kind
)

// indexRows appends what the document yields for the type's indexes, in the order of t.attrs.
func indexRows(dst []row, t *resourceType, doc scim.Attributes, created, modified time.Time) []row {
	for _, a := range t.attrs {
		switch a.meta {
		case metaCreated:
			dst = append(dst, row{attr: a, value: text(query.InstantKey(created)), first: isFirst})
			continue
		case metaModified:
			dst = append(dst, row{attr: a, value: text(query.InstantKey(modified)), first: isFirst})
			continue
		}
		dst = attrRows(dst, a, doc)
	}
	return dst
}

func attrRows(dst []row, a *attr, doc scim.Attributes) []row {
	f := a.field()
	sortBy, sorted := query.SortValue(*f, doc)
	first := value{}
	if sorted {
		first = indexed(sortBy)
		dst = append(dst, row{attr: a, value: first, first: isFirst})
		if !f.Multi {
			return dst
		}
	}
	there := false
	start := len(dst)
	query.AnyValue(doc, f.Steps, func(v any) bool {
		if !query.IsPresent(v) {
			return false
		}
		there = true
		q, ok := query.ValueOf(*f, v)
		if !ok {
			return false
		}
		w := indexed(q)
		if sorted && w == first {
			return false
		}
		for _, r := range dst[start:] {
			if r.value == w {
				return false
			}
		}
		dst = append(dst, row{attr: a, value: w, first: notFirst})
		return false
	})
	if !sorted && (there || !a.sparse) {
		absent := row{attr: a, value: value{}, first: isFirst}
		if there {
			absent.first = isFirstThere
		}
		dst = append(dst, absent)
	}
	return dst
}

// key is one unique key of a record.
type key struct {
	attr  int64
	value string
}

// appendKeys writes keys as they are kept in res.keys.
func appendKeys(dst []byte, keys []key) []byte {
	for _, k := range keys {
		dst = binary.AppendUvarint(dst, uint64(k.attr))
		dst = binary.AppendUvarint(dst, uint64(len(k.value)))
		dst = append(dst, k.value...)
	}
	return dst
}

var errKeys = errors.New("sqlite: the unique keys of a record cannot be read")

func parseKeys(b []byte) ([]key, error) {
	var keys []key
	for len(b) > 0 {
		a, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errKeys
		}
		b = b[n:]
		l, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < l {
			return nil, errKeys
		}
		keys = append(keys, key{int64(a), string(b[n : n+int(l)])})
		b = b[n+int(l):]
	}
	return keys, nil
}
