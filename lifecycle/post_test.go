package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	stdmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"rollcall/internal/smtptest"
	"rollcall/internal/testkit"
	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// postOffice is some processes on one database, each with its post, and a mail server.
type postOffice struct {
	testing.TB
	clock   *testkit.Clock
	ids     *testkit.IDs
	server  *smtptest.Server
	ident   mail.Identity
	posts   []*Post
	workers []*mail.Worker
	orgs    []scim.OrgID
	counts  *mailCounts
}

type mailCounts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *mailCounts) Mail(kind, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[kind+" "+result]++
}

func openPostOffice(t *testing.T, open func([]storage.Type) storage.Store, processes, organizations int, o smtptest.Options) *postOffice {
	t.Helper()
	f := &postOffice{TB: t, clock: testkit.NewClock(), ids: testkit.NewIDs(), server: smtptest.Start(t, o), counts: &mailCounts{n: map[string]int{}}}
	templates, err := mail.NewTemplates()
	if err != nil {
		t.Fatal(err)
	}
	if f.ident, err = mail.ParseIdentity("Accounts <accounts@id.example>", "bounce.id.example"); err != nil {
		t.Fatal(err)
	}
	for i := range processes {
		reg, err := resources.NewRegistry(resources.Default()...)
		if err != nil {
			t.Fatal(err)
		}
		random := &lockedRandom{r: rand.NewChaCha8([32]byte{byte(i)})}
		store := open(reg.StorageTypes())
		p, err := NewPost(t.Context(), PostOptions{
			Store: store, Registry: reg, Now: f.clock.Now, NewID: f.ids.New, Random: random, Templates: templates,
			PublicURL: "https://id.example/",
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			for j := range organizations {
				id := scim.OrgID(f.ids.New())
				if err := store.InsertOrganization(t.Context(), storage.Organization{ID: id, Slug: fmt.Sprintf("org-%d", j), Name: "Org", Created: f.clock.Now()}); err != nil {
					t.Fatal(err)
				}
				f.orgs = append(f.orgs, id)
			}
		}
		sender, err := mail.NewSMTP(mail.SMTPOptions{Host: f.server.Host, Port: f.server.Port, Encryption: mail.NoEncryption, Identity: f.ident})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sender.Close() })
		w, err := mail.NewWorker(mail.WorkerOptions{
			Outbox: p, Sender: sender, Identity: f.ident, Now: f.clock.Now, Metrics: f.counts, Poll: time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		f.posts, f.workers = append(f.posts, p), append(f.workers, w)
	}
	return f
}

func (f *postOffice) letter(to string) Letter {
	return Letter{
		Kind: mail.KindInvite, To: to, Locale: "de-AT", Until: f.clock.Now().Add(24 * time.Hour),
		Values: mail.Values{Organization: "Acme", Actor: "Grace", Link: "https://id.example/join#inv_secret", Expires: f.clock.Now().Add(24 * time.Hour)},
	}
}

// queue queues a letter through the first process, in a step of its own.
func (f *postOffice) queue(org scim.OrgID, l Letter) {
	f.Helper()
	p := f.posts[0]
	err := p.s.store.Within(f.Context(), org, func(tx storage.Tx) error {
		return p.Queue(f.Context(), tx, System(org, "test").Caller, f.clock.Now(), l)
	})
	if err != nil {
		f.Fatal(err)
	}
}

// letters returns all letters of an organization, oldest first.
func (f *postOffice) letters(org scim.OrgID) []*record[mailDoc] {
	f.Helper()
	list, err := find[mailDoc](f.Context(), f.posts[0].s, org, resources.TypeMail, nil, 1000)
	if err != nil {
		f.Fatal(err)
	}
	return list
}

// invite stores an invite, as whoever invites would, and returns its key.
func (f *postOffice) invite(org scim.OrgID) storage.Key {
	f.Helper()
	p := f.posts[0]
	d := p.s.registry.Definition("Invite")
	k := storage.Key{Org: org, Type: "Invite", ID: f.ids.New()}
	doc := scim.Attributes{
		"schemas": []any{d.Schema.URN}, "email": "ada@example.com", "status": "pending",
		"mail": scim.Attributes{"state": "queued", "suggestion": "ada@example.org"},
	}
	if _, err := p.s.store.Insert(f.Context(), k, f.clock.Now(), d.NewEdit(System(org, "test").Caller, storage.OpCreate, nil, doc, nil)); err != nil {
		f.Fatal(err)
	}
	return k
}

func (f *postOffice) mailOf(k storage.Key) scim.Attributes {
	f.Helper()
	rec, err := f.posts[0].s.store.Get(f.Context(), k, query.Load{})
	if err != nil {
		f.Fatal(err)
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		f.Fatal(err)
	}
	group, _ := doc["mail"].(scim.Attributes)
	return group
}

func (f *postOffice) receive(rep mail.Report) {
	f.Helper()
	if err := f.posts[len(f.posts)-1].Receive(f.Context(), rep); err != nil {
		f.Fatal(err)
	}
}

func (f *postOffice) stopped(address string) bool {
	f.Helper()
	a, err := mail.ParseAddress(address)
	if err != nil {
		f.Fatal(err)
	}
	yes, err := f.posts[0].s.suppressed(f.Context(), a)
	if err != nil {
		f.Fatal(err)
	}
	return yes
}

func TestPostSends(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 2, smtptest.Options{})
		k := f.invite(f.orgs[0])
		l := f.letter("Ada@example.com")
		l.About = k
		f.queue(f.orgs[0], l)
		// What waits does not lie open, and the step that failed has queued nothing.
		waiting := f.letters(f.orgs[0])
		if len(waiting) != 1 || waiting[0].Value.State != mailQueued || waiting[0].Value.Due == "" {
			t.Fatalf("%+v", waiting)
		}
		for name, v := range waiting[0].Secret {
			if s, _ := v.(string); s == "" || strings.Contains(s, "inv_secret") || strings.Contains(s, "example") {
				t.Errorf("%s is not sealed: %v", name, v)
			}
		}
		refused := errors.New("refused")
		err := f.posts[0].s.store.Within(t.Context(), f.orgs[1], func(tx storage.Tx) error {
			if err := f.posts[0].Queue(t.Context(), tx, System(f.orgs[1], "test").Caller, f.clock.Now(), f.letter("bob@example.com")); err != nil {
				return err
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		if n := f.workers[0].RunOnce(t.Context()); n != 1 {
			t.Errorf("%d letters handled, want 1", n)
		}
		got := f.server.Messages()
		if len(got) != 1 || got[0].To != "Ada@example.com" || got[0].From != "b+"+waiting[0].Key.ID+"@bounce.id.example" {
			t.Fatalf("%+v", got)
		}
		if !strings.Contains(got[0].Data, "Einladung annehmen") || !strings.Contains(got[0].Data, "inv_secret") {
			t.Errorf("the message:\n%s", got[0].Data)
		}
		done := f.letters(f.orgs[0])[0]
		if done.Value.State != mailSent || done.Value.Due != "" || done.Value.DoneAt == "" || done.Secret[secretLetter] != nil || done.Value.Attempts != 1 {
			t.Errorf("%+v, secrets %v", done.Value, done.Secret)
		}
		if m := f.mailOf(k); m["state"] != "sent" || m["suggestion"] != "ada@example.org" || m["at"] == nil {
			t.Errorf("the invite says %v", m)
		}
		if n := f.workers[0].RunOnce(t.Context()); n != 0 || f.counts.n["invite sent"] != 1 {
			t.Errorf("%d letters handled again, counted %v", n, f.counts.n)
		}
	})
}

// TestPostIsShared: three processes empty one outbox of several organizations at once, each letter once.
func TestPostIsShared(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 3, 3, smtptest.Options{})
		const each = 20
		for _, org := range f.orgs {
			for i := range each {
				f.queue(org, f.letter(fmt.Sprintf("u%d@%s.example.com", i, org)))
			}
		}
		var wg sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for _, w := range f.workers {
			wg.Go(func() { w.Run(ctx) })
		}
		total := each * len(f.orgs)
		for ctx.Err() == nil {
			open := 0
			for _, org := range f.orgs {
				for _, l := range f.letters(org) {
					if l.Value.Due != "" {
						open++
					}
				}
			}
			if open == 0 {
				break
			}
		}
		cancel()
		wg.Wait()
		to := map[string]int{}
		for _, m := range f.server.Messages() {
			to[m.To]++
		}
		if len(to) != total {
			t.Errorf("%d of %d letters sent", len(to), total)
		}
		for address, n := range to {
			if n != 1 {
				t.Errorf("%s: %d times", address, n)
			}
		}
	})
}

