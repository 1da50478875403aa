package sqlite

import (
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
)

// cond is a condition on the candidate c (c.id, c.rid) that every match of an expression satisfies; sql "" is true.
// If it is exact, only matches satisfy it; else query.Match decides.
type cond struct {
	sql   string
	args  []value
	exact bool
	drive *driver // where candidates may come from instead of a walk over all; nil: nowhere better
	// rest is what is left to ask of the driver's candidates, with its args.
	rest     string
	restArgs []value
}

// driver enumerates candidates by one index. The rows of from are called c and have id and rid.
type driver struct {
	rank   int
	from   string
	where  string
	args   []value // of from, then of where
	idCol  string  // the column that the index has the ids in
	byID   bool    // the rows come in id order
	repeat bool    // a candidate may come several times
}

// The ranks of drivers: how few candidates one is likely to give.
const (
	rankUnique = iota
	rankMember
	rankEq
	rankRange
	rankFlag
	rankScan
	rankAll
)

var (
	always = cond{exact: true}
	never  = cond{sql: "FALSE", exact: true}
	maybe  = cond{}
)

// compiler turns an expression about one type into conditions. The texts have no value of the expression in them.
type compiler struct {
	s   *Store
	c   *conn
	org int64
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
		return never
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
	return conjunction(k.compileAll(terms), true)
}

func (k *compiler) compileAll(terms []query.Expr) []cond {
	list := make([]cond, len(terms))
	for i, t := range terms {
		list[i] = k.compile(t)
	}
	return list
}

// conjunction is all of the conditions, with the best of their drivers.
func conjunction(list []cond, exact bool) cond {
	all := cond{exact: exact}
	best := -1
	for i := range list {
		all.exact = all.exact && list[i].exact
		if d := list[i].drive; d != nil && (best < 0 || d.rank < list[best].drive.rank) {
			best = i
		}
	}
	var parts, rest []string
	for i, c := range list {
		if c.sql != "" {
			parts = append(parts, c.sql)
			all.args = append(all.args, c.args...)
		}
		if i == best {
			all.drive = c.drive
			c.sql, c.args = c.rest, c.restArgs
		}
		if c.sql != "" {
			rest = append(rest, c.sql)
			all.restArgs = append(all.restArgs, c.args...)
		}
	}
	all.sql, all.rest = joined(parts, " AND "), joined(rest, " AND ")
	return all
}

func joined(parts []string, with string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return "(" + strings.Join(parts, with) + ")"
}

func (k *compiler) or(terms query.Or) cond {
	if len(terms) == 0 {
		return never
	}
	all := cond{exact: true}
	var parts []string
	var drivers []*driver
	open := false // a term that is not compiled makes the whole true
	driven := true
	for _, c := range k.compileAll(terms) {
		all.exact = all.exact && c.exact
		driven = driven && c.drive != nil && c.rest == ""
		open = open || c.sql == ""
		parts = append(parts, c.sql)
		all.args = append(all.args, c.args...)
		if c.drive != nil {
			drivers = append(drivers, c.drive)
		}
	}
	if open {
		return cond{exact: all.exact}
	}
	all.sql = joined(parts, " OR ")
	if len(drivers) == len(terms) {
		all.drive = union(drivers)
		if !driven {
			all.rest, all.restArgs = all.sql, all.args
		}
	}
	return all
}

// union enumerates what any of several drivers does.
func union(drivers []*driver) *driver {
	if len(drivers) == 1 {
		return drivers[0] // nothing would drop its repeats
	}
	u := &driver{idCol: "c.id"}
	var parts []string
	for _, d := range drivers {
		u.rank = max(u.rank, d.rank)
		parts = append(parts, "SELECT "+d.idCol+" AS id, c.rid AS rid FROM "+d.from+" WHERE "+d.where)
		u.args = append(u.args, d.args...)
	}
	if u.rank == rankUnique {
		u.rank = rankMember
	}
	u.from = "(" + strings.Join(parts, " UNION ") + ") c"
	u.where = "TRUE"
	return u
}

// not complements what is exact; the complement of a superset says nothing.
func (k *compiler) not(e query.Not) cond {
	c := k.compile(e.Expr)
	if !c.exact {
		return maybe
	}
	if c.sql == "" {
		return never
	}
	n := cond{sql: "NOT " + c.sql, args: c.args, exact: true}
	if p, ok := e.Expr.(query.Present); ok {
		if a := k.indexOf(&p.Field); a != nil && !a.sparse {
			n.drive = k.eqDriver(a, value{})
			n.drive.where += " AND c.first=1"
		}
	}
	return n
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
		if slices.Equal(a.field().Steps, f.Steps) {
			return a
		}
	}
	return nil
}

func (k *compiler) present(f *query.Field) cond {
	if rel := k.t.Relation(f); rel != "" {
		return k.relationPresent(rel, f)
	}
	a := k.indexOf(f)
	if a == nil {
		return maybe
	}
	if a.sparse { // every row is of a value
		return k.rows(a, rankRange, ".value<=x''")
	}
	return cond{
		sql:   "NOT EXISTS (SELECT 1 FROM idx x WHERE x.attr=? AND x.org=? AND x.value=x'' AND x.id=c.id AND x.first=1)",
		args:  []value{integer(a.code), integer(k.org)},
		exact: true,
	}
}

