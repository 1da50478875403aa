package projection_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/projection"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

const gadgetURN = "urn:example:params:scim:schemas:extension:gadget:2.0:Widget"

// widget is a type with every kind of returned, at every level.
func widget(t testing.TB) *schema.ResourceType {
	t.Helper()
	text := func(name string, r schema.Returned) *schema.Attribute {
		return &schema.Attribute{Name: name, Kind: query.String, Returned: r}
	}
	parts := func() []*schema.Attribute {
		return []*schema.Attribute{
			text("value", schema.ReturnedDefault), text("label", schema.ReturnedDefault), text("code", schema.ReturnedAlways),
			text("hint", schema.ReturnedRequest), text("pin", schema.ReturnedNever),
		}
	}
	rt := &schema.ResourceType{
		Name: "Widget", Endpoint: "/Widgets", Members: "members", Groups: "groups",
		Schema: &schema.Schema{URN: "urn:example:params:scim:schemas:core:2.0:Widget", Name: "Widget", Attributes: []*schema.Attribute{
			text("name", schema.ReturnedDefault), text("serial", schema.ReturnedAlways), text("notes", schema.ReturnedRequest),
			text("secret", schema.ReturnedNever),
			{Name: "box", Kind: query.Complex, Sub: parts()},
			{Name: "parts", Kind: query.Complex, Multi: true, Sub: parts()},
			{Name: "tags", Kind: query.String, Multi: true},
			{Name: "members", Kind: query.Complex, Multi: true, Sub: []*schema.Attribute{text("value", schema.ReturnedDefault), text("display", schema.ReturnedDefault)}},
			{Name: "groups", Kind: query.Complex, Multi: true, Sub: []*schema.Attribute{text("value", schema.ReturnedDefault)}},
		}},
		Extensions: []schema.Extension{{Schema: &schema.Schema{URN: gadgetURN, Name: "Gadget", Attributes: []*schema.Attribute{
			text("color", schema.ReturnedDefault), text("size", schema.ReturnedDefault), text("origin", schema.ReturnedRequest),
			text("key", schema.ReturnedNever),
			{Name: "maker", Kind: query.Complex, Sub: parts()},
		}}}},
	}
	if _, err := schema.NewRegistry(rt); err != nil {
		t.Fatal(err)
	}
	return rt
}

func doc() scim.Attributes {
	part := func() scim.Attributes {
		return scim.Attributes{"value": "v", "label": "l", "code": "c", "hint": "h", "pin": "LEAK"}
	}
	return scim.Attributes{
		"id": "1", "schemas": []any{"s"}, "externalId": "x",
		"meta": scim.Attributes{"resourceType": "Widget", "version": "1"},
		"name": "n", "serial": "9", "notes": "o", "secret": "LEAK", "bogus": "LEAK",
		"box": part(), "parts": []any{part(), scim.Attributes{"label": "only"}}, "tags": []any{"a", "b"},
		"members": []any{scim.Attributes{"value": "m", "display": "M"}}, "groups": []any{scim.Attributes{"value": "g"}},
		gadgetURN: scim.Attributes{"color": "red", "size": "xl", "origin": "here", "key": "LEAK", "maker": part()},
	}
}

