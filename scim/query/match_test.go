package query_test

import (
	"math"
	"strings"
	"testing"

	"rollcall/scim"
	"rollcall/scim/query"
)

const enterprise = scim.SchemaEnterpriseUser

// doc is the document of the tests: a value of every kind, single and multi-valued, and the ways to have none.
func doc() scim.Attributes {
	return scim.Attributes{
		"schemas": []any{scim.SchemaUser, enterprise},
		"id":      "2819c223-7f76-453a-919d-413861904646", "externalId": "Ext-1", "userName": "BJensen",
		"meta":   scim.Attributes{"resourceType": "User", "lastModified": "2011-05-13T04:42:34.000Z", "version": `W/"3"`},
		"active": true, "hidden": false, "zero": int64(0), "age": int64(36), "score": 1.5, "big": int64(math.MaxInt64),
		"nickName": "", "title": nil, "none": []any{}, "hollow": scim.Attributes{}, "deepHollow": scim.Attributes{"a": "", "b": []any{nil}},
		"born": "1985-12-24T23:00:00-01:00", "photo": "aGVsbG8=", "profileUrl": "https://Example.com/B",
		"name": scim.Attributes{"familyName": "Jensen", "givenName": "Barbara"},
		"tags": []any{"alpha", "Beta"}, "blank": []any{"", nil},
		"emails": []any{
			scim.Attributes{"value": "bjensen@example.com", "type": "work", "primary": true},
			scim.Attributes{"value": "babs@jensen.org", "type": "home"},
			scim.Attributes{"type": "other"},
			scim.Attributes{},
		},
		enterprise: scim.Attributes{"department": "Sales", "manager": scim.Attributes{"value": "26118915"}},
	}
}

// f makes a field of the path; an extension attribute is written ext:name.
func f(path string, kind query.Kind, exact bool) query.Field {
	field := query.Field{Path: path, Kind: kind, CaseExact: exact}
	if rest, ok := strings.CutPrefix(path, "ext:"); ok {
		field.Steps = append(field.Steps, enterprise)
		path = rest
	}
	field.Steps = append(field.Steps, strings.Split(path, ".")...)
	return field
}

func str(path string) query.Field     { return f(path, query.String, false) }
func exact(path string) query.Field   { return f(path, query.String, true) }
func integer(path string) query.Field { return f(path, query.Integer, false) }
func decimal(path string) query.Field { return f(path, query.Decimal, false) }
func instant(path string) query.Field { return f(path, query.DateTime, false) }
func boolean(path string) query.Field { return f(path, query.Boolean, false) }
func complexOf(path string) query.Field {
	return f(path, query.Complex, false)
}

// is is the comparison with the right side typed as the filter compiler does it.
func is(field query.Field, op query.Op, v any) query.Expr {
	value, ok := query.ValueOf(field, v)
	if !ok {
		panic("the test compares " + field.Path + " with a value of another kind")
	}
	return query.Compare{Field: field, Op: op, Value: value}
}

func pr(field query.Field) query.Expr { return query.Present{Field: field} }