func TestPostRetriesAndGivesUp(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 2, 1, smtptest.Options{Reply: func(at smtptest.Stage, about string) error {
			switch {
			case at != smtptest.To:
				return nil
			case strings.HasPrefix(about, "full"):
				return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "Full"}
			case strings.HasPrefix(about, "gone"):
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + about + "> unknown"}
			}
			return nil
		}})
		org := f.orgs[0]
		k := f.invite(org)
		l := f.letter("gone@example.com")
		l.About = k
		f.queue(org, l)
		f.workers[0].RunOnce(t.Context())
		if m := f.mailOf(k); m["state"] != "bouncedHard" || m["code"] != "5.1.1" || m["detail"] != "5.1.1 <gone@example.com> unknown" {
			t.Errorf("the invite says %v", m)
		}
		if !f.stopped("Gone@Example.com") || f.stopped("full@example.com") {
			t.Error("the address that does not exist is not stopped, or another is")
		}
		// A later letter to it is not even tried, wherever it comes from.
		f.queue(org, f.letter("gone@example.com"))
		sessions := f.server.Sessions()
		f.workers[1].RunOnce(t.Context())
		f.clock.Advance(time.Second)
		f.workers[0].RunOnce(t.Context())
		list := f.letters(org)
		if last := list[len(list)-1]; last.Value.State != mailSuppressed || last.Secret[secretLetter] != nil || f.server.Sessions() != sessions {
			t.Errorf("%+v, %d connections more", last.Value, f.server.Sessions()-sessions)
		}

		l = f.letter("full@example.com")
		l.Until = time.Time{}
		f.queue(org, l)
		start := f.clock.Now()
		var at []time.Duration
		for range 12 * 18 {
			n := f.workers[0].RunOnce(t.Context()) + f.workers[1].RunOnce(t.Context())
			if n > 0 {
				at = append(at, f.clock.Now().Sub(start))
			}
			f.clock.Advance(5 * time.Minute)
		}
		last := f.letters(org)[2].Value
		if len(at) != 7 || last.State != mailFailed || last.Attempts != 7 || last.Code != 452 || last.Status != "4.2.2" {
			t.Errorf("tried at %v; %+v", at, last)
		}
		if f.stopped("full@example.com") {
			t.Error("one full mailbox stops an address")
		}

		l = f.letter("full2@example.com")
		l.Until = f.clock.Now().Add(10 * time.Minute)
		f.queue(org, l)
		for range 6 {
			f.workers[0].RunOnce(t.Context())
			f.clock.Advance(2 * time.Minute)
		}
		if last := f.letters(org)[3].Value; last.State != mailFailed || last.Attempts != 3 { // at 0, 2 and 8 minutes
			t.Errorf("a letter whose time ends: %+v", last)
		}
	})
}

