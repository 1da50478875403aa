package sqlite_test

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestLogIsBounded: nothing but the checkpointer copies the log into the database, beside writers and readers that
// never pause; without it the log of these writes has 75 MiB.
func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	var checkpoints atomic.Int64
	s := open(t, sqlite.Options{Dir: dir, Types: benchTypes(), Observer: func(e sqlite.Event) {
		if e.Op == "checkpoint" && e.Err == nil {
			checkpoints.Add(1)
		}
	}})
	ids, clock := testkit.NewIDs(), testkit.NewClock()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				q := query.Query{Sources: []query.Source{{Type: "User"}}, Limit: 100}
				if _, err := s.Query(t.Context(), benchOrg, q); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const users = 16_000
	for n := 0; n < users; {
		steps := make([]storage.Step, 200)
		for i := range steps {
			n++
			k, at, e := storage.Key{Org: benchOrg, Type: "User", ID: ids.New()}, clock.Tick(), benchUser(n)
			steps[i] = func(tx storage.Tx) error {
				_, err := tx.Insert(t.Context(), k, at, e)
				return err
			}
		}
		for _, err := range s.Batch(t.Context(), benchOrg, steps, nil) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	readers.Wait()
	info, err := os.Stat(filepath.Join(dir, "rollcall.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB of log, %d checkpoints", info.Size()>>20, checkpoints.Load())
	if info.Size() > 64<<20 || checkpoints.Load() == 0 {
		t.Errorf("the log has %d bytes after %d checkpoints", info.Size(), checkpoints.Load())
	}
	page, err := s.Query(t.Context(), benchOrg, query.Query{Sources: []query.Source{{Type: "User"}}, Total: true})
	if err != nil || page.Total != users {
		t.Errorf("%d users, %v", page.Total, err)
	}
}