func TestMatch(t *testing.T) {
	work := is(str("type"), query.Eq, "work")
	for _, c := range []struct {
		name string
		expr query.Expr
		want bool
	}{
		{"nil matches everything", nil, true},
		{"empty and", query.And{}, true},
		{"empty or", query.Or{}, false},
		{"const true", query.Const(true), true},
		{"const false", query.Const(false), false},
		{"and", query.And{query.Const(true), query.Const(true)}, true},
		{"and with one false", query.And{query.Const(true), query.Const(false)}, false},
		{"or", query.Or{query.Const(false), query.Const(true)}, true},
		{"or with none true", query.Or{query.Const(false), query.Const(false)}, false},
		{"not", query.Not{Expr: query.Const(false)}, true},
		{"not of nil", query.Not{Expr: nil}, false},

		// Strings: all operators fold unless caseExact.
		{"eq folds", is(str("userName"), query.Eq, "bjENSEN"), true},
		{"eq is whole", is(str("userName"), query.Eq, "bjense"), false},
		{"ne folds", is(str("userName"), query.Ne, "BJENSEN"), false},
		{"ne", is(str("userName"), query.Ne, "other"), true},
		{"co folds", is(str("userName"), query.Co, "JENS"), true},
		{"co missing", is(str("userName"), query.Co, "x"), false},
		{"sw folds", is(str("userName"), query.Sw, "bj"), true},
		{"sw elsewhere", is(str("userName"), query.Sw, "jen"), false},
		{"ew folds", is(str("userName"), query.Ew, "SEN"), true},
		{"ew elsewhere", is(str("userName"), query.Ew, "bj"), false},
		{"gt folds", is(str("userName"), query.Gt, "BJENSEM"), true},
		{"gt itself", is(str("userName"), query.Gt, "bjensen"), false},
		{"ge itself", is(str("userName"), query.Ge, "bjensen"), true},
		{"lt folds", is(str("userName"), query.Lt, "BJENSENA"), true},
		{"lt itself", is(str("userName"), query.Lt, "bjensen"), false},
		{"le itself", is(str("userName"), query.Le, "BJensen"), true},
		{"exact eq", is(exact("externalId"), query.Eq, "Ext-1"), true},
		{"exact eq, other case", is(exact("externalId"), query.Eq, "ext-1"), false},
		{"exact ne, other case", is(exact("externalId"), query.Ne, "ext-1"), true},
		{"exact co, other case", is(exact("externalId"), query.Co, "XT"), false},
		{"exact sw, other case", is(exact("externalId"), query.Sw, "ext"), false},
		{"exact ew", is(exact("externalId"), query.Ew, "t-1"), true},
		{"exact gt is by bytes", is(exact("externalId"), query.Lt, "a"), true},
		{"wildcards are letters", is(str("userName"), query.Co, "%"), false},
		{"empty text is in every text", is(str("userName"), query.Co, ""), true},
		{"empty text equals none", is(str("userName"), query.Eq, ""), false},
		{"binary", is(f("photo", query.Binary, true), query.Eq, "aGVsbG8="), true},
		{"binary, other case", is(f("photo", query.Binary, true), query.Eq, "AGVSBG8="), false},
		{"reference", is(f("profileUrl", query.Reference, true), query.Sw, "https://Example"), true},
		{"reference, other case", is(f("profileUrl", query.Reference, true), query.Sw, "https://example"), false},

		// Dates are instants.
		{"dateTime eq in another zone", is(instant("born"), query.Eq, "1985-12-25T00:00:00Z"), true},
		{"dateTime eq without a zone", is(instant("born"), query.Eq, "1985-12-25T00:00:00"), true},
		{"dateTime eq with a fraction", is(instant("meta.lastModified"), query.Eq, "2011-05-13T04:42:34Z"), true},
		{"dateTime ne in another zone", is(instant("born"), query.Ne, "1985-12-25T01:00:00+01:00"), false},
		{"dateTime gt itself", is(instant("meta.lastModified"), query.Gt, "2011-05-13T04:42:34.000Z"), false},
		{"dateTime ge itself", is(instant("meta.lastModified"), query.Ge, "2011-05-13T06:42:34+02:00"), true},
		{"dateTime gt not by text", is(instant("meta.lastModified"), query.Gt, "2011-05-13T05:42:34+02:00"), true},
		{"dateTime lt", is(instant("meta.lastModified"), query.Lt, "2011-05-13T04:42:34.000000001Z"), true},
		{"dateTime le", is(instant("meta.lastModified"), query.Le, "2011-05-13T04:42:33Z"), false},

		// Numbers are numbers, exactly.
		{"integer eq", is(integer("age"), query.Eq, int64(36)), true},
		{"integer eq decimal", is(integer("age"), query.Eq, 36.0), true},
		{"integer lt decimal", is(integer("age"), query.Lt, 36.5), true},
		{"integer not by text", is(integer("age"), query.Gt, int64(4)), true},
		{"integer at the end", is(integer("big"), query.Eq, int64(math.MaxInt64)), true},
		{"integer beside the end", is(integer("big"), query.Gt, int64(math.MaxInt64-1)), true},
		{"integer without rounding", is(integer("big"), query.Lt, float64(1<<63)), true},
		{"decimal eq", is(decimal("score"), query.Eq, 1.5), true},
		{"decimal gt integer", is(decimal("score"), query.Gt, int64(1)), true},
		{"decimal le integer", is(decimal("score"), query.Le, int64(1)), false},
		{"zero eq", is(integer("zero"), query.Eq, int64(0)), true},

		// Booleans.
		{"true eq true", is(boolean("active"), query.Eq, true), true},
		{"true ne true", is(boolean("active"), query.Ne, true), false},
		{"false eq false", is(boolean("hidden"), query.Eq, false), true},
		{"false ne true", is(boolean("hidden"), query.Ne, true), true},

		// pr: false and 0 are there; "", null, [] and {} are not.
		{"pr text", pr(str("userName")), true},
		{"pr false", pr(boolean("hidden")), true},
		{"pr zero", pr(integer("zero")), true},
		{"pr empty text", pr(str("nickName")), false},
		{"pr null", pr(str("title")), false},
		{"pr empty array", pr(str("none")), false},
		{"pr empty object", pr(complexOf("hollow")), false},
		{"pr object of empties", pr(complexOf("deepHollow")), false},
		{"pr array of empties", pr(str("blank")), false},
		{"pr absent", pr(str("locale")), false},
		{"pr complex", pr(complexOf("name")), true},
		{"pr sub-attribute", pr(str("name.givenName")), true},
		{"pr absent sub-attribute", pr(str("name.middleName")), false},
		{"pr multi-valued", pr(complexOf("emails")), true},
		{"pr of one element", pr(boolean("emails.primary")), true},
		{"pr of no element", pr(str("emails.display")), false},
		{"pr extension", pr(complexOf("ext:manager")), true},
		{"pr below a simple value", pr(str("userName.value")), false},
		{"not pr", query.Not{Expr: pr(str("locale"))}, true},

		// An absent attribute: every comparison is false, ne is true; not is the plain complement.
		{"absent eq", is(str("locale"), query.Eq, "en"), false},
		{"absent ne", is(str("locale"), query.Ne, "en"), true},
		{"absent co", is(str("locale"), query.Co, ""), false},
		{"absent sw", is(str("locale"), query.Sw, "e"), false},
		{"absent ew", is(str("locale"), query.Ew, "e"), false},
		{"absent gt", is(integer("height"), query.Gt, int64(-1)), false},
		{"absent ge", is(integer("height"), query.Ge, int64(0)), false},
		{"absent lt", is(integer("height"), query.Lt, int64(1)), false},
		{"absent le", is(integer("height"), query.Le, int64(1)), false},
		{"absent boolean eq false", is(boolean("locked"), query.Eq, false), false},
		{"absent boolean ne true", is(boolean("locked"), query.Ne, true), true},
		{"not absent eq", query.Not{Expr: is(str("locale"), query.Eq, "en")}, true},
		{"not absent ne", query.Not{Expr: is(str("locale"), query.Ne, "en")}, false},
		{"not absent lt", query.Not{Expr: is(integer("height"), query.Lt, int64(1))}, true},
		{"empty text is absent: eq", is(str("nickName"), query.Eq, ""), false},
		{"empty text is absent: ne", is(str("nickName"), query.Ne, "x"), true},
		{"null is absent: ne", is(str("title"), query.Ne, "x"), true},
		{"empty array is absent: ne", is(str("none"), query.Ne, "x"), true},
		{"array of empties is absent: ne", is(str("blank"), query.Ne, "x"), true},

		// Multi-valued: any element does.
		{"any tag", is(str("tags"), query.Eq, "beta"), true},
		{"no tag", is(str("tags"), query.Eq, "gamma"), false},
		{"ne: some element differs", is(str("tags"), query.Ne, "alpha"), true},
		{"not eq: no element equals", query.Not{Expr: is(str("tags"), query.Eq, "alpha")}, false},
		{"sub-attribute of any element", is(str("emails.value"), query.Ew, "@jensen.org"), true},
		{"ne on elements, some without it", is(str("emails.value"), query.Ne, "bjensen@example.com"), true},
		{"ne when the only one equals", is(boolean("emails.primary"), query.Ne, true), false},
		{"two conditions, two elements", query.And{is(str("emails.type"), query.Eq, "home"), is(str("emails.value"), query.Sw, "bjensen")}, true},
		{"schemas", is(f("schemas", query.Reference, true), query.Eq, enterprise), true},

		// A value path: all of it in one element.
		{"two conditions, one element", query.Any{Field: complexOf("emails"), Where: query.And{is(str("type"), query.Eq, "home"), is(str("value"), query.Sw, "bjensen")}}, false},
		{"one element has both", query.Any{Field: complexOf("emails"), Where: query.And{work, is(boolean("primary"), query.Eq, true)}}, true},
		{"not inside", query.Any{Field: complexOf("emails"), Where: query.Not{Expr: work}}, true},
		{"not outside", query.Not{Expr: query.Any{Field: complexOf("emails"), Where: work}}, false},
		{"ne on an element without it", query.Any{Field: complexOf("emails"), Where: query.And{is(str("type"), query.Eq, "other"), is(str("value"), query.Ne, "x")}}, true},
		{"pr inside", query.Any{Field: complexOf("emails"), Where: query.And{is(str("type"), query.Eq, "other"), pr(str("value"))}}, false},
		{"an empty element is none", query.Any{Field: complexOf("emails"), Where: query.Not{Expr: pr(str("type"))}}, false},
		{"any of an absent attribute", query.Any{Field: complexOf("phones"), Where: query.Const(true)}, false},
		{"any without a condition", query.Any{Field: complexOf("emails")}, true},
		{"a single complex is one element", query.Any{Field: complexOf("name"), Where: is(str("familyName"), query.Eq, "JENSEN")}, true},
		{"an empty complex is none", query.Any{Field: complexOf("hollow"), Where: query.Const(true)}, false},
		{"a simple value is none", query.Any{Field: str("tags"), Where: query.Const(true)}, false},
		{"complex in an extension", query.Any{Field: complexOf("ext:manager"), Where: is(str("value"), query.Eq, "26118915")}, true},

		// Common attributes and extensions, mixed with the core.
		{"id", is(exact("id"), query.Sw, "2819c223"), true},
		{"meta.version", is(exact("meta.version"), query.Eq, `W/"3"`), true},
		{"extension", is(str("ext:department"), query.Eq, "sales"), true},
		{"extension sub-attribute", is(exact("ext:manager.value"), query.Eq, "26118915"), true},
		{"extension and core", query.And{is(str("ext:department"), query.Co, "al"), is(str("name.familyName"), query.Eq, "jensen")}, true},

		// A value of another kind equals nothing.
		{"other kind eq", query.Compare{Field: integer("userName"), Op: query.Eq, Value: query.Value{Kind: query.Integer, IsInt: true}}, false},
		{"other kind ne", query.Compare{Field: integer("userName"), Op: query.Ne, Value: query.Value{Kind: query.Integer, IsInt: true}}, true},
		{"other kind le", query.Compare{Field: instant("userName"), Op: query.Le, Value: query.Value{Kind: query.DateTime, Str: "z"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.Match(c.expr, doc()); got != c.want {
				t.Errorf("Match = %v, want %v", got, c.want)
			}
			if c.expr == nil {
				return
			}
			if got := query.Match(query.Not{Expr: c.expr}, doc()); got == c.want {
				t.Errorf("Match of the complement = %v as well", got)
			}
		})
	}
}
