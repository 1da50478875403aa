package lifecycle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// auditFixture has an organization with a history: people who came by an invite, were changed, and left.
type auditFixture struct {
	*fixture
	ann string // id of a member; her texts have the word hush in them
}

func newAuditFixture(t testing.TB, open func([]storage.Type) storage.Store) *auditFixture {
	t.Helper()
	f := &auditFixture{fixture: fixtureOn(t, open)}
	f.outbox = &letters{}
	out, err := f.Invite(t.Context(), f.admin, Invite{Email: "hush@example.com", Delivery: deliverLink})
	if err != nil {
		t.Fatal(err)
	}
	l := &Login{Issuer: "https://login.example.com", Subject: "hush-subject", Email: "hush@example.com", EmailVerified: true}
	got, err := f.AcceptInvite(t.Context(), Visitor{Login: l}, Acceptance{InviteLink: InviteLink{"acme", out.Invite, out.Token}, Name: &Name{GivenName: "Hush", FamilyName: "Hushley"}})
	if err != nil {
		t.Fatal(err)
	}
	f.ann = got.User
	for i := range 5 {
		f.clock.Advance(time.Minute)
		id := f.scimUser(fmt.Sprintf("u%d@example.com", i), nil)
		if _, err := f.Deactivate(t.Context(), f.admin, id, 0, Deactivation{Reason: "leave", Note: "n"}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *auditFixture) verify(t testing.TB, expect string) *Verification {
	t.Helper()
	v, err := f.VerifyAudit(t.Context(), f.org, expect)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f *auditFixture) seal(t testing.TB) Checkpoint {
	t.Helper()
	c, err := f.Seal(t.Context(), f.org, true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *auditFixture) feed(t testing.TB) []storage.Change {
	t.Helper()
	list, err := f.store.Changes(t.Context(), f.org, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAuditChain(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := newAuditFixture(t, open)
		if c, err := f.Seal(t.Context(), f.org, false); err != nil || c.Number != 0 {
			t.Fatalf("a page that is not full is sealed at once: %+v %v", c, err)
		}
		f.clock.Advance(sealAfter)
		first, err := f.Seal(t.Context(), f.org, false)
		if err != nil || first.Number != 1 {
			t.Fatalf("a page that has waited is not sealed: %+v, %v", first, err)
		}
		if again := f.seal(t); again != first {
			t.Errorf("seals are sealed by themselves: %+v", again)
		}
		f.scimUser("later@example.com", nil)
		second := f.seal(t)
		for _, expect := range []string{"", fmt.Sprintf("1:%s", first.Hash), fmt.Sprintf("2:%s", second.Hash)} {
			v := f.verify(t, expect)
			if len(v.Problems) > 0 || v.Checkpoint != second || v.Unsealed != 1 || v.Changes+v.Unsealed != len(f.feed(t)) {
				t.Errorf("expecting %q: %+v", expect, v)
			}
		}
		for _, expect := range []string{"1:" + second.Hash, "3:" + second.Hash} {
			if v := f.verify(t, expect); len(v.Problems) != 1 {
				t.Errorf("expecting %q: %v", expect, v.Problems)
			}
		}
		_, err = f.VerifyAudit(t.Context(), f.org, "x")
		wantCode(t, "no checkpoint", err, 400, "not_a_checkpoint")
		// Values that vanish without an erasure are missed.
		if err := f.store.Redact(t.Context(), userKey(f.org, f.ann)); err != nil {
			t.Fatal(err)
		}
		if v := f.verify(t, ""); !slices.Equal(v.Problems, []string{"seal 1: what is sealed was changed"}) {
			t.Errorf("after values were taken out: %v", v.Problems)
		}
	})
}

// Whatever is changed of a sealed change, its order or its number is noticed.
func TestAuditNoticesEveryChange(t *testing.T) {
	f := newAuditFixture(t, inMemory(t))
	f.seal(t)
	r, blinds, err := f.loadSeal(t.Context(), f.org, 1)
	if err != nil {
		t.Fatal(err)
	}
	problems := func(change func(list []storage.Change) []storage.Change) []string {
		list, err := f.store.Changes(t.Context(), f.org, "", r.Value.Count)
		if err != nil {
			t.Fatal(err)
		}
		v := &verifying{claims: map[storage.Key]int64{}, gone: map[storage.Key]bool{}}
		v.link(&r.Value, &seal{}, blinds, change(list))
		return v.out.Problems
	}
	if p := problems(func(list []storage.Change) []storage.Change { return list }); len(p) > 0 {
		t.Fatalf("an untouched stretch: %v", p)
	}
	const i = 3
	for name, change := range map[string]func(*storage.Change){
		"position": func(c *storage.Change) { c.Position += "0" },
		"type":     func(c *storage.Change) { c.Key.Type = "Group" },
		"id":       func(c *storage.Change) { c.Key.ID = "x" },
		"version":  func(c *storage.Change) { c.Version++ },
		"at":       func(c *storage.Change) { c.At = c.At.Add(time.Millisecond) },
		"op":       func(c *storage.Change) { c.Op = "other" },
		"actor":    func(c *storage.Change) { c.Actor.ID = "x" },
		"kind":     func(c *storage.Change) { c.Actor.Kind = "x" },
		"name":     func(c *storage.Change) { c.Actor.Name += "x" },
		"request":  func(c *storage.Change) { c.Request += "x" },
		"path":     func(c *storage.Change) { c.Values[0].Path = "x" },
		"new":      func(c *storage.Change) { c.Values[0].New = "x" },
		"old":      func(c *storage.Change) { c.Values[0].Old = "x" },
		"values":   func(c *storage.Change) { c.Values = c.Values[1:] },
		"added":    func(c *storage.Change) { c.MembersAdded = []string{"x"} },
		"removed":  func(c *storage.Change) { c.MembersRemoved = []string{"x"} },
	} {
		if p := problems(func(list []storage.Change) []storage.Change { change(&list[i]); return list }); len(p) == 0 {
			t.Errorf("another %s is not noticed", name)
		}
	}
	for name, change := range map[string]func([]storage.Change) []storage.Change{
		"missing": func(l []storage.Change) []storage.Change { return slices.Delete(l, i, i+1) },
		"swapped": func(l []storage.Change) []storage.Change { l[i], l[i+1] = l[i+1], l[i]; return l },
		"twice":   func(l []storage.Change) []storage.Change { l[i+1] = l[i]; return l },
	} {
		if p := problems(change); len(p) == 0 {
			t.Errorf("a change that is %s is not noticed", name)
		}
	}
}

// Erasing somebody leaves nothing of them to read, in the trail or by what it is sealed with, and the chain as it was.
func TestErasureKeepsTheChain(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := newAuditFixture(t, open)
		before := f.seal(t)
		if text, _ := json.Marshal(f.feed(t)); !strings.Contains(strings.ToLower(string(text)), "hush") {
			t.Fatal("the history does not hold what is to be erased")
		}
		_, salted, err := f.loadSeal(t.Context(), f.org, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Erase(t.Context(), f.admin, f.ann, "hush@example.com"); err != nil {
			t.Fatal(err)
		}
		for range 2 { // also when it is repeated
			f.seal(t)
			v := f.verify(t, fmt.Sprintf("%d:%s", before.Number, before.Hash))
			if len(v.Problems) > 0 || v.Erased == 0 {
				t.Errorf("after the erasure: %+v", v)
			}
			text, _ := json.Marshal(f.feed(t))
			if i := strings.Index(strings.ToLower(string(text)), "hush"); i >= 0 {
				t.Errorf("the history still says %s", text[max(0, i-200):i+20])
			}
			if err := f.Erase(t.Context(), f.admin, f.ann, ""); err != nil {
				t.Fatal(err)
			}
		}
		_, blinds, err := f.loadSeal(t.Context(), f.org, 1)
		if err != nil {
			t.Fatal(err)
		}
		kept, gone := 0, 0
		for i, ch := range f.feed(t)[:len(blinds)] {
			switch {
			case blinds[i].salt != nil:
				kept++
			case blinds[i].values != (&blind{salt: salted[i].salt}).of(&ch):
				gone++ // the values that are committed to cannot be made from what is there
			}
			if mine := ch.Key == userKey(f.org, f.ann); mine && blinds[i].salt != nil {
				t.Errorf("the salt of change %d is kept", i)
			}
		}
		if kept == 0 || gone == 0 {
			t.Errorf("%d salts of others kept, %d values of hers gone", kept, gone)
		}
	})
}

// Several processes seal at once: one chain comes of it.
func TestSealersShareTheWork(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := newAuditFixture(t, open)
		for i := range 150 {
			f.scimUser(fmt.Sprintf("x%d@example.com", i), nil)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := f.Seal(t.Context(), f.org, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		v := f.verify(t, "")
		if len(v.Problems) > 0 || v.Checkpoint.Number < 2 || v.Changes < 150 {
			t.Errorf("%+v", v)
		}
	})
}

// BenchmarkSeal is what sealing costs for each change of the feed.
func BenchmarkSeal(b *testing.B) {
	f := &auditFixture{fixture: fixtureOn(b, inMemory(b))}
	const changes = 10_000
	for i := range changes {
		f.scimUser(fmt.Sprintf("x%d@example.com", i), scim.Attributes{"displayName": "Some Body", "title": "Engineer"})
	}
	head := &seal{}
	for b.Loop() {
		list, err := f.store.Changes(b.Context(), f.org, "", sealMost)
		if err != nil {
			b.Fatal(err)
		}
		if head, err = f.link(b.Context(), f.org, head, list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/sealMost, "us/change")
}

func TestAuditList(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := newAuditFixture(t, open)
		f.Refused(Denial{Caller: f.admin.Caller, Action: "erase-member", Code: "not_allowed", Target: f.ann, TargetType: "User"})
		list := func(q AuditPage) (all []AuditEntry) {
			for {
				page, next, err := f.Audit(t.Context(), f.admin, q)
				if err != nil {
					t.Fatal(err)
				}
				if all = append(all, page...); next == "" {
					return all
				}
				q.Before = next
			}
		}
		whole := list(AuditPage{Count: 1000})
		for _, n := range []int{1, 3, len(whole)} {
			if got := list(AuditPage{Count: n}); !equalJSON(t, got, whole) {
				t.Errorf("in pages of %d it has %d entries, want %d", n, len(got), len(whole))
			}
		}
		var exported []AuditEntry
		err := f.ExportAudit(t.Context(), f.admin, AuditFilter{}, "", func(e *AuditEntry) error { exported = append(exported, *e); return nil })
		slices.Reverse(exported)
		if err != nil || !equalJSON(t, exported, whole) {
			t.Errorf("the export has %d entries, want %d: %v", len(exported), len(whole), err)
		}
		f.seal(t)
		for name, c := range map[string]struct {
			f    AuditFilter
			want func(*AuditEntry) bool
			n    int
		}{
			"actor":   {AuditFilter{Actor: "t"}, func(e *AuditEntry) bool { return e.Actor.Value == "t" }, 7},
			"action":  {AuditFilter{Action: "user.deactivated"}, func(e *AuditEntry) bool { return e.Action == "user.deactivated" }, 5},
			"subject": {AuditFilter{Action: "invite"}, func(e *AuditEntry) bool { return strings.HasPrefix(e.Action, "invite.") }, 2},
			"target":  {AuditFilter{Target: f.ann}, func(e *AuditEntry) bool { return e.Target.ID == f.ann }, 2},
			"refused": {AuditFilter{Outcome: AuditRefused}, func(e *AuditEntry) bool { return e.Code == "not_allowed" && e.Action == "erase-member" }, 1},
			"code":    {AuditFilter{Code: "not_allowed"}, func(e *AuditEntry) bool { return e.Outcome == AuditRefused }, 1},
			"since":   {AuditFilter{Since: f.clock.Now().Add(-2 * time.Minute)}, func(e *AuditEntry) bool { return true }, 7},
			"until":   {AuditFilter{Until: f.clock.Now().Add(-2 * time.Minute)}, func(e *AuditEntry) bool { return e.At.Before(f.clock.Now().Add(-2 * time.Minute)) }, -1},
		} {
			got := list(AuditPage{AuditFilter: c.f, Count: 2})
			if c.n >= 0 && len(got) != c.n || c.n < 0 && len(got) == 0 {
				t.Errorf("%s: %d entries, want %d", name, len(got), c.n)
			}
			for i := range got {
				if !c.want(&got[i]) {
					t.Errorf("%s: %+v", name, got[i])
				}
			}
		}
	})
}

func equalJSON(t testing.TB, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// A flood of refusals fills nothing: the same one is two entries a minute, and an organization has a bounded number.
func TestRefusalsAreBounded(t *testing.T) {
	f := newFixture(t)
	rows := func() (n, counted int) {
		if err := f.FlushRefusals(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := f.store.Changes(t.Context(), f.org, "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if list[i].Key.Type == resources.TypeRefusal && list[i].Op == storage.OpCreate {
				e := AuditEntry{Count: 1}
				e.refusal(&list[i])
				n, counted = n+1, counted+e.Count
			}
		}
		return n, counted
	}
	deny := func(actor, code string) {
		f.Refused(Denial{Caller: scim.Caller{Org: f.org, Actor: scim.Actor{Kind: "user", ID: actor}}, Action: "x", Code: code})
	}
	for range 1000 {
		deny("a", "not_allowed")
	}
	if n, counted := rows(); n != 1 || counted != 1000 {
		t.Errorf("%d entries of %d refusals at once", n, counted)
	}
	for range 500 {
		deny("a", "not_allowed")
	}
	if n, _ := rows(); n != 1 {
		t.Errorf("%d entries within the minute", n)
	}
	f.clock.Advance(refusalWindow)
	if n, counted := rows(); n != 2 || counted != 1500 {
		t.Errorf("%d entries of %d refusals after the minute", n, counted)
	}
	for i := range 10_000 {
		deny(fmt.Sprint("actor", i), "not_allowed")
	}
	if n, counted := rows(); n != 2+refusalsOfOrg+1 || counted != 11_500 {
		t.Errorf("%d entries of %d refusals of many", n, counted)
	}
	f.clock.Advance(refusalWindow)
	rows()
	if len(f.refused.pending) > 0 || len(f.refused.orgs) > 0 {
		t.Errorf("%d and %d are still counted", len(f.refused.pending), len(f.refused.orgs))
	}
	if page, err := f.store.Exists(t.Context(), f.org, []string{"x"}); err != nil || len(page) > 0 {
		t.Error(err)
	}
}

// Members see what they did and what was done to them, operators what they did.
func TestWhoMayReadTheTrail(t *testing.T) {
	f := newAuditFixture(t, inMemory(t))
	ann, err := f.PersonSubject(t.Context(), scim.Caller{Org: f.org, Actor: scim.Actor{Kind: "user", ID: f.ann}}, f.ann)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sub Subject
		f   AuditFilter
		ok  bool
	}{
		"all":             {ann, AuditFilter{}, false},
		"what she did":    {ann, AuditFilter{Actor: f.ann}, true},
		"what was done":   {ann, AuditFilter{Target: f.ann}, true},
		"of others":       {ann, AuditFilter{Actor: "t"}, false},
		"on others":       {ann, AuditFilter{Target: "x"}, false},
		"the owner":       {f.admin, AuditFilter{}, true},
		"an operator":     {System(f.org, "op"), AuditFilter{}, false},
		"operator's acts": {System(f.org, "op"), AuditFilter{Actor: "op"}, true},
	} {
		if _, _, err := f.Audit(t.Context(), c.sub, AuditPage{AuditFilter: c.f, Count: 10}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
