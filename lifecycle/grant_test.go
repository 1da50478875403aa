package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/resources"
	"rollcall/scim"
)

func sampleCatalogue() *Catalogue {
	module := func(key string, edit func(*Entitlement)) *Entitlement {
		e := &Entitlement{Key: key, Kind: resources.EntitlementModule, Display: strings.ToUpper(key), Supported: true}
		if edit != nil {
			edit(e)
		}
		return e
	}
	sub := func(key, parent string) *Entitlement {
		return &Entitlement{ID: key, Key: key, Kind: resources.EntitlementSubAccount, Display: key, Supported: true, Parent: parent}
	}
	return newCatalogue(
		append(builtinRoles(), sampleRoles()...),
		[]*Occupation{
			{Key: "nurse", Display: "Nurse", Aliases: []string{"RN"}, Permissions: []string{"charts.read"}, Modules: []string{"wards:read"}, Active: true},
			{Key: "doctor", Display: "Doctor", Permissions: []string{"charts.*"}, Active: true},
		},
		[]*Entitlement{
			module("wards", nil), module("pricing", func(e *Entitlement) { e.AdminOnly = true }),
			module("reports", func(e *Entitlement) { e.Feature = "reporting" }), module("old", func(e *Entitlement) { e.Supported = false }),
			sub("emea", ""), sub("de", "emea"), sub("berlin", "de"), sub("us", ""),
		},
		[]*GroupGrant{{Group: "g1", Roles: []string{"manager"}, Occupation: "doctor", Entitlements: []string{"module:wards", "subAccount:us"}}},
	)
}

func moduleText(g *Grant) []string {
	var list []string
	for _, m := range g.Modules {
		s := m.Key
		if m.Read {
			s += ":read"
		}
		if m.Cut != "" {
			s += " cut " + m.Cut
		}
		list = append(list, s)
	}
	return list
}

func TestGrant(t *testing.T) {
	all, small := Plan{}, Plan{Features: []string{"basic"}}
	for _, tt := range []struct {
		name        string
		facts       Facts
		plan        Plan
		has, hasNot []string
		modules     []string
		subs        string
		unknown     string
		kind        Kind
	}{
		{name: "nobody", facts: Facts{Active: true}, hasNot: []string{"product.use"}, kind: KindMember},
		{
			name: "agent", facts: Facts{Active: true, Roles: []string{"Agent"}},
			has: []string{"forms.own.edit", "documents.own.*", "product.use"}, hasNot: []string{"forms.all", "forms.*", "users.read"}, kind: KindMember,
		},
		{
			name: "agent who became admin", facts: Facts{Active: true, Roles: []string{"agent", "admin"}},
			has: []string{"users.invite", "org.branding.write"}, hasNot: []string{"forms.own.edit", "documents.own.read", "account.close"},
			modules: []string{"old cut not_supported", "pricing", "reports", "wards"}, kind: KindAdmin,
		},
		{
			name: "owner", facts: Facts{Active: true, Roles: []string{"owner"}}, has: []string{"account.close", "anything.at.all"},
			modules: []string{"old cut not_supported", "pricing", "reports", "wards"}, kind: KindOwner,
		},
		{
			name: "manager on a small plan", facts: Facts{Active: true, Roles: []string{"manager"}}, plan: small,
			has: []string{"clients.assign"}, hasNot: []string{"users.read", "account.details", "account.status"},
			modules: []string{"old cut not_supported", "pricing cut admin_only", "reports cut plan", "wards"}, kind: KindManager,
		},
		{
			name: "nurse by an alias", facts: Facts{Active: true, Occupation: "rn"}, has: []string{"charts.read"}, hasNot: []string{"charts.write"},
			modules: []string{"wards:read"}, kind: KindMember,
		},
		{
			name: "writing beats reading", facts: Facts{Active: true, Occupation: "Nurse", Entitlements: []Entitled{parseEntitled("module", "wards")}},
			modules: []string{"wards"}, kind: KindMember,
		},
		{
			name: "group", facts: Facts{Active: true, Groups: []string{"g0", "g1"}}, has: []string{"clients.assign", "charts.write"},
			modules: []string{"old cut not_supported", "pricing cut admin_only", "reports", "wards"}, subs: "us", kind: KindManager,
		},
		{
			name: "own occupation before the group's", facts: Facts{Active: true, Occupation: "nurse", Groups: []string{"g1"}},
			has: []string{"charts.read"}, hasNot: []string{"charts.write"},
			modules: []string{"old cut not_supported", "pricing cut admin_only", "reports", "wards"}, subs: "us", kind: KindManager,
		},
		{name: "sub-accounts", facts: Facts{Active: true, Entitlements: []Entitled{parseEntitled("subAccount", "EMEA")}}, subs: "berlin de emea", kind: KindMember},
		{name: "sub-account only", facts: Facts{Active: true, Entitlements: []Entitled{parseEntitled("", "subAccount:de:only")}}, subs: "de", kind: KindMember},
		{
			name: "unknown things", facts: Facts{Active: true, Roles: []string{"Wizard"}, Occupation: "Seer", Entitlements: []Entitled{parseEntitled("module", "emea")}},
			unknown: "roles Wizard, occupation Seer, entitlements emea", kind: KindMember,
		},
		{name: "deactivated", facts: Facts{Roles: []string{"owner"}}, hasNot: []string{"product.use"}, modules: []string{"old cut not_supported", "pricing", "reports", "wards"}, kind: KindOwner},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := tt.plan
			if plan.Key == "" && plan.Features == nil {
				plan = all
			}
			g := sampleCatalogue().Grant(tt.facts, plan)
			for _, p := range tt.has {
				if !g.Has(p) {
					t.Errorf("lacks %s", p)
				}
			}
			for _, p := range tt.hasNot {
				if g.Has(p) {
					t.Errorf("has %s", p)
				}
			}
			if d := cmp.Diff(tt.modules, moduleText(g)); d != "" {
				t.Errorf("modules (-want +got):\n%s", d)
			}
			var subs, unknown []string
			for _, a := range g.SubAccounts {
				subs = append(subs, a.Key)
			}
			for _, u := range g.Unknown {
				unknown = append(unknown, u.Attribute+" "+u.Value)
			}
			if got := strings.Join(subs, " "); got != tt.subs {
				t.Errorf("sub-accounts %q, want %q", got, tt.subs)
			}
			if got := strings.Join(unknown, ", "); got != tt.unknown {
				t.Errorf("unknown %q, want %q", got, tt.unknown)
			}
			if got := g.kind(); got != tt.kind {
				t.Errorf("kind %s, want %s", got, tt.kind)
			}
		})
	}
}

