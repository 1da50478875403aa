package resources_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
)

func TestCreate(t *testing.T) {
	f := newFixture(t)
	r := f.create("User", `"userName":"Ann","name":{"givenName":"Ann","familyName":"Lee"},"urn:ietf:params:scim:schemas:extension:rollcall:2.0:User":{"occupation":"Nurse"}`)
	if r.Type != "User" || r.Version != 1 || !r.Created.Equal(f.clock.Now()) || !r.Modified.Equal(r.Created) {
		t.Errorf("created %+v", r)
	}
	want := scim.Attributes{
		"schemas": []any{scim.SchemaUser, scim.SchemaRollcallUser}, "userName": "Ann", "active": true,
		"name":                  scim.Attributes{"givenName": "Ann", "familyName": "Lee"},
		scim.SchemaRollcallUser: scim.Attributes{"occupation": "Nurse"},
	}
	if d := cmp.Diff(want, f.attrs(r)); d != "" {
		t.Errorf("document (-want +got):\n%s", d)
	}
	if got := f.get("User", r.ID); !cmp.Equal(got, r) {
		t.Errorf("what Get returns differs from what Create returned:\n%s", cmp.Diff(r, got))
	}
	if got := f.find("User", scim.SchemaRollcallUser+":occupation", "nURSE"); !slices.Equal(got, []string{r.ID}) {
		t.Errorf("occupation is not found ignoring case: %v", got)
	}
}

