package sqlite_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/testkit"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestPrepare: an Insert of a prepared edit stores what one of the edit itself stores, also when its step is run
// again; and an edit that is prepared for something else is not taken for it.
func TestPrepare(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	ids, clock := testkit.NewIDs(), testkit.NewClock()
	insert := func(k storage.Key, e *storage.Edit, prepared bool) *storage.Record {
		t.Helper()
		at := clock.Now()
		if prepared {
			if err := s.Prepare(k, at, e); err != nil {
				t.Fatal(err)
			}
		}
		undone := errors.New("undone")
		run := func(end error) error {
			return s.Within(t.Context(), k.Org, func(tx storage.Tx) error {
				if _, err := tx.Insert(t.Context(), k, at, e); err != nil {
					return err
				}
				return end
			})
		}
		if err := run(undone); !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if err := run(nil); err != nil {
			t.Fatal(err)
		}
		rec, err := s.Get(t.Context(), k, query.Load{})
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	key := func() storage.Key { return storage.Key{Org: benchOrg, Type: "User", ID: ids.New()} }
	a, b := key(), key()
	other := key()
	other.Org = "22222222-0000-7000-8000-000000000001"
	want := insert(other, benchUser(1), false)
	got := insert(a, benchUser(1), true)
	if d := cmp.Diff(string(want.Doc), string(got.Doc)); d != "" {
		t.Error(d)
	}
	changes := func(k storage.Key) storage.Change {
		list, err := s.Changes(t.Context(), k.Org, "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d changes, %v", len(list), err)
		}
		ch := list[0]
		ch.Key, ch.Position = storage.Key{}, ""
		return ch
	}
	if d := cmp.Diff(changes(other), changes(a)); d != "" {
		t.Errorf("change rows differ, -edit +prepared:\n%s", d)
	}
	e := benchUser(2)
	if err := s.Prepare(b, clock.Now(), e); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Insert(t.Context(), key(), clock.Now(), e); err == nil {
		t.Error("an edit that was prepared for another id is inserted")
	}
}