// TestPostAfterACrash: what a process that died had leased is sent by another one, which has never heard of it.
func TestPostAfterACrash(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 2, 2, smtptest.Options{})
		f.queue(f.orgs[1], f.letter("ada@example.com"))
		items, err := f.posts[0].Lease(t.Context(), f.clock.Now(), 4, 10*time.Minute)
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		if n := f.workers[1].RunOnce(t.Context()); n != 0 {
			t.Errorf("%d letters taken from under the lease", n)
		}
		f.clock.Advance(10 * time.Minute)
		if n := f.workers[1].RunOnce(t.Context()); n != 1 || len(f.server.Messages()) != 1 {
			t.Errorf("%d letters handled after the lease, %d sent", n, len(f.server.Messages()))
		}
		o := mail.Outcome{State: mail.StateSent, At: f.clock.Now()}
		if err := f.posts[0].Done(t.Context(), &items[0], &o); !errors.Is(err, mail.ErrLeaseLost) {
			t.Errorf("the dead process reports: %v", err)
		}
		if l := f.letters(f.orgs[1])[0].Value; l.State != mailSent || l.Attempts != 2 {
			t.Errorf("%+v", l)
		}
	})
}

func TestPostReceives(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		org := f.orgs[0]
		send := func(to string) (string, storage.Key) {
			k := f.invite(org)
			l := f.letter(to)
			l.About = k
			f.queue(org, l)
			f.workers[0].RunOnce(t.Context())
			list := f.letters(org)
			return list[len(list)-1].Key.ID, k
		}
		hard := mail.Report{Kind: mail.ReportBounce, Hard: true, BadAddress: true, Status: "5.1.1", Detail: "550 5.1.1 unknown"}

		id, k := send("ada@example.com")
		hard.Send = id
		f.receive(hard)
		if m := f.mailOf(k); m["state"] != "bouncedHard" || m["code"] != "5.1.1" || m["detail"] != "550 5.1.1 unknown" || !f.stopped("ada@example.com") {
			t.Errorf("after a hard bounce: %v, stopped %v", m, f.stopped("ada@example.com"))
		}
		f.clock.Advance(30 * 24 * time.Hour)
		if f.stopped("ada@example.com") {
			t.Error("a bounce does not fade")
		}
		f.receive(hard) // once more, late: it counts once
		if f.stopped("ada@example.com") {
			t.Error("a report that comes twice counts twice")
		}

		for i := range 4 {
			if f.stopped("bob@example.com") {
				t.Errorf("stopped after %d soft bounces", i)
			}
			id, _ := send("bob@example.com")
			soft := mail.Report{Kind: mail.ReportBounce, Send: id, Status: "4.2.2"}
			f.receive(soft)
			f.receive(soft)
		}
		if !f.stopped("bob@example.com") {
			t.Error("four soft bounces do not stop")
		}
		for range 5 {
			id, _ := send("policy@example.com")
			f.receive(mail.Report{Kind: mail.ReportBounce, Hard: true, Send: id, Status: "5.7.1"})
		}
		if f.stopped("policy@example.com") {
			t.Error("refusals for a policy stop an address")
		}
		if err := f.posts[0].s.Release(t.Context(), "BOB@example.com"); err != nil || f.stopped("bob@example.com") {
			t.Errorf("released: %v, stopped %v", err, f.stopped("bob@example.com"))
		}

		id, k = send("cleo@example.com")
		f.receive(mail.Report{Kind: mail.ReportDelayed, Send: id, Status: "4.4.1"})
		if m := f.mailOf(k); m["state"] != "deferred" {
			t.Errorf("after a delay: %v", m)
		}
		f.receive(mail.Report{Kind: mail.ReportAutoReply, Send: id})
		if m := f.mailOf(k); m["autoReplied"] != true || f.stopped("cleo@example.com") {
			t.Errorf("after an automatic reply: %v", m)
		}
		f.receive(mail.Report{Kind: mail.ReportComplaint, Send: id})
		f.clock.Advance(365 * 24 * time.Hour)
		if m := f.mailOf(k); m["state"] != "complained" || !f.stopped("cleo@example.com") {
			t.Errorf("after a complaint: %v, stopped %v", m, f.stopped("cleo@example.com"))
		}

		// What names no letter of ours changes nothing.
		f.receive(mail.Report{Kind: mail.ReportBounce, Hard: true, BadAddress: true, Send: f.ids.New()})
		f.receive(mail.Report{Kind: mail.ReportBounce, Hard: true, BadAddress: true})

		// What becomes of an older letter does not hide what became of the newer one.
		first, k := send("dora@example.com")
		l := f.letter("dora@example.com")
		l.About = k
		f.queue(org, l)
		f.workers[0].RunOnce(t.Context())
		f.receive(mail.Report{Kind: mail.ReportDelayed, Send: first})
		if m := f.mailOf(k); m["state"] != "sent" {
			t.Errorf("after a report about an older letter: %v", m)
		}
	})
}

