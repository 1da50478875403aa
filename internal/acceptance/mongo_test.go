package acceptance_test

import (
	"os"
	"testing"

	"rollcall/internal/acceptance"
	"rollcall/internal/mongotest"
	"rollcall/storage/mongo"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// TestMongoDB replays the corpora against MongoDB: the same expectations, word for word.
func TestMongoDB(t *testing.T) {
	mongotest.URI(t)
	acceptance.Run(t, func(t testing.TB) acceptance.Server {
		registry := newRegistry(t)
		uri, name := mongotest.Database(t)
		store, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: registry.StorageTypes()})
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, registry, store)
	})
}
