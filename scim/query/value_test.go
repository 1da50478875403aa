package query_test

import (
	"math"
	"testing"

	"rollcall/scim"
	"rollcall/scim/query"
)

func TestCompareValues(t *testing.T) {
	i := func(n int64) query.Value { return query.Value{Kind: query.Integer, IsInt: true, Int: n} }
	d := func(x float64) query.Value { return query.Value{Kind: query.Decimal, Dec: x} }
	s := func(x string) query.Value { return query.Value{Kind: query.String, Str: x} }
	b := func(x bool) query.Value { return query.Value{Kind: query.Boolean, Bool: x} }
	for _, c := range []struct {
		name string
		a, b query.Value
		want int
	}{
		{"integers", i(2), i(10), -1},
		{"equal integers", i(-3), i(-3), 0},
		{"ends of int64", i(math.MinInt64), i(math.MaxInt64), -1},
		{"beside the end", i(math.MaxInt64 - 1), i(math.MaxInt64), -1},
		{"decimals", d(0.1), d(0.2), -1},
		{"zeros", d(0), d(math.Copysign(0, -1)), 0},
		{"integer and decimal", i(1), d(1.5), -1},
		{"integer and equal decimal", i(42), d(42), 0},
		{"above a fraction", i(2), d(1.5), 1},
		{"negative fraction", i(-1), d(-1.5), 1},
		{"negative, below a fraction", i(-2), d(-1.5), -1},
		{"2^53 and one more", i(1<<53 + 1), d(1 << 53), 1},
		{"the largest integer and 2^63", i(math.MaxInt64), d(1 << 63), -1},
		{"the smallest integer and -2^63", i(math.MinInt64), d(-1 << 63), 0},
		{"beyond every integer", i(math.MinInt64), d(-1e300), 1},
		{"texts by bytes", s("Z"), s("a"), -1},
		{"texts, prefix first", s("a"), s("ab"), -1},
		{"texts above the surrogates", s("\uffff"), s("\U00010000"), -1},
		{"equal texts", s("a"), s("a"), 0},
		{"false before true", b(false), b(true), -1},
		{"equal booleans", b(true), b(true), 0},
		{"instants", query.Value{Kind: query.DateTime, Str: "2011-05-13T04:42:34.000000000Z"}, query.Value{Kind: query.DateTime, Str: "2011-05-13T04:42:34.000000001Z"}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.CompareValues(c.a, c.b); got != c.want {
				t.Errorf("CompareValues = %d, want %d", got, c.want)
			}
			if got := query.CompareValues(c.b, c.a); got != -c.want {
				t.Errorf("CompareValues the other way round = %d, want %d", got, -c.want)
			}
		})
	}
}

func TestValueOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		field query.Field
		in    any
		want  query.Value
		ok    bool
	}{
		{"text", str("x"), "Straße", query.Value{Kind: query.String, Str: "strasse"}, true},
		{"exact text", exact("x"), "Straße", query.Value{Kind: query.String, Str: "Straße"}, true},
		{"reference", f("x", query.Reference, true), "A", query.Value{Kind: query.Reference, Str: "A"}, true},
		{"binary", f("x", query.Binary, true), "QQ==", query.Value{Kind: query.Binary, Str: "QQ=="}, true},
		{"instant", instant("x"), "2011-05-13T04:42:34+02:00", query.Value{Kind: query.DateTime, Str: "2011-05-13T02:42:34.000000000Z"}, true},
		{"no instant", instant("x"), "yesterday", query.Value{}, false},
		{"boolean", boolean("x"), true, query.Value{Kind: query.Boolean, Bool: true}, true},
		{"integer", integer("x"), int64(7), query.Value{Kind: query.Integer, IsInt: true, Int: 7}, true},
		{"fraction for an integer", integer("x"), 7.5, query.Value{Kind: query.Integer, Dec: 7.5}, true},
		{"whole decimal", decimal("x"), int64(7), query.Value{Kind: query.Decimal, IsInt: true, Int: 7}, true},
		{"text for a number", integer("x"), "7", query.Value{}, false},
		{"array", str("x"), []any{"a"}, query.Value{}, false},
		{"object", str("x"), scim.Attributes{"a": "b"}, query.Value{}, false},
		{"null", str("x"), nil, query.Value{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := query.ValueOf(c.field, c.in)
			if ok != c.ok || ok && got != c.want {
				t.Errorf("ValueOf = %+v, %v, want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
	for _, c := range []struct {
		field query.Field
		in    any
	}{{str("x"), true}, {str("x"), int64(1)}, {boolean("x"), int64(1)}, {boolean("x"), "true"}, {instant("x"), int64(1)}, {instant("x"), 1.5}} {
		if _, ok := query.ValueOf(c.field, c.in); ok {
			t.Errorf("ValueOf(%T) for kind %d is accepted", c.in, c.field.Kind)
		}
	}
}

func TestSortValue(t *testing.T) {
	two := func(a, b scim.Attributes) scim.Attributes { return scim.Attributes{"emails": []any{a, b}} }
	text := func(s string) *query.Value { return &query.Value{Kind: query.String, Str: s} }
	for _, c := range []struct {
		name  string
		field query.Field
		doc   scim.Attributes
		want  *query.Value
	}{
		{"text is folded", str("userName"), scim.Attributes{"userName": "Bob"}, text("bob")},
		{"exact text", exact("externalId"), scim.Attributes{"externalId": "Bob"}, text("Bob")},
		{"sub-attribute", str("name.familyName"), scim.Attributes{"name": scim.Attributes{"familyName": "X"}}, text("x")},
		{"extension", str("ext:department"), scim.Attributes{enterprise: scim.Attributes{"department": "Sales"}}, text("sales")},
		{"false is a value", boolean("active"), scim.Attributes{"active": false}, &query.Value{Kind: query.Boolean}},
		{"zero is a value", integer("age"), scim.Attributes{"age": int64(0)}, &query.Value{Kind: query.Integer, IsInt: true}},
		{"instant", instant("born"), scim.Attributes{"born": "2020-01-01T01:00:00+01:00"}, &query.Value{Kind: query.DateTime, Str: "2020-01-01T00:00:00.000000000Z"}},
		{"absent", str("userName"), scim.Attributes{}, nil},
		{"empty text is absent", str("userName"), scim.Attributes{"userName": ""}, nil},
		{"null is absent", str("userName"), scim.Attributes{"userName": nil}, nil},
		{"empty array is absent", str("emails.value"), scim.Attributes{"emails": []any{}}, nil},
		{"other kind is absent", integer("userName"), scim.Attributes{"userName": "a"}, nil},
		{"complex is absent", str("name"), scim.Attributes{"name": scim.Attributes{"a": "b"}}, nil},
		{"first element", str("emails.value"), two(scim.Attributes{"value": "b"}, scim.Attributes{"value": "a"}), text("b")},
		{"primary element", str("emails.value"), two(scim.Attributes{"value": "b"}, scim.Attributes{"value": "a", "primary": true}), text("a")},
		{"primary false is not primary", str("emails.value"), two(scim.Attributes{"value": "b"}, scim.Attributes{"value": "a", "primary": false}), text("b")},
		{"primary without the value", str("emails.value"), two(scim.Attributes{"value": "b"}, scim.Attributes{"primary": true}), text("b")},
		{"primary with an empty value", str("emails.value"), two(scim.Attributes{"value": "b"}, scim.Attributes{"value": "", "primary": true}), text("b")},
		{"first element without the value", str("emails.value"), two(scim.Attributes{"type": "work"}, scim.Attributes{"value": "a"}), text("a")},
		{"first simple value", str("tags"), scim.Attributes{"tags": []any{"", "B", "a"}}, text("b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := query.SortValue(c.field, c.doc)
			switch {
			case c.want == nil && ok:
				t.Errorf("SortValue = %+v, want none", got)
			case c.want != nil && (!ok || got != *c.want):
				t.Errorf("SortValue = %+v, %v, want %+v", got, ok, *c.want)
			}
		})
	}
}

func TestFieldNames(t *testing.T) {
	field := str("ext:manager.value")
	if got := field.LocalName(); got != "value" {
		t.Errorf("LocalName = %q", got)
	}
	if query.Eq.String() != "eq" || query.Le.String() != "le" {
		t.Errorf("operators are spelled %s and %s", query.Eq, query.Le)
	}
}
