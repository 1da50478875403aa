package admin_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"rollcall/internal/mongotest"
	"rollcall/internal/transcript"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// TestTranscripts plays testdata/*/*.txtar: frame is about what all endpoints have in common, lifecycle has a transcript
// for each row of the demand. Whoever adds an endpoint adds a transcript that shows it succeed.
func TestTranscripts(t *testing.T) {
	succeeded := runTranscripts(t, openSQLite)
	t.Run("every operation", func(t *testing.T) {
		for _, op := range newWorld(t, openSQLite, nil).Operations() {
			if !succeeded[op] {
				t.Errorf("no transcript shows %s succeed", op)
			}
		}
	})
}

// TestTranscriptsMongoDB plays them on MongoDB, with the expectations that the embedded store has.
func TestTranscriptsMongoDB(t *testing.T) {
	mongotest.URI(t)
	runTranscripts(t, openMongoDB)
}

// runTranscripts returns the operations that were answered with success.
func runTranscripts(t *testing.T, open openStore) map[string]bool {
	t.Helper()
	var mu sync.Mutex
	succeeded := map[string]bool{}
	p := transcript.Player{
		Who:     "admin",
		Headers: []string{"Content-Type", "Location", "Etag", "Allow", "Www-Authenticate", "Retry-After", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset", "Idempotency-Replayed", "Connection"},
		World: func(t *testing.T) transcript.World {
			w := newWorld(t, open, nil)
			t.Cleanup(func() {
				mu.Lock()
				defer mu.Unlock()
				for _, op := range w.Metrics.Succeeded() {
					succeeded[op] = true
				}
			})
			return w
		},
	}
	dirs, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		t.Run(filepath.Base(dir), func(t *testing.T) { p.Run(t, filepath.Join(dir, "*.txtar")) })
	}
	return succeeded
}