func (k *compiler) compare(f *query.Field, op query.Op, v query.Value) cond {
	if rel := k.t.Relation(f); rel != "" {
		return k.relationCompare(rel, f, op, v)
	}
	switch {
	case len(f.Steps) == 1 && f.Steps[0] == "id":
		return k.compareID(op, v)
	case len(f.Steps) == 2 && f.Steps[0] == "meta" && f.Steps[1] == "resourceType":
		doc := scim.Attributes{"meta": scim.Attributes{"resourceType": string(k.t.Name)}}
		return k.compile(query.Const(query.Match(query.Compare{Field: *f, Op: op, Value: v}, doc)))
	}
	a := k.t.attr(f)
	if a == nil {
		return maybe
	}
	textual := f.Kind == query.String || f.Kind == query.Reference || f.Kind == query.Binary
	switch op {
	case query.Eq:
		return k.eq(a, indexed(v))
	case query.Ne:
		if f.Multi {
			return maybe // some element differs: not the complement of eq
		}
		c := k.eq(a, indexed(v))
		return cond{sql: "NOT " + c.sql, args: c.args, exact: true}
	case query.Gt:
		return k.rows(a, rankRange, ".value>? AND #.value<x''", indexed(v))
	case query.Ge:
		return k.rows(a, rankRange, ".value>=? AND #.value<x''", indexed(v))
	case query.Lt:
		return k.rows(a, rankRange, ".value<?", indexed(v))
	case query.Le:
		return k.rows(a, rankRange, ".value<=?", indexed(v))
	case query.Sw:
		if !textual {
			return maybe
		}
		if end, ok := prefixEnd(v.Str); ok {
			return k.rows(a, rankRange, ".value>=? AND #.value<?", text(v.Str), text(end))
		}
		return k.rows(a, rankRange, ".value>=? AND #.value<x''", text(v.Str))
	case query.Co, query.Ew:
		// These walk the index's rows, which are far fewer bytes than the documents. Blobs, as bytes are compared.
		switch {
		case !textual:
			return maybe
		case v.Str == "":
			return k.rows(a, rankScan, ".value<x''")
		case op == query.Co:
			return k.rows(a, rankScan, ".value<x'' AND instr(CAST(#.value AS BLOB), CAST(? AS BLOB))>0", text(v.Str))
		}
		return k.rows(a, rankScan, ".value<x'' AND substr(CAST(#.value AS BLOB), ?)=CAST(? AS BLOB)",
			integer(-int64(len(v.Str))), text(v.Str))
	}
	return maybe
}

// table is where the values of an index lie.
func (a *attr) table() string {
	switch {
	case !a.uniq:
		return "idx"
	case a.strays.Load():
		return "(SELECT attr, org, value, id, rid, 1 AS first FROM uniq UNION ALL SELECT attr, org, value, id, rid, first FROM idx)"
	}
	return "uniq"
}

// inUniq: all values lie in uniq. A query that relies on it looks again when it is done (see stale).
func (a *attr) inUniq() bool { return a.uniq && !a.strays.Load() }

// stale reports whether a value of a unique field of the types came to lie outside of uniq since seen was taken.
func stale(types []*resourceType, seen int) bool { return countStrays(types) != seen }

func countStrays(types []*resourceType) (n int) {
	for _, t := range types {
		for _, a := range t.attrs {
			if a.strays.Load() {
				n++
			}
		}
	}
	return n
}

// eq is a seek for the candidate's id at the value.
func (k *compiler) eq(a *attr, v value) cond {
	return cond{
		sql:   "EXISTS (SELECT 1 FROM " + a.table() + " x WHERE x.attr=? AND x.org=? AND x.value=? AND x.id=c.id)",
		args:  []value{integer(a.code), integer(k.org), v},
		exact: true,
		drive: k.eqDriver(a, v),
	}
}

func (k *compiler) eqDriver(a *attr, v value) *driver {
	d := &driver{
		rank: rankEq, from: "idx c", where: "c.attr=? AND c.org=? AND c.value=?", idCol: "c.id", byID: true,
		args: []value{integer(a.code), integer(k.org), v},
	}
	switch {
	case v.t == isAbsent || a.field().Kind == query.Boolean:
		d.rank = rankFlag
	case a.inUniq():
		d.rank, d.from = rankUnique, "uniq c"
	case a.uniq:
		d.from, d.byID = a.table()+" c", false
	}
	return d
}

// rows is a condition on the index's rows; in test, # stands for their name.
func (k *compiler) rows(a *attr, rank int, test string, args ...value) cond {
	args = append([]value{integer(a.code), integer(k.org)}, args...)
	where := func(name string) string {
		return name + ".attr=? AND " + name + ".org=? AND " + name + strings.ReplaceAll(test, "#", name)
	}
	return cond{
		sql:   "c.rid IN (SELECT x.rid FROM " + a.table() + " x WHERE " + where("x") + ")",
		args:  args,
		exact: true,
		drive: &driver{
			rank: rank, from: a.table() + " c", where: where("c"), args: args, idCol: "c.id",
			repeat: a.field().Multi,
		},
	}
}

// compareID compiles comparisons of ids with canonical ones: their order is that of the stored bytes.
func (k *compiler) compareID(op query.Op, v query.Value) cond {
	var b [16]byte
	if !parseUUID(&b, v.Str) {
		return maybe
	}
	ops := map[query.Op]string{
		query.Eq: "c.id=?", query.Ne: "c.id<>?", query.Gt: "c.id>?", query.Ge: "c.id>=?", query.Lt: "c.id<?",
		query.Le: "c.id<=?",
	}
	sql, ok := ops[op]
	if !ok {
		return maybe
	}
	c := cond{sql: sql, args: []value{id(v.Str)}, exact: true}
	if op == query.Eq {
		c.drive = &driver{
			rank: rankUnique, from: "ids c", where: "c.org=? AND c.type=? AND c.id=?", idCol: "c.id", byID: true,
			args: []value{integer(k.org), integer(k.t.code), id(v.Str)},
		}
	}
	return c
}
