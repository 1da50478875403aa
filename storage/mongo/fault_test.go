//go:build mongofault

package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/mongotest"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/mongo"
)

// The faults happen to a replica set of three members on loopback while two processes' worth of stores write. Run
// them by `make test-mongo`.

// faults are what happens to the primary, and how it ends.
func faults() []struct {
	name string
	do   func(ctx context.Context, set *mongotest.Set, m *mongotest.Member) error
	heal func(m *mongotest.Member) error
} {
	return []struct {
		name string
		do   func(ctx context.Context, set *mongotest.Set, m *mongotest.Member) error
		heal func(m *mongotest.Member) error
	}{
		{"step-down", func(ctx context.Context, _ *mongotest.Set, m *mongotest.Member) error {
			_ = m.StepDown(ctx) // the server may hang up on whoever asks for it
			return nil
		}, func(*mongotest.Member) error { return nil }},
		{"kill -9", func(_ context.Context, _ *mongotest.Set, m *mongotest.Member) error {
			m.Kill()
			return nil
		}, func(m *mongotest.Member) error { return m.Start() }},
		{"stopped", func(_ context.Context, _ *mongotest.Set, m *mongotest.Member) error {
			return m.Signal(syscall.SIGSTOP)
		}, func(m *mongotest.Member) error { return m.Signal(syscall.SIGCONT) }},
	}
}

// ledger is what writers were told.
type ledger struct {
	mu       sync.Mutex
	versions map[storage.Key]int64 // the newest acknowledged one
	members  map[string]bool       // acknowledged members of the shared group
	acked    atomic.Int64
	refused  atomic.Int64
	strange  []error
}

func (l *ledger) note(err error, acknowledged func()) {
	switch {
	case err == nil:
		l.acked.Add(1)
		l.mu.Lock()
		acknowledged()
		l.mu.Unlock()
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrContention), errors.Is(err, context.DeadlineExceeded):
		l.refused.Add(1) // 503 with Retry-After
	default:
		l.mu.Lock()
		l.strange = append(l.strange, err)
		l.mu.Unlock()
	}
}

func TestFaults(t *testing.T) {
	binary, err := mongotest.Mongod()
	if err != nil {
		if mongotest.Required() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			set, err := mongotest.StartSet(ctx, binary, 3)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Stop()
			stores := [2]*mongo.Store{}
			for i := range stores {
				stores[i], err = mongo.Open(ctx, mongo.Options{
					URI: set.URI(), Database: "faults", Types: conformance.Types(), ServerSelection: 3 * time.Second, Timeout: 5 * time.Second,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stores[i].Close() }()
			}
			l := &ledger{versions: map[storage.Key]int64{}, members: map[string]bool{}}
			group := storage.Key{Org: "o", Type: "Group", ID: uuid.NewString()}
			if _, err := stores[0].Insert(ctx, group, time.Now(), &storage.Edit{Doc: map[string]any{"displayName": "shared"}}); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() { writeUntil(ctx, stop, stores[w%2], group, l, fmt.Sprint(w)) })
			}
			awaitAcked(ctx, t, l, 200)
			primary, err := set.Primary(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.do(ctx, set, primary); err != nil {
				t.Fatal(err)
			}
			before := l.acked.Load()
			awaitAcked(ctx, t, l, before+300) // it recovers by itself
			if err := f.heal(primary); err != nil {
				t.Fatal(err)
			}
			awaitAcked(ctx, t, l, l.acked.Load()+200)
			close(stop)
			wg.Wait()
			for _, err := range l.strange {
				t.Errorf("a writer saw %v", err)
			}
			checkLedger(ctx, t, stores[1], group, l)
			t.Logf("%s: %d writes acknowledged, %d answered 503", f.name, l.acked.Load(), l.refused.Load())
		})
	}
}

func awaitAcked(ctx context.Context, t *testing.T, l *ledger, n int64) {
	t.Helper()
	for l.acked.Load() < n {
		select {
		case <-ctx.Done():
			t.Fatalf("%d writes acknowledged, waiting for %d", l.acked.Load(), n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// writeUntil writes as a server does: each call with a deadline, none repeated.
func writeUntil(ctx context.Context, stop <-chan struct{}, s *mongo.Store, group storage.Key, l *ledger, name string) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		call, cancel := context.WithTimeout(ctx, 8*time.Second)
		k := storage.Key{Org: "o", Type: "User", ID: uuid.NewString()}
		_, err := s.Insert(call, k, time.Now(), user(fmt.Sprintf("%s-%d", name, i)))
		l.note(err, func() { l.versions[k] = 1 })
		if err == nil {
			rec, _, err := s.Update(call, k, time.Now(), increment)
			l.note(err, func() { l.versions[k] = rec.Version })
			_, _, err = s.Update(call, group, time.Now(), func(storage.Current) (*storage.Edit, error) {
				return &storage.Edit{Members: storage.MemberDelta{Add: []string{k.ID}}, Change: storage.Change{Op: storage.OpPatch}}, nil
			})
			l.note(err, func() { l.members[k.ID] = true })
		}
		cancel()
	}
}

// checkLedger: every acknowledged write and its change row are there, nothing is half done.
func checkLedger(ctx context.Context, t *testing.T, s *mongo.Store, group storage.Key, l *ledger) {
	t.Helper()
	feed := map[storage.Key]int64{}
	added := map[string]bool{}
	var at storage.Position
	for {
		page, err := s.Changes(ctx, "o", at, 500)
		if err != nil {
			t.Fatalf("Changes: %v", err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if c.Version != feed[c.Key]+1 {
				t.Errorf("the feed has version %d of %s after %d", c.Version, c.Key.ID, feed[c.Key])
			}
			feed[c.Key] = c.Version
			for _, id := range c.MembersAdded {
				added[id] = true
			}
		}
		at = page[len(page)-1].Position
	}
	for k, version := range l.versions {
		rec, err := s.Get(ctx, k, query.Load{})
		switch {
		case err != nil:
			t.Errorf("an acknowledged record is lost: %v", err)
		case rec.Version < version || feed[k] != rec.Version:
			t.Errorf("version %d of a record whose version %d was acknowledged and whose feed ends at %d", rec.Version, version, feed[k])
		}
	}
	rec, err := s.Get(ctx, group, query.Load{Members: true})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]bool{}
	for _, m := range rec.Members {
		members[m.ID] = true
		if m.Type != "User" || !added[m.ID] {
			t.Errorf("member %s of type %q, in the feed: %v", m.ID, m.Type, added[m.ID])
		}
	}
	for id := range l.members {
		if !members[id] {
			t.Errorf("an acknowledged member is lost")
		}
	}
	if feed[group] != rec.Version || int64(len(members))+1 != rec.Version {
		t.Errorf("the group has version %d, %d members and a feed that ends at %d", rec.Version, len(members), feed[group])
	}
	// Every record has its change, also those whose answer was lost.
	page, err := s.Query(ctx, "o", query.Query{Sources: []query.Source{{Type: "User"}}, Limit: 100_000, Total: true})
	if err != nil {
		t.Fatal(err)
	}
	if page.Total != len(page.Records) {
		t.Errorf("a total of %d beside %d records", page.Total, len(page.Records))
	}
	for _, r := range page.Records {
		if feed[r.Key] != r.Version {
			t.Errorf("a record of version %d whose feed ends at %d", r.Version, feed[r.Key])
		}
	}
}