func TestApply(t *testing.T) {
	all := `{"externalId":"x","groups":[{"value":"g"}],"id":"1","members":[{"display":"M","value":"m"}],"meta":{"resourceType":"Widget","version":"1"},`
	box := `{"code":"c","label":"l","value":"v"}`
	tests := []struct {
		name               string
		attrs, hidden, own string
		want               string
	}{
		{name: "default", want: all + `"box":` + box + `,"name":"n","parts":[` + box + `,{"label":"only"}],"schemas":["s"],"serial":"9","tags":["a","b"],"` +
			gadgetURN + `":{"color":"red","maker":` + box + `,"size":"xl"}}`},
		{name: "one attribute", attrs: "NAME", want: `{"id":"1","name":"n","schemas":["s"],"serial":"9"}`},
		{name: "nothing known", attrs: "bogus,nope.x,urn:x:y", want: `{"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "never", attrs: "secret,box.pin," + gadgetURN + ":key", want: `{"box":{"code":"c"},"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "whole complex", attrs: "box", want: `{"box":` + box + `,"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "whole and part", attrs: "box,box.value", want: `{"box":` + box + `,"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "part and whole with request", attrs: "box.hint,box", want: `{"box":{"code":"c","hint":"h","label":"l","value":"v"},"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "sub-attribute", attrs: "box.value", want: `{"box":{"code":"c","value":"v"},"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "of elements", attrs: "parts.label", want: `{"id":"1","parts":[{"code":"c","label":"l"},{"label":"only"}],"schemas":["s"],"serial":"9"}`},
		{name: "empty elements go", attrs: "parts.value", want: `{"id":"1","parts":[{"code":"c","value":"v"}],"schemas":["s"],"serial":"9"}`},
		{name: "request", attrs: "notes,box.hint," + gadgetURN + ":origin", want: `{"box":{"code":"c","hint":"h"},"id":"1","notes":"o","schemas":["s"],"serial":"9","` +
			gadgetURN + `":{"origin":"here"}}`},
		{name: "urn of the core schema", attrs: "urn:example:params:scim:schemas:core:2.0:Widget:name", want: `{"id":"1","name":"n","schemas":["s"],"serial":"9"}`},
		{name: "whole extension", attrs: strings.ToUpper(gadgetURN), want: `{"id":"1","schemas":["s"],"serial":"9","` + gadgetURN + `":{"color":"red","maker":` + box + `,"size":"xl"}}`},
		{name: "of an extension", attrs: gadgetURN + ":maker.label", want: `{"id":"1","schemas":["s"],"serial":"9","` + gadgetURN + `":{"maker":{"code":"c","label":"l"}}}`},
		{name: "of meta", attrs: "meta.version", want: `{"id":"1","meta":{"version":"1"},"schemas":["s"],"serial":"9"}`},
		{name: "value filter is ignored", attrs: `parts[label eq "l"].value`, want: `{"id":"1","parts":[{"code":"c","value":"v"}],"schemas":["s"],"serial":"9"}`},
		{name: "exclude", hidden: "meta,externalId,groups,members,parts,tags,box," + gadgetURN, want: `{"id":"1","name":"n","schemas":["s"],"serial":"9"}`},
		{name: "exclude what is always", hidden: "id,schemas,serial,meta,externalId,groups,members,parts,tags,box.code,name," + gadgetURN, want: `{"box":` + box + `,"id":"1","schemas":["s"],"serial":"9"}`},
		{name: "exclude parts", hidden: "meta,externalId,groups,members.display,parts.label,tags,box.label,box.value,name," + gadgetURN + ":size," + gadgetURN + ":maker", want: `{"box":{"code":"c"},"id":"1","members":[{"value":"m"}],"parts":[{"code":"c","value":"v"}],"schemas":["s"],"serial":"9","` +
			gadgetURN + `":{"color":"red"}}`},
		{name: "written", own: "notes,box.hint," + gadgetURN, want: all + `"box":{"code":"c","hint":"h","label":"l","value":"v"},"name":"n","notes":"o","parts":[` + box + `,{"label":"only"}],"schemas":["s"],"serial":"9","tags":["a","b"],"` +
			gadgetURN + `":{"color":"red","maker":{"code":"c","hint":"h","label":"l","value":"v"},"origin":"here","size":"xl"}}`},
		{name: "written secret", own: "secret,box.pin", attrs: "name", want: `{"id":"1","name":"n","schemas":["s"],"serial":"9"}`},
		{name: "written and excluded", own: "notes", hidden: "notes,meta,externalId,groups,members,parts,tags,box,name," + gadgetURN, want: `{"id":"1","schemas":["s"],"serial":"9"}`},
	}
	rt := widget(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sel, err := projection.Parse(rt, list(tt.attrs), list(tt.hidden), nil)
			if err != nil {
				t.Fatal(err)
			}
			in := doc()
			got := sel.Written(list(tt.own)).Apply(in)
			want, err := scim.DecodeAttributes([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("wrong projection (-want +got):\n%s", d)
			}
			if d := cmp.Diff(doc(), in); d != "" {
				t.Errorf("the document was changed:\n%s", d)
			}
		})
	}
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func TestBothListsAreRefused(t *testing.T) {
	_, err := projection.Parse(widget(t), []string{"name"}, []string{"box"}, nil)
	if e, ok := err.(*scim.Error); !ok || e.Status != 400 || e.Type != scim.TypeInvalidValue { //nolint:errorlint // exactly this
		t.Errorf("got %v, want 400 invalidValue", err)
	}
}

func TestNamesAreBounded(t *testing.T) {
	names := make([]string, projection.MaxNames)
	for i := range names {
		names[i] = "name"
	}
	rt := widget(t)
	if _, err := projection.Parse(rt, names, nil, nil); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := projection.Parse(rt, append(names, "name"), nil, nil); err == nil {
		t.Error("one past the limit is accepted")
	}
}

// group is a type whose documents hold nothing that is not returned by default.
func group(t testing.TB) *schema.ResourceType {
	t.Helper()
	rt := &schema.ResourceType{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroup(), Members: "members"}
	if _, err := schema.NewRegistry(rt); err != nil {
		t.Fatal(err)
	}
	return rt
}

// What a selection asks to be loaded, and whether stored bytes may be sent as they are.
func TestWantsAndWhole(t *testing.T) {
	tests := []struct {
		attrs, hidden              string
		whole, members, meta, byDf bool
	}{
		{"", "", true, true, true, true},
		{"", "members", true, false, true, false},
		{"", "MEMBERS,meta,id", true, false, false, false},
		{"", "members.display", false, true, true, false},
		{"", "displayName", false, true, true, false},
		{"displayName", "", false, false, false, false},
		{"members.value", "", false, true, false, false},
		{"meta.version,members", "", false, true, true, false},
		{"unknown", "", false, false, false, false},
		{"", "unknown", true, true, true, false},
	}
	rt := group(t)
	for _, tt := range tests {
		t.Run(tt.attrs+"/"+tt.hidden, func(t *testing.T) {
			sel, err := projection.Parse(rt, list(tt.attrs), list(tt.hidden), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := []bool{sel.Whole(), sel.Wants("members"), sel.Wants("meta"), sel.Default()}
			if d := cmp.Diff([]bool{tt.whole, tt.members, tt.meta, tt.byDf}, got); d != "" {
				t.Errorf("whole, members, meta, default (-want +got):\n%s", d)
			}
		})
	}
	sel, err := projection.Parse(widget(t), []string{"box", "parts.label", "members.display"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"box.value": true, "box.code": true, "box.hint": false, "box.pin": false, "parts.label": true, "parts.value": false, "parts.code": true,
		"members.display": true, "members.value": false, "groups.value": false, "bogus.value": false, "box.bogus": false, "name.value": false,
	} {
		name, sub, _ := strings.Cut(path, ".")
		if sel.WantsSub(name, sub) != want {
			t.Errorf("WantsSub(%s) is %v", path, !want)
		}
	}
	if sel := projection.Default(widget(t)); sel.Whole() {
		t.Error("documents with attributes that are not returned by default pass whole")
	}
}

// A password has no way through, even if a document held one.
func TestPasswordNeverPasses(t *testing.T) {
	rt := &schema.ResourceType{Name: "User", Endpoint: "/Users", Schema: schema.CoreUser()}
	if _, err := schema.NewRegistry(rt); err != nil {
		t.Fatal(err)
	}
	urn := rt.Schema.URN
	for _, lists := range [][2][]string{
		{nil, nil}, {{"password"}, nil}, {{"PassWord", "userName"}, nil}, {{urn + ":password"}, nil}, {nil, {"userName"}}, {nil, {"bogus"}},
	} {
		sel, err := projection.Parse(rt, lists[0], lists[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		out := sel.Written([]string{"password"}).Apply(scim.Attributes{"id": "1", "userName": "u", "password": "p"})
		if _, ok := out["password"]; ok || sel.Wants("password") {
			t.Errorf("%v: passed", lists)
		}
	}
}

// FuzzProjection: whatever is asked for, what the schema calls never does not come out, nor what it does not know,
// and what is always returned does.
func FuzzProjection(f *testing.F) {
	for _, s := range []string{
		"secret", "password", "box.pin", gadgetURN + ":key", gadgetURN, "parts[pin eq \"1\"].pin", "bogus", "SECRET,box,parts",
		"urn:example:params:scim:schemas:core:2.0:Widget:secret", "meta", "", ",", ".", "box.", ":", gadgetURN + ":maker.pin",
	} {
		f.Add(s, "", "")
		f.Add("", s, "")
		f.Add("", "", s)
	}
	rt := widget(f)
	f.Fuzz(func(t *testing.T, attrs, hidden, own string) {
		sel, err := projection.Parse(rt, list(attrs), list(hidden), nil)
		if err != nil {
			return
		}
		out := sel.Written(list(own)).Apply(doc())
		if text := string(scim.AppendJSON(nil, out)); strings.Contains(text, "LEAK") {
			t.Fatalf("a value that is never returned passed: %s", text)
		}
		for _, name := range []string{"id", "schemas", "serial"} {
			if out[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
	})
}
