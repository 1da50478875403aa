package filter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/filter"
	"rollcall/scim/query"
)

const (
	enterprise = scim.SchemaEnterpriseUser
	kit        = "urn:example:gadget-kit:2.0:User"
)

// subject is a user with a value of every kind.
func subject() scim.Attributes {
	return scim.Attributes{
		"id": realID("U1"), "userName": "Straße", "externalId": "Ext-1", "active": true,
		"meta": scim.Attributes{
			"created": "2024-05-01T10:00:00.000Z", "lastModified": "2024-05-02T10:00:00.500Z", "version": `W/"7"`,
		},
		"schemas": []any{scim.SchemaUser, enterprise, kit},
		"name":    scim.Attributes{"givenName": "Ada", "familyName": "O'Hara"},
		"emails": []any{
			scim.Attributes{"value": "ada@work.example", "type": "work", "primary": true},
			scim.Attributes{"value": "ada@home.example", "type": "home"},
		},
		"x509Certificates": []any{scim.Attributes{"value": "aGVsbG8="}},
		"groups":           []any{scim.Attributes{"value": realID("G1"), "display": "Staff", "type": "direct"}},
		enterprise:         scim.Attributes{"manager": scim.Attributes{"value": "Boss-1", "$ref": "../Users/Boss-1"}, "department": "R&D"},
		kit: scim.Attributes{
			"level": int64(9007199254740993), "ratio": 0.5, "born": "2000-01-01T00:00:00+02:00",
			"tags": []any{"Red", "blue"}, "site": "https://A.example/",
		},
	}
}

