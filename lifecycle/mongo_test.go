package lifecycle

import (
	"os"
	"testing"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/mongo"
	"rollcall/storage/sqlite"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// onEachStore runs a test on the embedded store and on MongoDB where there is one. open opens the database of the test:
// each call is one more process on it, as far as the store can be shared.
func onEachStore(t *testing.T, test func(t *testing.T, open func(types []storage.Type) storage.Store)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		var one storage.Store
		test(t, func(types []storage.Type) storage.Store {
			if one == nil {
				s, err := sqlite.Open(t.Context(), sqlite.Options{Types: types})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				one = s
			}
			return one
		})
	})
	t.Run("MongoDB", func(t *testing.T) {
		mongotest.URI(t)
		uri, name := mongotest.Database(t)
		test(t, func(types []storage.Type) storage.Store {
			s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		})
	})
}
