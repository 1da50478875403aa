package admin_test

import (
	"testing"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/mongo"
	"rollcall/storage/sqlite"
)

// openStore opens an empty store that knows the types and lives as long as the test.
type openStore func(t testing.TB, types []storage.Type) storage.Store

// openSQLite is an [openStore].
func openSQLite(t testing.TB, types []storage.Type) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Types: types})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// openMongoDB is an [openStore].
func openMongoDB(t testing.TB, types []storage.Type) storage.Store {
	t.Helper()
	uri, name := mongotest.Database(t)
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
