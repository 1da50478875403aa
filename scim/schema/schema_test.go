package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// gadget has an attribute of every kind and characteristic that the core schemas lack.
func gadget() *schema.ResourceType {
	return &schema.ResourceType{
		Name: "Gadget", Endpoint: "/Gadgets", Description: "Test",
		Schema: &schema.Schema{URN: "urn:example:gadget:2.0:Gadget", Name: "Gadget", Attributes: []*schema.Attribute{
			{Name: "serial", Required: true, CaseExact: true, Uniqueness: schema.UniqueServer},
			{Name: "count", Kind: query.Integer},
			{Name: "weight", Kind: query.Decimal},
			{Name: "built", Kind: query.DateTime},
			{Name: "image", Kind: query.Binary, CaseExact: true},
			{Name: "home", Kind: query.Reference, CaseExact: true, ReferenceTypes: []string{"external"}},
			{Name: "batch", Mutability: schema.Immutable},
			{Name: "computed", Mutability: schema.ReadOnly},
			{Name: "pin", Mutability: schema.WriteOnly, Returned: schema.ReturnedNever},
			{Name: "tags", Multi: true},
			{Name: "spec", Kind: query.Complex, Sub: []*schema.Attribute{
				{Name: "color"}, {Name: "lot", Mutability: schema.Immutable}, {Name: "grade", Mutability: schema.ReadOnly},
			}},
			{Name: "parts", Kind: query.Complex, Multi: true, Sub: []*schema.Attribute{
				{Name: "value"}, {Name: "type"}, {Name: "primary", Kind: query.Boolean}, {Name: "labels", Multi: true},
			}},
		}},
		Extensions: []schema.Extension{{Schema: &schema.Schema{URN: "urn:example:extra:2.0:Gadget", Name: "Extra", Attributes: []*schema.Attribute{
			{Name: "shelf"}, {Name: "stock", Kind: query.Integer},
		}}}},
		Indexed: []string{"count", "parts.value", "urn:example:extra:2.0:Gadget:shelf", "meta.lastModified"},
		Keep:    []string{"batch", "count"},
	}
}

func user(t testing.TB) *schema.ResourceType {
	t.Helper()
	rt := &schema.ResourceType{
		Name: "User", Endpoint: "/Users", Schema: schema.CoreUser(), Groups: "groups", Keep: []string{"active"},
		Extensions: []schema.Extension{{Schema: schema.EnterpriseUser()}},
	}
	group := &schema.ResourceType{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroup(), Members: "members"}
	if _, err := schema.NewRegistry(rt, group); err != nil {
		t.Fatal(err)
	}
	return rt
}

func registered(t testing.TB, rt *schema.ResourceType) *schema.ResourceType {
	t.Helper()
	if _, err := schema.NewRegistry(rt); err != nil {
		t.Fatal(err)
	}
	return rt
}

func auto(t testing.TB) *compat.Session {
	t.Helper()
	p, err := compat.Lookup("auto")
	if err != nil {
		t.Fatal(err)
	}
	return compat.NewSession(p)
}

func parse(t testing.TB, text string) any {
	t.Helper()
	v, err := scim.ParseJSON([]byte(text), 32)
	if err != nil {
		t.Fatalf("ParseJSON: %v", err)
	}
	return v
}

