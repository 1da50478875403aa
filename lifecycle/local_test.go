package lifecycle

import (
	"maps"
	"slices"
	"testing"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// replace is a PUT of a client.
func (f *fixture) replace(token, id string, attrs scim.Attributes, null ...string) scim.Attributes {
	f.Helper()
	doc := &schema.Document{Attrs: scim.Attributes{"schemas": []any{scim.SchemaUser}, "active": true}, Null: null}
	maps.Copy(doc.Attrs, attrs)
	if _, err := f.resources.Replace(f.Context(), f.provisioner(token), f.registry.Type(typeUser), id, scim.Precondition{}, doc, query.Load{}); err != nil {
		f.Fatal(err)
	}
	return f.user(id)
}

func (f *fixture) roles(doc scim.Attributes) []string {
	var keys []string
	for _, r := range list(doc["roles"]) {
		el, _ := r.(scim.Attributes)
		keys = append(keys, text(el["value"]))
	}
	slices.Sort(keys)
	return keys
}

// TestReplacementKeepsWhatAdministratorsGave: a client that replaces a person with each sync takes away neither a role nor
// an occupation that it never gave; what it gave, what it names, and what it sets to null it does.
func TestReplacementKeepsWhatAdministratorsGave(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.admin.Actor.Kind = actorApp
		if err := f.EnsureCatalogue(t.Context(), f.org); err != nil {
			t.Fatal(err)
		}
		idp := f.connection("IdP")
		id := f.scimUserOf(idp, "ann@example.com")
		ann := scim.Attributes{"userName": "ann@example.com", "title": "Nurse"}
		ofClient := []any{scim.Attributes{"value": "guest"}}
		want := func(what string, doc scim.Attributes, roles ...string) {
			t.Helper()
			if got := f.roles(doc); !slices.Equal(got, roles) {
				t.Errorf("%s: roles %v, want %v", what, got, roles)
			}
		}
		give := func(roles ...string) {
			t.Helper()
			if _, err := f.ChangeRole(t.Context(), f.admin, id, scim.Precondition{}, RoleChange{Roles: roles}); err != nil {
				t.Fatal(err)
			}
		}
		with := func(more scim.Attributes) scim.Attributes {
			attrs := maps.Clone(ann)
			maps.Copy(attrs, more)
			return attrs
		}
		give(RoleManager)
		want("left out", f.replace(idp, id, ann), RoleManager)
		want("beside the client's", f.replace(idp, id, with(scim.Attributes{"roles": ofClient})), "guest", RoleManager)
		want("the client's is taken by the client", f.replace(idp, id, ann), RoleManager)
		if doc := f.replace(idp, id, scim.Attributes{"userName": "ann@example.com"}); doc["title"] != nil {
			t.Errorf("the client's own title stays: %v", doc["title"])
		}
		want("null", f.replace(idp, id, ann, "roles"))
		want("gone for good", f.replace(idp, id, ann))

		give(RoleManager)
		_, err := f.ChangeConnection(t.Context(), f.admin, idp, scim.Precondition{}, func(_ *string, r *ConnectionRules) error {
			r.Policy = policyShared
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want("shared: the last writer wins", f.replace(idp, id, ann))
	})
}

// TestAdoptedKeepWhatTheyCameWith: the profile of an invitee whom a client takes over stays where the client says nothing.
func TestAdoptedKeepWhatTheyCameWith(t *testing.T) {
	f := newInviteFixture(t)
	f.prove("corp.example")
	o := f.invite(Invite{
		Email: "ann@corp.example", Name: &Name{GivenName: "Ann"}, Roles: []Ref{{Value: RoleManager}}, Profile: Profile{Title: "Nurse"},
	})
	in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "ann@corp.example")})
	if err != nil {
		t.Fatal(err)
	}
	doc := f.replace(f.connection("IdP"), in.User, scim.Attributes{"userName": "ann@corp.example", "displayName": "Ann Lee"})
	name, _ := doc["name"].(scim.Attributes)
	if doc["title"] != "Nurse" || name["givenName"] != "Ann" || doc["displayName"] != "Ann Lee" || !slices.Equal(f.roles(doc), []string{RoleManager}) {
		t.Errorf("%v", doc)
	}
	doc = f.replace(manager(doc), in.User, scim.Attributes{"userName": "ann@corp.example"})
	if doc["displayName"] != nil || doc["title"] != "Nurse" {
		t.Errorf("%v", doc)
	}
}

// TestSamePersonByAnotherName: a client cannot make somebody a second time whose address came another way.
func TestSamePersonByAnotherName(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com"})
	if _, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "ann@example.com")}); err != nil {
		t.Fatal(err)
	}
	create := func(name, address string) error {
		doc := &schema.Document{Attrs: scim.Attributes{
			"schemas": []any{scim.SchemaUser}, "userName": name, "emails": []any{scim.Attributes{"value": address}},
		}}
		_, err := f.resources.Create(f.Context(), f.provisioner("idp"), f.registry.Type(typeUser), doc, query.Load{})
		return err
	}
	wantCode(t, "under another name", create("ann@corp.onmicrosoft.com", "Ann@Example.com"), 409, "")
	if err := create("bob@corp.onmicrosoft.com", "bob@example.com"); err != nil {
		t.Error(err)
	}
	if err := create("bobby@corp.onmicrosoft.com", "bob@example.com"); err != nil {
		t.Errorf("addresses of people whom clients made are theirs to share: %v", err)
	}
}
