package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// letters keeps what steps queued. A step that runs again, or is not committed, queues too: tests look at the last.
type letters struct {
	mu   sync.Mutex
	list []Letter
}

func (l *letters) Queue(_ context.Context, _ storage.Tx, _ scim.Caller, _ time.Time, x Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, x)
	return nil
}

func (f *fixture) last(to string) Letter {
	f.Helper()
	box, _ := f.outbox.(*letters)
	box.mu.Lock()
	defer box.mu.Unlock()
	for _, l := range slices.Backward(box.list) {
		if l.To == to {
			return l
		}
	}
	f.Fatalf("no letter to %s", to)
	return Letter{}
}

func newInviteFixture(t testing.TB) *fixture {
	t.Helper()
	f := newFixture(t)
	f.outbox = &letters{}
	return f
}

// tokenOf is the token in a link.
func tokenOf(t testing.TB, link string) string {
	t.Helper()
	_, token, ok := strings.Cut(link, "token=")
	if !ok {
		t.Fatalf("no token in %q", link)
	}
	token, _, _ = strings.Cut(token, "&")
	return token
}

func (f *fixture) invite(v Invite) *InviteOutcome {
	f.Helper()
	o, err := f.Invite(f.ctx(), f.admin, v)
	if err != nil {
		f.Fatalf("invite: %v", err)
	}
	return o
}

func (f *fixture) ctx() context.Context { return context.Background() }

// mailed is the link that was mailed to an address.
func (f *fixture) mailed(o *InviteOutcome, to string) InviteLink {
	f.Helper()
	return InviteLink{Org: "acme", Invite: o.Invite, Token: tokenOf(f, f.last(to).Values.Link)}
}

func (f *fixture) getInvite(id string) *InviteRecord {
	f.Helper()
	r, err := f.GetInvite(f.ctx(), f.admin, id)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

func (f *fixture) user(id string) scim.Attributes {
	f.Helper()
	rec, err := f.store.Get(f.ctx(), storage.Key{Org: f.org, Type: typeUser, ID: id}, query.Load{})
	if err != nil {
		f.Fatal(err)
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		f.Fatal(err)
	}
	return doc
}

func TestInviteAndAccept(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "Ann@Example.com", Name: &Name{GivenName: "Ann", FamilyName: "Lee"}, Profile: Profile{Title: "Nurse"}})
	if o.Outcome != OutcomeCreated || o.Token != "" || !slices.Contains(o.Warnings, "occupation_missing") {
		t.Fatalf("outcome %+v", o)
	}
	link := f.mailed(o, "Ann@example.com")
	page, err := f.ViewInvite(t.Context(), Visitor{}, link)
	if err != nil || page.EmailMasked != "A***n@example.com" || len(page.Needs) != 0 || page.Role != "Member" {
		t.Fatalf("page %+v, %v", page, err)
	}
	before := f.getInvite(o.Invite)
	if before.Status != invitePending || before.SendCount != 1 || before.ExpiresAt.Sub(before.Created) != 7*24*time.Hour {
		t.Fatalf("after a look: %+v", before)
	}
	login := &Login{Issuer: "https://idp", Subject: "1", Email: "ann@private.example", EmailVerified: true}
	got, err := f.AcceptInvite(t.Context(), Visitor{Login: login}, Acceptance{InviteLink: link, Profile: Profile{Title: "Head nurse"}})
	if err != nil || got.Existing || got.Again {
		t.Fatalf("accepted %+v, %v", got, err)
	}
	u := f.user(got.User)
	own := u[scim.SchemaRollcallUser].(scim.Attributes)
	if u["userName"] != "Ann@example.com" || u["title"] != "Head nurse" || own["origin"] != "invite" || own["emailVerified"] != true {
		t.Errorf("user %v", u)
	}
	if r := u["roles"].([]any)[0].(scim.Attributes); r["value"] != "member" || r["primary"] != true {
		t.Errorf("roles %v", u["roles"])
	}
	if is, err := f.UserOfLogin(t.Context(), f.org, login); err != nil || is != got.User {
		t.Errorf("the login leads to %q, %v", is, err)
	}
	if l, err := f.OrganizationsOfLogin(t.Context(), login); err != nil || len(l) != 1 || l[0].Org.ID != f.org || l[0].User != got.User {
		t.Errorf("organizations of the login: %+v, %v", l, err)
	}
	if w := f.last("Ann@example.com"); w.Kind != mail.KindWelcome {
		t.Errorf("the last letter is %s", w.Kind)
	}
	if r := f.getInvite(o.Invite); r.Status != inviteAccepted || r.AcceptedUser.Value != got.User {
		t.Errorf("invite %+v", r)
	}
	again, err := f.AcceptInvite(t.Context(), Visitor{Login: login}, Acceptance{InviteLink: link})
	if err != nil || !again.Again || again.User != got.User {
		t.Errorf("the same person again: %+v, %v", again, err)
	}
	other := &Login{Issuer: "https://idp", Subject: "2", Email: "eve@example.com", EmailVerified: true}
	_, err = f.AcceptInvite(t.Context(), Visitor{Login: other}, Acceptance{InviteLink: link})
	wantCode(t, "somebody else", err, 404, "unknown_link")
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "nobody", err, 404, "unknown_link")
	_, err = f.Invite(t.Context(), f.admin, Invite{Email: "ann@example.com"})
	wantCode(t, "a member", err, 409, OutcomeMember)
}