func TestDecodeValues(t *testing.T) {
	const head = `{"schemas":["urn:example:gadget:2.0:Gadget"],`
	tests := []struct {
		name, in string
		want     string // canonical JSON without schemas, or
		err      string // "scimType path" of the error in strict mode
		relaxed  string // what auto makes of it; empty: the same as strict
		rule     compat.Rule
	}{
		{name: "string", in: `"serial":"A"`, want: `{"serial":"A"}`},
		{name: "names ignore case", in: `"SERIAL":"A","Spec":{"COLOR":"red"}`, want: `{"serial":"A","spec":{"color":"red"}}`},
		{name: "string is kept exactly", in: `"serial":"  A  b "`, want: `{"serial":"  A  b "}`},
		{name: "string from number", in: `"serial":5`, err: "invalidValue serial"},
		{name: "integer", in: `"count":9223372036854775807`, want: `{"count":9223372036854775807}`},
		{name: "integer overflow", in: `"count":9223372036854775808`, err: "invalidValue count"},
		{name: "integer with fraction", in: `"count":1.5`, err: "invalidValue count"},
		{name: "integer with exponent", in: `"count":1e3`, err: "invalidValue count"},
		{name: "integer as string", in: `"count":"12"`, err: "invalidValue count", relaxed: `{"count":12}`, rule: compat.StringNumber},
		{name: "decimal", in: `"weight":1.25`, want: `{"weight":1.25}`},
		{name: "decimal without fraction", in: `"weight":2`, want: `{"weight":2}`},
		{name: "decimal overflow", in: `"weight":1e999`, err: "invalidValue weight"},
		{name: "dateTime", in: `"built":"2008-01-23T04:56:22.1234567-05:00"`, want: `{"built":"2008-01-23T04:56:22.1234567-05:00"}`},
		{name: "date only", in: `"built":"2008-01-23"`, err: "invalidValue built"},
		{name: "binary", in: `"image":"aGVsbG8="`, want: `{"image":"aGVsbG8="}`},
		{name: "binary without padding", in: `"image":"aGVsbG8"`, want: `{"image":"aGVsbG8"}`},
		{name: "binary of the URL alphabet", in: `"image":"_-8="`, want: `{"image":"_-8="}`},
		{name: "not binary", in: `"image":"a b"`, err: "invalidValue image"},
		{name: "reference", in: `"home":"../Users/1"`, want: `{"home":"../Users/1"}`},
		{name: "null is unassigned", in: `"serial":null,"tags":null,"spec":null`, want: `{}`},
		{name: "empty array is unassigned", in: `"tags":[],"parts":[]`, want: `{}`},
		{name: "empty complex is unassigned", in: `"spec":{},"parts":[{}]`, want: `{}`},
		{name: "null sub-attributes are unassigned", in: `"spec":{"color":null}`, want: `{}`},
		{name: "readOnly is ignored", in: `"computed":"x","id":"1","meta":{"version":"x"},"spec":{"grade":"A","color":"red"}`, want: `{"spec":{"color":"red"}}`},
		{name: "immutable may be set", in: `"batch":"b1"`, want: `{"batch":"b1"}`},
		{name: "externalId", in: `"externalId":"X-1"`, want: `{"externalId":"X-1"}`},
		{name: "multi-valued simple", in: `"tags":["a","b","a"]`, want: `{"tags":["a","b"]}`},
		{name: "multi-valued from one", in: `"tags":"a"`, err: "invalidValue tags", relaxed: `{"tags":["a"]}`, rule: compat.WrapSingleValue},
		{name: "simple from array", in: `"batch":["a"]`, err: "invalidValue batch"},
		{name: "complex from array", in: `"spec":[{"color":"red"}]`, err: "invalidValue spec", relaxed: `{"spec":{"color":"red"}}`, rule: compat.UnwrapSingleElement},
		{name: "string for multi-valued complex", in: `"parts":"p"`, err: "invalidValue parts"},
		{name: "single-valued from two", in: `"batch":["a","b"]`, err: "invalidValue batch"},
		{name: "complex from string", in: `"parts":["p"]`, err: "invalidValue parts", relaxed: `{"parts":[{"value":"p"}]}`, rule: compat.BareComplexValue},
		{name: "complex without value from string", in: `"spec":"p"`, err: "invalidValue spec"},
		{name: "object for multi-valued complex", in: `"parts":{"value":"p"}`, err: "invalidValue parts", relaxed: `{"parts":[{"value":"p"}]}`, rule: compat.WrapSingleValue},
		{name: "multi-valued sub-attribute", in: `"parts":[{"value":"p","labels":["x","y"]}]`, want: `{"parts":[{"labels":["x","y"],"value":"p"}]}`},
		{name: "string boolean", in: `"parts":[{"value":"p","primary":"True"}]`, err: "invalidValue parts.primary", relaxed: `{"parts":[{"primary":true,"value":"p"}]}`, rule: compat.StringBoolean},
		{name: "no boolean", in: `"parts":[{"primary":"yes"}]`, err: "invalidValue parts.primary"},
		{name: "two primaries", in: `"parts":[{"value":"a","primary":true},{"value":"b","primary":true}]`, err: "invalidValue parts"},
		{name: "same type and value once", in: `"parts":[{"value":"a","type":"x"},{"value":"a","type":"x","primary":true},{"value":"a","type":"y"}]`, want: `{"parts":[{"type":"x","value":"a"},{"type":"y","value":"a"}]}`},
		{name: "unknown attribute", in: `"color":"x"`, err: "invalidSyntax ", relaxed: `{}`, rule: compat.IgnoreUnknownAttributes},
		{name: "unknown sub-attribute", in: `"spec":{"smell":"x"}`, err: "invalidSyntax ", relaxed: `{}`, rule: compat.IgnoreUnknownAttributes},
		{name: "names that differ by case", in: `"serial":"a","Serial":"b"`, err: "invalidSyntax "},
		{name: "sub names that differ by case", in: `"spec":{"color":"a","Color":"b"}`, err: "invalidSyntax "},
		{name: "unlisted extension", in: `"urn:example:extra:2.0:Gadget":{"shelf":"s"}`, err: "invalidSyntax ", relaxed: `{"urn:example:extra:2.0:Gadget":{"shelf":"s"}}`, rule: compat.InferExtension},
		{name: "extension that is no object", in: `"urn:example:extra:2.0:Gadget":5`, err: "invalidSyntax ", relaxed: "invalidValue urn:example:extra:2.0:Gadget", rule: compat.InferExtension},
	}
	rt := registered(t, gadget())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := parse(t, head+tt.in+"}")
			got := decodeText(t, rt, schema.Decoder{MaxValues: 500}, body)
			want := tt.want
			if tt.err != "" {
				want = tt.err
			}
			if got != want {
				t.Errorf("strict: got %s, want %s", got, want)
			}
			s := auto(t)
			got = decodeText(t, rt, schema.Decoder{Session: s, MaxValues: 500}, body)
			if tt.relaxed == "" {
				if got != want {
					t.Errorf("auto: got %s, want %s", got, want)
				}
				return
			}
			if got != tt.relaxed {
				t.Errorf("auto: got %s, want %s", got, tt.relaxed)
			}
			if used := s.Used(); len(used) != 1 || used[0] != tt.rule {
				t.Errorf("auto used %v, want %v", used, tt.rule)
			}
		})
	}
}

