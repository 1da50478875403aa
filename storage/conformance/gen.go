package conformance

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// gen makes random documents and expressions over the suite's types. Values come from small pools, so that
// comparisons hit, full of what databases treat specially.
type gen struct {
	*rand.Rand
	ids    []string // ids that relations and expressions may name
	groups []string // those of groups
	odd    []string // those of no resource
}

func newGen(seed uint64) *gen { return &gen{Rand: rand.New(rand.NewPCG(seed, 0x726f6c6c63616c6c))} }

// chance is true in n of 100 cases.
func (g *gen) chance(n int) bool { return g.IntN(100) < n }

func pick[T any](g *gen, list []T) T { return list[g.IntN(len(list))] }

// texts are strings that differ by their bytes, though collations, patterns, escapes or number affinity may take
// some for others.
func texts() []string {
	return []string{
		"a", "A", "b", "ab", "aB", "abc", "b a", "a ", " a", "a\t", "ä", "A\u0308", "Ä", "é", "e\u0301", "ß", "ss", "SS",
		"ﬁ", "fi", "İ", "i", "ı", "I", "ſ", "s", "Σ", "σ", "ς", "%", "_", "a%", "a_c", "a%c", `\`, `a\b`, `"`, `'`, `''`,
		"*", "?", "[a]", "^a", "a$", ".", "a.c", "$a", "${a}", "0", "00", "1", "1.0", "10", "9", "-1", "1e3", "true",
		"null", "2020-01-01T00:00:00Z", "日本語", "日本", "😀", "\u007f", "a\u200db", "\u0345", "ι", "ﷺ", "work", "home",
		"\U0010ffff", "\uffff", "\ue000", strings.Repeat("x", 300), strings.Repeat("x", 300) + "y",
	}
}

func (g *gen) text() string {
	s := pick(g, texts())
	if g.chance(15) {
		s += pick(g, texts())
	}
	return s
}

func (g *gen) integer() int64 {
	return pick(g, []int64{0, 1, -1, 2, 9, 10, 42, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1<<53 + 1, 1 << 53, -(1<<53 + 1)})
}

func (g *gen) decimal() float64 {
	return pick(g, []float64{0, 0.5, -0.5, 1, 1.5, 2, 0.1, 0.30000000000000004, 1e300, -1e300, 5e-324, 1 << 53, 1<<53 + 2, 1 << 63, -(1 << 63), 42, math.Copysign(0, -1)})
}

func (g *gen) instant() string {
	return pick(g, []string{
		"2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00", "2020-01-01T00:00:00.000Z",
		"2020-01-01T00:00:00.000000001Z", "2019-12-31T23:59:59.999999999Z", "2020-01-01T00:00:00.1Z", "2020-01-01T00:00:00.10Z",
		"1999-12-31T19:00:00-05:00", "2000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-07-20T20:17:40Z",
	})
}

// value returns a document's value of a kind; rarely one that counts as no value.
func (g *gen) value(f query.Field) any {
	switch f.Kind {
	case query.Boolean:
		return g.chance(50)
	case query.Integer:
		return g.integer()
	case query.Decimal:
		// A client may write a decimal without a fraction.
		if g.chance(40) {
			return g.integer()
		}
		return g.decimal()
	case query.DateTime:
		return g.instant()
	}
	if g.chance(4) {
		return ""
	}
	return g.text()
}

// document returns a random document of the type.
func (g *gen) document(t scim.TypeName) scim.Attributes {
	doc := scim.Attributes{"schemas": []any{scim.SchemaUser}}
	if g.chance(50) {
		doc["schemas"] = []any{scim.SchemaUser, extension}
	}
	complexes := map[string]query.Field{}
	for _, a := range fieldsOf(t) {
		if a.Kind == query.Complex {
			complexes[a.Path] = a.Field
		}
	}
	for _, a := range fieldsOf(t) {
		switch {
		case relation(a.Field) || a.Steps[0] == "meta" || a.Path == "id" || a.Path == "schemas":
		case a.Kind == query.Complex:
			g.complex(t, doc, a.Field)
		case complexes[parent(a.Path)].Steps != nil: // filled with its parent
		case !g.chance(65):
		case a.Multi:
			var list []any
			for range g.IntN(4) {
				list = append(list, g.value(a.Field))
			}
			if list != nil || g.chance(10) {
				put(doc, a.Steps, list)
			}
		default:
			put(doc, a.Steps, g.value(a.Field))
		}
	}
	return doc
}

// parent cuts the last step of a path off; an extension's URN keeps its dots.
func parent(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < strings.LastIndexByte(path, ':') {
		return ""
	}
	return path[:max(i, 0)]
}

// complex puts a complex attribute with random sub-attributes.
func (g *gen) complex(t scim.TypeName, doc scim.Attributes, f query.Field) {
	var subs []query.Field
	for _, a := range fieldsOf(t) {
		if parent(a.Path) == f.Path {
			subs = append(subs, a.Field)
		}
	}
	element := func() scim.Attributes {
		el := scim.Attributes{}
		for _, s := range subs {
			if g.chance(60) {
				el[s.LocalName()] = g.value(s)
			}
		}
		return el
	}
	if !g.chance(70) {
		return
	}
	if !f.Multi {
		if el := element(); len(el) > 0 || g.chance(20) {
			put(doc, f.Steps, el)
		}
		return
	}
	var list []any
	primary := false
	for range g.IntN(4) {
		el := element()
		if el["primary"] == true { // at most one (RFC 7643 2.4)
			if primary {
				delete(el, "primary")
			}
			primary = true
		}
		if len(el) > 0 || g.chance(10) {
			list = append(list, el)
		}
	}
	if list != nil {
		put(doc, f.Steps, list)
	}
}

