// Package acceptance replays the corpora over HTTP against a whole server: filters with fixtures, single PATCHes
// with the resource before and after, and the recorded conversations of identity providers. What is under test is
// the server as a client sees it; so this package knows HTTP and JSON only, and nothing of stores, resource types or
// the wiring of a server. It is imported by tests only.
//
// The data in testdata is a copy of the corpora and is never edited to fit the server. Where the corpora leave the
// answer to us, ours is written beside the runner.
package acceptance

import (
	"embed"
	"testing"
)

//go:embed testdata
var corpora embed.FS

// Server is a running server to test, with nothing in it.
type Server struct {
	// URL is the SCIM root without a trailing slash.
	URL string
	// Token returns a bearer token for the one organization, under the named compatibility profile.
	Token func(profile string) string
}

// Profiles returns the compatibility profiles that the corpora are replayed under: what every client gets by default,
// and the protocol without a relaxation.
func Profiles() []string { return []string{auto, strict} }

const (
	auto   = "auto"
	strict = "strict"
)

// Run replays every corpus under every profile. newServer starts an empty server that lives as long as the test.
func Run(t *testing.T, newServer func(testing.TB) Server) {
	t.Helper()
	for _, profile := range Profiles() {
		t.Run("filters/"+profile, func(t *testing.T) { Filters(t, newServer(t), profile) })
		t.Run("patches/"+profile, func(t *testing.T) { Patches(t, newServer(t), profile) })
		t.Run("choices/"+profile, func(t *testing.T) { Choices(t, newServer(t), profile) })
	}
	// Identity providers need the relaxations, so their flows are replayed under the default profile only.
	t.Run("relaxations", func(t *testing.T) { Relaxations(t, newServer(t)) })
	t.Run("recognition", func(t *testing.T) { Recognition(t, newServer(t)) })
	t.Run("flows", func(t *testing.T) { Flows(t, newServer, auto) })
	t.Run("model", func(t *testing.T) { Model(t, newServer(t), modelSeed(t)) })
	t.Run("large", func(t *testing.T) { Large(t, newServer(t)) })
	t.Run("fresh", func(t *testing.T) { Fresh(t, newServer(t)) })
}

// corpus reads one file of testdata.
func corpus(t testing.TB, name string) []byte {
	t.Helper()
	data, err := corpora.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tally counts the cases of one corpus; its last line is what a reader of a test log looks for.
type tally struct {
	name          string
	passed, total int
	alternative   int // answered as the corpus accepts, though not as it prefers
}

func (c *tally) log(t *testing.T) {
	t.Helper()
	t.Logf("corpus %s: %d of %d, %d of them by an accepted alternative", c.name, c.passed, c.total, c.alternative)
}
