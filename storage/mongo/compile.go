package mongo

import (
	"context"
	"regexp"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim"
	"rollcall/scim/query"
)

// cond is a condition on documents that every match of an expression satisfies; a nil filter is true. If it is exact,
// only matches satisfy it; else query.Match decides.
type cond struct {
	filter bson.D
	exact  bool
	// ids, if set, are where matches may come from, in order: what the relation has to say. They are a condition of
	// their own beside filter.
	ids *[]string
	// index: an index narrows it down.
	index bool
}

var (
	always = cond{exact: true}
	maybe  = cond{}
)

func never() cond {
	return cond{filter: in[string]("id", nil), exact: true, index: true}
}

// manyIDs is how many ids a filter may name inside of an "or" or a "not".
const manyIDs = 20_000

// compiler turns an expression about one type into conditions.
type compiler struct {
	s   *reader
	ctx context.Context //nolint:containedctx // of the one query that it compiles; relations are looked up on the way
	org scim.OrgID
	t   *resourceType
	err error
}

func (k *compiler) compile(e query.Expr) cond {
	switch e := e.(type) {
	case nil:
		return always
	case query.Const:
		if e {
			return always
		}
		return never()
	case query.And:
		return k.and(e)
	case query.Or:
		return k.or(e)
	case query.Not:
		return k.not(e)
	case query.Any:
		return k.any(e)
	case query.Present:
		return k.present(&e.Field)
	case query.Compare:
		return k.compare(&e.Field, e.Op, e.Value)
	}
	return maybe
}

func (k *compiler) and(terms query.And) cond {
	list := make([]cond, len(terms))
	for i, t := range terms {
		list[i] = k.compile(t)
	}
	return conjunction(list, true)
}

func conjunction(list []cond, exact bool) cond {
	all := cond{exact: exact}
	var parts bson.A
	for _, c := range list {
		all.exact = all.exact && c.exact
		all.index = all.index || c.index
		if c.filter != nil {
			parts = append(parts, c.filter)
		}
		switch {
		case c.ids == nil:
		case all.ids == nil:
			all.ids = c.ids
		default:
			both := intersect(*all.ids, *c.ids)
			all.ids = &both
		}
	}
	switch len(parts) {
	case 0:
	case 1:
		all.filter, _ = parts[0].(bson.D)
	default:
		all.filter = bson.D{{Key: "$and", Value: parts}}
	}
	return all
}

// intersect keeps the order, which both have.
func intersect(a, b []string) []string {
	var both []string
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both = append(both, a[i])
			i++
			j++
		}
	}
	return both
}

// flat makes the ids of a condition part of its filter; false if they are too many.
func (c cond) flat() (cond, bool) {
	if c.ids == nil {
		return c, true
	}
	if len(*c.ids) > manyIDs {
		return maybe, false
	}
	ids := cond{filter: in("id", *c.ids), exact: true, index: true}
	return conjunction([]cond{{filter: c.filter, exact: c.exact, index: c.index}, ids}, true), true
}

func (k *compiler) or(terms query.Or) cond {
	all := cond{exact: true, index: true}
	var parts bson.A
	open := false // a term that is not compiled makes the whole true
	for _, t := range terms {
		c, ok := k.compile(t).flat()
		if !ok {
			c = maybe
		}
		all.exact = all.exact && c.exact
		all.index = all.index && c.index
		open = open || c.filter == nil
		parts = append(parts, c.filter)
	}
	switch {
	case open:
		return cond{exact: all.exact}
	case len(parts) == 0:
		return never()
	case len(parts) == 1:
		all.filter, _ = parts[0].(bson.D)
	default:
		all.filter = bson.D{{Key: "$or", Value: parts}}
	}
	return all
}

// not complements what is exact; the complement of a superset says nothing.
func (k *compiler) not(e query.Not) cond {
	if p, ok := e.Expr.(query.Present); ok {
		if a := k.indexOf(&p.Field); a != nil {
			return k.lacks(a)
		}
	}
	c, ok := k.compile(e.Expr).flat()
	switch {
	case !ok, !c.exact:
		return maybe
	case c.filter == nil:
		return never()
	}
	return cond{filter: bson.D{{Key: "$nor", Value: bson.A{c.filter}}}, exact: true}
}