// put sets the value at steps and makes the objects on the way.
func put(doc scim.Attributes, steps []string, v any) {
	for _, s := range steps[:len(steps)-1] {
		next, ok := doc[s].(scim.Attributes)
		if !ok {
			next = scim.Attributes{}
			doc[s] = next
		}
		doc = next
	}
	doc[steps[len(steps)-1]] = v
}

// operators are those that a filter may use on a kind (the others are refused before the store).
func operators(k query.Kind) []query.Op {
	switch k {
	case query.Boolean, query.Binary:
		return []query.Op{query.Eq, query.Ne}
	case query.Integer, query.Decimal, query.DateTime:
		return []query.Op{query.Eq, query.Ne, query.Gt, query.Ge, query.Lt, query.Le}
	}
	return []query.Op{query.Eq, query.Ne, query.Co, query.Sw, query.Ew, query.Gt, query.Ge, query.Lt, query.Le}
}

// fields returns what the next expression is about: all attributes of the type, or only those that a store is likely
// to answer from indexes, whose plans are where it goes wrong.
func (g *gen) fields(t scim.TypeName) []attr {
	all := fieldsOf(t)
	if g.chance(50) {
		return all
	}
	var list []attr
	for _, a := range all {
		if a.indexed || a.Path == "id" || relation(a.Field) || a.Path == "emails" {
			list = append(list, a)
		}
	}
	return list
}

// expr returns a random expression over the fields, nested up to depth.
func (g *gen) expr(t scim.TypeName, fields []attr, depth int) query.Expr {
	if depth > 0 && g.chance(60) {
		switch g.IntN(4) {
		case 0:
			return query.And(g.exprs(t, fields, depth-1))
		case 1:
			return query.Or(g.exprs(t, fields, depth-1))
		case 2:
			return query.Not{Expr: g.expr(t, fields, depth-1)}
		default:
			if e := g.any(t, fields, depth-1); e != nil {
				return e
			}
		}
	}
	f := pick(g, fields).Field
	switch {
	case g.chance(3):
		return query.Const(g.chance(50))
	case f.Kind == query.Complex || g.chance(15):
		return query.Present{Field: f}
	}
	return g.compare(f)
}

func (g *gen) exprs(t scim.TypeName, fields []attr, depth int) []query.Expr {
	list := make([]query.Expr, pick(g, []int{0, 1, 2, 2, 2, 3, 4}))
	for i := range list {
		list[i] = g.expr(t, fields, depth)
	}
	return list
}

// any returns a value path on one of the complex fields, or nil if there is none.
func (g *gen) any(t scim.TypeName, fields []attr, depth int) query.Expr {
	var complexes []query.Field
	for _, a := range fields {
		if a.Kind == query.Complex {
			complexes = append(complexes, a.Field)
		}
	}
	if complexes == nil {
		return nil
	}
	f := pick(g, complexes)
	var subs []attr
	for _, a := range fields {
		if parent(a.Path) == f.Path {
			a.Steps = a.Steps[len(a.Steps)-1:]
			a.Multi = false
			subs = append(subs, a)
		}
	}
	return query.Any{Field: f, Where: g.expr(t, subs, depth)}
}

// compare returns a comparison whose right side is often a value that documents have.
func (g *gen) compare(f query.Field) query.Expr {
	op := pick(g, operators(f.Kind))
	var v any
	switch {
	case strings.HasPrefix(f.Path, "meta.") && f.Kind == query.DateTime:
		v = scim.FormatTime(epochPlus(g.IntN(200)))
	case f.Path == "meta.version":
		v = scim.ETag(int64(1 + g.IntN(3)))
	case f.Path == "meta.resourceType" || f.Path == "members.type":
		v = pick(g, []string{"User", "user", "Group", "Thing", "U"})
	case f.Path == "groups.type":
		v = pick(g, []string{"direct", "indirect", "Direct", "in"})
	case f.Path == "groups.value" && g.chance(80):
		v = pick(g, g.groups)
	case f.Path == "members.value" && g.chance(40):
		v = pick(g, g.odd)
	case f.Path == "id" || f.Path == "members.value" || f.Path == "groups.value":
		v = pick(g, g.ids)
	case f.Path == "schemas":
		v = pick(g, []string{scim.SchemaUser, extension, "urn:ietf", "2.0:User", "urn:IETF"})
	case f.Kind == query.Integer && g.chance(20):
		v = g.decimal()
	default:
		if v = g.value(f); v == "" {
			v = g.text()
		}
	}
	if s, ok := v.(string); ok && (op == query.Co || op == query.Sw || op == query.Ew) && g.chance(60) {
		r := []rune(s)
		from := g.IntN(len(r))
		v = string(r[from : from+1+g.IntN(len(r)-from)])
	}
	return compare(f, op, v)
}

// epochPlus is the instant of the n-th tick of a test's clock.
func epochPlus(n int) time.Time { return testEpoch().Add(time.Duration(n) * time.Millisecond) }
