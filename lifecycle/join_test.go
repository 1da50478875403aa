package lifecycle

import (
	"context"
	"testing"
	"time"

	"rollcall/mail"
	"rollcall/scim"
)

func (f *fixture) settings(fn func(*Settings)) {
	f.Helper()
	_, _, err := f.ChangeSettings(f.ctx(), f.admin, 0, func(v *Settings) error { fn(v); return nil })
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) letters() int {
	box, _ := f.outbox.(*letters)
	box.mu.Lock()
	defer box.mu.Unlock()
	return len(box.list)
}

// ask asks to join and proves the address.
func (f *fixture) ask(who Visitor, email string) *JoinOpened {
	f.Helper()
	asked, err := f.AskToJoin(f.ctx(), who, JoinAsk{Org: "acme", Email: email, Name: &Name{GivenName: "Ann"}, Message: "please"})
	if err != nil {
		f.Fatal(err)
	}
	opened, err := f.VerifyJoin(f.ctx(), who, "acme", asked.ID, f.last(email).Values.Code)
	if err != nil {
		f.Fatal(err)
	}
	return opened
}

func TestJoinRequestIsSeenOnceItsAddressIsProved(t *testing.T) {
	f := newInviteFixture(t)
	ask := func(org, email string) *JoinAsked {
		t.Helper()
		a, err := f.AskToJoin(t.Context(), Visitor{}, JoinAsk{Org: org, Email: email})
		if err != nil || a.ID == "" {
			t.Fatalf("%+v, %v", a, err)
		}
		return a
	}
	ask("acme", "ann@example.com") // closed
	ask("nowhere", "ann@example.com")
	if f.letters() != 0 {
		t.Error("somebody was mailed")
	}
	f.settings(func(v *Settings) { v.Join.Policy = policyRequest })
	a := ask("acme", "ann@example.com")
	if n, err := f.count(t.Context(), f.org, typeJoinRequest, nil); err != nil || n != 0 {
		t.Fatalf("%d requests before the code, %v", n, err)
	}
	_, err := f.VerifyJoin(t.Context(), Visitor{}, "acme", a.ID, "000000")
	wantCode(t, "wrong code", err, 404, "unknown_link")
	_, err = f.VerifyJoin(t.Context(), Visitor{}, "acme", f.newID(), "000000")
	wantCode(t, "no request", err, 404, "unknown_link")
	code := f.last("ann@example.com").Values.Code
	opened, err := f.VerifyJoin(t.Context(), Visitor{}, "acme", a.ID, code)
	if err != nil || opened.Status != joinPending {
		t.Fatalf("%+v, %v", opened, err)
	}
	again, err := f.VerifyJoin(t.Context(), Visitor{}, "acme", a.ID, code)
	if err != nil || again.ID != opened.ID {
		t.Errorf("the code again: %+v, %v", again, err)
	}
	r, err := f.GetJoin(t.Context(), f.admin, opened.ID)
	if err != nil || r.Status != joinPending || r.VerifiedAt.IsZero() || r.Source != sourcePublic {
		t.Errorf("request %+v, %v", r, err)
	}
	err = f.WithdrawJoin(t.Context(), Visitor{}, "acme", opened.ID, opened.Token)
	wantCode(t, "a token that was replaced", err, 404, "unknown_link")
	if err := f.WithdrawJoin(t.Context(), Visitor{}, "acme", opened.ID, again.Token); err != nil {
		t.Fatal(err)
	}
	_, err = f.ApproveJoin(t.Context(), f.admin, opened.ID, nil)
	wantCode(t, "approval of a withdrawn one", err, 409, "request_withdrawn")
}