// The same thing given twice keeps both sources: taking one away leaves the other.
func TestGrantKeepsEachSource(t *testing.T) {
	g := sampleCatalogue().Grant(Facts{Active: true, Roles: []string{"manager"}, Groups: []string{"g1"}}, Plan{})
	want := []Source{{Via: "role", Key: "manager", Display: "Manager"}, {Via: "role", Key: "manager", Display: "Manager", Group: "g1"}}
	if d := cmp.Diff(want, g.Roles[0].Sources); d != "" {
		t.Errorf("sources of the role (-want +got):\n%s", d)
	}
	i := slices.IndexFunc(g.Permissions, func(p GrantedPermission) bool { return p.Value == "clients.*" })
	if d := cmp.Diff(want, g.Permissions[i].Sources); d != "" {
		t.Errorf("sources of a permission (-want +got):\n%s", d)
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		pattern, permission string
		want                bool
	}{
		{"*", "a.b", true},
		{"*", "*", true},
		{"a.*", "a.b", true},
		{"a.*", "a.b.*", true},
		{"a.*", "a.*", true},
		{"a.*", "ab.c", false},
		{"a.*", "a", false},
		{"a.b", "a.b", true},
		{"a.b", "a.b.c", false},
		{"a.b.*", "a.*", false},
		{"a*", "ab", false},
	} {
		if got := covers(tt.pattern, tt.permission); got != tt.want {
			t.Errorf("%s covers %s: %v", tt.pattern, tt.permission, got)
		}
	}
}

func TestFactsOf(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	doc := scim.Attributes{
		"active": true, "roles": []any{scim.Attributes{"value": "a"}, scim.Attributes{"display": "b"}},
		"entitlements":          []any{scim.Attributes{"value": "pricing:read", "type": "Module"}},
		scim.SchemaRollcallUser: scim.Attributes{"occupation": "x", "expiresAt": "2026-01-01T00:00:00.001Z"},
	}
	want := Facts{
		Active: true, Roles: []string{"a"}, Occupation: "x", Groups: []string{"g"},
		Entitlements: []Entitled{{Key: "pricing", Kind: resources.EntitlementModule, Read: true}},
	}
	if d := cmp.Diff(want, FactsOf(doc, []scim.Membership{{ID: "g"}}, at)); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
	if FactsOf(doc, nil, at.Add(time.Millisecond)).Active {
		t.Error("active although the membership has ended")
	}
}