func TestCompileMeaning(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{`userName eq "STRASSE"`, true}, // full case folding
		{`externalId eq "ext-1"`, false},
		{`id eq "` + strings.ToUpper(realID("U1")) + `"`, false},
		{`userName ne "x"`, true},
		{`nickName ne "x"`, true},
		{`nickName eq "x"`, false},
		{`nickName lt "x"`, false},
		{`nickName eq null`, true},
		{`nickName ne null`, false},
		{`userName eq null`, false},
		{`emails eq null`, false},
		{`emails ne "ada@work.example"`, true}, // some element differs
		{`not (emails eq "ada@work.example")`, false},
		{`emails co "work.example"`, true},
		{`emails[type eq "work"].value eq "ada@home.example"`, false},
		{`emails[type eq "home"].value eq "ADA@home.example"`, true},
		{`emails[type eq "home"].display pr`, false},
		{`emails[type eq "work"].primary eq "True"`, true},
		{`emails[display eq null]`, true},
		{`name[givenName eq "ada" and familyName sw "o'"]`, true},
		{`name.familyName gt "o"`, true},
		{`name pr`, true},
		{`active eq "False"`, false},
		{`active ne false`, true},
		{`urn:ietf:params:scim:schemas:core:2.0:user:USERNAME pr`, true},
		{enterprise + `:manager eq "Boss-1"`, true},
		{enterprise + `:manager eq "boss-1"`, false},
		{enterprise + `:manager.$ref eq "../Users/Boss-1"`, true}, // stored data
		{`department eq "r&d" and userName pr`, true},             // without its URN
		{kit + `:level eq 9007199254740993`, true},
		{kit + `:level eq 9007199254740992`, false},
		{kit + `:level gt 9007199254740992.0`, true},
		{kit + `:level lt 1e300`, true},
		{kit + `:level eq "9007199254740993"`, true},
		{kit + `:ratio le 0.5`, true},
		{kit + `:ratio gt 5e-1`, false},
		{kit + `:born eq "1999-12-31T22:00:00Z"`, true},
		{kit + `:born lt "1999-12-31T23:59:59"`, true},
		{kit + `:tags eq "RED"`, true},
		{kit + `:tags[value sw "bl"]`, true},
		{kit + `:tags[value ne "red"]`, true},
		{kit + `:tags[value pr]`, true},
		{kit + `:site eq "https://a.example/"`, false},
		{kit + `:site sw "https://A"`, true},
		{`x509Certificates eq "aGVsbG8="`, true},
		{`x509Certificates.value eq "AGVSBG8="`, false},
		{`groups[value eq "` + realID("G1") + `" and type eq "direct"]`, true},
		{`groups.value eq "` + realID("G2") + `"`, false},
		{`groups.$ref eq "` + baseURL + "/Groups/" + realID("G1") + `"`, true},
		{`groups.$ref eq "Groups/` + realID("G1") + `"`, true},
		{`groups.$ref eq "../Groups/` + realID("G1") + `"`, true},
		{`groups.$ref eq "https://elsewhere.example/Groups/` + realID("G1") + `"`, false},
		{`groups.$ref ne "https://elsewhere.example/Groups/1"`, true},
		{`groups.$ref pr`, true},
		{`groups[$ref eq "` + baseURL + "/Groups/" + realID("G1") + `"]`, true},
		{`groups[$ref eq "https://elsewhere.example/1"]`, false},
		{`meta.location eq "` + baseURL + "/Users/" + realID("U1") + `"`, true},
		{`meta.location eq "` + baseURL + "/Groups/" + realID("U1") + `"`, false},
		{`meta.location eq "` + baseURL + "/Users/" + realID("U1") + `/x"`, false},
		{`meta.location ne "` + baseURL + "/Users/" + realID("U2") + `"`, true},
		{`meta.location pr`, true},
		{`meta.location eq null`, false},
		{`meta.resourceType eq "User"`, true},
		{`meta.resourceType eq "user"`, false},
		{`meta.resourceType co "se"`, true},
		{`meta.resourceType ne null`, true},
		{`meta pr`, true},
		{`meta eq null`, false},
		{`meta.version eq "W/\"7\""`, true},
		{`meta.lastModified gt "2024-05-02T12:00:00.4+02:00"`, true},
		{`schemas eq "URN:ietf:params:scim:schemas:core:2.0:User"`, true},
	}
	rt := registry(t).Types()[0]
	for _, tt := range tests {
		e, err := filter.CompileText(rt, tt.in, options(t, "auto"))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := query.Match(e, subject()); got != tt.want {
			t.Errorf("%s: got %v, expr %s", tt.in, got, mustJSON(e))
		}
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{`nope eq "x"`, `unknown attribute "nope"`},
		{`name.nope eq "x"`, `unknown attribute "name.nope"`},
		{`emails[nope eq "x"]`, `unknown attribute "emails.nope"`},
		{`emails[type eq "work"].nope pr`, `unknown attribute "emails.nope"`},
		{`urn:x:y:userName pr`, `unknown attribute`},
		{`password eq "x"`, `password: the attribute cannot be filtered`},
		{`password pr`, `password: the attribute cannot be filtered`},
		{`not (password ne null)`, `password: the attribute cannot be filtered`},
		{kit + `:pin eq "1"`, `pin.value: the attribute cannot be filtered`},
		{kit + `:pin[value eq "1"]`, `pin.value: the attribute cannot be filtered`},
		{`active gt false`, `active: the operator gt does not apply`},
		{`active co "t"`, `active: the operator co does not apply`},
		{`active eq "maybe"`, `active: is compared with true or false`},
		{`active eq 1`, `active: is compared with true or false`},
		{`emails[primary lt true]`, `emails.primary: the operator lt does not apply`},
		{`x509Certificates.value gt "a"`, `the operator gt does not apply`},
		{`x509Certificates.value co "a"`, `the operator co does not apply`},
		{`meta.created co "2024"`, `meta.created: the operator co does not apply`},
		{`meta.created gt "yesterday"`, `meta.created: is compared with a dateTime`},
		{`meta.created gt 5`, `meta.created: is compared with a string`},
		{kit + `:level sw 1`, `the operator sw does not apply`},
		{kit + `:level eq "one"`, `is compared with a number`},
		{kit + `:level eq true`, `is compared with a number`},
		{kit + `:level eq 1e999`, `out of range`},
		{`userName eq 5`, `userName: is compared with a string`},
		{`userName eq true`, `userName: is compared with a string`},
		{`userName gt null`, `userName: null can only be compared with eq and ne`},
		{`name eq "x"`, `name: a complex attribute can only be tested with pr`},
		{`addresses co "x"`, `addresses: a complex attribute can only be tested with pr`},
		{`meta eq "x"`, `meta: a complex attribute can only be tested with pr`},
		{`meta.location sw "https"`, `meta.location: is derived by the server`},
		{`meta.resourceType eq 5`, `meta.resourceType: is compared with a string`},
		{`meta.location gt null`, `null can only be compared`},
		{`groups.$ref co "x"`, `groups.$ref: is derived by the server`},
		{`groups.$ref eq 5`, `groups.$ref: is compared with a string`},
		{`userName[value eq "x"]`, `userName: a value filter needs`},
		{`emails.value[value eq "x"]`, `emails.value: a value filter needs`},
		{`meta[resourceType eq "User"]`, `meta: a value filter needs`},
		{`emails[value[type eq "x"]]`, `emails: value filters do not nest`},
		{`emails[emails.value eq "x"]`, `emails: a value filter names sub-attributes only`},
		{`emails[` + scim.SchemaUser + `:value eq "x"]`, `emails: a value filter names sub-attributes only`},
		{kit + `:tags[value pr and value eq "x"]`, `is one comparison of value`},
		{kit + `:tags[display eq "x"]`, `unknown attribute`},
	}
	rt := registry(t).Types()[0]
	for _, tt := range tests {
		_, err := filter.CompileText(rt, tt.in, options(t, "auto"))
		wantInvalidFilter(t, tt.in, err)
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.in, err, tt.want)
		}
	}
}

