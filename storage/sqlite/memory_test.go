package sqlite_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/testkit"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestPageMemory: a page is the same in memory of the caller's, however little that is, and two pages in different
// memory have nothing in common; the cache keeps nothing of it.
func TestPageMemory(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	ids, clock := testkit.NewIDs(), testkit.NewClock()
	for i := range 60 {
		k := storage.Key{Org: benchOrg, Type: "User", ID: ids.New()}
		if _, err := s.Insert(t.Context(), k, clock.Tick(), benchUser(i)); err != nil {
			t.Fatal(err)
		}
	}
	page := func(memory []byte) []storage.Record {
		t.Helper()
		p, err := s.Query(t.Context(), benchOrg, query.Query{
			Sources: []query.Source{{Type: "User"}}, Limit: 100, Load: query.Load{Groups: true, Memory: memory},
		})
		if err != nil || len(p.Records) != 60 {
			t.Fatalf("%d records, %v", len(p.Records), err)
		}
		return p.Records
	}
	want := page(nil) // from the database
	for _, size := range []int{0, 1, 3000, 1 << 20} {
		memory := make([]byte, size)
		got := page(memory)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d bytes of memory (-want +got):\n%s", size, diff)
		}
		if size >= 3000 && !bytes.Contains(memory, got[0].Doc) {
			t.Errorf("%d bytes of memory were not used", size)
		}
		clear(memory)
		if diff := cmp.Diff(want, page(nil)); diff != "" {
			t.Fatalf("after the memory was used for something else (-want +got):\n%s", diff)
		}
	}
}
