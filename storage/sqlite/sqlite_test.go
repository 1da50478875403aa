package sqlite_test

import (
	"testing"

	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/sqlite"
)

// open opens a store in memory, or in dir.
func open(t testing.TB, o sqlite.Options) *sqlite.Store {
	t.Helper()
	if o.Types == nil {
		o.Types = conformance.Types()
	}
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t testing.TB) storage.Store { return open(t, sqlite.Options{}) })
}