func TestRelaxations(t *testing.T) {
	tests := []struct {
		in   string
		rule compat.Rule
	}{
		{`active eq "True"`, compat.StringBoolean},
		{`emails[primary eq "true"]`, compat.StringBoolean},
		{kit + `:level gt "5"`, compat.StringNumber},
		{`department eq "x"`, compat.UnprefixedExtension},
		{enterprise + `.manager pr`, compat.URNDotPath},
		{enterprise + `.manager.value eq "x"`, compat.URNDotPath},
	}
	rt := registry(t).Types()[0]
	for _, tt := range tests {
		opt := options(t, "entra")
		if _, err := filter.CompileText(rt, tt.in, opt); err != nil {
			t.Errorf("%s: %v", tt.in, err)
		}
		if used := opt.Session.Used(); !slices.Equal(used, []compat.Rule{tt.rule}) {
			t.Errorf("%s: used %v, want %v", tt.in, used, tt.rule)
		}
		_, err := filter.CompileText(rt, tt.in, options(t, "strict"))
		wantInvalidFilter(t, tt.in, err)
		_, err = filter.CompileText(rt, tt.in, filter.Options{})
		wantInvalidFilter(t, tt.in, err)
	}
}

// TestShape pins what stores get to see: typed, folded, flat.
func TestShape(t *testing.T) {
	userName := query.Field{Path: "userName", Steps: []string{"userName"}}
	title := query.Field{Path: "title", Steps: []string{"title"}}
	emails := query.Field{Path: "emails", Steps: []string{"emails"}, Kind: query.Complex, Multi: true}
	members := query.Field{Path: "members.value", Steps: []string{"members", "value"}, CaseExact: true, Multi: true}
	eq := func(f query.Field, s string) query.Expr {
		return query.Compare{Field: f, Op: query.Eq, Value: query.Value{Str: s}}
	}
	tests := []struct {
		in   string
		want query.Expr
	}{
		{`userName eq "BJ"`, eq(userName, "bj")},
		{`title pr and userName eq "a" and title eq null`, query.And{
			query.Present{Field: title}, eq(userName, "a"), query.Not{Expr: query.Present{Field: title}},
		}},
		{`title pr or (userName eq "a" or userName eq "b")`, query.Or{
			query.Present{Field: title}, eq(userName, "a"), eq(userName, "b"),
		}},
		{`not (not (title pr))`, query.Present{Field: title}},
		{`meta.resourceType eq "Group" or title pr`, query.Present{Field: title}},
		{`meta.resourceType eq "User" and title pr`, query.Present{Field: title}},
		{`meta.resourceType eq "Group" and title pr`, query.Const(false)},
		{`not (meta.resourceType eq "Group")`, query.Const(true)},
		{`meta.resourceType eq "User" and meta.resourceType pr`, query.Const(true)},
		{`meta.resourceType eq "User" or title pr`, query.Const(true)},
		{`meta.resourceType eq "Group" or meta.resourceType ew "p"`, query.Const(false)},
		{`emails[value pr] and not (not (meta.resourceType eq "Group"))`, query.Const(false)},
		{`meta.location eq "https://elsewhere.example/x"`, query.Const(false)},
		{`emails[type eq "Work"]`, query.Any{Field: emails, Where: eq(query.Field{Path: "emails.type", Steps: []string{"type"}}, "work")}},
		{`members eq "Abc"`, eq(members, "Abc")},
		{`members.$ref eq "` + baseURL + `/Users/Abc"`, eq(members, "Abc")},
		{`members[$ref eq "Users/Abc"]`, query.Any{
			Field: query.Field{Path: "members", Steps: []string{"members"}, Kind: query.Complex, Multi: true},
			Where: eq(query.Field{Path: "members.value", Steps: []string{"value"}, CaseExact: true}, "Abc"),
		}},
	}
	reg := registry(t)
	for _, tt := range tests {
		rt := reg.Types()[0]
		if strings.HasPrefix(tt.in, "members") {
			rt = reg.Types()[1]
		}
		got, err := filter.CompileText(rt, tt.in, options(t, "auto"))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.in, diff)
		}
	}
}

