package api_test

import (
	"os"
	"testing"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/mongo"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// TestTranscriptsMongoDB plays the transcripts on MongoDB, with the expectations that the embedded store has.
func TestTranscriptsMongoDB(t *testing.T) {
	mongotest.URI(t)
	runTranscripts(t, func(t testing.TB, types []storage.Type) storage.Store {
		uri, name := mongotest.Database(t)
		s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
