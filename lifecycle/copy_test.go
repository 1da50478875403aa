package lifecycle

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/internal/testkit"
	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
	"rollcall/storage/mongo"
	"rollcall/storage/sqlite"
	"rollcall/storage/transfer"
)

// database is a store that can be copied from and into.
type database interface {
	storage.Store
	transfer.Target
}

// TestCopyKeepsPeople: after a copy into another database, and after one back, logins lead where they led, links that
// were mailed open, letters that wait leave, what comes back finds its organization, and limits and refusals hold.
func TestCopyKeepsPeople(t *testing.T) {
	embedded := func(types []storage.Type) database {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Types: types, Import: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	cluster := func(types []storage.Type) database {
		uri, name := mongotest.Database(t)
		s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types, Import: true, Exclusive: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	copyKeepsPeople(t, "SQLite", embedded)
	t.Run("MongoDB", func(t *testing.T) {
		mongotest.URI(t)
		copyKeepsPeople(t, "there", cluster)
		copyKeepsPeople(t, "and back", cluster, embedded)
	})
}

// copyKeepsPeople fills an embedded store and copies it into one after the other.
func copyKeepsPeople(t *testing.T, name string, through ...func([]storage.Type) database) {
	t.Run(name, func(t *testing.T) {
		f := newInviteFixture(t)
		templates, err := mail.NewTemplates()
		if err != nil {
			t.Fatal(err)
		}
		post := func(s storage.Store, random *lockedRandom) *Post {
			t.Helper()
			p, err := NewPost(t.Context(), PostOptions{
				Store: s, Registry: f.registry, Now: f.clock.Now, NewID: f.newID, Random: random, Templates: templates, PublicURL: "https://id.example/",
			})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		pending := f.invite(Invite{Email: "ann@example.com"})
		link := f.mailed(pending, "ann@example.com")
		login := &Login{Issuer: "https://idp.example", Subject: "ann", Email: "bob@example.com", EmailVerified: true}
		joined := f.invite(Invite{Email: "bob@example.com"})
		accepted, err := f.AcceptInvite(t.Context(), Visitor{Login: login}, Acceptance{InviteLink: f.mailed(joined, "bob@example.com")})
		if err != nil {
			t.Fatal(err)
		}
		out := post(f.store, &lockedRandom{r: rand.NewChaCha8([32]byte{2})})
		c := System(f.org, "test").Caller
		queue := func(to string) {
			t.Helper()
			err := f.store.Within(t.Context(), f.org, func(tx storage.Tx) error {
				return out.Queue(t.Context(), tx, c, f.now(), Letter{
					Kind: mail.KindInvite, To: to, Until: f.now().Add(time.Hour),
					Values: mail.Values{Organization: "Acme", Actor: "Grace", Link: "https://id.example/join#inv_" + to, Expires: f.now().Add(time.Hour)},
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		queue("sent@example.com")
		sent, err := out.Lease(t.Context(), f.now(), 1, time.Minute)
		if err != nil || len(sent) != 1 {
			t.Fatalf("%d letters to send, %v", len(sent), err)
		}
		if err := out.Done(t.Context(), &sent[0], &mail.Outcome{State: mail.StateSent, At: f.now()}); err != nil {
			t.Fatal(err)
		}
		queue("waits@example.com")
		if err := f.suppress(t.Context(), "leave-me@example.com"); err != nil {
			t.Fatal(err)
		}
		if n, _, err := f.take(t.Context(), scim.SystemOrg, "test", "key", 2, 3, time.Hour); err != nil || n != 2 {
			t.Fatalf("take: %d, %v", n, err)
		}

		types := make([]scim.TypeName, 0, 32)
		for _, typ := range f.registry.StorageTypes() {
			types = append(types, typ.Name)
		}
		from, ok := f.store.(stepStore).Store.(database)
		if !ok {
			t.Fatalf("%T cannot be copied", f.store)
		}
		var whole *transfer.Report
		for _, open := range through {
			to := open(f.registry.StorageTypes())
			report, err := transfer.Copy(t.Context(), from, to, transfer.Options{Types: types})
			if err != nil {
				t.Fatal(err)
			}
			if whole == nil {
				whole = report
			}
			if *report != *whole {
				t.Errorf("copied %+v, then %+v", whole, report)
			}
			from = to
		}

		// Another process, with a source of its own: whatever it must know is in the database.
		random := &lockedRandom{r: rand.NewChaCha8([32]byte{3})}
		rs, err := resources.NewService(resources.Options{Store: from, Registry: f.registry, Now: f.clock.Now, NewID: testkit.NewIDs().New, Random: random})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rs.Close)
		s, err := New(t.Context(), Options{Store: from, Registry: f.registry, Resources: rs, Now: f.clock.Now, NewID: f.newID, Random: random, Domains: domains()})
		if err != nil {
			t.Fatal(err)
		}
		if sub, slug, err := s.SignIn(t.Context(), login, "", ""); err != nil || sub.Actor.ID != accepted.User || slug != "acme" {
			t.Errorf("the login leads to %q of %q, %v", sub.Actor.ID, slug, err)
		}
		if page, err := s.ViewInvite(t.Context(), Visitor{}, link); err != nil || page.Org.ID != f.org {
			t.Errorf("the link that was mailed: %+v, %v", page, err)
		}
		a, err := mail.ParseAddress("leave-me@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if is, err := s.suppressed(t.Context(), a); err != nil || !is {
			t.Errorf("who wanted no mail gets some: %v", err)
		}
		if n, _, err := s.take(t.Context(), scim.SystemOrg, "test", "key", 2, 3, time.Hour); err != nil || n != 1 {
			t.Errorf("the limit allows %d more, %v, want 1", n, err)
		}
		in := post(from, random)
		items, err := in.Lease(t.Context(), f.now(), 10, time.Minute)
		if err != nil || !slices.ContainsFunc(items, func(i mail.Item) bool { return i.Message.To == "waits@example.com" }) {
			t.Errorf("%d letters leave, %v", len(items), err)
		}
		if err := in.Receive(t.Context(), mail.Report{Kind: mail.ReportComplaint, Send: sent[0].ID}); err != nil {
			t.Errorf("what comes back: %v", err)
		}
		if l, err := load[mailDoc](t.Context(), from, storage.Key{Org: f.org, Type: resources.TypeMail, ID: sent[0].ID}); err != nil || l.Value.State != mailComplained {
			t.Errorf("what came back is not at its letter: %+v, %v", l, err)
		}
	})
}
