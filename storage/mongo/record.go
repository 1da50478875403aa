package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// draft is an edit's document made ready to be stored.
type draft struct {
	doc    []byte
	keys   []query.UniqueKey
	label  string
	fields bson.D // what people read
	values bson.D // _f
	sorts  bson.D // _s
	odd    bson.A // _odd
}

func (t *resourceType) newDraft(e *storage.Edit) *draft {
	d := &draft{doc: scim.AppendJSON(make([]byte, 0, 1024), e.Doc), label: e.Label}
	for _, u := range e.Unique {
		if !hasKey(d.keys, u) {
			d.keys = append(d.keys, u)
		}
	}
	if len(d.doc) <= readableSize {
		d.fields = t.natural(e.Doc)
	}
	d.values, d.sorts, d.odd = t.shadow(e.Doc)
	return d
}

func hasKey(keys []query.UniqueKey, k query.UniqueKey) bool {
	return slices.Contains(keys, k)
}

// kept is what stays with a record whatever becomes of its document.
type kept struct {
	base   int64 // see order
	nested bool  // see nested.go
}

// document is the whole of what is stored of a record. What a reader looks for first comes first.
func (d *draft) document(k storage.Key, version int64, created, modified time.Time, secret []byte, keep kept) bson.D {
	doc := make(bson.D, 0, len(d.fields)+13)
	doc = append(doc, bson.E{Key: "org", Value: string(k.Org)}, bson.E{Key: "id", Value: k.ID})
	doc = append(doc, d.fields...)
	doc = append(doc,
		bson.E{Key: "meta", Value: bson.D{
			{Key: "version", Value: version}, {Key: "created", Value: dateTime(created)}, {Key: "lastModified", Value: dateTime(modified)},
		}},
		bson.E{Key: "_label", Value: d.label},
	)
	if len(d.keys) > 0 {
		keys := make(bson.A, len(d.keys))
		for i, u := range d.keys {
			keys[i] = bson.D{{Key: "attr", Value: u.Attr}, {Key: "value", Value: u.Value}}
		}
		doc = append(doc, bson.E{Key: "_keys", Value: keys})
	}
	if secret != nil {
		doc = append(doc, bson.E{Key: "_secret", Value: bson.Binary{Data: secret}})
	}
	if keep.base != 0 {
		doc = append(doc, bson.E{Key: "_base", Value: keep.base})
	}
	if keep.nested {
		doc = append(doc, bson.E{Key: nestedField, Value: true})
	}
	doc = append(doc, bson.E{Key: "_f", Value: orEmpty(d.values)})
	if len(d.sorts) > 0 {
		doc = append(doc, bson.E{Key: "_s", Value: d.sorts})
	}
	if len(d.odd) > 0 {
		doc = append(doc, bson.E{Key: "_odd", Value: d.odd})
	}
	return append(doc, bson.E{Key: "_doc", Value: bson.Binary{Data: d.doc}})
}

func orEmpty(d bson.D) bson.D {
	if d == nil {
		return bson.D{}
	}
	return d
}

// stored is a record as writes need it.
type stored struct {
	rec    storage.Record // with Secret
	keys   []query.UniqueKey
	label  string
	secret []byte
	kept
}

// filter matches the record as long as it is what was read. Another one that came under the id of one that was deleted
// may have its version, but not the base.
func (r *stored) filter() bson.D {
	f := append(keyFilter(r.rec.Key), bson.E{Key: "meta.version", Value: r.rec.Version})
	if r.base == 0 {
		return append(f, exists("_base", false)...)
	}
	return append(f, bson.E{Key: "_base", Value: r.base})
}

// bare is the record as writes return it: without secrets and relations.
func (r *stored) bare() *storage.Record {
	rec := r.rec
	rec.Secret = nil
	return &rec
}

// The parts of a document that reads bring. Secrets are named only where they are asked for.
func readProjection(secret bool) bson.D {
	p := bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}, {Key: "meta", Value: 1}, {Key: "_doc", Value: 1}}
	if secret {
		p = append(p, bson.E{Key: "_secret", Value: 1})
	}
	return p
}

