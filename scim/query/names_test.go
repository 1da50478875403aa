package query_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim/query"
)

func TestNames(t *testing.T) {
	f := func(steps ...string) query.Field { return query.Field{Steps: steps} }
	for _, c := range []struct {
		name string
		e    query.Expr
		want []string
	}{
		{"nothing", nil, nil},
		{"const", query.Const(true), nil},
		{"compare", query.Compare{Field: f("name", "familyName")}, []string{"name"}},
		{"present", query.Present{Field: f("title")}, []string{"title"}},
		{"value path", query.Any{Field: f("emails"), Where: query.Compare{Field: f("type")}}, []string{"emails"}},
		{"not", query.Not{Expr: query.Present{Field: f("title")}}, []string{"title"}},
		{
			"all of it",
			query.And{
				query.Or{query.Present{Field: f("a")}, query.Not{Expr: query.Compare{Field: f("b", "x")}}},
				query.Compare{Field: f("a", "y")},
				query.And{},
				query.Any{Field: f("c"), Where: query.Present{Field: f("a")}},
			},
			[]string{"a", "b", "c"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, query.Names(c.e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
