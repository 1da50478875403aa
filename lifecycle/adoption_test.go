package lifecycle

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/storage"
)

// patchTitle is a PATCH of a client.
func (f *fixture) patchTitle(ctx context.Context, token, id, title string) error {
	f.Helper()
	body, err := scim.ParseJSON([]byte(`{"schemas": ["`+scim.MessagePatchOp+`"], "Operations": [{"op": "replace", "path": "title", "value": "`+title+`"}]}`), 10)
	if err != nil {
		f.Fatal(err)
	}
	plan, err := patch.Compile(f.registry.Type(typeUser), body, patch.Options{})
	if err != nil {
		f.Fatal(err)
	}
	_, err = f.resources.Patch(ctx, f.provisioner(token), f.registry.Type(typeUser), id, scim.Precondition{}, plan, query.Load{})
	return err
}

func (f *fixture) provisioner(token string) scim.Caller {
	return scim.Caller{Org: f.org, Actor: scim.Actor{Kind: actorToken, ID: token, Name: token}}
}

// connection makes one, and returns its id.
func (f *fixture) connection(name string) string {
	f.Helper()
	c, _, err := f.CreateConnection(f.Context(), f.admin, NewConnection{Name: name})
	if err != nil {
		f.Fatal(err)
	}
	return c.ID
}

func (f *fixture) openConflicts() []*Conflict {
	f.Helper()
	list, _, err := f.Conflicts(f.Context(), f.admin, ConflictQuery{Status: conflictOpen, Count: 100})
	if err != nil {
		f.Fatal(err)
	}
	return list
}

// TestOneConflict: of a client's many tries at once one opens the conflict, and of many administrators one decides it.
func TestOneConflict(t *testing.T) {
	onEachStore(t, oneConflict)
}

func oneConflict(t *testing.T, open func([]storage.Type) storage.Store) {
	f := fixtureOn(t, open)
	f.outbox = &letters{}
	o := f.invite(Invite{Email: "ann@example.com"})
	ann, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "ann@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	idp := f.connection("IdP")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var e *scim.Error
			if err := f.patchTitle(context.Background(), idp, ann.User, "Nurse"); !errors.As(err, &e) || e.Code != "waiting_for_confirmation" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list := f.openConflicts()
	if len(list) != 1 || list[0].User.Value != ann.User {
		t.Fatalf("%+v", list)
	}
	var (
		mu      sync.Mutex
		decided []string
	)
	for i := range 20 {
		wg.Go(func() {
			how := []string{"adopt", "decline"}[i%2]
			_, err := f.ResolveConflict(context.Background(), f.admin, list[0].ID, scim.Precondition{}, how, "")
			mu.Lock()
			defer mu.Unlock()
			var e *scim.Error
			switch {
			case err == nil:
				decided = append(decided, how)
			case !errors.As(err, &e) || e.Code != "already_decided":
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(decided) != 1 {
		t.Fatalf("decided %v", decided)
	}
	err = f.patchTitle(t.Context(), idp, ann.User, "Nurse")
	if adopted := decided[0] == "adopt"; adopted != (err == nil) {
		t.Errorf("decided %s, then %v", decided, err)
	}
}

// TestOwnersAreAsked: no proved domain hands an owner of the organization to a client.
func TestOwnersAreAsked(t *testing.T) {
	f := newInviteFixture(t)
	f.prove("corp.example")
	users := map[string]string{}
	for _, role := range []string{RoleOwner, RoleMember} {
		address := role + "@corp.example"
		o := f.invite(Invite{Email: address, Roles: []Ref{{Value: role}}})
		in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, address)})
		if err != nil {
			t.Fatal(err)
		}
		users[role] = in.User
	}
	idp := f.connection("IdP")
	if err := f.patchTitle(t.Context(), idp, users[RoleMember], "Nurse"); err != nil {
		t.Error(err)
	}
	wantCode(t, "an owner", f.patchTitle(t.Context(), idp, users[RoleOwner], "Boss"), 409, "waiting_for_confirmation")
	admin := f.admin
	admin.Kind, admin.Rank = KindAdmin, RankAdmin
	_, err := f.ResolveConflict(t.Context(), admin, f.openConflicts()[0].ID, scim.Precondition{}, "adopt", "")
	wantCode(t, "by somebody below", err, 403, "person_above_you")
}

// TestInviteeIsProvisionedMeanwhile: a client makes somebody who has an invite. Their invite ends with its grants on offer; who is
// faster closes it onto the user.
func TestInviteeIsProvisionedMeanwhile(t *testing.T) {
	f := newInviteFixture(t)
	f.prove("corp.example")
	f.admin.Actor.Kind = actorApp
	idp := f.connection("IdP")
	scimUser := func(name string) string {
		f.Helper()
		return f.scimUserOf(idp, name)
	}
	ann := f.invite(Invite{Email: "ann@corp.example", Roles: []Ref{{Value: RoleManager}}})
	bob := f.invite(Invite{Email: "bob@corp.example", Roles: []Ref{{Value: RoleManager}}})
	out := f.invite(Invite{Email: "eve@elsewhere.example"})
	annID, bobID := scimUser("ann@corp.example"), scimUser("bob@corp.example")
	scimUser("eve@elsewhere.example")
	in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(bob, "bob@corp.example")})
	if err != nil || in.User != bobID || !in.Existing {
		t.Fatalf("%+v, %v", in, err)
	}
	for range 2 { // again changes nothing
		if _, err := f.SweepArrivals(t.Context(), f.org); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{ann.Invite: inviteRevoked, bob.Invite: inviteAccepted, out.Invite: invitePending} {
		if i, err := load[Invite](t.Context(), f.store, inviteKey(f.org, id)); err != nil || i.Value.Status != want {
			t.Errorf("%+v, %v; want %s", i.Value, err, want)
		}
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(ann, "ann@corp.example")})
	wantCode(t, "the ended invite", err, 410, "invite_revoked")
	list := f.openConflicts()
	if len(list) != 1 || list[0].Kind != conflictGrants || list[0].User.Value != annID || !slices.Contains(list[0].Offered, "role:manager") {
		t.Fatalf("%+v", list)
	}
	if _, err := f.ResolveConflict(t.Context(), f.admin, list[0].ID, scim.Precondition{}, "grant", ""); err != nil {
		t.Fatal(err)
	}
	p, _, err := f.person(t.Context(), f.org, annID)
	if err != nil || !slices.Contains(p.Facts.Roles, RoleManager) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestStrictKeepsGrants: whom a strict connection provisions gets nothing by an invite, and is told what was dropped.
