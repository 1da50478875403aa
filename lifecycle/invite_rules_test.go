package lifecycle

import (
	"testing"
	"time"

	"rollcall/mail"
	"rollcall/scim"
)

// SCIM follows the rules of the companion API, in its own dress.
func TestInvitesOverSCIM(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Domains.Blocked = []string{"blocked.example"} })
	id := f.create("Invite", `"email":"Ann@Example.com","name":{"givenName":"Ann"}`)
	doc := f.get("Invite", id)
	if doc["status"] != "pending" || doc["email"] != "Ann@example.com" || doc["kind"] != "person" || doc["delivery"] != "email" {
		t.Errorf("invite %v", doc)
	}
	if doc["inviter"].(scim.Attributes)["type"] != "connection" || doc["roles"].([]any)[0].(scim.Attributes)["value"] != "member" {
		t.Errorf("invite %v", doc)
	}
	if l := f.last("Ann@example.com"); l.Kind != mail.KindInvite || l.About.ID != id {
		t.Errorf("letter %+v", l)
	}
	for name, tt := range map[string]struct {
		attrs  string
		status int
		code   string
		typ    scim.ErrorType
	}{
		"open invite":  {`"email":"ann@example.com"`, 409, OutcomePending, scim.TypeUniqueness},
		"disposable":   {`"email":"x@mailinator.com"`, 400, OutcomeDisposable, scim.TypeInvalidValue},
		"blocked":      {`"email":"x@sub.blocked.example"`, 400, OutcomeDomain, scim.TypeInvalidValue},
		"no address":   {`"email":"x"`, 400, OutcomeInvalid, scim.TypeInvalidValue},
		"role above":   {`"email":"b@example.com","roles":[{"value":"owner"}]`, 403, OutcomeRoleAboveYours, ""},
		"unknown role": {`"email":"b@example.com","roles":[{"value":"king"}]`, 400, "unknown_role", scim.TypeInvalidValue},
		"group":        {`"email":"b@example.com","groups":[{"value":"x"}]`, 400, "unknown_group", scim.TypeInvalidValue},
	} {
		_, err := f.tryCreate("Invite", tt.attrs)
		wantCode(t, name, err, tt.status, tt.code)
		if e, ok := err.(*scim.Error); !ok || e.Type != tt.typ { //nolint:errorlint // as the edge gets it
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.tryPatch("Invite", id, `{"op":"replace","path":"roles","value":[{"value":"manager"}]}`); err != nil {
		t.Fatal(err)
	}
	if r := f.get("Invite", id)["roles"].([]any)[0].(scim.Attributes); r["value"] != "manager" || r["display"] != "Manager" {
		t.Errorf("roles %v", r)
	}
	wantCode(t, "role ceiling", f.tryPatch("Invite", id, `{"op":"replace","path":"roles","value":[{"value":"owner"}]}`), 403, OutcomeRoleAboveYours)
	if got := f.search("Invite", `status eq "pending"`, ""); len(got) != 1 {
		t.Errorf("pending: %v", got)
	}
	link := InviteLink{"acme", id, tokenOf(t, f.last("Ann@example.com").Values.Link)}
	f.clock.Advance(8 * 24 * time.Hour)
	if got := f.search("Invite", `status eq "expired"`, ""); len(got) != 1 || len(f.search("Invite", `status eq "pending"`, "")) != 0 {
		t.Errorf("expired: %v", got)
	}
	wantCode(t, "after the end", f.tryPatch("Invite", id, `{"op":"replace","path":"occupation","value":"Nurse"}`), 409, "invite_expired")
	second := f.create("Invite", `"email":"ann@example.com"`)
	if doc := f.get("Invite", second); doc["supersedes"] != nil {
		t.Errorf("it supersedes %v, which had ended", doc["supersedes"])
	}
	d := f.registry.Type("Invite")
	if err := f.resources.Delete(t.Context(), f.admin.Caller, d, second, scim.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if got := f.search("Invite", `id eq "`+second+`"`, ""); len(got) != 0 {
		t.Errorf("after DELETE: %v", got)
	}
	_, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "the first link", err, 410, "invite_expired")
}

// Invites to people who lose access end in the same step.
func TestDeparture(t *testing.T) {
	f := newInviteFixture(t)
	f.admin.User = f.newID()
	low, high := f.invite(Invite{Email: "low@example.com"}), f.invite(Invite{Email: "high@example.com", Roles: []Ref{{Value: "admin"}}})
	other := f.admin
	other.User = f.newID()
	to, err := f.Invite(t.Context(), other, Invite{Email: "gone@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	end := func(setting string, want ...string) {
		t.Helper()
		f.settings(func(v *Settings) { v.Invite.OnInviterLeaves = setting })
		d, err := f.invitesOf(t.Context(), f.org, f.admin.User, []string{"GONE@example.com"}, true)
		if err != nil || len(d.invites) != len(want) {
			t.Fatalf("%s: %+v, %v", setting, d, err)
		}
	}
	end("keep", to.Invite)
	end("keepLowRevokeHigh", to.Invite, high.Invite)
	end("revoke", to.Invite, high.Invite, low.Invite)
	if n, err := f.RevokeInvites(t.Context(), f.admin, f.admin.User, "tidy"); err != nil || n != 2 {
		t.Errorf("%d revoked, %v", n, err)
	}
	if r := f.getInvite(to.Invite); r.Status != invitePending {
		t.Errorf("somebody else's is %s", r.Status)
	}
}

func TestSweepArrivals(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com", Delivery: deliverLink})
	if err := f.SendInviteCode(t.Context(), Visitor{}, InviteLink{"acme", o.Invite, o.Token}, ""); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(8 * 24 * time.Hour)
	if n, err := f.SweepArrivals(t.Context(), f.org); err != nil || n != 2 {
		t.Errorf("%d swept, %v", n, err)
	}
	if n, err := f.SweepArrivals(t.Context(), f.org); err != nil || n != 0 {
		t.Errorf("%d swept again, %v", n, err)
	}
}

// A link for several people lets in as many as it says, each once.
func TestLinkForSeveral(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Kind: kindLink, MaxUses: 2})
	link := InviteLink{"acme", o.Invite, o.Token}
	in := func(email string) (*Accepted, error) {
		return f.AcceptInvite(t.Context(), Visitor{Login: &Login{Issuer: "i", Subject: email, Email: email, EmailVerified: true}}, Acceptance{InviteLink: link})
	}
	ann, err := in("ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := in("ann@example.com"); err != nil || again.User != ann.User {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link, Email: "cat@example.com"})
	wantCode(t, "without proof", err, 403, "prove_mailbox")
	if _, err := in("bob@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := in("cat@example.com"); err == nil {
		t.Error("a third person came in")
	}
	if r := f.getInvite(o.Invite); r.Uses != 2 || r.Status != inviteAccepted {
		t.Errorf("%+v", r)
	}
	f.settings(func(v *Settings) { v.Invite.LinkSharing = "open" })
	_, err = f.Invite(t.Context(), f.admin, Invite{Kind: kindLink, MaxUses: 26})
	wantCode(t, "too many uses", err, 400, "out_of_range")
	_, err = f.Invite(t.Context(), f.admin, Invite{Kind: kindLink, Roles: []Ref{{Value: "admin"}}})
	wantCode(t, "an open link to administration", err, 403, OutcomeRoleAboveYours)
	o = f.invite(Invite{Kind: kindLink})
	if o.ExpiresAt.Sub(f.clock.Now()) > openLinkTTL {
		t.Errorf("expires %s", o.ExpiresAt)
	}
	got, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: InviteLink{"acme", o.Invite, o.Token}, Email: "dan@example.com"})
	if err != nil || f.user(got.User)[scim.SchemaRollcallUser].(scim.Attributes)["emailVerified"] != false {
		t.Errorf("%+v, %v", got, err)
	}
}

// A person whom SCIM has made meanwhile is who accepts.
func TestProvisionedMeanwhile(t *testing.T) {
	f := newInviteFixture(t)
	g := f.create("Group", `"displayName":"Night shift"`)
	o := f.invite(Invite{Email: "ann@example.com", Roles: []Ref{{Value: "manager"}}, Groups: []Ref{{Value: g}}})
	id := f.create("User", `"userName":"ann@example.com"`)
	got, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "ann@example.com")})
	if err != nil || got.User != id || !got.Existing {
		t.Fatalf("%+v, %v", got, err)
	}
	u := f.user(id)
	if u["roles"].([]any)[0].(scim.Attributes)["value"] != "manager" {
		t.Errorf("user %v", u)
	}
	if r := f.getInvite(o.Invite); r.Status != inviteAccepted || r.AcceptedUser.Value != id {
		t.Errorf("invite %+v", r)
	}
	p, err := f.Person(t.Context(), f.admin, id)
	if err != nil || len(p.Groups) != 1 || p.Groups[0].ID != g {
		t.Errorf("groups %+v, %v", p.Groups, err)
	}
}
