package mongo_test

import (
	"errors"
	"testing"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/mongo"
	"rollcall/storage/sqlite"
)

// TestCopy: each kind of store into the other. Of two of one kind the conformance suite copies.
func TestCopy(t *testing.T) {
	mongotest.URI(t)
	database := func(t testing.TB) storage.Store { return open(t, conformance.Types()) }
	embedded := func(t testing.TB) storage.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Types: conformance.Types()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	t.Run("SQLite to MongoDB", func(t *testing.T) { conformance.RunCopy(t, embedded, database) })
	t.Run("MongoDB to SQLite", func(t *testing.T) { conformance.RunCopy(t, database, embedded) })
}

// TestUnfinishedCopyIsNotServed: half a database opens for nothing but the rest of the copy.
func TestUnfinishedCopyIsNotServed(t *testing.T) {
	uri, name := mongotest.Database(t)
	o := mongo.Options{URI: uri, Database: name, Types: conformance.Types(), Import: true}
	s, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.BeginImport(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	o.Import = false
	if _, err := mongo.Open(t.Context(), o); !errors.Is(err, storage.ErrUnfinished) {
		t.Fatalf("Open: %v, want ErrUnfinished", err)
	}
	o.Import = true
	if s, err = mongo.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.BeginImport(t.Context()), s.EndImport(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	openAt(t, uri, name, conformance.Types())
}

// TestExclusive: who copies has the database alone.
func TestExclusive(t *testing.T) {
	uri, name := mongotest.Database(t)
	o := mongo.Options{URI: uri, Database: name, Types: conformance.Types(), Exclusive: true}
	server := openAt(t, uri, name, conformance.Types())
	if _, err := mongo.Open(t.Context(), o); !errors.Is(err, mongo.ErrInUse) {
		t.Fatalf("Open beside a server: %v, want ErrInUse", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open after the server closed: %v", err)
	}
	defer func() { _ = alone.Close() }()
	if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: conformance.Types()}); !errors.Is(err, mongo.ErrInUse) {
		t.Errorf("Open beside a copy: %v, want ErrInUse", err)
	}
}
