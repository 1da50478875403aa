package mongo

import (
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim"
	"rollcall/scim/query"
)

// absent is the indexed value of a record that has none: sorted after everything, found by no comparison.
var absent = bson.MaxKey{}

// oddOnly is the indexed value, in a sparse index, of a record that has values and none of the field's kind.
var oddOnly = bson.MinKey{}

// indexed is a query value as it is stored. The server compares integers and doubles exactly, as
// query.CompareValues does, and texts by bytes, as no collation is ever given.
func indexed(v query.Value) any {
	switch v.Kind {
	case query.Boolean:
		return v.Bool
	case query.Integer, query.Decimal:
		if v.IsInt {
			return v.Int
		}
		return v.Dec
	}
	return v.Str
}

// queryValue is the way back, for positions; false if the record has no value.
func queryValue(f *query.Field, raw bson.RawValue) (query.Value, bool) {
	q := query.Value{Kind: f.Kind}
	switch raw.Type {
	case bson.TypeString:
		q.Str = raw.StringValue()
	case bson.TypeBoolean:
		q.Bool = raw.Boolean()
	case bson.TypeInt64:
		q.IsInt, q.Int = true, raw.Int64()
	case bson.TypeInt32:
		q.IsInt, q.Int = true, int64(raw.Int32())
	case bson.TypeDouble:
		q.Dec = raw.Double()
	case bson.TypeDateTime:
		q.Str = query.InstantKey(time.UnixMilli(raw.DateTime()))
	default:
		return query.Value{}, false
	}
	return q, true
}

// prefixEnd is the least string greater than every string with prefix p; false if there is none. It counts in code
// points, whose order is that of the bytes, because a BSON string is UTF-8.
func prefixEnd(p string) (string, bool) {
	r := []rune(p)
	for len(r) > 0 {
		last := len(r) - 1
		switch next := r[last] + 1; {
		case next > utf8.MaxRune:
			r = r[:last]
		case 0xd800 <= next && next <= 0xdfff:
			r[last] = 0xe000
			return string(r), true
		default:
			r[last] = next
			return string(r), true
		}
	}
	return "", false
}

// storable: the string can be a BSON string. One that cannot is in no document either.
func storable(s string) bool { return utf8.ValidString(s) }

func dateTime(t time.Time) bson.DateTime { return bson.DateTime(scim.Millis(t).UnixMilli()) }

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
