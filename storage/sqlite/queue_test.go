package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// hold keeps the writer busy until release is called, so that what is sent meanwhile waits side by side.
func hold(t *testing.T, s *sqlite.Store) (release func()) {
	t.Helper()
	held, free, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.InWriter(t.Context(), func() error { close(held); <-free; return nil }) }()
	<-held
	return func() {
		t.Helper()
		close(free)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func awaitQueued(s *sqlite.Store, n int) {
	for s.Queued() < n {
		time.Sleep(time.Millisecond)
	}
}

// While a Batch of 500 steps runs, two writes of another organization come and one of a third. They run after the
// first part of the Batch, and not after its end.
func TestOrganizationsTakeTurns(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	clock, key := newTestKeys()
	const steps = 500
	begun, free := make(chan struct{}), make(chan struct{})
	var order []string // written by the writer only
	at := map[string]int{}
	batch := make([]storage.Step, steps)
	for i := range batch {
		k, e, when := key("User"), benchUser(i), clock.Tick()
		batch[i] = func(tx storage.Tx) error {
			if i == 0 {
				close(begun)
				<-free
			}
			order = append(order, "batch")
			_, err := tx.Insert(t.Context(), k, when, e)
			return err
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		for i, err := range s.Batch(t.Context(), benchOrg, batch, nil) {
			if err != nil {
				t.Errorf("step %d: %v", i, err)
			}
		}
	})
	<-begun
	for n, org := range []scim.OrgID{"org-b", "org-b", "org-c"} {
		name := fmt.Sprintf("%s-%d", org, n)
		all.Go(func() {
			err := s.Within(t.Context(), org, func(storage.Tx) error {
				at[name] = len(order)
				order = append(order, name)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		awaitQueued(s, n+1)
	}
	close(free)
	all.Wait()
	if len(order) != steps+3 {
		t.Fatalf("%d steps ran", len(order))
	}
	// A turn of the Batch is 32 steps at most (minSlice), fewer if they take their time; the others follow at once,
	// the third organization in between.
	if first := at["org-b-0"]; first < 1 || first > 32 || at["org-c-2"] != first+1 || at["org-b-1"] != first+2 {
		t.Errorf("turns: %v", at)
	}
	wantSound(t, s)
}

// A Batch that takes many turns keeps its promises: each step has its result, done may end it, the end of its
// context ends it between two steps, and what ran is there.
func TestBatchOfManyTurns(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	clock, key := newTestKeys()
	const steps, last = 1100, 900
	for _, end := range []string{"done", "context", "panic"} {
		ctx, cancel := context.WithCancel(t.Context())
		keys := make([]storage.Key, steps)
		batch := make([]storage.Step, steps)
		for i := range batch {
			k, e, at := key("User"), benchUser(1_000_000+len(end)*10_000+i), clock.Tick()
			keys[i] = k
			batch[i] = func(tx storage.Tx) error {
				if i%10 == 9 {
					return storage.ErrNotFound // refused by its own callback
				}
				_, err := tx.Insert(context.WithoutCancel(ctx), k, at, e)
				return err
			}
		}
		errs := s.Batch(ctx, benchOrg, batch, func(i int, _ error) bool {
			if i < last {
				return true
			}
			switch end {
			case "context":
				cancel()
				return true
			case "panic":
				panic("done")
			}
			return false
		})
		cancel()
		for i, err := range errs {
			want := error(nil)
			switch {
			case i > last:
				want = storage.ErrNotRun
			case i%10 == 9:
				want = storage.ErrNotFound
			}
			if !errors.Is(err, want) {
				t.Fatalf("%s: step %d: %v, want %v", end, i, err, want)
			}
			if i > last && errors.Is(err, context.Canceled) != (end == "context") {
				t.Fatalf("%s: step %d: %v", end, i, err)
			}
		}
		ids := make([]string, 0, steps)
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		found := 0
		for chunk := range slices.Chunk(ids, 500) {
			m, err := s.Exists(t.Context(), benchOrg, chunk)
			if err != nil {
				t.Fatal(err)
			}
			found += len(m)
		}
		if want := last + 1 - (last+1)/10; found != want {
			t.Errorf("%s: %d records are there, want %d", end, found, want)
		}
	}
	wantSound(t, s)
}

// One organization's full lane is nobody else's: it waits alone.
func TestQueueIsBoundedForEach(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes(), Queue: 2})
	nothing := func(storage.Tx) error { return nil }
	var all sync.WaitGroup
	release := hold(t, s)
	for range 2 {
		all.Go(func() {
			if err := s.Within(t.Context(), benchOrg, nothing); err != nil {
				t.Error(err)
			}
		})
	}
	awaitQueued(s, 2)
	ctx, cancel := context.WithCancel(t.Context())
	third := make(chan error, 1)
	go func() { third <- s.Within(ctx, benchOrg, nothing) }()
	all.Go(func() {
		if err := s.Within(t.Context(), "org-b", nothing); err != nil {
			t.Error(err)
		}
	})
	awaitQueued(s, 3) // the other organization has its place
	cancel()
	if err := <-third; !errors.Is(err, context.Canceled) {
		t.Errorf("a write to a full queue: %v", err)
	}
	release()
	all.Wait()
}