// TestUnknown is about queries over several types, where an attribute of another type has no value here.
func TestUnknown(t *testing.T) {
	rt := registry(t).Types()[0]
	tests := []struct {
		in   string
		want bool
	}{
		{`members pr`, false},
		{`members eq "x"`, false},
		{`members ne "x"`, true},
		{`members eq null`, true},
		{`members ne null`, false},
		{`members[value eq "x"]`, false},
		{`not (members[value eq "x"])`, true},
	}
	for _, tt := range tests {
		opt := options(t, "strict")
		var told []string
		opt.Unknown = func(name string) bool { told = append(told, name); return true }
		e, err := filter.CompileText(rt, tt.in, opt)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if e != query.Const(tt.want) || !slices.Equal(told, []string{"members"}) {
			t.Errorf("%s: got %v, told %v", tt.in, e, told)
		}
		opt.Unknown = func(string) bool { return false }
		_, err = filter.CompileText(rt, tt.in, opt)
		wantInvalidFilter(t, tt.in, err)
	}
}

func TestCompileElement(t *testing.T) {
	rt := registry(t).Types()[0]
	tests := []struct {
		attr, in string
		element  scim.Attributes
		want     bool
	}{
		{"emails", `type eq "WORK" and not (value ew ".org")`, scim.Attributes{"type": "work", "value": "a@b.com"}, true},
		{"emails", `primary eq "True"`, scim.Attributes{"primary": true}, true},
		{kit + ":tags", `value eq "RED" or value eq "x"`, scim.Attributes{"value": "red"}, true},
		{kit + ":tags", `not (value pr)`, scim.Attributes{"value": "red"}, false},
	}
	for _, tt := range tests {
		p, err := rt.ParsePath(tt.attr, nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := filter.Parse(tt.in, filter.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := filter.CompileElement(p, e, session(t, "auto"))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := query.Match(x, tt.element); got != tt.want {
			t.Errorf("%s: got %v", tt.in, got)
		}
	}
}

func TestEqTerms(t *testing.T) {
	tests := []struct {
		in   string
		want []filter.Term
		ok   bool
	}{
		{`type eq "work" and primary eq true and level eq 1.5`, []filter.Term{
			{Name: "type", Value: "work"}, {Name: "primary", Value: true}, {Name: "level", Value: scim.Number("1.5")},
		}, true},
		{`type eq "work" or primary eq true`, nil, false},
		{`type eq "work" and not (primary eq true)`, nil, false},
		{`type sw "work"`, nil, false},
		{`type pr`, nil, false},
		{`type eq null`, nil, false},
	}
	for _, tt := range tests {
		e, err := filter.Parse(tt.in, filter.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := filter.EqTerms(e)
		if diff := cmp.Diff(tt.want, got); ok != tt.ok || diff != "" {
			t.Errorf("%s: ok %v %s", tt.in, ok, diff)
		}
	}
}