// any handles x[...]: one element must satisfy all of the inner terms, so the record satisfies each of them.
func (k *compiler) any(e query.Any) cond {
	terms, ok := e.Where.(query.And)
	if !ok {
		terms = query.And{e.Where}
	}
	var list []cond
	for _, t := range terms {
		var c cond
		switch t := t.(type) {
		case query.Compare:
			if t.Op == query.Ne {
				continue // true of an element without the attribute
			}
			f := query.Within(&e.Field, &t.Field)
			c = k.compare(&f, t.Op, t.Value)
		case query.Present:
			f := query.Within(&e.Field, &t.Field)
			c = k.present(&f)
		default:
			continue
		}
		if len(terms) == 1 && c.exact {
			return c
		}
		list = append(list, c)
	}
	return conjunction(list, false)
}

// indexOf is the index of a field, whatever way it compares.
func (k *compiler) indexOf(f *query.Field) *attr {
	for _, a := range k.t.attrs {
		if !a.waiting.Load() && slices.Equal(a.field().Steps, f.Steps) {
			return a
		}
	}
	return nil
}

func (k *compiler) present(f *query.Field) cond {
	if k.t.Relation(f) != "" {
		return maybe
	}
	a := k.indexOf(f)
	switch {
	case a == nil:
		return maybe
	case a.date:
		return always
	case a.sparse:
		return cond{filter: exists(a.path, true), exact: true, index: true}
	}
	return cond{exact: true, filter: bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: a.path, Value: bson.D{{Key: "$ne", Value: absent}}}}, bson.D{{Key: "_odd", Value: a.name}},
	}}}}
}

// lacks is the complement of present.
func (k *compiler) lacks(a *attr) cond {
	switch {
	case a.date:
		return never()
	case a.sparse:
		return cond{filter: exists(a.path, false), exact: true}
	}
	return cond{exact: true, index: true, filter: bson.D{
		{Key: a.path, Value: absent}, {Key: "_odd", Value: bson.D{{Key: "$ne", Value: a.name}}},
	}}
}

func (k *compiler) compare(f *query.Field, op query.Op, v query.Value) cond {
	if rel := k.t.Relation(f); rel != "" {
		return k.relationCompare(rel, f, op, v)
	}
	if !storable(v.Str) {
		return maybe
	}
	switch {
	case len(f.Steps) == 1 && f.Steps[0] == "id":
		return k.compareID(f, op, v)
	case len(f.Steps) == 2 && f.Steps[0] == "meta" && f.Steps[1] == "resourceType":
		doc := scim.Attributes{"meta": scim.Attributes{"resourceType": string(k.t.Name)}}
		return k.compile(query.Const(query.Match(query.Compare{Field: *f, Op: op, Value: v}, doc)))
	case isMetaDate(f):
		return k.compareDate(f, op, v)
	}
	a := k.t.attr(f)
	if a == nil {
		return maybe
	}
	textual := f.Kind == query.String || f.Kind == query.Reference || f.Kind == query.Binary
	switch op {
	case query.Ne:
		return a.differs(indexed(v))
	case query.Eq:
		return cond{filter: bson.D{{Key: a.path, Value: indexed(v)}}, exact: true, index: f.Kind != query.Boolean}
	case query.Gt:
		return a.test(bson.D{{Key: "$gt", Value: indexed(v)}})
	case query.Ge:
		return a.test(bson.D{{Key: "$gte", Value: indexed(v)}})
	case query.Lt:
		return a.test(bson.D{{Key: "$lt", Value: indexed(v)}})
	case query.Le:
		return a.test(bson.D{{Key: "$lte", Value: indexed(v)}})
	case query.Sw, query.Co, query.Ew:
		if textual {
			return a.matches(op, v.Str)
		}
	}
	return maybe
}