// What is not known is not told apart.
func TestUnknownLinksAreAllAlike(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com"})
	right := f.mailed(o, "ann@example.com")
	for name, l := range map[string]InviteLink{
		"wrong token":          {right.Org, right.Invite, right.Token + "x"},
		"unknown invite":       {right.Org, f.newID(), right.Token},
		"unknown organization": {"nowhere", right.Invite, right.Token},
		"system organization":  {string(scim.SystemOrg), right.Invite, right.Token},
		"no id":                {right.Org, "x", right.Token},
		"empty":                {},
	} {
		for what, call := range map[string]func() error{
			"view":    func() error { _, err := f.ViewInvite(t.Context(), Visitor{}, l); return err },
			"accept":  func() error { _, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: l}); return err },
			"decline": func() error { return f.DeclineInvite(t.Context(), Visitor{}, l, false) },
			"code":    func() error { return f.SendInviteCode(t.Context(), Visitor{}, l, "") },
		} {
			var e *scim.Error
			if err := call(); !errors.As(err, &e) || *e != *unknownLink() {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
	}
	if r := f.getInvite(o.Invite); r.Version != 1 {
		t.Errorf("the invite changed: %+v", r)
	}
}

func TestEndedInvitesSayWhy(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com"})
	link := f.mailed(o, "ann@example.com")
	f.clock.Advance(7 * 24 * time.Hour)
	_, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "late", err, 410, "invite_expired")
	if r := f.getInvite(o.Invite); r.Status != inviteExpired {
		t.Errorf("after its time: %s", r.Status)
	}
	if _, err := f.ResendInvite(t.Context(), f.admin, o.Invite); err != nil {
		t.Fatal(err)
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "the old link", err, 404, "unknown_link")
	link = f.mailed(o, "ann@example.com")
	_, err = f.ResendInvite(t.Context(), f.admin, o.Invite)
	wantCode(t, "too soon", err, 429, "sent_just_now")
	if _, err := f.RevokeInvite(t.Context(), f.admin, o.Invite, "mistake"); err != nil {
		t.Fatal(err)
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "revoked", err, 410, "invite_revoked")
	_, err = f.ResendInvite(t.Context(), f.admin, o.Invite)
	wantCode(t, "resend of a revoked one", err, 409, "invite_revoked")
	if o := f.invite(Invite{Email: "ann@example.com"}); o.Outcome != OutcomeCreated {
		t.Errorf("invited anew: %+v", o)
	}
}