func TestStrictKeepsGrants(t *testing.T) {
	f := newInviteFixture(t)
	idp := f.connection("IdP")
	_, err := f.ChangeConnection(t.Context(), f.admin, idp, scim.Precondition{}, func(_ *string, r *ConnectionRules) error {
		r.Policy = policyStrict
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o := f.invite(Invite{Email: "ann@example.com", Roles: []Ref{{Value: RoleManager}}})
	id := f.scimUserOf(idp, "ann@example.com")
	in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "ann@example.com")})
	if err != nil || in.User != id || !slices.Contains(in.Dropped, "role:manager") {
		t.Fatalf("%+v, %v", in, err)
	}
	if p, _, err := f.person(t.Context(), f.org, id); err != nil || len(p.Facts.Roles) != 0 {
		t.Errorf("%+v, %v", p.Facts, err)
	}
}

// TestManagedDomainKeepsInvitesOut: what was handed out before the domain was captured lets nobody in any more.
func TestManagedDomainKeepsInvitesOut(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@corp.example"})
	f.prove("corp.example")
	link := f.mailed(o, "ann@corp.example")
	if _, err := f.ChangeDomain(t.Context(), f.admin, "corp.example", scim.Precondition{}, func(r *DomainRules) { r.Capture = captureIdPOnly }); err != nil {
		t.Fatal(err)
	}
	_, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "the invite of before", err, 410, "invite_revoked")
	_, err = change(t.Context(), f.Service, f.store, f.admin.Caller, inviteKey(f.org, o.Invite), f.now(), func(r *record[Invite]) error {
		r.Value.Status, r.Value.RevokedAt = invitePending, Instant{} // as if it had been made at the same moment
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "accept", err, 409, "managed_domain")
	list, err := f.InviteMany(t.Context(), f.admin, InviteBatch{Text: "bob@corp.example"})
	if err != nil || list[0].Outcome != OutcomeManagedDomain {
		t.Errorf("%+v, %v", list, err)
	}
	before := f.letters()
	if _, err := f.AskToJoin(t.Context(), Visitor{}, JoinAsk{Org: "acme", Email: "eve@corp.example"}); err != nil || f.letters() != before {
		t.Errorf("asked to join: %v", err)
	}
}
