package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// body decodes the attributes of a resource as a client of SCIM sends them.
func (f *fixture) body(typ scim.TypeName, attrs string) *schema.Document {
	f.Helper()
	v, err := scim.ParseJSON([]byte("{"+attrs+"}"), 32)
	if err != nil {
		f.Fatalf("%s: %v", attrs, err)
	}
	rt := f.registry.Type(typ)
	list := []any{rt.Schema.URN}
	for _, e := range rt.Extensions {
		if _, ok := v.(scim.Object).Get(e.URN); ok {
			list = append(list, e.URN)
		}
	}
	doc, err := schema.Decoder{}.Resource(rt, append(scim.Object{{Name: "schemas", Value: list}}, v.(scim.Object)...))
	if err != nil {
		f.Fatalf("%s: %v", attrs, err)
	}
	return doc
}

func (f *fixture) tryCreate(typ scim.TypeName, attrs string) (*scim.Resource, error) {
	f.Helper()
	return f.resources.Create(f.Context(), f.admin.Caller, f.registry.Type(typ), f.body(typ, attrs), query.Load{})
}

func (f *fixture) create(typ scim.TypeName, attrs string) string {
	f.Helper()
	r, err := f.tryCreate(typ, attrs)
	if err != nil {
		f.Fatalf("create %s %s: %v", typ, attrs, err)
	}
	return r.ID
}

func (f *fixture) tryPatch(typ scim.TypeName, id, ops string) error {
	f.Helper()
	v, err := scim.ParseJSON([]byte(fmt.Sprintf(`{"schemas":[%q],"Operations":[%s]}`, scim.MessagePatchOp, ops)), 32)
	if err != nil {
		f.Fatal(err)
	}
	rt := f.registry.Type(typ)
	plan, err := patch.Compile(rt, v, patch.Options{})
	if err != nil {
		f.Fatal(err)
	}
	_, err = f.resources.Patch(f.Context(), f.admin.Caller, rt, id, scim.Precondition{}, plan, query.Load{})
	return err
}

func (f *fixture) get(typ scim.TypeName, id string) scim.Attributes {
	f.Helper()
	r, err := f.resources.Get(f.Context(), f.admin.Caller, f.registry.Type(typ), id, query.Load{Computed: true})
	if err != nil {
		f.Fatal(err)
	}
	doc, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		f.Fatal(err)
	}
	return doc
}