func TestCreateActive(t *testing.T) {
	f := newFixture(t)
	for name, want := range map[string]any{`"active":false`: false, `"active":true`: true, `"active":null`: nil, `"title":"x"`: true} {
		r := f.create("User", `"userName":"`+f.ids.New()+`",`+name)
		if got := f.attrs(r)["active"]; got != want {
			t.Errorf("created with %s: active is %v, want %v", name, got, want)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	f := newFixture(t)
	f.user("taken")
	for _, tt := range []struct {
		name, typ, attrs string
		status           int
		scimType         scim.ErrorType
		path             string
	}{
		{"no userName", "User", `"title":"x"`, 400, scim.TypeInvalidValue, "userName"},
		{"empty userName", "User", `"userName":""`, 400, scim.TypeInvalidValue, "userName"},
		{"taken", "User", `"userName":"taken"`, 409, scim.TypeUniqueness, "userName"},
		{"taken but for case", "User", `"userName":"TAKEN"`, 409, scim.TypeUniqueness, "userName"},
		{"empty password", "User", `"userName":"x","password":""`, 400, scim.TypeInvalidValue, "password"},
		{"no displayName", "Group", `"externalId":"x"`, 400, scim.TypeInvalidValue, "displayName"},
	} {
		_, err := f.tryCreate(f.caller("strict"), tt.typ, tt.attrs)
		if e := wantError(t, tt.name, err, tt.status, tt.scimType); e.Path != tt.path {
			t.Errorf("%s: the error is about %q, want %q", tt.name, e.Path, tt.path)
		}
	}
	if n := f.count("User") + f.count("Group"); n != 1 {
		t.Errorf("%d resources after refused creations, want 1", n)
	}
}

// TestLabel sees the label where it shows: in members.display.
func TestLabel(t *testing.T) {
	f := newFixture(t)
	for attrs, want := range map[string]string{
		`"userName":"u1"`: "u1",
		`"userName":"u2","name":{"familyName":"Lee"}`:                                            "Lee",
		`"userName":"u3","name":{"familyName":"Lee","givenName":"Ann"}`:                          "Ann Lee",
		`"userName":"u4","name":{"familyName":"Lee","formatted":"Dr Lee"}`:                       "Dr Lee",
		`"userName":"u5","name":{"familyName":"Lee","formatted":"Dr Lee"},"displayName":"Annie"`: "Annie",
	} {
		g := f.group("g", f.create("User", attrs).ID)
		if got := g.Members[0]; got.Display != want || got.Type != "User" {
			t.Errorf("%s: member %+v, want display %q", attrs, got, want)
		}
	}
	outer := f.group("outer", f.group("inner").ID)
	if got := outer.Members[0]; got.Display != "inner" || got.Type != "Group" {
		t.Errorf("member %+v, want the group inner", got)
	}
}

func TestReplace(t *testing.T) {
	f := newFixture(t)
	r := f.create("User", `"userName":"Ann","title":"x","nickName":"y","active":false,"password":"correct horse"`)
	before := f.secret(r.ID)

	got := f.replace("User", r.ID, `"userName":"Ann","title":"z"`)
	want := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": "Ann", "title": "z", "active": false}
	if d := cmp.Diff(want, f.attrs(got)); d != "" {
		t.Errorf("after PUT (-want +got):\n%s", d)
	}
	if got.Version != 2 || !got.Modified.Equal(f.clock.Now()) || !got.Created.Equal(r.Created) {
		t.Errorf("after PUT: %+v", got)
	}
	if f.secret(r.ID) != before {
		t.Error("a PUT without password changed it")
	}

	same := f.replace("User", r.ID, `"title":"z","userName":"Ann"`)
	if same.Version != 2 || !same.Modified.Equal(got.Modified) {
		t.Errorf("a PUT that changes nothing made version %d, modified %v", same.Version, same.Modified)
	}
	cleared := f.replace("User", r.ID, `"title":"z","userName":"Ann","active":null`)
	if _, has := f.attrs(cleared)["active"]; has || cleared.Version != 3 {
		t.Errorf("null did not clear active: %s", cleared.Doc)
	}
	if withPassword := f.replace("User", r.ID, `"title":"z","userName":"Ann","password":"correct horse"`); withPassword.Version != 4 {
		t.Errorf("a PUT with a password made version %d, want 4", withPassword.Version)
	}
	if f.secret(r.ID) == before {
		t.Error("a PUT with a password left the old hash")
	}
}

func TestReplaceRefuses(t *testing.T) {
	f := newFixture(t)
	f.user("taken")
	r := f.user("ann")
	c := f.caller("strict")
	for _, tt := range []struct {
		name, id, ifMatch, attrs string
		status                   int
		scimType                 scim.ErrorType
	}{
		{"unknown id", f.ids.New(), "", `"userName":"x"`, 404, ""},
		{"no id", "nope", "", `"userName":"x"`, 404, ""},
		{"id of a group", f.group("g").ID, "", `"userName":"x"`, 404, ""},
		{"other version", r.ID, `W/"2"`, `"userName":"x"`, 412, ""},
		{"no userName", r.ID, "", `"title":"x"`, 400, scim.TypeInvalidValue},
		{"taken", r.ID, "", `"userName":"Taken"`, 409, scim.TypeUniqueness},
	} {
		_, err := f.tryReplace(c, "User", tt.id, tt.ifMatch, tt.attrs)
		wantError(t, tt.name, err, tt.status, tt.scimType)
	}
	if got := f.get("User", r.ID); !cmp.Equal(got, r) {
		t.Errorf("refused PUTs changed the user:\n%s", cmp.Diff(r, got))
	}
	if got, err := f.tryReplace(c, "User", r.ID, `W/"1"`, `"userName":"Ann"`); err != nil || got.Version != 2 {
		t.Errorf("If-Match of the version: %v, %v", got, err)
	}
}

func TestReplaceMembers(t *testing.T) {
	f := newFixture(t)
	u, v := f.user("u"), f.user("v")
	g := f.group("g", u.ID, v.ID)
	if got := f.replace("Group", g.ID, `"displayName":"h"`); len(got.Members) != 2 {
		t.Errorf("a PUT without members left %v", got.Members)
	}
	if got := f.replace("Group", g.ID, `"displayName":"h","members":[{"value":"`+v.ID+`"}]`); len(got.Members) != 1 || got.Members[0].ID != v.ID || got.Version != 3 {
		t.Errorf("a PUT of one member left version %d of %v", got.Version, got.Members)
	}
	if got := f.replace("Group", g.ID, `"displayName":"h","members":[{"value":"`+v.ID+`"}]`); got.Version != 3 {
		t.Errorf("the same members made version %d", got.Version)
	}
	if got := f.replace("Group", g.ID, `"displayName":"h","members":[]`); len(got.Members) != 0 || got.Version != 4 {
		t.Errorf("[] left version %d of %v", got.Version, got.Members)
	}
}

func TestPatch(t *testing.T) {
	f := newFixture(t)
	r := f.create("User", `"userName":"ann","title":"x"`)
	got := f.patch("User", r.ID, `{"op":"replace","path":"title","value":"y"},{"op":"add","value":{"name":{"familyName":"Lee"}}}`)
	if a := f.attrs(got); got.Version != 2 || a["title"] != "y" || !cmp.Equal(a["name"], any(scim.Attributes{"familyName": "Lee"})) {
		t.Errorf("after PATCH: version %d of %s", got.Version, got.Doc)
	}
	same := f.patch("User", r.ID, `{"op":"replace","path":"title","value":"y"}`)
	if same.Version != 2 || !same.Modified.Equal(got.Modified) {
		t.Errorf("a PATCH that changes nothing made version %d, modified %v", same.Version, same.Modified)
	}
	n := len(f.changes())
	c := f.caller("strict")
	_, err := f.tryPatch(c, "User", r.ID, `W/"1"`, `{"op":"replace","path":"title","value":"z"}`)
	wantError(t, "other version", err, 412, "")
	_, err = f.tryPatch(c, "User", f.ids.New(), "", `{"op":"replace","path":"title","value":"z"}`)
	wantError(t, "unknown id", err, 404, "")
	_, err = f.tryPatch(c, "User", r.ID, "", `{"op":"replace","path":"title","value":"z"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b"}`)
	wantError(t, "no target", err, 400, scim.TypeNoTarget)
	_, err = f.tryPatch(c, "User", r.ID, "", `{"op":"replace","path":"userName","value":""}`)
	wantError(t, "empty userName", err, 400, scim.TypeInvalidValue)
	f.user("taken")
	_, err = f.tryPatch(c, "User", r.ID, "", `{"op":"replace","path":"userName","value":"TAKEN"}`)
	wantError(t, "taken", err, 409, scim.TypeUniqueness)
	if left := f.get("User", r.ID); !cmp.Equal(left, same) || len(f.changes()) != n+1 {
		t.Errorf("refused PATCHes changed the user:\n%s", cmp.Diff(same, left))
	}
}

func TestPatchMembers(t *testing.T) {
	f := newFixture(t)
	u, v := f.user("u"), f.user("v")
	g := f.group("g", u.ID)
	add := func(id string) *scim.Resource {
		return f.patch("Group", g.ID, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`)
	}
	if got := add(v.ID); got.Version != 2 || len(got.Members) != 2 {
		t.Errorf("after add: version %d of %v", got.Version, got.Members)
	}
	if got := add(v.ID); got.Version != 2 {
		t.Errorf("adding a member that is there made version %d", got.Version)
	}
	last := f.changes()
	if c := last[len(last)-1]; !slices.Equal(c.MembersAdded, []string{v.ID}) || len(c.Values) != 0 {
		t.Errorf("the change row of the add is %+v", c)
	}
	pending := f.ids.New()
	if got := add(pending); len(got.Members) != 3 {
		t.Errorf("a member that does not exist yet was not kept: %v", got.Members)
	}
	got := f.patch("Group", g.ID, `{"op":"remove","path":"members[value eq \"`+u.ID+`\"]"},{"op":"replace","path":"displayName","value":"h"}`)
	if got.Version != 4 || len(got.Members) != 2 || f.attrs(got)["displayName"] != "h" {
		t.Errorf("after remove and rename: version %d of %s with %v", got.Version, got.Doc, got.Members)
	}
	got = f.patch("Group", g.ID, `{"op":"remove","path":"members[type eq \"User\"]"}`)
	if len(got.Members) != 1 || got.Members[0].ID != pending || got.Members[0].Type != "" {
		t.Errorf("removing the users left %v, want the pending member", got.Members)
	}
	if got := f.patch("Group", g.ID, `{"op":"remove","path":"members"}`); len(got.Members) != 0 {
		t.Errorf("removing all left %v", got.Members)
	}
}

func TestDelete(t *testing.T) {
	f := newFixture(t)
	boss := f.user("boss")
	u := f.create("User", `"userName":"u","`+scim.SchemaEnterpriseUser+`":{"manager":{"value":"`+boss.ID+`"}}`)
	g := f.group("g", boss.ID, u.ID)
	wantError(t, "other version", f.tryDelete("User", boss.ID, `W/"7"`), 412, "")
	if err := f.tryDelete("User", boss.ID, `W/"1"`); err != nil {
		t.Fatal(err)
	}
	wantError(t, "again", f.tryDelete("User", boss.ID, ""), 404, "")
	_, err := f.svc.Get(t.Context(), f.caller("strict"), f.typ("User"), boss.ID, loadAll)
	wantError(t, "get", err, 404, "")
	if got := f.get("Group", g.ID); len(got.Members) != 1 || got.Version != 2 {
		t.Errorf("the group has version %d and members %v", got.Version, got.Members)
	}
	if got := f.get("User", u.ID); !cmp.Equal(got.Doc, u.Doc) {
		t.Errorf("the reference to the manager did not stay: %s", got.Doc)
	}
	if again := f.user("BOSS"); again.ID == boss.ID {
		t.Error("an id was used twice")
	}
}

// TestOtherOrganization: an id of another organization is an unknown id.
func TestOtherOrganization(t *testing.T) {
	f := newFixture(t)
	r := f.user("ann")
	other, err := f.svc.CreateOrganization(t.Context(), "other", "")
	if err != nil {
		t.Fatal(err)
	}
	home := f.org
	f.org = other.ID
	c := f.caller("strict")
	_, err = f.svc.Get(t.Context(), c, f.typ("User"), r.ID, loadAll)
	wantError(t, "get", err, 404, "")
	_, err = f.tryReplace(c, "User", r.ID, "", `"userName":"x"`)
	wantError(t, "replace", err, 404, "")
	_, err = f.tryPatch(c, "User", r.ID, "", `{"op":"replace","path":"title","value":"y"}`)
	wantError(t, "patch", err, 404, "")
	wantError(t, "delete", f.tryDelete("User", r.ID, ""), 404, "")
	if n := f.count("User"); n != 0 {
		t.Errorf("the other organization sees %d users", n)
	}
	f.user("ann") // and may have the same userName
	f.org = home
	if got := f.get("User", r.ID); !cmp.Equal(got, r) {
		t.Errorf("the user changed:\n%s", cmp.Diff(r, got))
	}
}
