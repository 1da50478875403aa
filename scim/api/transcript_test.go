package api_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"rollcall/internal/transcript"
	"rollcall/scim/api"
)

func TestTranscripts(t *testing.T) { runTranscripts(t, openSQLite) }

// runTranscripts replays every testdata/http/*.txtar against a server on a fresh store of its own; every store must
// give the same answers.
func runTranscripts(t *testing.T, open openStore) {
	t.Helper()
	p := transcript.Player{
		Who: "acme",
		Headers: []string{
			"Content-Type", "Content-Encoding", "Location", "Content-Location", "Etag", "Allow", "Www-Authenticate",
			"Retry-After", "Connection",
		},
		World: func(t *testing.T) transcript.World {
			return player{newWorld(t, open, func(o *api.Options) { o.Limits.BulkOperations = 10 })}
		},
	}
	p.Run(t, "testdata/http/*.txtar")
}

// player is a world as transcripts see it.
type player struct{ *world }

func (p player) Advance(d time.Duration) { p.clock.Advance(d) }

func (p player) Do(t testing.TB, r *transcript.Request) *httptest.ResponseRecorder {
	t.Helper()
	var header []string
	for name, values := range r.Header {
		header = append(header, name, values[0])
	}
	for _, name := range r.Without {
		header = append(header, name, "")
	}
	rec := p.do(t, r.Who, r.Method, r.Path, r.Body, header...)
	if n := rec.Body.Len(); n > 0 && rec.Header().Get("Content-Length") == "" {
		t.Errorf("a body of %d bytes without Content-Length", n)
	}
	return rec
}
