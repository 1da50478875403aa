package lifecycle

import (
	"maps"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// scimUser makes a user as a provisioning client does.
func (f *fixture) scimUser(name string, more scim.Attributes) string {
	f.Helper()
	doc := &schema.Document{Attrs: scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": name, "active": true}}
	maps.Copy(doc.Attrs, more)
	r, err := f.resources.Create(f.Context(), f.provisioner("idp"), f.registry.Type(typeUser), doc, query.Load{})
	if err != nil {
		f.Fatal(err)
	}
	return r.ID
}

// scimUserOf is scimUser for a token of its own.
func (f *fixture) scimUserOf(token, name string) string {
	f.Helper()
	doc := &schema.Document{Attrs: scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": name, "active": true}}
	r, err := f.resources.Create(f.Context(), f.provisioner(token), f.registry.Type(typeUser), doc, query.Load{})
	if err != nil {
		f.Fatal(err)
	}
	return r.ID
}

func (f *fixture) access(id string) Access {
	f.Helper()
	a, err := f.CheckAccess(f.Context(), f.admin, id)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

func (f *fixture) sweepMembers() {
	f.Helper()
	if err := f.SweepMembers(f.Context(), f.org); err != nil {
		f.Fatal(err)
	}
}

func TestLeaveEndsByItself(t *testing.T) {
	f := newFixture(t)
	id := f.scimUser("ann@example.com", nil)
	until := f.clock.Now().Add(time.Hour)
	if _, err := f.Deactivate(t.Context(), f.admin, id, 0, Deactivation{Reason: ReasonLeave, Until: until}); err != nil {
		t.Fatal(err)
	}
	f.sweepMembers()
	if a := f.access(id); a != AccessDeactivated {
		t.Fatalf("before the end of the leave: %s", a)
	}
	f.clock.Advance(time.Hour)
	f.sweepMembers()
	if a := f.access(id); a != AccessActive {
		t.Errorf("after the end of the leave: %s", a)
	}
}

func TestMembershipEnds(t *testing.T) {
	f := newFixture(t)
	end := scim.FormatTime(f.clock.Now().Add(time.Hour))
	id := f.scimUser("bob@example.com", scim.Attributes{scim.SchemaRollcallUser: scim.Attributes{"expiresAt": end}})
	if a := f.access(id); a != AccessActive {
		t.Fatalf("before the end: %s", a)
	}
	f.clock.Advance(time.Hour)
	if a := f.access(id); a != AccessDeactivated { // whether or not somebody has swept
		t.Errorf("at the end: %s", a)
	}
	f.sweepMembers()
	p, _, err := f.person(t.Context(), f.org, id)
	if err != nil || p.Doc["active"] != false {
		t.Errorf("after the sweep: active %v, %v", p.Doc["active"], err)
	}
}

func TestLastOwnerStays(t *testing.T) {
	f := newFixture(t)
	owner := scim.Attributes{"roles": []any{scim.Attributes{"value": RoleOwner}}}
	a, b := f.scimUser("a@example.com", owner), f.scimUser("b@example.com", owner)
	if _, err := f.Deactivate(t.Context(), f.admin, a, 0, Deactivation{}); err != nil {
		t.Fatal(err)
	}
	_, err := f.Deactivate(t.Context(), f.admin, b, 0, Deactivation{})
	wantCode(t, "the last owner", err, 409, "last_owner")
	wantCode(t, "the last owner, erased", f.Erase(t.Context(), f.admin, b, "b@example.com"), 409, "last_owner")
}

func TestRetentionEnds(t *testing.T) {
	f := newFixture(t)
	id := f.scimUser("ann@example.com", nil)
	st, err := f.RemovalEffects(t.Context(), f.admin)
	if err != nil {
		t.Fatal(err)
	}
	r := Removal{EffectsVersion: st.Version, Confirm: "ann@example.com"}
	for _, s := range st.Statements {
		r.Acknowledge = append(r.Acknowledge, s.ID)
	}
	if err := f.Remove(t.Context(), f.admin, id, 0, r); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(30 * 24 * time.Hour)
	f.sweepMembers()
	left, err := load[tombstone](t.Context(), f.store, tombstoneKey(f.org, id))
	if err != nil || left == nil || left.Value.Profile != "" {
		t.Fatalf("after the retention: %+v, %v", left, err)
	}
	_, err = f.Restore(t.Context(), f.admin, id)
	wantCode(t, "restore", err, 410, "retention_over")
	if name, err := f.NameOf(t.Context(), f.admin, id); err != nil || name != "ann@example.com" {
		t.Errorf("the name is %q, %v", name, err)
	}
}

// TestNobodyComesBackByAnOldLink: a link for several people outlives the removal of one whom it let in.
func TestNobodyComesBackByAnOldLink(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Kind: kindLink, MaxUses: 5, Delivery: deliverLink})
	link := InviteLink{"acme", o.Invite, o.Token}
	accept := func(name string) (*Accepted, error) {
		l := &Login{Issuer: "i", Subject: name, Email: name + "@example.com", EmailVerified: true}
		return f.AcceptInvite(t.Context(), Visitor{Login: l}, Acceptance{InviteLink: link, Email: l.Email})
	}
	ann, err := accept("ann")
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	if err := f.Erase(t.Context(), f.admin, ann.User, "someone else"); err == nil {
		t.Fatal("erased without a confirmation")
	}
	st, err := f.RemovalEffects(t.Context(), f.admin)
	if err != nil {
		t.Fatal(err)
	}
	r := Removal{EffectsVersion: st.Version}
	for _, s := range st.Statements {
		r.Acknowledge = append(r.Acknowledge, s.ID)
	}
	if err := f.Remove(t.Context(), f.admin, ann.User, 0, r); err != nil {
		t.Fatal(err)
	}
	_, err = accept("ann")
	wantCode(t, "the link again", err, 410, "removed_since")
	if a := f.access(ann.User); a != AccessRevoked {
		t.Errorf("access: %s", a)
	}
	if _, err := accept("bob"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// TestReturnMeetsAnotherOfTheName: the client's person comes back under a userName that an inactive user has, whom the
// profile re-activates instead. The check of the write must work with what was prepared for it, whatever its rules keep.
func TestReturnMeetsAnotherOfTheName(t *testing.T) {
	f := newFixture(t)
	p, err := compat.Lookup("okta")
	if err != nil {
		t.Fatal(err)
	}
	c := scim.Caller{Org: f.org, Actor: scim.Actor{Kind: actorToken, ID: "idp", Name: "idp"}, Compat: compat.NewSession(p)}
	rt := f.registry.Type(typeUser)
	gone := f.scimUser("ann@example.com", scim.Attributes{"externalId": "e1"})
	if err := f.resources.Delete(t.Context(), c, rt, gone, scim.Precondition{}); err != nil {
		t.Fatal(err)
	}
	other := f.scimUser("ann@example.com", scim.Attributes{"active": false})
	doc := &schema.Document{Attrs: scim.Attributes{
		"schemas": []any{scim.SchemaUser, scim.SchemaRollcallUser}, "userName": "ann@example.com", "externalId": "e1", "active": true,
		scim.SchemaRollcallUser: scim.Attributes{"occupation": "Nurse"},
	}}
	got, err := f.resources.Create(t.Context(), c, rt, doc, query.Load{})
	if err != nil || got.ID != other {
		t.Fatalf("%+v, %v; want the user %s, active again", got, err, other)
	}
	if a := f.access(gone); a != AccessRevoked {
		t.Errorf("whom the client deleted is %s", a)
	}
}