func TestSuppress(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		s := f.posts[0].s
		wantCode(t, "no address", s.suppress(t.Context(), "nobody"), 400, "invalid_address")
		if err := s.suppress(t.Context(), "Ada@example.com"); err != nil {
			t.Fatal(err)
		}
		if !f.stopped("ada@EXAMPLE.com") || f.stopped("bob@example.com") {
			t.Error("who opted out is invited, or somebody else is not")
		}
		// A password reset still reaches who wants no invitations.
		l := f.letter("ada@example.com")
		l.Kind = mail.KindPasswordReset
		f.queue(f.orgs[0], l)
		if n := f.workers[0].RunOnce(t.Context()); n != 1 || len(f.server.Messages()) != 1 {
			t.Errorf("%d handled, %d sent", n, len(f.server.Messages()))
		}
	})
}

func TestQueueRefuses(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		p := f.posts[0]
		for name, spoil := range map[string]func(*Letter){
			"address": func(l *Letter) { l.To = "a b@example.com" },
			"kind":    func(l *Letter) { l.Kind = "newsletter" },
			"link":    func(l *Letter) { l.Values.Link = "javascript:alert(1)" },
		} {
			l := f.letter("ada@example.com")
			spoil(&l)
			err := p.s.store.Within(t.Context(), f.orgs[0], func(tx storage.Tx) error {
				return p.Queue(t.Context(), tx, System(f.orgs[0], "test").Caller, f.clock.Now(), l)
			})
			if err == nil || strings.Contains(err.Error(), "a b@") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(f.letters(f.orgs[0])); n != 0 {
			t.Errorf("%d letters queued", n)
		}
	})
}

