package resources_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/schema"
)

const writers = 16

// together runs f writers times at once.
func together(f func(n int)) {
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() { f(n) })
	}
	wg.Wait()
}

// TestParallelPatch: PATCHes of one user all survive; nobody who named no version sees the race.
func TestParallelPatch(t *testing.T) {
	f := newFixture(t)
	r := f.user("ann")
	together(func(n int) {
		c := f.caller("strict")
		body := f.patchBody(fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"%d@x"}]}`, n))
		plan, err := patch.Compile(f.typ("User"), body, patch.Options{Session: c.Compat})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := f.svc.Patch(t.Context(), c, f.typ("User"), r.ID, scim.Precondition{}, plan, loadAll); err != nil {
			t.Errorf("patch %d: %v", n, err)
		}
	})
	got := f.get("User", r.ID)
	if mails := f.attrs(got)["emails"].([]any); len(mails) != writers || got.Version != writers+1 {
		t.Errorf("%d of %d PATCHes survived, version %d", len(mails), writers, got.Version)
	}
}

// TestParallelPreconditions: of writers that name one version exactly one wins, the others see 412.
func TestParallelPreconditions(t *testing.T) {
	f := newFixture(t)
	r := f.user("ann")
	var won atomic.Int64
	together(func(n int) {
		_, err := f.svc.Replace(t.Context(), f.caller("strict"), f.typ("User"), r.ID, scim.Precondition{IfMatch: `W/"1"`},
			f.doc("User", fmt.Sprintf(`"userName":"ann","title":"%d"`, n)), loadAll)
		var e *scim.Error
		switch {
		case err == nil:
			won.Add(1)
		case !errors.As(err, &e) || e.Status != 412:
			t.Errorf("writer %d: %v, want 412", n, err)
		}
	})
	if won.Load() != 1 || f.get("User", r.ID).Version != 2 {
		t.Errorf("%d writers won", won.Load())
	}
}

// TestParallelCreate: of users with one name exactly one is created.
func TestParallelCreate(t *testing.T) {
	f := newFixture(t)
	var won atomic.Int64
	together(func(n int) {
		name := "ann"
		if n%2 == 0 {
			name = "ANN"
		}
		doc, err := schema.Decoder{}.Resource(f.typ("User"), f.body("User", fmt.Sprintf(`"userName":%q`, name)))
		if err != nil {
			t.Error(err)
			return
		}
		_, err = f.svc.Create(t.Context(), f.caller("strict"), f.typ("User"), doc, loadAll)
		var e *scim.Error
		switch {
		case err == nil:
			won.Add(1)
		case !errors.As(err, &e) || e.Type != scim.TypeUniqueness:
			t.Errorf("writer %d: %v, want uniqueness", n, err)
		}
	})
	if n := f.count("User"); won.Load() != 1 || n != 1 {
		t.Errorf("%d creations won, %d users are there", won.Load(), n)
	}
}

// TestParallelMembers: members added and removed at once all count.
func TestParallelMembers(t *testing.T) {
	f := newFixture(t)
	var gone, come [writers]string
	for n := range writers {
		gone[n], come[n] = f.user(fmt.Sprintf("gone%d", n)).ID, f.user(fmt.Sprintf("come%d", n)).ID
	}
	g := f.group("g", gone[:]...)
	together(func(n int) {
		f.tryPatchAsync(g.ID, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]},{"op":"remove","path":"members[value eq \"%s\"]"}`, come[n], gone[n]))
	})
	got := f.get("Group", g.ID)
	have := map[string]bool{}
	for _, m := range got.Members {
		have[m.ID] = true
	}
	for n := range writers {
		if !have[come[n]] || have[gone[n]] {
			t.Errorf("writer %d: the new member is there: %v, the old one: %v", n, have[come[n]], have[gone[n]])
		}
	}
	if got.Version != writers+1 {
		t.Errorf("version %d, want %d", got.Version, writers+1)
	}
}

// tryPatchAsync patches a group from any goroutine.
func (f *fixture) tryPatchAsync(id, ops string) {
	plan, err := patch.Compile(f.typ("Group"), f.patchBody(ops), patch.Options{})
	if err == nil {
		_, err = f.svc.Patch(f.Context(), f.caller("strict"), f.typ("Group"), id, scim.Precondition{}, plan, loadAll)
	}
	if err != nil {
		f.Errorf("patch %s: %v", ops, err)
	}
}