func writeProjection() bson.D {
	return append(readProjection(true), bson.E{Key: "_keys", Value: 1}, bson.E{Key: "_label", Value: 1}, bson.E{Key: "_base", Value: 1}, bson.E{Key: nestedField, Value: 1})
}

func keyFilter(k storage.Key) bson.D {
	return bson.D{{Key: "org", Value: string(k.Org)}, {Key: "id", Value: k.ID}}
}

var errRecord = errors.New("mongo: a stored record cannot be read")

// decodeRecord reads what readProjection names. The bytes are copied: raw belongs to the cursor.
func decodeRecord(org scim.OrgID, t scim.TypeName, raw bson.Raw) (*storage.Record, error) {
	rec := &storage.Record{Key: storage.Key{Org: org, Type: t}}
	elements, err := raw.Elements()
	if err != nil {
		return nil, errRecord
	}
	for _, e := range elements {
		v := e.Value()
		ok := true
		switch e.Key() {
		case "id":
			rec.ID, ok = v.StringValueOK()
		case "meta":
			ok = decodeMeta(rec, v)
		case "_doc":
			var b []byte
			_, b, ok = v.BinaryOK()
			rec.Doc = append(make([]byte, 0, len(b)), b...)
		case "_secret":
			var b []byte
			if _, b, ok = v.BinaryOK(); ok {
				if rec.Secret, err = scim.DecodeAttributes(b); err != nil {
					return nil, fmt.Errorf("%w: %w", errRecord, err)
				}
			}
		}
		if !ok {
			return nil, errRecord
		}
	}
	if rec.ID == "" || rec.Doc == nil || rec.Version == 0 {
		return nil, errRecord
	}
	return rec, nil
}

func decodeMeta(rec *storage.Record, v bson.RawValue) bool {
	meta, ok := v.DocumentOK()
	if !ok {
		return false
	}
	version, ok1 := meta.Lookup("version").AsInt64OK()
	created, ok2 := meta.Lookup("created").DateTimeOK()
	modified, ok3 := meta.Lookup("lastModified").DateTimeOK()
	rec.Version, rec.Created, rec.Modified = version, instant(created), instant(modified)
	return ok1 && ok2 && ok3
}

// readStored reads a record with everything that a write needs.
func (s *Store) readStored(ctx context.Context, t *resourceType, k storage.Key) (*stored, error) {
	raw, err := s.db.Collection(t.coll).FindOne(ctx, keyFilter(k), options.FindOne().SetProjection(writeProjection())).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, storage.ErrNotFound
	}
	if err != nil {
		return nil, translate(ctx, "read", err)
	}
	return decodeStored(k.Org, k.Type, raw)
}

// decodeStored reads what writeProjection names.
func decodeStored(org scim.OrgID, t scim.TypeName, raw bson.Raw) (*stored, error) {
	rec, err := decodeRecord(org, t, raw)
	if err != nil {
		return nil, err
	}
	r := &stored{rec: *rec}
	r.base, _ = raw.Lookup("_base").AsInt64OK()
	r.nested, _ = raw.Lookup(nestedField).BooleanOK()
	r.label, _ = raw.Lookup("_label").StringValueOK()
	if _, b, ok := raw.Lookup("_secret").BinaryOK(); ok {
		r.secret = append([]byte(nil), b...)
	}
	if list, ok := raw.Lookup("_keys").ArrayOK(); ok {
		values, err := list.Values()
		if err != nil {
			return nil, errRecord
		}
		for _, v := range values {
			d, ok := v.DocumentOK()
			if !ok {
				return nil, errRecord
			}
			attr, _ := d.Lookup("attr").StringValueOK()
			value, _ := d.Lookup("value").StringValueOK()
			r.keys = append(r.keys, query.UniqueKey{Attr: attr, Value: value})
		}
	}
	return r, nil
}

// encodeSecret is nil for no secrets.
func encodeSecret(s scim.Attributes) []byte {
	if len(s) == 0 {
		return nil
	}
	return scim.AppendJSON(nil, s)
}