func TestApproveJoin(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Join.Policy = policyRequest })
	login := &Login{Issuer: "i", Subject: "1"}
	with := f.ask(Visitor{Login: login}, "ann@example.com")
	got, err := f.ApproveJoin(t.Context(), f.admin, with.ID, &Given{Roles: []string{"guest"}})
	if err != nil || got.User == "" || got.Status != joinApproved || got.Result != got.User {
		t.Fatalf("with a login: %+v, %v", got, err)
	}
	own := f.user(got.User)[scim.SchemaRollcallUser].(scim.Attributes)
	if own["origin"] != "joinRequest" || own["emailVerified"] != true {
		t.Errorf("user %v", own)
	}
	if is, err := f.UserOfLogin(t.Context(), f.org, login); err != nil || is != got.User {
		t.Errorf("the login leads to %q, %v", is, err)
	}
	if l := f.last("ann@example.com"); l.Kind != mail.KindJoinApproved {
		t.Errorf("letter %s", l.Kind)
	}
	without := f.ask(Visitor{}, "bob@example.com")
	if got, err = f.ApproveJoin(t.Context(), f.admin, without.ID, nil); err != nil || got.Invite == "" || got.Result != got.Invite {
		t.Fatalf("without a login: %+v, %v", got, err)
	}
	if i := f.getInvite(got.Invite); i.JoinRequest != without.ID || i.Status != invitePending {
		t.Errorf("invite %+v", i)
	}
	link := InviteLink{"acme", got.Invite, tokenOf(t, f.last("bob@example.com").Values.Link)}
	in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	if err != nil || f.user(in.User)[scim.SchemaRollcallUser].(scim.Attributes)["origin"] != "joinRequest" {
		t.Errorf("accepted %+v, %v", in, err)
	}
	low := f.admin
	low.Kind, low.Rank = KindAdmin, RankAdmin
	third := f.ask(Visitor{}, "cat@example.com")
	_, err = f.ApproveJoin(t.Context(), low, third.ID, &Given{Roles: []string{"owner"}})
	wantCode(t, "a role above", err, 403, OutcomeRoleAboveYours)
	f.clock.Advance(15 * 24 * time.Hour)
	_, err = f.ApproveJoin(t.Context(), f.admin, third.ID, nil)
	wantCode(t, "late", err, 409, "request_expired")
	if r, err := f.GetJoin(t.Context(), f.admin, third.ID); err != nil || r.Status != joinExpired {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDeclinedAskAgainLater(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Join.Policy = policyRequest })
	r := f.ask(Visitor{}, "ann@example.com")
	if _, err := f.DeclineJoin(t.Context(), f.admin, r.ID, Refusal{Note: "not now", Visible: true}); err != nil {
		t.Fatal(err)
	}
	if l := f.last("ann@example.com"); l.Kind != mail.KindJoinDeclined || l.Values.Reason != "not now" {
		t.Errorf("letter %+v", l)
	}
	n := f.letters()
	again, err := f.AskToJoin(t.Context(), Visitor{}, JoinAsk{Org: "acme", Email: "ann@example.com"})
	if err != nil || again.ID == "" || f.letters() != n {
		t.Errorf("asked again at once: %+v, %v, %d letters", again, err, f.letters()-n)
	}
	f.clock.Advance(8 * 24 * time.Hour)
	r = f.ask(Visitor{}, "ann@example.com")
	if j, err := f.GetJoin(t.Context(), f.admin, r.ID); err != nil || j.Signals.PriorDecline != 1 {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestInvitedMeanwhile(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Join.Policy = policyRequest })
	r := f.ask(Visitor{}, "ann@example.com")
	o := f.invite(Invite{Email: "ann@example.com"})
	if o.Outcome != OutcomeConvertedJoin || o.JoinRequest != r.ID {
		t.Fatalf("%+v", o)
	}
	if j, err := f.GetJoin(t.Context(), f.admin, r.ID); err != nil || j.Status != joinSuperseded || j.Result != o.Invite {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestDomainAuto(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Join.Policy = policyDomainAuto })
	before := f.letters()
	if _, err := f.AskToJoin(t.Context(), Visitor{}, JoinAsk{Org: "acme", Email: "ann@corp.example"}); err != nil {
		t.Fatal(err)
	}
	if f.letters() != before {
		t.Error("somebody of a domain that nobody has proved could go on")
	}
	f.prove("corp.example")
	if got := f.ask(Visitor{Login: &Login{Issuer: "i", Subject: "1"}}, "eve@corp.example"); got.Status != joinPending {
		t.Errorf("without a member of the domain: %+v", got)
	}
	o := f.invite(Invite{Email: "first@corp.example"})
	if _, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "first@corp.example")}); err != nil {
		t.Fatal(err)
	}
	in := f.ask(Visitor{Login: &Login{Issuer: "i", Subject: "2"}}, "bob@corp.example")
	if in.Status != joinApproved || f.user(in.User)[scim.SchemaRollcallUser].(scim.Attributes)["origin"] != "domain" {
		t.Errorf("%+v", in)
	}
}

func TestMemberAsksForAnother(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Invite.ByMembers, v.Invite.Approval = true, "belowAdmin" })
	member := f.admin
	member.Kind, member.Rank, member.User, member.Label = KindMember, RankMember, f.newID(), "Max"
	list, err := f.InviteMany(context.Background(), member, InviteBatch{Text: "ann@example.com"})
	if err != nil || list[0].Outcome != OutcomeNeedsApproval {
		t.Fatalf("%+v, %v", list, err)
	}
	r, err := f.GetJoin(t.Context(), f.admin, list[0].JoinRequest)
	if err != nil || r.Source != sourceMember || r.Requester.Value != member.User || r.OnBehalfOf.Value != "ann@example.com" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := f.AskForOther(t.Context(), member, JoinAsk{Email: "bob@example.com"}); err != nil {
		t.Error(err)
	}
	got, err := f.ApproveJoin(t.Context(), f.admin, r.ID, nil)
	if err != nil || got.Invite == "" || got.User != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = f.ApproveJoin(t.Context(), member, r.ID, nil)
	wantCode(t, "a member approves", err, 403, "not_allowed")
}