func TestTemplatesOfAnOrganization(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 2, smtptest.Options{})
		p, sub := f.posts[0], System(f.orgs[0], "test")
		_, err := p.SetTemplate(t.Context(), sub, 0, mail.KindInvite, mail.German, mail.Override{Text: "{{.Link}} {{.Secret}}"})
		wantCode(t, "an unknown variable", err, 400, "template_invalid")
		_, err = p.PreviewTemplate(mail.KindInvite, mail.German, mail.Override{Text: "no link"})
		wantCode(t, "a preview without a link", err, 400, "template_invalid")
		_, err = p.Template(t.Context(), f.orgs[0], "newsletter", mail.German)
		wantCode(t, "an unknown message", err, 404, "not_found")

		own := mail.Override{Subject: "Komm zu {{.Organization}}", Text: "Hier:\n{{.Link}}"}
		set, err := p.SetTemplate(t.Context(), sub, 0, mail.KindInvite, mail.German, own)
		if err != nil || set.Own != own || set.Version != 1 || set.BuiltIn.Text == "" || len(set.Variables) == 0 {
			t.Fatalf("%+v, %v", set, err)
		}
		if _, err := p.SetTemplate(t.Context(), sub, 7, mail.KindInvite, mail.German, own); err == nil || !strings.HasPrefix(err.Error(), "412") {
			t.Errorf("a stale version: %v", err)
		}
		f.queue(f.orgs[0], f.letter("ada@example.com"))
		f.queue(f.orgs[1], f.letter("bob@example.com"))
		// The letter is the one of the moment at which it was queued.
		if err := p.ResetTemplate(t.Context(), sub, mail.KindInvite, mail.German); err != nil {
			t.Fatal(err)
		}
		f.workers[0].RunOnce(t.Context())
		for _, m := range f.server.Messages() {
			if mine := strings.Contains(m.Data, "Subject: Komm zu Acme"); mine != (m.To == "ada@example.com") {
				t.Errorf("to %s:\n%s", m.To, m.Data)
			}
		}
		if len(f.server.Messages()) != 2 {
			t.Errorf("%d sent", len(f.server.Messages()))
		}
		if got, err := p.Template(t.Context(), f.orgs[0], mail.KindInvite, mail.German); err != nil || got.Version != 0 || got.Own != (mail.Override{}) {
			t.Errorf("after a reset: %+v, %v", got, err)
		}
	})
}

func TestPostDiscards(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		f.queue(f.orgs[0], f.letter("ada@example.com"))
		f.workers[0].RunOnce(t.Context())
		f.clock.Advance(keepMail - time.Hour)
		f.workers[0].RunOnce(t.Context())
		if n := len(f.letters(f.orgs[0])); n != 1 {
			t.Errorf("%d letters before the time", n)
		}
		id := f.letters(f.orgs[0])[0].Key.ID
		f.clock.Advance(2 * time.Hour)
		f.workers[0].RunOnce(t.Context())
		route, err := load[routeDoc](t.Context(), f.posts[0].s.store, routeKey(id))
		if len(f.letters(f.orgs[0])) != 0 || route != nil || err != nil {
			t.Errorf("%d letters after it, route %v, %v", len(f.letters(f.orgs[0])), route, err)
		}
	})
}