// A link that was handed out proves nothing by itself.
func TestSharedLinkNeedsTheMailbox(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com", Delivery: deliverLink})
	link := InviteLink{"acme", o.Invite, o.Token}
	if tokenOf(t, o.Link) != o.Token {
		t.Fatalf("link %q", o.Link)
	}
	_, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "link alone", err, 403, "prove_mailbox")
	unverified := &Login{Issuer: "i", Subject: "1", Email: "ann@example.com"}
	_, err = f.AcceptInvite(t.Context(), Visitor{Login: unverified}, Acceptance{InviteLink: link})
	wantCode(t, "unverified login", err, 403, "prove_mailbox")
	if err := f.SendInviteCode(t.Context(), Visitor{}, link, "eve@example.com"); err != nil {
		t.Fatal(err)
	}
	code := f.last("ann@example.com").Values.Code
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	for range codeTries {
		_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link, Code: wrong})
		wantCode(t, "wrong code", err, 403, "wrong_code")
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link, Code: code})
	wantCode(t, "right code after five wrong ones", err, 403, "wrong_code")
	f.clock.Advance(codePause)
	if err := f.SendInviteCode(t.Context(), Visitor{}, link, ""); err != nil {
		t.Fatal(err)
	}
	code = f.last("ann@example.com").Values.Code
	f.clock.Advance(codeTTL)
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link, Code: code})
	wantCode(t, "late code", err, 403, "wrong_code")
	if err := f.SendInviteCode(t.Context(), Visitor{}, link, ""); err != nil {
		t.Fatal(err)
	}
	got, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link, Code: f.last("ann@example.com").Values.Code})
	if err != nil || f.user(got.User)["userName"] != "ann@example.com" {
		t.Fatalf("with the code: %+v, %v", got, err)
	}
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	wantCode(t, "the link again without the code", err, 404, "unknown_link")
}

// Of fifty who accept at once one makes the user; who is the same person is told the same.
func TestFiftyAcceptAtOnce(t *testing.T) {
	f := newInviteFixture(t)
	o := f.invite(Invite{Email: "ann@example.com"})
	link := f.mailed(o, "ann@example.com")
	race(t, f, link, func(int) *Login { return nil }, 50)

	o = f.invite(Invite{Email: "bob@example.com"})
	race(t, f, f.mailed(o, "bob@example.com"), func(i int) *Login { return &Login{Issuer: "i", Subject: fmt.Sprint(i)} }, 1)
}

