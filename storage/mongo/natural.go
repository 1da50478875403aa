package mongo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim"
	"rollcall/scim/query"
)

const (
	// readableSize is up to which size of its wire bytes a document is also stored as fields: both together, with
	// what is indexed, must stay below the server's limit of 16 MiB.
	readableSize = 4 << 20
	// readableDepth is how deep those fields go; the server allows a hundred levels.
	readableDepth = 40
)

// natural is a document as people read it in a shell. Nothing is computed from it: _doc is the truth. So it may call
// an attribute otherwise (`$ref` is ref, an extension goes by its alias) and cut what would not fit.
func (t *resourceType) natural(doc scim.Attributes) bson.D {
	d := make(bson.D, 0, len(doc)+8)
	taken := map[string]bool{"id": true, "org": true, "meta": true}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		key := fieldName(name)
		if key == "" || key[0] == '_' {
			key = "x" + key
		}
		for n := 2; taken[key]; n++ {
			key = fieldName(name) + "_" + strconv.Itoa(n)
		}
		taken[key] = true
		d = append(d, bson.E{Key: key, Value: t.readable(doc[name], name, readableDepth)})
	}
	return d
}

// readable is one value; path are the steps that lead to it, joined.
func (t *resourceType) readable(v any, path string, depth int) any {
	switch v := v.(type) {
	case scim.Attributes:
		if depth == 0 {
			return string(scim.AppendJSON(nil, v))
		}
		d := make(bson.D, 0, len(v))
		taken := make(map[string]bool, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			key := fieldName(name)
			for n := 2; key == "" || taken[key]; n++ {
				key = fieldName(name) + "_" + strconv.Itoa(n)
			}
			taken[key] = true
			d = append(d, bson.E{Key: key, Value: t.readable(v[name], path+"\x00"+name, depth-1)})
		}
		return d
	case []any:
		if depth == 0 {
			return string(scim.AppendJSON(nil, v))
		}
		a := make(bson.A, len(v))
		for i, el := range v {
			a[i] = t.readable(el, path, depth-1)
		}
		return a
	case string:
		if t.dates[path] {
			if at, ok := query.ParseInstant(v); ok {
				return bson.DateTime(at.UnixMilli())
			}
		}
		return strings.ToValidUTF8(v, "\ufffd")
	}
	return v
}

// shadow returns what the document yields for the type's indexes: values to compare, values to sort by, and the
// names of attributes that are present though no value of theirs is of the attribute's kind.
func (t *resourceType) shadow(doc scim.Attributes) (values, sorts bson.D, odd bson.A) {
	for _, a := range t.attrs {
		if a.date {
			continue
		}
		f := a.field()
		first, sorted := query.SortValue(*f, doc)
		var sortBy any = absent
		if sorted {
			sortBy = indexed(first)
		}
		if !f.Multi && sorted {
			values = append(values, bson.E{Key: a.name, Value: sortBy})
			continue
		}
		list, strange := a.values(doc)
		if strange {
			odd = append(odd, a.name)
		}
		if a.sparse {
			switch {
			case len(list) > 0:
				values = append(values, bson.E{Key: a.name, Value: list})
			case strange:
				values = append(values, bson.E{Key: a.name, Value: oddOnly})
			}
			continue
		}
		if !f.Multi {
			values = append(values, bson.E{Key: a.name, Value: absent})
			continue
		}
		var all any = list
		if len(list) == 0 {
			all = absent
		}
		values = append(values, bson.E{Key: a.name, Value: all})
		sorts = append(sorts, bson.E{Key: a.name, Value: sortBy})
	}
	return values, sorts, odd
}

// values are the distinct values of a field; strange: a present one is not of the field's kind.
func (a *attr) values(doc scim.Attributes) (list bson.A, strange bool) {
	seen := make(map[any]bool)
	query.AnyValue(doc, a.field().Steps, func(v any) bool {
		if !query.IsPresent(v) {
			return false
		}
		q, ok := query.ValueOf(*a.field(), v)
		if !ok {
			strange = true
			return false
		}
		if w := indexed(q); !seen[w] {
			seen[w] = true
			list = append(list, w)
		}
		return false
	})
	return list, strange
}
