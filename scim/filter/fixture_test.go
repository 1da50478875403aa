package filter_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/filter"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

const baseURL = "https://scim.example.com/scim/v2"

// gadget is a schema with the types that the core schemas lack.
func gadget() *schema.Schema {
	return &schema.Schema{URN: "urn:example:gadget-kit:2.0:User", Name: "Gadget", Attributes: []*schema.Attribute{
		{Name: "level", Kind: query.Integer},
		{Name: "ratio", Kind: query.Decimal},
		{Name: "born", Kind: query.DateTime},
		{Name: "tags", Kind: query.String, Multi: true},
		{Name: "site", Kind: query.Reference, CaseExact: true},
		{Name: "pin", Kind: query.Complex, Sub: []*schema.Attribute{
			{Name: "value", Returned: schema.ReturnedNever}, {Name: "hint"},
		}},
	}}
}

func registry(tb testing.TB) *schema.Registry {
	tb.Helper()
	r, err := schema.NewRegistry(
		&schema.ResourceType{
			Name: "User", Endpoint: "/Users", Schema: schema.CoreUser(), Groups: "groups",
			Extensions: []schema.Extension{{Schema: schema.EnterpriseUser()}, {Schema: gadget()}},
		},
		&schema.ResourceType{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroup(), Members: "members"},
	)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func session(tb testing.TB, profile string) *compat.Session {
	tb.Helper()
	p, err := compat.Lookup(profile)
	if err != nil {
		tb.Fatal(err)
	}
	return compat.NewSession(p)
}

type fixture struct {
	id  string // "U1"
	doc scim.Attributes
}

// fixtures returns the corpus's resources per endpoint as the store would hand them to Match: id and meta put in,
// relations as elements, User.groups derived from the groups' members.
func fixtures(tb testing.TB, reg *schema.Registry) map[string][]fixture {
	tb.Helper()
	text, err := os.ReadFile("testdata/filter_fixtures.json")
	if err != nil {
		tb.Fatal(err)
	}
	tree, err := scim.ParseJSON(text, 32)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]fixture{}
	groups := map[string][]any{}
	for _, endpoint := range []string{"Groups", "Users"} {
		t := reg.Types()[0]
		if endpoint == "Groups" {
			t = reg.Types()[1]
		}
		list, _ := tree.(scim.Object).Get(endpoint)
		for _, f := range list.(scim.Object) {
			d, err := schema.Decoder{Session: session(tb, "auto")}.Resource(t, f.Value)
			if err != nil {
				tb.Fatalf("%s: %v", f.Name, err)
			}
			doc := d.Attrs
			doc["id"] = realID(f.Name)
			doc["meta"] = scim.Attributes{
				"created": "2024-05-01T10:00:00.000Z", "lastModified": "2024-05-01T10:00:00.000Z", "version": `W/"1"`,
			}
			for _, m := range d.Members {
				list, _ := doc["members"].([]any)
				doc["members"] = append(list, scim.Attributes{"value": tokens(m), "type": "User"})
				groups[tokens(m)] = append(groups[tokens(m)],
					scim.Attributes{"value": realID(f.Name), "display": doc["displayName"], "type": "direct"})
			}
			if g := groups[realID(f.Name)]; g != nil {
				doc["groups"] = g
			}
			out[endpoint] = append(out[endpoint], fixture{f.Name, doc})
		}
	}
	return out
}

func realID(token string) string {
	return "00000000-0000-7000-8000-0000000000" + strings.ToLower(token)
}

// tokens replaces $U1 and the like by ids.
func tokens(s string) string {
	for _, kind := range []string{"U", "G"} {
		for n := range 9 {
			t := kind + string(rune('1'+n))
			s = strings.ReplaceAll(s, "$"+t, realID(t))
		}
	}
	return s
}

func options(tb testing.TB, profile string) filter.Options {
	return filter.Options{Session: session(tb, profile), BaseURL: baseURL}
}

// mustJSON is for messages.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