// decodeText returns the canonical JSON without schemas, or "scimType path".
func decodeText(t *testing.T, rt *schema.ResourceType, d schema.Decoder, body any) string {
	t.Helper()
	doc, err := d.Resource(rt, body)
	if err != nil {
		var e *scim.Error
		if !errors.As(err, &e) {
			t.Fatalf("error %v is not a *scim.Error", err)
		}
		return string(e.Type) + " " + e.Path
	}
	delete(doc.Attrs, "schemas")
	return string(scim.AppendJSON(nil, doc.Attrs))
}

func TestDecodeSchemas(t *testing.T) {
	tests := []struct {
		name, schemas string
		strict, auto  bool
	}{
		{"base", `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`, true, true},
		{"base in another case", `"schemas":["URN:ietf:params:scim:schemas:core:2.0:USER"],`, true, true},
		{"base and extension", `"schemas":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:ietf:params:scim:schemas:core:2.0:User"],`, true, true},
		{"absent", ``, false, false},
		{"empty", `"schemas":[],`, false, false},
		{"a string", `"schemas":"urn:ietf:params:scim:schemas:core:2.0:User",`, false, false},
		{"a number in it", `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",1],`, false, false},
		{"extension only", `"schemas":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],`, false, false},
		{"another version beside it", `"schemas":["urn:scim:schemas:core:1.0","urn:ietf:params:scim:schemas:core:2.0:User"],`, false, true},
		{"another type", `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],`, false, false},
	}
	rt := user(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := parse(t, `{`+tt.schemas+`"userName":"a"}`)
			if _, err := (schema.Decoder{}).Resource(rt, body); (err == nil) != tt.strict {
				t.Errorf("strict: %v", err)
			}
			if _, err := (schema.Decoder{Session: auto(t)}).Resource(rt, body); (err == nil) != tt.auto {
				t.Errorf("auto: %v", err)
			}
		})
	}
}

