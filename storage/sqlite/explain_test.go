//go:build unix

package sqlite_test

import (
	"strings"
	"testing"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// fieldOf returns the indexed field of a type of benchTypes.
func fieldOf(t testing.TB, typ scim.TypeName, path string) query.Field {
	t.Helper()
	for _, def := range benchTypes() {
		for _, ix := range def.Indexes {
			if def.Name == typ && ix.Field.Path == path {
				return ix.Field
			}
		}
	}
	t.Fatalf("type %s has no index of %s", typ, path)
	return query.Field{}
}

// TestPlans pins that every question which the indexes answer is a seek in one: no table is scanned, and what the
// order of an index gives is not sorted.
func TestPlans(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	clock, key := newTestKeys()
	for i := range 20 {
		if _, err := s.Insert(t.Context(), key("User"), clock.Tick(), benchUser(i)); err != nil {
			t.Fatal(err)
		}
	}
	f := func(path string) query.Field { return fieldOf(t, "User", path) }
	relation := func(path string) query.Field {
		return query.Field{Path: path, Steps: strings.Split(path, "."), Multi: true, CaseExact: true}
	}
	str := func(s string) query.Value { return query.Value{Str: s} }
	cmp := func(f query.Field, op query.Op, v query.Value) query.Expr {
		return query.Compare{Field: f, Op: op, Value: v}
	}
	instant := query.Value{Kind: query.DateTime, Str: query.InstantKey(clock.Now())}
	active := cmp(f("active"), query.Eq, query.Value{Kind: query.Boolean, Bool: true})
	const somebody = "01890000-0000-7000-8000-000000000001"
	byName, byTime := f("userName"), f("meta.lastModified")

	for _, c := range []struct {
		name  string
		q     query.Query
		typ   scim.TypeName
		where query.Expr
		sorts bool // by id, of what a range found, or ids of one value against the index's direction
	}{
		{name: "everything"},
		{name: "after", q: query.Query{After: &query.Position{ID: somebody}}},
		{name: "before", q: query.Query{Before: &query.Position{ID: somebody}}},
		{name: "userName eq", where: cmp(f("userName"), query.Eq, str("x"))},
		{name: "externalId eq", where: cmp(f("externalId"), query.Eq, str("x"))},
		{name: "emails.value eq", where: cmp(f("emails.value"), query.Eq, str("x"))},
		{name: "emails[value eq]", where: query.Any{
			Field: query.Field{Path: "emails", Steps: []string{"emails"}, Kind: query.Complex, Multi: true},
			Where: cmp(query.Field{Path: "value", Steps: []string{"value"}}, query.Eq, str("x")),
		}},
		{name: "active eq", where: active},
		{name: "userName sw", where: cmp(f("userName"), query.Sw, str("x")), sorts: true},
		{name: "displayName sw", where: cmp(f("displayName"), query.Sw, str("x")), sorts: true},
		{name: "name.familyName sw", where: cmp(f("name.familyName"), query.Sw, str("x")), sorts: true},
		{name: "displayName pr", where: query.Present{Field: f("displayName")}},
		{name: "not displayName pr", where: query.Not{Expr: query.Present{Field: f("displayName")}}},
		{name: "meta.lastModified gt", where: cmp(byTime, query.Gt, instant), sorts: true},
		{name: "meta.lastModified le", where: cmp(byTime, query.Le, instant), sorts: true},
		{name: "eq and eq", where: query.And{active, cmp(f("displayName"), query.Eq, str("x"))}},
		{name: "eq or eq", where: query.Or{cmp(f("userName"), query.Eq, str("x")), cmp(f("externalId"), query.Eq, str("x"))}, sorts: true},
		{name: "not eq", where: query.Not{Expr: active}},
		{name: "ne", where: cmp(f("displayName"), query.Ne, str("x"))},
		{name: "id eq", where: cmp(query.Field{Path: "id", Steps: []string{"id"}, CaseExact: true}, query.Eq, str(somebody))},
		{name: "members.value eq", typ: "Group", where: cmp(relation("members.value"), query.Eq, str(somebody))},
		{name: "groups.value eq", where: cmp(relation("groups.value"), query.Eq, str(somebody))},
		{name: "groups pr", where: query.Present{Field: relation("groups")}},
		{name: "by userName", q: sortBy(byName, false)},
		{name: "by userName, descending", q: sortBy(byName, true), sorts: true},
		{name: "by meta.lastModified", q: sortBy(byTime, false)},
		{name: "active by userName", q: sortBy(byName, false), where: active},
		{name: "by userName after", q: after(sortBy(byName, false), query.Position{Sorted: true, Value: str("m"), ID: somebody})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.q.Sources == nil {
				c.q.Sources = []query.Source{{}}
			}
			src := &c.q.Sources[0]
			if src.Type = c.typ; c.typ == "" {
				src.Type = "User"
			}
			src.Where = c.where
			lines, exact, err := s.Explain(t.Context(), benchOrg, c.q)
			if err != nil {
				t.Fatal(err)
			}
			if !exact {
				t.Errorf("the plan reads documents")
			}
			for _, line := range lines {
				// SQLite scans the rows of a subquery, which are those that its own searches found.
				scan := strings.HasPrefix(line, "SCAN ") && line != "SCAN c" && !strings.HasPrefix(line, "SCAN (subquery")
				if scan || line == "SCAN c" && !strings.Contains(strings.Join(lines, "\n"), "CO-ROUTINE c") {
					t.Errorf("table scan: %s", line)
				}
				if strings.Contains(line, "TEMP B-TREE FOR ORDER BY") && !c.sorts || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("sort: %s", line)
				}
			}
			if t.Failed() {
				t.Log(strings.Join(lines, "\n"))
			}
		})
	}
}

func sortBy(f query.Field, desc bool) query.Query {
	return query.Query{Sorted: true, Desc: desc, Sources: []query.Source{{Sort: &f}}}
}

func after(q query.Query, p query.Position) query.Query {
	q.After = &p
	return q
}

var _ storage.Store = (*sqlite.Store)(nil)