func race(t *testing.T, f *fixture, link InviteLink, login func(int) *Login, want int) {
	t.Helper()
	const tries = 50
	var wg sync.WaitGroup
	start := make(chan struct{})
	users, errs := make([]string, tries), make([]error, tries)
	for i := range tries {
		wg.Go(func() {
			<-start
			got, err := f.AcceptInvite(t.Context(), Visitor{Login: login(i)}, Acceptance{InviteLink: link})
			if errs[i] = err; err == nil {
				users[i] = got.User
			}
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	t.Logf("%d tries at once took %s", tries, time.Since(began))
	let := map[string]int{}
	for i, err := range errs {
		if err == nil {
			let[users[i]]++
			continue
		}
		wantCode(t, "a try", err, 404, "unknown_link")
	}
	n, err := f.count(t.Context(), f.org, typeUser, f.is(typeUser, "active", true))
	if err != nil || len(let) != 1 {
		t.Fatalf("%d users, answers %v, %v", n, let, err)
	}
	for _, times := range let {
		if times != want {
			t.Errorf("%d of %d were let in, want %d", times, tries, want)
		}
	}
	list, err := find[userFacts](t.Context(), f.Service, f.org, typeUser, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, u := range list {
		if seen[u.Value.UserName] {
			t.Errorf("%s is there twice", u.Value.UserName)
		}
		seen[u.Value.UserName] = true
	}
}

func TestOutcomesInOrder(t *testing.T) {
	f := newInviteFixture(t)
	f.invite(Invite{Email: "open@example.com"})
	o := f.invite(Invite{Email: "member@example.com"})
	if _, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(o, "member@example.com")}); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour)
	text := "a@example.com, Bob <b@example.com>; open@example.com\nmember@example.com\tnot an address, a@EXAMPLE.com, " +
		"x@mailinator.com, info@outlok.com, c@blocked.example"
	_, _, err := f.ChangeSettings(t.Context(), f.admin, 0, func(v *Settings) error {
		v.Domains.Blocked = []string{"blocked.example"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		OutcomeCreated, OutcomeCreated, OutcomePending, OutcomeMember, OutcomeInvalid, OutcomeDuplicate, OutcomeDisposable,
		OutcomeCreated, OutcomeDomain,
	}
	run := func(b InviteBatch) []string {
		t.Helper()
		list, err := f.InviteMany(t.Context(), f.admin, b)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range list {
			got = append(got, o.Outcome)
			if strings.HasPrefix(o.Input, "info@") && (!slices.Contains(o.Warnings, "typo_suspected:outlook.com") || !slices.Contains(o.Warnings, "role_mailbox")) {
				t.Errorf("warnings %v", o.Warnings)
			}
		}
		return got
	}
	if got := run(InviteBatch{Text: text, DryRun: true}); !slices.Equal(got, want) {
		t.Errorf("dry run: %v", got)
	}
	if got := run(InviteBatch{Text: text}); !slices.Equal(got, want) {
		t.Errorf("outcomes: %v", got)
	}
	if got := run(InviteBatch{Text: "open@example.com", OnDuplicate: "resend"}); got[0] != OutcomeResent {
		t.Errorf("resend: %v", got)
	}
	if got := run(InviteBatch{Text: "open@example.com", OnDuplicate: "replace"}); got[0] != OutcomeReplaced {
		t.Errorf("replace: %v", got)
	}
	_, err = f.InviteMany(t.Context(), f.admin, InviteBatch{Text: "new@example.com, open@example.com", OnDuplicate: "fail"})
	wantCode(t, "fail", err, 409, "duplicates")
	n, err := f.count(t.Context(), f.org, typeInvite, f.eq(typeInvite, "email", "new@example.com"))
	if err != nil || n != 0 {
		t.Errorf("%d invites of a request that failed, %v", n, err)
	}
	_, err = f.InviteMany(t.Context(), f.admin, InviteBatch{Text: strings.Repeat("x@example.com,", MaxRecipients+1)})
	wantCode(t, "too many", err, 413, "too_many_recipients")
}

func TestSeats(t *testing.T) {
	f := newInviteFixture(t)
	set := func(limit int, count bool) {
		t.Helper()
		_, _, err := f.ChangeSettings(t.Context(), f.admin, 0, func(v *Settings) error {
			v.Plan.Seats = Seats{limit, count}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(2, true)
	list, err := f.InviteMany(t.Context(), f.admin, InviteBatch{Text: "a@example.com,b@example.com,c@example.com"})
	if err != nil || list[0].Outcome != OutcomeCreated || list[1].Outcome != OutcomeCreated || list[2].Outcome != OutcomeOverSeats {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(&list[0], "a@example.com")}); err != nil {
		t.Errorf("who holds a seat: %v", err)
	}
	set(1, false)
	_, err = f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: f.mailed(&list[1], "b@example.com")})
	wantCode(t, "no seat", err, 403, "over_seat_limit")
	set(2, true)
	if _, err := f.RevokeInvite(t.Context(), f.admin, list[1].Invite, ""); err != nil {
		t.Fatal(err)
	}
	if room, err := f.Room(t.Context(), f.org); err != nil || room.Used != 1 {
		t.Errorf("after a revocation: %+v, %v", room, err)
	}
	_, _, err = f.ChangeSettings(t.Context(), f.admin, 0, func(v *Settings) error {
		v.Plan.Features = []string{"other"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Invite(t.Context(), f.admin, Invite{Email: "d@example.com"})
	wantCode(t, "plan for one", err, 403, "plan_required")
}

func BenchmarkInviteMany(b *testing.B) {
	f := newInviteFixture(b)
	_, _, err := f.ChangeSettings(b.Context(), f.admin, 0, func(v *Settings) error {
		v.Invite.MaxPending, v.Plan.InvitesPerDay = 100_000, 1_000_000
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		var text strings.Builder
		for range MaxRecipients {
			n++
			fmt.Fprintf(&text, "p%d@example.com,", n)
		}
		list, err := f.InviteMany(b.Context(), f.admin, InviteBatch{Text: text.String()})
		if err != nil || list[MaxRecipients-1].Outcome != OutcomeCreated {
			b.Fatalf("%+v, %v", list[MaxRecipients-1], err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "invites/s")
}