func TestDecodeSplitsWhatIsNotDocument(t *testing.T) {
	rt := user(t)
	doc, err := schema.Decoder{Session: auto(t)}.Resource(rt, parse(t, `{
		"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"a","password":"s3cret","title":null,"emails":[],"groups":[{"value":"g"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":[{"$ref":null,"value":"m","displayName":"x"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &schema.Document{
		Attrs: scim.Attributes{
			"schemas":  []any{scim.SchemaUser, scim.SchemaEnterpriseUser},
			"userName": "a",
			scim.SchemaEnterpriseUser: scim.Attributes{
				"manager": scim.Attributes{"value": "m"},
			},
		},
		Secret: scim.Attributes{"password": "s3cret"},
		Null:   []string{"title", "emails"},
	}
	if d := cmp.Diff(want, doc); d != "" {
		t.Error(d)
	}
}

func TestDecodeMembers(t *testing.T) {
	group := registered(t, &schema.ResourceType{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroup(), Members: "members"})
	const head = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"`
	tests := []struct {
		name, in string
		want     []string
		has, ok  bool
	}{
		{"absent", ``, nil, false, true},
		{"null", `,"members":null`, []string{}, true, true},
		{"empty", `,"members":[]`, []string{}, true, true},
		{"in order, once", `,"members":[{"value":"b","$ref":null},{"value":"a","display":"x"},{"value":"b"}]`, []string{"b", "a"}, true, true},
		{"no value", `,"members":[{"display":"x"}]`, nil, true, false},
		{"empty value", `,"members":[{"value":""}]`, nil, true, false},
		{"marked for removal as in SCIM 1.1", `,"members":[{"value":"a","operation":"delete"}]`, nil, true, false},
		{"longest id", `,"members":[{"value":"` + strings.Repeat("x", 256) + `"}]`, []string{strings.Repeat("x", 256)}, true, true},
		{"one past the longest id", `,"members":[{"value":"` + strings.Repeat("x", 257) + `"}]`, nil, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := (schema.Decoder{Session: auto(t)}).Resource(group, parse(t, head+tt.in+"}")); (err == nil) != tt.ok {
				t.Errorf("auto: error %v", err)
			}
			doc, err := schema.Decoder{MaxValues: 1}.Resource(group, parse(t, head+tt.in+"}"))
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if doc.HasMembers != tt.has || !cmp.Equal(doc.Members, tt.want) {
				t.Errorf("got %v %v", doc.HasMembers, doc.Members)
			}
			if _, ok := doc.Attrs["members"]; ok {
				t.Error("members are in the document")
			}
		})
	}
}

func TestMaxValues(t *testing.T) {
	rt := registered(t, gadget())
	body := func(n int) any {
		var tags []string
		for i := range n {
			tags = append(tags, fmt.Sprintf(`"t%d"`, i))
		}
		return parse(t, `{"schemas":["urn:example:gadget:2.0:Gadget"],"tags":[`+strings.Join(tags, ",")+`]}`)
	}
	d := schema.Decoder{MaxValues: 3}
	if _, err := d.Resource(rt, body(3)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := d.Resource(rt, body(4)); err == nil {
		t.Error("one past the limit is accepted")
	}
}

func TestParsePath(t *testing.T) {
	const ent = scim.SchemaEnterpriseUser
	tests := []struct {
		in, strict, auto string // canonical path, empty for unknown
	}{
		{"userName", "userName", "userName"},
		{"USERNAME", "userName", "userName"},
		{"name.GivenName", "name.givenName", "name.givenName"},
		{"emails.value", "emails.value", "emails.value"},
		{"id", "id", "id"},
		{"externalId", "externalId", "externalId"},
		{"meta.lastmodified", "meta.lastModified", "meta.lastModified"},
		{"schemas", "schemas", "schemas"},
		{"groups.$ref", "groups.$ref", "groups.$ref"},
		{scim.SchemaUser + ":userName", "userName", "userName"},
		{strings.ToUpper(scim.SchemaUser) + ":name.familyName", "name.familyName", "name.familyName"},
		{scim.SchemaUser + ":meta.created", "meta.created", "meta.created"},
		{ent, ent, ent},
		{ent + ":department", ent + ":department", ent + ":department"},
		{ent + ":manager.value", ent + ":manager.value", ent + ":manager.value"},
		{"department", "", ent + ":department"},
		{ent + ".department", "", ""},
		{ent + ".manager.value", "", ""},
		{"nope", "", ""},
		{"name.nope", "", ""},
		{"userName.x", "", ""},
		{"name.givenName.x", "", ""},
		{ent + ":nope", "", ""},
		{"urn:example:unknown:2.0:User:x", "", ""},
		{"", "", ""},
		{".userName", "", ""},
		{"userName.", "", ""},
		{scim.SchemaUser, "", ""},
	}
	rt := user(t)
	for _, tt := range tests {
		for _, mode := range []struct {
			name    string
			session *compat.Session
			want    string
		}{{"strict", nil, tt.strict}, {"auto", auto(t), tt.auto}} {
			p, err := rt.ParsePath(tt.in, mode.session)
			got := ""
			if err == nil {
				got = p.String()
			} else if unknown := (*schema.UnknownError)(nil); !errors.As(err, &unknown) {
				t.Errorf("%s %q: error %v is not an UnknownError", mode.name, tt.in, err)
			}
			if got != mode.want {
				t.Errorf("%s %q: got %q, want %q", mode.name, tt.in, got, mode.want)
			}
		}
	}
}

func TestDotAfterURNIsEntras(t *testing.T) {
	s := auto(t)
	s.RecognizeEntra()
	for in, want := range map[string]string{
		scim.SchemaEnterpriseUser + ".department":    scim.SchemaEnterpriseUser + ":department",
		scim.SchemaEnterpriseUser + ".manager.value": scim.SchemaEnterpriseUser + ":manager.value",
	} {
		if p, err := user(t).ParsePath(in, s); err != nil || p.String() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	if used := s.Used(); len(used) != 1 || used[0] != compat.URNDotPath {
		t.Errorf("used %v", used)
	}
}

func TestIndexesAndUniqueKeys(t *testing.T) {
	rt := registered(t, gadget())
	var got []string
	for _, i := range rt.Indexes() {
		got = append(got, fmt.Sprintf("%s unique=%v multi=%v", i.Field.Path, i.Unique, i.Field.Multi))
	}
	want := []string{
		"serial unique=true multi=false", "count unique=false multi=false", "parts.value unique=false multi=true",
		"urn:example:extra:2.0:Gadget:shelf unique=false multi=false", "meta.lastModified unique=false multi=false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	u := user(t)
	keys := u.UniqueKeys(scim.Attributes{"userName": "Straße@Example.com"})
	if d := cmp.Diff([]query.UniqueKey{{Attr: "userName", Value: "strasse@example.com"}}, keys); d != "" {
		t.Error(d)
	}
	if keys := u.UniqueKeys(scim.Attributes{}); len(keys) != 0 {
		t.Errorf("no userName gives %v", keys)
	}
}

func TestRegistryRefuses(t *testing.T) {
	tests := map[string]func(*schema.ResourceType){
		"no name":             func(r *schema.ResourceType) { r.Name = "" },
		"endpoint":            func(r *schema.ResourceType) { r.Endpoint = "Gadgets" },
		"no schema":           func(r *schema.ResourceType) { r.Schema = nil },
		"attribute name":      func(r *schema.ResourceType) { r.Schema.Attributes[0].Name = "9x" },
		"attribute twice":     func(r *schema.ResourceType) { r.Schema.Attributes[1].Name = "SERIAL" },
		"complex in complex":  func(r *schema.ResourceType) { r.Schema.Lookup("spec").Sub[0].Kind = query.Complex },
		"complex without sub": func(r *schema.ResourceType) { r.Schema.Lookup("spec").Sub = nil },
		"unknown index":       func(r *schema.ResourceType) { r.Indexed = []string{"nope"} },
		"unknown kept":        func(r *schema.ResourceType) { r.Keep = []string{"nope"} },
		"part of kept":        func(r *schema.ResourceType) { r.Keep = []string{"spec.color"} },
		"complex index":       func(r *schema.ResourceType) { r.Indexed = []string{"spec"} },
		"unknown relation":    func(r *schema.ResourceType) { r.Members = "members" },
		"unique integer":      func(r *schema.ResourceType) { r.Schema.Lookup("count").Uniqueness = schema.UniqueServer },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			g := gadget()
			breakIt(g)
			if _, err := schema.NewRegistry(g); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := schema.NewRegistry(gadget(), gadget()); err == nil {
		t.Error("the same type twice is accepted")
	}
}

func TestValidate(t *testing.T) {
	rt := registered(t, gadget())
	ok := scim.Attributes{"serial": "a"}
	if err := rt.Validate(ok); err != nil {
		t.Error(err)
	}
	for name, doc := range map[string]scim.Attributes{
		"required absent": {},
		"required empty":  {"serial": ""},
		"several primary": {"serial": "a", "parts": []any{scim.Attributes{"primary": true}, scim.Attributes{"primary": true}}},
	} {
		var e *scim.Error
		if err := rt.Validate(doc); !errors.As(err, &e) || e.Type != scim.TypeInvalidValue {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplace(t *testing.T) {
	const extra = "urn:example:extra:2.0:Gadget"
	old := func() scim.Attributes {
		return scim.Attributes{
			"serial": "a", "count": int64(1), "weight": 2.5, "batch": "b1", "computed": "c",
			"spec": scim.Attributes{"color": "red", "lot": "L", "grade": "A"},
			extra:  scim.Attributes{"shelf": "s"},
		}
	}
	tests := []struct{ name, body, want, err string }{
		{"omitted is cleared, readOnly and kept stay", `"serial":"a"`, `{"batch":"b1","computed":"c","count":1,"serial":"a"}`, ""},
		{"kept attribute set to null is cleared", `"serial":"a","count":null`, `{"batch":"b1","computed":"c","serial":"a"}`, ""},
		{"readOnly is ignored", `"serial":"a","computed":"z","spec":{"grade":"Z","color":"blue"}`, `{"batch":"b1","computed":"c","count":1,"serial":"a","spec":{"color":"blue","grade":"A","lot":"L"}}`, ""},
		{"immutable unchanged", `"serial":"a","batch":"b1"`, `{"batch":"b1","computed":"c","count":1,"serial":"a"}`, ""},
		{"immutable changed", `"serial":"a","batch":"b2"`, "", "batch"},
		{"immutable sub changed", `"serial":"a","spec":{"lot":"M"}`, "", "spec.lot"},
		{"extension is replaced", `"serial":"a","` + extra + `":{"stock":3}`, `{"batch":"b1","computed":"c","count":1,"serial":"a","` + extra + `":{"stock":3}}`, ""},
	}
	rt := registered(t, gadget())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := schema.Decoder{Session: auto(t)}.Resource(rt, parse(t, `{"schemas":["urn:example:gadget:2.0:Gadget"],`+tt.body+`}`))
			if err != nil {
				t.Fatal(err)
			}
			was := old()
			doc, err := rt.Replace(was, body)
			if tt.err != "" {
				var e *scim.Error
				if !errors.As(err, &e) || e.Type != scim.TypeMutability || e.Path != tt.err {
					t.Fatalf("got %v, want mutability of %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			delete(doc, "schemas")
			if got := string(scim.AppendJSON(nil, doc)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if d := cmp.Diff(old(), was); d != "" {
				t.Errorf("the stored document was changed: %s", d)
			}
		})
	}
}

func TestDescribePublishesWhatIsEnforced(t *testing.T) {
	u := user(t)
	text := string(scim.AppendJSON(nil, u.Schema.Describe()))
	for _, want := range []string{
		`"id":"urn:ietf:params:scim:schemas:core:2.0:User"`,
		`{"name":"userName","type":"string","multiValued":false,`,
		`"required":true,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"server"}`,
		`"mutability":"writeOnly","returned":"never"`,
		`"canonicalValues":["work","home","other"]`,
		`"referenceTypes":["Group"]`,
		`{"name":"active","type":"boolean","multiValued":false,`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the published schema", want)
		}
	}
	if strings.Contains(text, "null") {
		t.Error("the published schema has a null")
	}
	if _, err := scim.ParseJSON([]byte(text), 32); err != nil {
		t.Error(err)
	}
	want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User","endpoint":"/Users","description":"","schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[{"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":false}]}`
	if got := string(scim.AppendJSON(nil, u.Describe())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzDecodeResource(f *testing.F) {
	f.Add([]byte(`{"schemas":["urn:example:gadget:2.0:Gadget"],"serial":"a","parts":[{"value":"p","primary":"True"}]}`))
	f.Add([]byte(`{"schemas":["urn:example:gadget:2.0:Gadget"],"spec":[{"color":null}],"pin":"1234","count":"7"}`))
	rt := registered(f, gadget())
	s := auto(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := scim.ParseJSON(body, 32)
		if err != nil {
			return
		}
		doc, err := schema.Decoder{Session: s, MaxValues: 500}.Resource(rt, v)
		if err != nil {
			return
		}
		if _, ok := doc.Attrs["pin"]; ok {
			t.Fatal("a secret is in the document")
		}
		// A canonical document is a fixpoint: written and read back it is the same.
		text := scim.AppendJSON(nil, doc.Attrs)
		back, err := scim.DecodeAttributes(text)
		if err != nil {
			t.Fatal(err)
		}
		if !scim.Equal(back, doc.Attrs) {
			t.Fatalf("read back %v, want %v", back, doc.Attrs)
		}
	})
}
