package mongo_test

import (
	"os"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/mongo"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// open returns a store in a database of its own.
func open(t testing.TB, types []storage.Type) *mongo.Store {
	t.Helper()
	uri, name := mongotest.Database(t)
	return openAt(t, uri, name, types)
}

func openAt(t testing.TB, uri, name string, types []storage.Type) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types, Now: time.Now})
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
	mongotest.URI(t)
	conformance.Run(t, func(t testing.TB) storage.Store { return open(t, conformance.Types()) })
}
