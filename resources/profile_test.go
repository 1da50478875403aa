package resources_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
)

// TestUniqueGroupName: Entra matches groups by name, so a second one of that name would never be managed.
func TestUniqueGroupName(t *testing.T) {
	f := newFixture(t)
	f.group("team")
	f.group("team") // strict: names are not unique

	entra := f.caller("entra")
	first, err := f.tryCreate(entra, "Group", `"displayName":"Sales"`)
	if err != nil || len(entra.Compat.Used()) != 0 {
		t.Fatalf("create: %v, used %v", err, entra.Compat.Used())
	}
	if got := f.find("Group", "displayName", "SALES"); !slices.Equal(got, []string{first.ID}) {
		t.Errorf("found %v by displayName, want %s", got, first.ID)
	}
	_, err = f.tryCreate(entra, "Group", `"displayName":"sales"`)
	if e := wantError(t, "second", err, 409, scim.TypeUniqueness); e.Path != "displayName" {
		t.Errorf("the error is about %q", e.Path)
	}
	if !slices.Equal(entra.Compat.Used(), []compat.Rule{compat.UniqueGroupName}) {
		t.Errorf("used %v", entra.Compat.Used())
	}
	other, err := f.tryCreate(f.caller("entra"), "Group", `"displayName":"Other"`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.tryPatch(f.caller("entra"), "Group", other.ID, "", `{"op":"replace","path":"displayName","value":"SALES"}`)
	wantError(t, "rename", err, 409, scim.TypeUniqueness)
	if _, err := f.tryPatch(f.caller("entra"), "Group", first.ID, "", `{"op":"replace","path":"displayName","value":"SALES"}`); err != nil {
		t.Errorf("a group's own name in another case: %v", err)
	}
	if err := f.tryDelete("Group", first.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.tryCreate(f.caller("entra"), "Group", `"displayName":"Sales"`); err != nil {
		t.Errorf("the name of a deleted group: %v", err)
	}
}

func TestReactivateOnCreate(t *testing.T) {
	f := newFixture(t)
	gone := f.create("User", `"userName":"Ann","active":false,"title":"x","externalId":"1"`)
	g := f.group("g", gone.ID)

	_, err := f.tryCreate(f.caller("auto"), "User", `"userName":"ann"`)
	wantError(t, "without the rule", err, 409, scim.TypeUniqueness)

	okta := f.caller("okta")
	f.clock.Tick()
	r, err := f.tryCreate(okta, "User", `"userName":"ann","active":true,"nickName":"A","password":"correct horse"`)
	if err != nil {
		t.Fatal(err)
	}
	want := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": "ann", "active": true, "nickName": "A"}
	if d := cmp.Diff(want, f.attrs(r)); d != "" || r.ID != gone.ID || r.Version != 2 || !r.Created.Equal(gone.Created) {
		t.Errorf("re-activated as %+v (-want +got):\n%s", r, d)
	}
	if len(r.Groups) != 1 || r.Groups[0].ID != g.ID {
		t.Errorf("the memberships did not stay: %v", r.Groups)
	}
	if !verify(t, f.secret(r.ID), "correct horse") {
		t.Error("the password was not set")
	}
	if !slices.Equal(okta.Compat.Used(), []compat.Rule{compat.ReactivateOnCreate}) {
		t.Errorf("used %v", okta.Compat.Used())
	}
	again := f.caller("okta")
	_, err = f.tryCreate(again, "User", `"userName":"ann"`)
	wantError(t, "an active user", err, 409, scim.TypeUniqueness)
	f.patch("User", r.ID, `{"op":"replace","path":"active","value":false}`)
	_, err = f.tryCreate(again, "User", `"userName":"ann","active":false`)
	wantError(t, "a creation that is not active", err, 409, scim.TypeUniqueness)
	if used := again.Compat.Used(); len(used) != 0 {
		t.Errorf("refused, but used %v", used)
	}
}

func TestUnpackRoleJSON(t *testing.T) {
	f := newFixture(t)
	const packed = `"roles":[{"primary":true,"value":"{\"id\":\"06b0\",\"value\":\"25\",\"displayName\":\"Role 25\"}"},{"value":"plain"},{"value":"{no json"}]`
	want := []any{
		scim.Attributes{"primary": true, "value": "25", "display": "Role 25"},
		scim.Attributes{"value": "plain"},
		scim.Attributes{"value": "{no json"},
	}
	c := f.caller("entra")
	r, err := f.tryCreate(c, "User", `"userName":"ann",`+packed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, f.attrs(r)["roles"]); d != "" {
		t.Errorf("created (-want +got):\n%s", d)
	}
	if !slices.Equal(c.Compat.Used(), []compat.Rule{compat.UnpackRoleJSON}) {
		t.Errorf("used %v", c.Compat.Used())
	}
	// Entra sends the same assignment in every cycle.
	c = f.caller("entra")
	got, err := f.tryPatch(c, "User", r.ID, "", `{"op":"add","path":"roles","value":[{"value":"{\"value\":\"25\",\"displayName\":\"Role 25\"}"}]}`)
	if err != nil || got.Version != 1 {
		t.Errorf("the same role again: %v, %+v", err, got)
	}
	if !slices.Equal(c.Compat.Used(), []compat.Rule{compat.UnpackRoleJSON}) {
		t.Errorf("PATCH used %v", c.Compat.Used())
	}
	if got, err = f.tryReplace(f.caller("entra"), "User", r.ID, "", `"userName":"ann",`+packed); err != nil || got.Version != 1 {
		t.Errorf("the same by PUT: %v, %+v", err, got)
	}
	asSent := f.create("User", `"userName":"bob",`+packed)
	if roles := f.attrs(asSent)["roles"].([]any); roles[0].(scim.Attributes)["value"] != `{"id":"06b0","value":"25","displayName":"Role 25"}` {
		t.Errorf("without the rule the value was not kept: %v", roles)
	}
}
