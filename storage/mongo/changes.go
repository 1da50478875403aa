package mongo

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/storage"
)

// partSize is how many members one document of a change names; a change of more has the rest in changeparts.
const partSize = 50_000

// change adds a row to what the transaction writes at its end. The row has no position yet: "pending" is where the
// sequencer finds it, and what it orders the rows of one record by (see sequence.go). records is by how much the write
// changes the number of records; what the caller calls the write says nothing of that.
func (x *txn) change(k storage.Key, version, base int64, at time.Time, ch *storage.Change, records int64) {
	more := []bson.E{{Key: "pending", Value: order(version, base, ch.Op)}}
	if records != 0 {
		more = append(more, bson.E{Key: "records", Value: records})
	}
	x.row(k, bson.NewObjectID(), version, base, at, ch, more...)
}

// order is the place of a change among those of all records that ever had the id: base is that of the last change of
// the record before this one, as what exists once for something (a domain, a password reset) comes back under its id.
func order(version, base int64, op storage.ChangeOp) int64 {
	n := base + 2*version
	if op == storage.OpDelete {
		n++ // a delete has the version of the write before it
	}
	return n
}

// row adds a row with some fields of its own.
func (x *txn) row(k storage.Key, id bson.ObjectID, version, base int64, at time.Time, ch *storage.Change, more ...bson.E) {
	row := bson.D{
		{Key: "_id", Value: id},
		{Key: "org", Value: string(k.Org)},
		{Key: "type", Value: string(k.Type)},
		{Key: "id", Value: k.ID},
		{Key: "version", Value: version},
		{Key: "order", Value: order(version, base, ch.Op)},
		{Key: "at", Value: dateTime(at)},
		{Key: "op", Value: string(ch.Op)},
		{Key: "actor", Value: bson.D{{Key: "kind", Value: ch.Actor.Kind}, {Key: "id", Value: ch.Actor.ID}, {Key: "name", Value: ch.Actor.Name}}},
		{Key: "request", Value: ch.Request},
	}
	row = append(row, more...)
	if len(ch.Values) > 0 {
		values := make(bson.A, len(ch.Values))
		for i, v := range ch.Values {
			values[i] = bson.D{{Key: "path", Value: v.Path}, {Key: "old", Value: encode(v.Old)}, {Key: "new", Value: encode(v.New)}}
		}
		row = append(row, bson.E{Key: "values", Value: values})
	}
	if len(ch.MembersAdded)+len(ch.MembersRemoved) <= partSize {
		row = appendIDs(row, ch.MembersAdded, ch.MembersRemoved)
	} else {
		row = append(row, bson.E{Key: "parts", Value: x.parts(row[0].Value, ch)})
	}
	x.changes = append(x.changes, row)
}

func appendIDs(d bson.D, added, removed []string) bson.D {
	if len(added) > 0 {
		d = append(d, bson.E{Key: "added", Value: slices.Clone(added)})
	}
	if len(removed) > 0 {
		d = append(d, bson.E{Key: "removed", Value: slices.Clone(removed)})
	}
	return d
}

// part is a document of changeparts.
type part struct{ doc bson.D }

func (x *txn) parts(change any, ch *storage.Change) int64 {
	n := int64(0)
	add := func(added, removed []string) {
		x.changes = append(x.changes, part{appendIDs(bson.D{
			{Key: "org", Value: string(x.org)}, {Key: "change", Value: change}, {Key: "n", Value: n},
		}, added, removed)})
		n++
	}
	for chunk := range slices.Chunk(ch.MembersAdded, partSize) {
		add(chunk, nil)
	}
	for chunk := range slices.Chunk(ch.MembersRemoved, partSize) {
		add(nil, chunk)
	}
	return n
}

