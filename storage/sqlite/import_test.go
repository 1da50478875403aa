package sqlite_test

import (
	"errors"
	"testing"

	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/sqlite"
)

// TestUnfinishedCopyIsNotServed: half a database opens for nothing but the rest of the copy.
func TestUnfinishedCopyIsNotServed(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Types: conformance.Types(), Import: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.BeginImport(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Types: conformance.Types()}); !errors.Is(err, storage.ErrUnfinished) {
		t.Fatalf("Open: %v, want ErrUnfinished", err)
	}
	s = open(t, sqlite.Options{Dir: dir, Import: true})
	if secrets, err := s.Secrets(t.Context()); err != nil || len(secrets) != 0 {
		t.Errorf("the mark counts as a key: %d keys, %v", len(secrets), err)
	}
	if err := errors.Join(s.BeginImport(t.Context()), s.EndImport(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	open(t, sqlite.Options{Dir: dir})
}
