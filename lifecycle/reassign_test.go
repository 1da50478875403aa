package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"rollcall/scim"
	"rollcall/storage"
)

// clients makes clients of one person, in steps.
func (f *fixture) clients(n int, owner string) {
	f.Helper()
	at := f.now()
	for i := 0; i < n; {
		err := f.store.Within(f.Context(), f.org, func(tx storage.Tx) error {
			for range min(500, n-i) {
				c := Client{Display: fmt.Sprint("Client ", i), Owners: []ClientOwner{{Value: owner, Relation: relationOwner}}}
				if _, err := f.insert(f.Context(), tx, f.admin.Caller, clientKey(f.org, f.newID()), at, c, nil); err != nil {
					return err
				}
				i++
			}
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}

// reassignAll sends a reassignment page by page.
func (f *fixture) reassignAll(r Reassignment) (moved map[string]int, outcomes map[string]int) {
	f.Helper()
	moved, outcomes = map[string]int{}, map[string]int{}
	for {
		out, err := f.Reassign(f.Context(), f.admin, r)
		if err != nil {
			f.Error(err)
			return moved, outcomes
		}
		for _, x := range out.Items {
			if outcomes[x.Outcome]++; x.Outcome == ReassignMoved {
				moved[x.To]++
			}
		}
		if r.After = out.Next; out.Next == nil {
			return moved, outcomes
		}
	}
}

// Two administrators reassign the clients of one person at the same time, to different people: each client goes to one of
// them, and both are told the truth.
func TestReassignRace(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		const n = 300
		ann, bob, cat := f.scimUser("ann", nil), f.scimUser("bob", nil), f.scimUser("cat", nil)
		f.clients(n, ann)
		var (
			wg    sync.WaitGroup
			moved = make([]map[string]int, 4)
		)
		for i := range moved {
			to := []string{bob, cat}[i%2]
			wg.Go(func() { moved[i], _ = f.reassignAll(Reassignment{From: ann, To: []Share{{User: to}}, Count: 70}) })
		}
		wg.Wait()
		for _, u := range []string{bob, cat} {
			told := 0
			for _, m := range moved {
				told += m[u]
			}
			if has, err := f.ClientCount(t.Context(), f.org, u); err != nil || has != told {
				t.Errorf("a receiver has %d clients, reassignments moved %d, %v", has, told, err)
			}
		}
		left, err := f.ClientCount(t.Context(), f.org, ann)
		if err != nil || left != 0 {
			t.Errorf("%d are left, %v", left, err)
		}
		total := 0
		err = f.eachClient(t.Context(), f.org, nil, func(page []*record[Client]) error {
			for _, c := range page {
				if total++; len(c.Value.Owners) != 1 {
					t.Errorf("a client has the owners %+v", c.Value.Owners)
				}
			}
			return nil
		})
		if err != nil || total != n {
			t.Errorf("%d clients, %v", total, err)
		}
	})
}

// A distribution by shares over many pages comes out as one over a single page would, what was interrupted is finished by
// sending it again, and the preview says what is done.
func TestReassignShares(t *testing.T) {
	f := newFixture(t)
	ann, bob, cat := f.scimUser("ann", nil), f.scimUser("bob", nil), f.scimUser("cat", nil)
	f.clients(100, bob)
	f.clients(400, ann)
	r := Reassignment{From: ann, To: []Share{{User: bob, Share: 3}, {User: cat, Share: 1}}, Count: 70, DryRun: true}
	preview, _ := f.reassignAll(r)
	if preview[bob] != 300 || preview[cat] != 100 {
		t.Errorf("three to one is %v", preview)
	}
	r.DryRun = false
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := f.Reassign(ctx, f.admin, r); err == nil {
		t.Error("a request whose client is gone went through")
	}
	moved, outcomes := f.reassignAll(r)
	if moved[bob] != preview[bob] || moved[cat] != preview[cat] || outcomes[ReassignMoved] != 400 {
		t.Errorf("moved %v, the preview said %v", moved, preview)
	}
	// bob has 400 now, cat 100: by load cat gets the next 300.
	f.clients(320, ann)
	moved, _ = f.reassignAll(Reassignment{From: ann, To: []Share{{User: bob}, {User: cat}}, ByLoad: true, Count: 70})
	if moved[cat] != 310 || moved[bob] != 10 {
		t.Errorf("by load %v", moved)
	}
}

// Applications move what is their own, whoever else's the clients of a person are.
func TestReassignOfAnApplication(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.scimUser("ann", nil), f.scimUser("bob", nil)
	own, err := f.CreateClient(t.Context(), f.admin, Client{Display: "own", App: "crm", Owners: []ClientOwner{{Value: ann}}})
	if err != nil {
		t.Fatal(err)
	}
	other := f.client("other", ann)
	app := TokenSubject(scim.Caller{Org: f.org, Actor: scim.Actor{Kind: actorToken, ID: "app"}}, &scim.Client{Org: f.org, Scopes: []string{"app:crm"}})
	out, err := f.Reassign(t.Context(), app, Reassignment{From: ann, To: []Share{{User: bob}}})
	if err != nil || len(out.Items) != 1 || out.Items[0].Client != own.ID || out.Moved != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	out, err = f.Reassign(t.Context(), app, Reassignment{Pairs: []ClientPair{{other.ID, bob}}})
	if err != nil || out.Items[0].Outcome != ReassignUnknown {
		t.Errorf("another one's client: %+v, %v", out, err)
	}
}

// BenchmarkReassign gives 10,000 clients of one person to three others, and back.
func BenchmarkReassign(b *testing.B) {
	f := newFixture(b)
	ann, bob, cat := f.scimUser("ann", nil), f.scimUser("bob", nil), f.scimUser("cat", nil)
	f.clients(10_000, ann)
	for b.Loop() {
		f.reassignAll(Reassignment{From: ann, To: []Share{{User: bob, Share: 2}, {User: cat}}})
		f.reassignAll(Reassignment{From: bob, To: []Share{{User: ann}}})
		f.reassignAll(Reassignment{From: cat, To: []Share{{User: ann}}})
	}
}