// test is a condition that one value satisfies. The server compares within a type only, so absent ones never do.
func (a *attr) test(d bson.D) cond {
	if a.field().Multi && len(d) > 1 {
		d = bson.D{{Key: "$elemMatch", Value: d}} // both bounds are about the same value
	}
	return cond{filter: bson.D{{Key: a.path, Value: d}}, exact: true, index: true}
}

// differs is ne: a value that is another, or none at all.
func (a *attr) differs(v any) cond {
	ne := bson.D{{Key: "$ne", Value: v}}
	if !a.field().Multi {
		return cond{filter: bson.D{{Key: a.path, Value: ne}}, exact: true}
	}
	none := bson.D{{Key: a.path, Value: absent}}
	if a.sparse {
		none = exists(a.path, false)
	}
	return cond{exact: true, filter: bson.D{{Key: "$or", Value: bson.A{
		none,
		bson.D{{Key: a.path, Value: bson.D{{Key: "$elemMatch", Value: ne}}}},
		bson.D{{Key: "_odd", Value: a.name}},
	}}}}
}

// longestPattern is how long a text may be to be looked for by a pattern; the server takes 32,764 bytes.
const longestPattern = 4000

// matches compiles sw, co and ew. What begins with a text is a range of the index; for the other two the server walks
// the organization's part of the index with a pattern and touches no document that does not match.
func (a *attr) matches(op query.Op, s string) cond {
	switch {
	case s == "":
		return a.test(bson.D{{Key: "$gte", Value: ""}})
	case op == query.Sw:
		if end, ok := prefixEnd(s); ok {
			return a.test(bson.D{{Key: "$gte", Value: s}, {Key: "$lt", Value: end}})
		}
		return a.test(bson.D{{Key: "$gte", Value: s}})
	case len(s) > longestPattern || slices.Contains([]byte(s), 0):
		return a.test(bson.D{{Key: "$gte", Value: ""}}).inexact()
	}
	pattern := regexp.QuoteMeta(s)
	if op == query.Ew {
		pattern += `\z`
	}
	return cond{filter: bson.D{{Key: a.path, Value: bson.Regex{Pattern: pattern}}}, exact: true}
}

func (c cond) inexact() cond {
	c.exact = false
	return c
}

// comparison is the server's word for an operator; empty for those that are none of order.
func comparison(op query.Op) string {
	switch op {
	case query.Eq:
		return "$eq"
	case query.Ne:
		return "$ne"
	case query.Gt:
		return "$gt"
	case query.Ge:
		return "$gte"
	case query.Lt:
		return "$lt"
	case query.Le:
		return "$lte"
	case query.Co, query.Sw, query.Ew:
	}
	return ""
}

// compareID compiles comparisons of ids. They are canonical, so folding leaves them as they are.
func (k *compiler) compareID(f *query.Field, op query.Op, v query.Value) cond {
	word := comparison(op)
	if word == "" || f.Kind != query.String {
		return maybe
	}
	return cond{filter: bson.D{{Key: "id", Value: bson.D{{Key: word, Value: v.Str}}}}, exact: true, index: op != query.Ne}
}

// compareDate compares created and lastModified, which are dates of whole milliseconds; the other side may have a
// finer fraction.
func (k *compiler) compareDate(f *query.Field, op query.Op, v query.Value) cond {
	at, ok := query.ParseInstant(v.Str)
	word := comparison(op)
	if !ok || word == "" {
		return maybe
	}
	floor := at.UnixMilli() // rounds down
	between := !at.Equal(time.UnixMilli(floor))
	if between {
		switch op {
		case query.Eq:
			return never()
		case query.Ne:
			return always
		case query.Ge:
			word = "$gt" // of the millisecond before
		case query.Lt:
			word = "$lte"
		case query.Gt, query.Le, query.Co, query.Sw, query.Ew:
		}
	}
	path := f.Steps[0] + "." + f.Steps[1]
	c := cond{filter: bson.D{{Key: path, Value: bson.D{{Key: word, Value: bson.DateTime(floor)}}}}, exact: true}
	c.index = op != query.Ne && k.indexOf(f) != nil
	return c
}
