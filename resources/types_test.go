package resources_test

import (
	"slices"
	"testing"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Every attribute that is described has a sentence, and what can be filtered can: the definitions stand for
// themselves.
func TestEveryAttributeIsDescribed(t *testing.T) {
	reg, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	var each func(rt *schema.ResourceType, prefix string, list []*schema.Attribute)
	each = func(rt *schema.ResourceType, prefix string, list []*schema.Attribute) {
		for _, a := range list {
			path := prefix + a.Name
			if a.Description == "" {
				t.Errorf("%s: %s has no description", rt.Name, path)
			}
			if a.Kind == query.Reference && len(a.ReferenceTypes) == 0 {
				t.Errorf("%s: %s refers to nothing", rt.Name, path)
			}
			if _, err := filter.CompileText(rt, path+" pr", filter.Options{}); err != nil && a.Readable() {
				t.Errorf("%s: %s pr: %v", rt.Name, path, err)
			}
			each(rt, path+".", a.Sub)
		}
	}
	for _, rt := range reg.Types()[2:] {
		each(rt, "", rt.Schema.Attributes)
		for _, e := range rt.Extensions {
			each(rt, e.URN+":", e.Attributes)
		}
	}
	user := reg.Type("User")
	each(user, scim.SchemaRollcallUser+":", user.Extensions[1].Attributes)
}

// What the server writes cannot be written by clients: ignored in a body, refused by a path (RFC 7643 2.2).
func TestServersOwnAttributes(t *testing.T) {
	f := newFixture(t)
	const ext = scim.SchemaRollcallUser
	u := f.create("User", `"userName":"ann","`+ext+`":{"occupation":"Nurse","accountType":"admin","clientCount":3,
		"effectivePermissions":["a"],"deactivation":{"at":"2026-01-01T00:00:00Z","reason":"leave"}}`)
	x := f.attrs(u)[ext].(scim.Attributes)
	if len(x) != 2 || !scim.Equal(x["deactivation"], scim.Attributes{"reason": "leave"}) {
		t.Errorf("stored %v of what is readOnly", x)
	}
	i := f.create("Invite", `"email":"bob@example.com","status":"accepted","uses":4,"seatHeld":true,"acceptedUser":{"value":"1"}`)
	if a := f.attrs(i); len(a) != 2 {
		t.Errorf("stored %v of an invite", a)
	}
	for typ, paths := range map[string][]string{
		"User": {
			ext + ":accountType", ext + ":status", ext + ":origin", ext + ":managedBy", ext + ":managedBy.value", ext + ":effectiveModules",
			ext + ":effectivePermissions", ext + ":subAccounts", ext + ":clients", ext + ":clientCount", ext + ":emailVerified",
			ext + ":deactivation.at", ext + ":deactivation.by",
		},
		"Invite":      {"status", "sentAt", "acceptedUser", "acceptedUser.value", "inviter", "uses", "mail.state", "reason", "supersedes"},
		"JoinRequest": {"status", "requester", "decision.note", "grant.roles", "result", "expiresAt", "signals"},
		"Role":        {"totalAssignmentsUsed", "limitedAssignmentsPermitted", scim.SchemaRollcallRole + ":system"},
		"Entitlement": {"contains", "containedBy", "totalAssignmentsPermitted"},
		"Occupation":  {"userCount"},
	} {
		for _, p := range paths {
			_, err := patch.Compile(f.typ(typ), f.patchBody(`{"op":"replace","path":"`+p+`","value":"x"}`), patch.Options{})
			wantError(t, typ+" "+p, err, 400, scim.TypeMutability)
		}
	}
	_, err := f.tryPatch(f.caller("strict"), "Invite", i.ID, "", `{"op":"replace","path":"email","value":"eve@example.com"}`)
	wantError(t, "an immutable address", err, 400, scim.TypeMutability)
}

// What administrators and the server wrote outlives the PUT of an identity provider that knows nothing of it.
func TestReplaceKeepsWhatIsNotTheClients(t *testing.T) {
	f := newFixture(t)
	const ext = scim.SchemaRollcallUser
	u := f.create("User", `"userName":"ann","`+ext+`":{"occupation":"Nurse","expiresAt":"2027-01-01T00:00:00Z","deactivation":{"reason":"leave"}}`)
	_, _, err := f.store.Update(t.Context(), storage.Key{Org: f.org, Type: "User", ID: u.ID}, f.clock.Now(), func(storage.Current) (*storage.Edit, error) {
		doc := f.attrs(u)
		x := doc[ext].(scim.Attributes)
		x["accountType"] = "admin"
		x["deactivation"].(scim.Attributes)["by"] = "u1"
		return &storage.Edit{Doc: doc, Unique: f.typ("User").UniqueKeys(doc), Change: storage.Change{Op: storage.OpPatch}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	leave := scim.Attributes{"reason": "leave", "by": "u1"}
	for _, step := range []struct {
		name string
		do   func() *scim.Resource
		want scim.Attributes
	}{
		{"PUT without the extension", func() *scim.Resource {
			return f.replace("User", u.ID, `"userName":"ann"`)
		}, scim.Attributes{"accountType": "admin", "expiresAt": "2027-01-01T00:00:00Z", "deactivation": leave}},
		{"PUT with null", func() *scim.Resource {
			return f.replace("User", u.ID, `"userName":"ann","`+ext+`":{"EXPIRESAT":null,"occupation":"Nurse"}`)
		}, scim.Attributes{"accountType": "admin", "occupation": "Nurse", "deactivation": leave}},
		{"PATCH that removes the extension", func() *scim.Resource {
			return f.patch("User", u.ID, `{"op":"remove","path":"`+ext+`"}`)
		}, scim.Attributes{"accountType": "admin"}},
	} {
		if got := f.attrs(step.do())[ext]; !scim.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

func TestLifecycleTypesAreSearched(t *testing.T) {
	f := newFixture(t)
	const ext = scim.SchemaRollcallUser
	u := f.create("User", `"userName":"ann","roles":[{"value":"Admin"}],"`+ext+`":{"occupation":"Nurse"}`)
	i := f.create("Invite", `"email":"Bob@Example.com","roles":[{"value":"member"}]`)
	r := f.create("Role", `"value":"member","`+scim.SchemaRollcallRole+`":{"rank":40,"permissions":["forms.own.*"]}`)
	o := f.create("Occupation", `"value":"nurse","aliases":["RN","Sister"]`)
	e := f.create("Entitlement", `"value":"pricing","type":"module","`+scim.SchemaRollcallEntitlement+`":{"adminOnly":true}`)
	for _, c := range []struct{ typ, path, value, want string }{
		{"User", ext + ":occupation", "NURSE", u.ID},
		{"User", "roles.value", "admin", u.ID},
		{"Invite", "email", "bob@example.com", i.ID},
		{"Invite", "roles.value", "member", i.ID},
		{"Role", "value", "MEMBER", r.ID},
		{"Role", scim.SchemaRollcallRole + ":permissions", "forms.own.*", r.ID},
		{"Occupation", "aliases", "rn", o.ID},
		{"Entitlement", "type", "module", e.ID},
	} {
		if got := f.find(c.typ, c.path, c.value); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s %s eq %q: %v, want %s", c.typ, c.path, c.value, got, c.want)
		}
	}
	for typ, attrs := range map[string]string{"Role": `"value":"Member"`, "Occupation": `"value":"NURSE"`, "Entitlement": `"value":"Pricing"`} {
		_, err := f.tryCreate(f.caller("strict"), typ, attrs)
		wantError(t, "a second "+typ, err, 409, scim.TypeUniqueness)
	}
	f.create("Invite", `"email":"bob@example.com"`) // not unique by itself: invites that ended keep their address
}