// flush writes the change rows.
func (x *txn) flush(ctx context.Context) error {
	var rows []any
	for _, c := range x.changes {
		p, ok := c.(part)
		if !ok {
			rows = append(rows, c)
			continue
		}
		if _, err := x.s.db.Collection(collChangeParts).InsertOne(ctx, p.doc); err != nil {
			return x.fail(ctx, "append a change", err)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	x.wrote = true
	_, err := x.s.db.Collection(collChanges).InsertMany(ctx, rows)
	return x.fail(ctx, "append changes", err)
}

// Changes implements storage.Changes. Rows that were committed and have no position yet get theirs first.
func (s *Store) Changes(ctx context.Context, org scim.OrgID, after storage.Position, limit int) (list []storage.Change, err error) {
	end, err := s.call(ctx, "changes")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	var pos int64
	if after != "" {
		if pos, err = strconv.ParseInt(string(after), 10, 64); err != nil || pos < 0 {
			return nil, fmt.Errorf("mongo: %w: the position is not one of this feed", storage.ErrNotFound)
		}
	}
	if limit <= 0 {
		return nil, nil
	}
	// First, not only when rows run out: what another process numbers in between must not be taken for the end.
	if err := s.sequencer.drain(ctx, org, limit); err != nil {
		return nil, err
	}
	return s.positioned(ctx, org, bson.E{Key: "$gt", Value: pos}, 1, limit)
}

// ChangesBefore implements storage.Changes.
func (s *Store) ChangesBefore(ctx context.Context, org scim.OrgID, before storage.Position, limit int) (list []storage.Change, err error) {
	end, err := s.call(ctx, "changes")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	pos := int64(math.MaxInt64)
	if before != "" {
		if pos, err = strconv.ParseInt(string(before), 10, 64); err != nil || pos < 0 {
			return nil, fmt.Errorf("mongo: %w: the position is not one of this feed", storage.ErrNotFound)
		}
	} else if err := s.sequencer.drain(ctx, org, math.MaxInt); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	return s.positioned(ctx, org, bson.E{Key: "$lt", Value: pos}, -1, limit)
}

// positioned reads rows that have a position, by which they are ordered: 1 upwards, -1 downwards.
func (s *Store) positioned(ctx context.Context, org scim.OrgID, bound bson.E, order, limit int) (list []storage.Change, err error) {
	err = s.snapshot(ctx, func(ctx context.Context) error {
		list = nil
		cur, err := s.db.Collection(collChanges).Find(ctx,
			bson.D{{Key: "org", Value: string(org)}, {Key: "pos", Value: bson.D{bound}}},
			options.Find().SetSort(bson.D{{Key: "pos", Value: order}}).SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		return each(ctx, cur, func(raw bson.Raw) error {
			ch, err := s.decodeChange(ctx, org, raw)
			list = append(list, ch)
			return err
		})
	})
	if err != nil {
		return nil, translate(ctx, "read changes", err)
	}
	return list, nil
}

// History implements storage.Changes. The versions of a record that came back under its id begin anew, so it is the
// instant that orders them first.
func (s *Store) History(ctx context.Context, k storage.Key, skip, limit int) (list []storage.Change, err error) {
	end, err := s.call(ctx, "history")
	if err != nil {
		return nil, err
	}
	defer end(&err)
	if _, err := s.typeOf(k.Type); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	err = s.snapshot(ctx, func(ctx context.Context) error {
		list = nil
		cur, err := s.db.Collection(collChanges).Find(ctx,
			bson.D{{Key: "org", Value: string(k.Org)}, {Key: "id", Value: k.ID}, {Key: "type", Value: string(k.Type)}},
			options.Find().SetSort(bson.D{{Key: "order", Value: -1}}).
				SetSkip(int64(skip)).SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		return each(ctx, cur, func(raw bson.Raw) error {
			ch, err := s.decodeChange(ctx, k.Org, raw)
			list = append(list, ch)
			return err
		})
	})
	if err != nil {
		return nil, translate(ctx, "read a history", err)
	}
	return list, nil
}

type changeRow struct {
	ID      bson.ObjectID `bson:"_id"`
	Type    string        `bson:"type"`
	Key     string        `bson:"id"`
	Version int64         `bson:"version"`
	Pos     int64         `bson:"pos"`
	At      bson.DateTime `bson:"at"`
	Op      string        `bson:"op"`
	Actor   struct {
		Kind string `bson:"kind"`
		ID   string `bson:"id"`
		Name string `bson:"name"`
	} `bson:"actor"`
	Request string `bson:"request"`
	Values  []struct {
		Path string        `bson:"path"`
		Old  bson.RawValue `bson:"old"`
		New  bson.RawValue `bson:"new"`
	} `bson:"values"`
	Added   []string `bson:"added"`
	Removed []string `bson:"removed"`
	Parts   int64    `bson:"parts"`
}

func (s *Store) decodeChange(ctx context.Context, org scim.OrgID, raw bson.Raw) (storage.Change, error) {
	var row changeRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return storage.Change{}, fmt.Errorf("mongo: a stored change cannot be read: %w", err)
	}
	ch := storage.Change{
		Position: storage.Position(strconv.FormatInt(row.Pos, 10)),
		Key:      storage.Key{Org: org, Type: scim.TypeName(row.Type), ID: row.Key},
		Version:  row.Version, At: instant(int64(row.At)), Op: storage.ChangeOp(row.Op),
		Actor:   scim.Actor{Kind: row.Actor.Kind, ID: row.Actor.ID, Name: row.Actor.Name},
		Request: row.Request, MembersAdded: row.Added, MembersRemoved: row.Removed,
	}
	for _, v := range row.Values {
		ch.Values = append(ch.Values, storage.ValueChange{Path: v.Path, Old: decode(v.Old), New: decode(v.New)})
	}
	if row.Parts == 0 {
		return ch, nil
	}
	cur, err := s.db.Collection(collChangeParts).Find(ctx,
		bson.D{{Key: "org", Value: string(org)}, {Key: "change", Value: row.ID}}, options.Find().SetSort(ascending("n")))
	if err != nil {
		return ch, err
	}
	return ch, eachPart(ctx, cur, &ch)
}

func eachPart(ctx context.Context, cur *mongo.Cursor, ch *storage.Change) error {
	return each(ctx, cur, func(raw bson.Raw) error {
		var p struct {
			Added   []string `bson:"added"`
			Removed []string `bson:"removed"`
		}
		if err := bson.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("mongo: a stored change cannot be read: %w", err)
		}
		ch.MembersAdded, ch.MembersRemoved = append(ch.MembersAdded, p.Added...), append(ch.MembersRemoved, p.Removed...)
		return nil
	})
}

// encode makes a value of a document a BSON value that [decode] turns back. Names keep their spelling but for dots
// and dollars, which mean something to the server.
func encode(v any) any {
	switch v := v.(type) {
	case scim.Attributes:
		d := make(bson.D, 0, len(v))
		for name, el := range v {
			d = append(d, bson.E{Key: escapeName(name), Value: encode(el)})
		}
		slices.SortFunc(d, func(a, b bson.E) int { return strings.Compare(a.Key, b.Key) })
		return d
	case []any:
		a := make(bson.A, len(v))
		for i, el := range v {
			a[i] = encode(el)
		}
		return a
	}
	return v
}

func escapeName(name string) string {
	if !strings.ContainsAny(name, "%.$") { // as nearly all: a replacer costs more than the rest of a change
		return name
	}
	return strings.NewReplacer("%", "%25", ".", "%2E", "$", "%24").Replace(name)
}

func unescapeName(name string) string {
	if !strings.Contains(name, "%") {
		return name
	}
	return strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$").Replace(name)
}

func decode(raw bson.RawValue) any {
	switch raw.Type {
	case bson.TypeString:
		return raw.StringValue()
	case bson.TypeBoolean:
		return raw.Boolean()
	case bson.TypeInt64:
		return raw.Int64()
	case bson.TypeInt32:
		return int64(raw.Int32())
	case bson.TypeDouble:
		return raw.Double()
	case bson.TypeEmbeddedDocument:
		elements, err := raw.Document().Elements()
		if err != nil {
			return nil
		}
		m := make(scim.Attributes, len(elements))
		for _, e := range elements {
			m[unescapeName(e.Key())] = decode(e.Value())
		}
		return m
	case bson.TypeArray:
		values, err := raw.Array().Values()
		if err != nil {
			return nil
		}
		a := make([]any, len(values))
		for i, v := range values {
			a[i] = decode(v)
		}
		return a
	}
	return nil
}