func TestPostWaiting(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		p := f.posts[0]
		if d := p.Waiting(f.clock.Now()); d != 0 {
			t.Errorf("an empty outbox waits %v", d)
		}
		f.queue(f.orgs[0], f.letter("ada@example.com"))
		if d := p.Waiting(f.clock.Advance(90 * time.Second)); d != 90*time.Second {
			t.Errorf("waits %v, want 1m30s", d)
		}
		f.workers[0].RunOnce(t.Context())
		if d := p.Waiting(f.clock.Now()); d != 0 {
			t.Errorf("waits %v after it was sent", d)
		}
	})
}

func TestOptOut(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 1, smtptest.Options{})
		l := f.letter("ada@example.com")
		l.Kind, l.Locale = mail.KindInviteReminder, "en"
		f.queue(f.orgs[0], l)
		f.workers[0].RunOnce(t.Context())
		list := f.server.Messages()
		if len(list) != 1 {
			t.Fatalf("%d messages", len(list))
		}
		msg, err := stdmail.ReadMessage(strings.NewReader(list[0].Data))
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(strings.Trim(msg.Header.Get("List-Unsubscribe"), "<>"))
		if err != nil || link.Host != "id.example" || link.Path != "/mail-opt-out" || link.RawQuery != "" {
			t.Fatalf("List-Unsubscribe %v, %v", link, err)
		}
		v, err := url.ParseQuery(link.Fragment)
		if err != nil || !strings.HasPrefix(v.Get("token"), "opt_") {
			t.Fatalf("fragment %v, %v", v, err)
		}
		p := f.posts[0]
		wantCode(t, "a wrong token", p.OptOut(t.Context(), v.Get("mail"), v.Get("token")+"x"), 404, "not_found")
		wantCode(t, "an unknown letter", p.OptOut(t.Context(), f.ids.New(), v.Get("token")), 404, "not_found")
		wantCode(t, "no token", p.OptOut(t.Context(), v.Get("mail"), ""), 404, "not_found")
		if f.stopped("ada@example.com") {
			t.Error("somebody else opted out")
		}
		for range 2 {
			if err := p.OptOut(t.Context(), v.Get("mail"), v.Get("token")); err != nil {
				t.Fatal(err)
			}
		}
		if !f.stopped("Ada@example.com") {
			t.Error("the recipient is not left alone")
		}
	})
}

func TestMails(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 1, 2, smtptest.Options{Reply: func(at smtptest.Stage, about string) error {
			if at == smtptest.To && about == "u3@example.com" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Unknown"}
			}
			return nil
		}})
		p, k := f.posts[0], f.invite(f.orgs[0])
		for i := range 5 {
			l := f.letter(fmt.Sprintf("u%d@example.com", i))
			if i == 1 {
				l.About = k
			}
			f.queue(f.orgs[0], l)
		}
		f.workers[0].RunOnce(t.Context())
		f.queue(f.orgs[0], f.letter("u5@example.com"))
		list := func(state, about, before string, limit int) ([]MailInfo, bool) {
			t.Helper()
			got, more, err := p.Mails(t.Context(), f.orgs[0], state, about, before, limit)
			if err != nil {
				t.Fatal(err)
			}
			return got, more
		}
		first, more := list("", "", "", 4)
		if len(first) != 4 || !more || first[0].State != mailQueued || first[0].Due.IsZero() || first[0].ID < first[1].ID {
			t.Errorf("the first page: %+v, more %v", first, more)
		}
		rest, more := list("", "", first[3].ID, 4)
		if len(rest) != 2 || more || rest[0].ID >= first[3].ID {
			t.Errorf("the second page: %+v, more %v", rest, more)
		}
		bad, _ := list(mailBouncedHard, "", "", 10)
		if len(bad) != 1 || bad[0].Code != 550 || bad[0].Status != "5.1.1" || bad[0].Detail != "5.1.1 Unknown" || bad[0].Attempts != 1 || !bad[0].Due.IsZero() {
			t.Errorf("those that bounced: %+v", bad)
		}
		about, _ := list("", k.ID, "", 10)
		if len(about) != 1 || about[0].State != mailSent || about[0].AboutType != "Invite" || about[0].Kind != "invite" {
			t.Errorf("those about an invite: %+v", about)
		}
		if got, _, err := p.Mails(t.Context(), f.orgs[1], "", "", "", 10); err != nil || len(got) != 0 {
			t.Errorf("another organization sees %+v, %v", got, err)
		}
	})
}