// search returns the ids of what a filter finds, in the order of sortBy if it is not empty.
func (f *fixture) search(typ scim.TypeName, text, sortBy string) []string {
	f.Helper()
	rt := f.registry.Type(typ)
	where, err := filter.CompileText(rt, text, filter.Options{Limits: filter.DefaultLimits()})
	if err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	q := query.Query{Sources: []query.Source{{Type: typ, Where: where}}, Limit: 1000}
	if sortBy != "" {
		fld := f.field(typ, sortBy)
		q.Sources[0].Sort, q.Sorted = &fld, true
	}
	page, err := f.resources.Query(f.Context(), f.admin.Caller, q)
	if err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	var ids []string
	for _, r := range page.Resources {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestBuiltinRoles(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := f.EnsureCatalogue(t.Context(), f.org); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := f.Catalogue(t.Context(), f.org)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Roles() {
		got = append(got, fmt.Sprintf("%s %d %v %v", r.Key, r.Rank, r.OrgAdmin, r.System))
	}
	want := []string{"owner 100 true true", "admin 80 true true", "manager 60 false true", "agent 40 false false", "member 40 false true", "guest 20 false true"}
	if !slices.Equal(got, want) {
		t.Errorf("roles %v, want %v", got, want)
	}
	id := idOf("role", string(f.org), "owner")
	for name, ops := range map[string]string{
		"rank":       `{"op":"replace","path":"` + scim.SchemaRollcallRole + `:rank","value":10}`,
		"permission": `{"op":"remove","path":"` + scim.SchemaRollcallRole + `:permissions"}`,
		"no admin":   `{"op":"replace","path":"` + scim.SchemaRollcallRole + `:orgAdmin","value":false}`,
		"retired":    `{"op":"replace","path":"supported","value":false}`,
	} {
		wantCode(t, name, f.tryPatch(typeRole, id, ops), 400, "system_role")
	}
	if err := f.tryPatch(typeRole, id, `{"op":"replace","path":"display","value":"Boss"}`); err != nil {
		t.Errorf("to rename a built-in role: %v", err)
	}
	err = f.resources.Delete(t.Context(), f.admin.Caller, f.registry.Type(typeRole), id, scim.Precondition{})
	wantCode(t, "delete", err, 409, "system_role")
	agent := idOf("role", string(f.org), "agent")
	if err := f.resources.Delete(t.Context(), f.admin.Caller, f.registry.Type(typeRole), agent, scim.Precondition{}); err != nil {
		t.Errorf("delete the sample: %v", err)
	}
	if err := f.EnsureCatalogue(t.Context(), f.org); err != nil {
		t.Fatal(err)
	}
	if c, _ = f.Catalogue(t.Context(), f.org); c.Role("agent") != nil {
		t.Error("the sample came back")
	}
}

func TestCatalogueRefuses(t *testing.T) {
	f := newFixture(t)
	role, occ, ent := scim.SchemaRollcallRole, typeOccupation, typeEntitlement
	f.create(occ, `"value":"nurse","aliases":["RN","Sister"]`)
	f.create(ent, `"value":"emea","type":"subAccount"`)
	f.create(ent, `"value":"de","type":"subAccount","`+scim.SchemaRollcallEntitlement+`":{"parent":"emea"}`)
	for _, tt := range []struct {
		name, attrs, code string
		typ               scim.TypeName
		status            int
	}{
		{"rank too high", `"value":"x","` + role + `":{"rank":101}`, "out_of_range", typeRole, 400},
		{"permission with a blank", `"value":"x","` + role + `":{"permissions":["a b"]}`, "bad_permission", typeRole, 400},
		{"star in the middle", `"value":"x","` + role + `":{"suppresses":["a.*.b"]}`, "bad_permission", typeRole, 400},
		{"blank key", `"value":" x"`, "bad_key", typeRole, 400},
		{"the same role", `"value":"OWNER"`, "", typeRole, 409},
		{"an alias that is taken", `"value":"carer","aliases":["rn"]`, "", occ, 409},
		{"a key that is an alias", `"value":"sister"`, "", occ, 409},
		{"an alias that is a key", `"value":"carer","aliases":["Nurse"]`, "", occ, 409},
		{"colon in a module", `"value":"a:read"`, "bad_key", ent, 400},
		{"another kind", `"value":"a","type":"thing"`, "not_a_choice", ent, 400},
		{"a module with a parent", `"value":"a","` + scim.SchemaRollcallEntitlement + `":{"parent":"emea"}`, "not_a_sub_account", ent, 400},
		{"an unknown parent", `"value":"a","type":"subAccount","` + scim.SchemaRollcallEntitlement + `":{"parent":"mars"}`, "unknown_sub_account", ent, 400},
	} {
		_, err := f.tryCreate(tt.typ, tt.attrs)
		wantCode(t, tt.name, err, tt.status, tt.code)
	}
	emea := f.search(ent, `value eq "emea"`, "")[0]
	err := f.tryPatch(ent, emea, `{"op":"add","path":"`+scim.SchemaRollcallEntitlement+`:parent","value":"DE"}`)
	wantCode(t, "a circle", err, 400, "circle")
}

func TestWhatIsInUseStays(t *testing.T) {
	f := newFixture(t)
	del := func(typ scim.TypeName, id string) error {
		return f.resources.Delete(t.Context(), f.admin.Caller, f.registry.Type(typ), id, scim.Precondition{})
	}
	role := f.create(typeRole, `"value":"Auditor"`)
	occ := f.create(typeOccupation, `"value":"nurse","aliases":["RN"]`)
	ent := f.create(typeEntitlement, `"value":"pricing"`)
	u := f.create(typeUser, `"userName":"ann","roles":[{"value":"auditor"}],"entitlements":[{"value":"pricing:read"}],"`+scim.SchemaRollcallUser+`":{"occupation":"rn"}`)
	for typ, id := range map[scim.TypeName]string{typeRole: role, typeOccupation: occ, typeEntitlement: ent} {
		wantCode(t, string(typ), del(typ, id), 409, "in_use")
	}
	doc := f.get(typeRole, role)
	if doc["totalAssignmentsUsed"] != int64(1) || doc["limitedAssignmentsPermitted"] != false {
		t.Errorf("role %v", doc)
	}
	if n := f.get(typeOccupation, occ)["userCount"]; n != int64(1) {
		t.Errorf("%v people have the occupation", n)
	}
	if n := f.get(typeEntitlement, ent)["totalAssignmentsUsed"]; n != int64(1) {
		t.Errorf("%v people have the module", n)
	}
	if got := f.search(typeRole, `totalAssignmentsUsed gt 0`, ""); !slices.Equal(got, []string{role}) {
		t.Errorf("roles in use: %v", got)
	}
	if err := del(typeUser, u); err != nil {
		t.Fatal(err)
	}
	for typ, id := range map[scim.TypeName]string{typeRole: role, typeOccupation: occ, typeEntitlement: ent} {
		if err := del(typ, id); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// Filters on what is computed are answered from what is stored; they find what looking at each user finds.
func TestFiltersOnGrantsAgreeWithGrants(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(1, 2))
	f.create(typeRole, `"value":"auditor","`+scim.SchemaRollcallRole+`":{"permissions":["audit.read","forms.own.view"],"orgAdmin":true}`)
	f.create(typeOccupation, `"value":"nurse","aliases":["RN"],"permissions":["charts.read","forms.own.*"],"modulesDefault":["wards:read"]`)
	f.create(typeOccupation, `"value":"doctor","display":"Physician","permissions":["charts.*"]`)
	f.create(typeEntitlement, `"value":"wards"`)
	f.create(typeEntitlement, `"value":"pricing","`+scim.SchemaRollcallEntitlement+`":{"adminOnly":true}`)
	f.create(typeEntitlement, `"value":"emea","type":"subAccount"`)
	for name, g := range map[string]GroupGrant{
		"managers": {Roles: []string{"manager"}}, "admins": {Roles: []string{"Admin"}, Entitlements: []string{"pricing:read"}},
		"clinic": {Occupation: "doctor", Entitlements: []string{"module:wards"}},
	} {
		id := f.create(typeGroup, `"displayName":"`+name+`"`)
		if _, err := f.SetGroupGrant(t.Context(), f.admin, id, g); err != nil {
			t.Fatal(err)
		}
	}
	groups := f.search(typeGroup, `displayName pr`, "")
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for i := range 120 {
		var parts []string
		var roles []string
		for range r.IntN(3) {
			roles = append(roles, `{"value":"`+pick("owner", "ADMIN", "manager", "member", "agent", "auditor", "wizard")+`"}`)
		}
		parts = append(parts, fmt.Sprintf(`"userName":"u%d","active":%v,"roles":[%s]`, i, r.IntN(4) > 0, strings.Join(roles, ",")))
		if r.IntN(2) == 0 {
			parts = append(parts, `"entitlements":[{"value":"`+pick("wards", "wards:read", "module:pricing", "pricing", "emea", "gone")+`","type":"`+pick("module", "subAccount", "MODULE", "")+`"}]`)
		}
		ext := `"occupation":"` + pick("nurse", "rn", "Physician", "seer") + `"`
		if r.IntN(3) == 0 {
			ext += `,"expiresAt":"` + pick("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z") + `"`
		}
		if r.IntN(3) > 0 {
			parts = append(parts, `"`+scim.SchemaRollcallUser+`":{`+ext+`}`)
		}
		id := f.create(typeUser, strings.Join(parts, ","))
		for _, g := range groups {
			if r.IntN(5) == 0 {
				if err := f.tryPatch(typeGroup, g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	users := f.search(typeUser, "userName pr", "")
	docs := map[string]scim.Attributes{}
	for _, id := range users {
		docs[id] = f.get(typeUser, id)
	}
	u := scim.SchemaRollcallUser + ":"
	for _, text := range []string{
		`effectivePermissions eq "forms.own.*"`, `effectivePermissions eq "charts.read"`, `effectivePermissions ne "product.use"`,
		`effectivePermissions sw "forms"`, `effectivePermissions pr`, `not (effectivePermissions co "own")`, `effectivePermissions eq "nothing"`,
		`effectiveModules pr`, `effectiveModules.value eq "WARDS"`, `effectiveModules.value eq "pricing"`, `effectiveModules.value ne "wards"`,
		`effectiveModules[value eq "wards" and level eq "read"]`, `effectiveModules.via eq "group"`,
		`accountType eq "admin"`, `accountType eq "affiliate"`, `accountType ne "Admin"`, `accountType pr`, `accountType co "ff"`,
		`status eq "deactivated"`, `status ne "deactivated"`, `accountType eq "admin" and status eq "active"`,
		`subAccounts.value eq "emea"`, `profileCompleteness gt 10`,
	} {
		full := text
		for _, name := range []string{"effectivePermissions", "effectiveModules", "accountType", "status", "subAccounts", "profileCompleteness"} {
			full = strings.ReplaceAll(full, name, u+name)
		}
		where, err := filter.CompileText(f.registry.Type(typeUser), full, filter.Options{Limits: filter.DefaultLimits()})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, id := range users {
			if query.Match(where, docs[id]) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		got := f.search(typeUser, full, "")
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %d, want %d", text, len(got), len(want))
		}
		if text != `effectivePermissions eq "nothing"` && len(want) == 0 {
			t.Errorf("%s: the sample has none", text)
		}
	}
	byType := f.search(typeUser, "userName pr", u+"accountType")
	ordered := slices.IsSortedFunc(byType, func(a, b string) int {
		kind := func(id string) string {
			return docs[id][scim.SchemaRollcallUser].(scim.Attributes)["accountType"].(string)
		}
		return strings.Compare(kind(a), kind(b))
	})
	if !ordered || len(byType) != len(users) {
		t.Error("not sorted by account type")
	}
}

func TestUnknownOccupation(t *testing.T) {
	f := newFixture(t)
	decide := func(what, fallback string) {
		t.Helper()
		_, _, err := f.ChangeSettings(t.Context(), f.admin, 0, func(v *Settings) error {
			v.Occupation.Unknown, v.Occupation.Default = what, fallback
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.create(typeOccupation, `"value":"nurse"`)
	person := func(name, occupation string) (string, error) {
		r, err := f.tryCreate(typeUser, `"userName":"`+name+`","roles":[{"value":"Wizard"}],"`+scim.SchemaRollcallUser+`":{"occupation":"`+occupation+`"}`)
		if err != nil {
			return "", err
		}
		return f.get(typeUser, r.ID)[scim.SchemaRollcallUser].(scim.Attributes)["occupation"].(string), nil
	}
	if got, err := person("a", "Seer"); got != "Seer" || err != nil {
		t.Errorf("kept as text: %q, %v", got, err)
	}
	list, more, err := f.UnknownValues(t.Context(), f.admin)
	if err != nil || more || len(list) != 2 || list[0].Value != "Seer" || list[1].Value != "Wizard" || len(list[0].Users) != 1 {
		t.Errorf("unknown: %+v, more %v, %v", list, more, err)
	}
	decide("reject", "")
	_, err = person("b", "Seer")
	wantCode(t, "rejected", err, 400, "unknown_occupation")
	if got, err := person("c", "NURSE"); got != "NURSE" || err != nil {
		t.Errorf("known in another case: %q, %v", got, err)
	}
	decide("mapToDefault", "Nurse")
	if got, err := person("d", "Seer"); got != "nurse" || err != nil {
		t.Errorf("mapped: %q, %v", got, err)
	}
	decide("create", "")
	if got, err := person("e", "Baker"); got != "Baker" || err != nil {
		t.Errorf("created: %q, %v", got, err)
	}
	for _, name := range []string{"Seer", "baker"} {
		if got := f.search(typeOccupation, `value eq "`+name+`"`, ""); len(got) != 1 {
			t.Errorf("%d occupations %s", len(got), name)
		}
	}
}

func TestPersonSubject(t *testing.T) {
	f := newFixture(t)
	for roles, want := range map[string]Kind{
		`{"value":"owner"}`: KindOwner, `{"value":"admin"},{"value":"agent"}`: KindAdmin, `{"value":"manager"}`: KindManager,
		`{"value":"guest"}`: KindMember, ``: KindMember,
	} {
		id := f.create(typeUser, `"userName":"`+string(want)+roles[:min(len(roles), 1)]+`x","roles":[`+roles+`]`)
		sub, err := f.PersonSubject(t.Context(), scim.Caller{Org: f.org}, id)
		if err != nil || sub.Kind != want || sub.User != id {
			t.Errorf("%s: %+v, %v", roles, sub, err)
		}
	}
	id := f.create(typeUser, `"userName":"gone","active":false,"roles":[{"value":"owner"}]`)
	_, err := f.PersonSubject(t.Context(), scim.Caller{Org: f.org}, id)
	wantCode(t, "deactivated", err, 403, "deactivated")
	_, err = f.PersonSubject(t.Context(), scim.Caller{Org: "00000000-0000-4000-8000-00000000ffff"}, id)
	wantCode(t, "of another organization", err, 404, "not_found")
}
