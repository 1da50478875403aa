package api_test

import (
	"bytes"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/internal/testkit"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/api"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// openStore opens an empty store that knows the types and lives as long as the test.
type openStore func(t testing.TB, types []storage.Type) storage.Store

func openSQLite(t testing.TB, types []storage.Type) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Types: types})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// world is a whole server without a network: two organizations, tokens by name, a clock that is moved by hand.
type world struct {
	handler http.Handler
	service *resources.Service
	clock   *testkit.Clock
	tokens  map[string]string
	metrics *counts
	log     *lockedBuffer
}

const root = "/scim/v2"

// newWorld opens a world; tweak may change the options of the edge.
func newWorld(t testing.TB, open openStore, tweak func(*api.Options)) *world {
	t.Helper()
	registry, err := resources.NewRegistry(append(resources.Default(), gadget())...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		clock: testkit.NewClock(), tokens: map[string]string{}, metrics: &counts{n: map[string]int{}}, log: &lockedBuffer{},
	}
	setup, resourceIDs, requestIDs := testkit.NewIDs(), testkit.NewIDs(), testkit.NewIDs()
	ids := setup
	w.service, err = resources.NewService(resources.Options{
		Store: open(t, registry.StorageTypes()), Registry: registry, Now: w.clock.Now,
		NewID: func() string { return ids.New() }, Random: rand.NewChaCha8([32]byte{1}),
		MaxValues: 500, MaxPatchOperations: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.service.Close)
	w.addTokens(t)
	ids = resourceIDs
	o := api.Options{
		Service: w.service, Auth: w.service, Registry: registry.Registry, Metrics: w.metrics,
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Now: w.clock.Now, NewID: requestIDs.New,
		BaseURL: "https://scim.example.com" + root, CursorKey: bytes.Repeat([]byte{7}, 32), Timeout: time.Minute,
		DocumentationURI: "https://docs.example.com/rollcall",
	}
	if tweak != nil {
		tweak(&o)
	}
	if w.handler, err = api.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) addTokens(t testing.TB) {
	t.Helper()
	acme, err := w.service.CreateOrganization(t.Context(), "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.service.CreateOrganization(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, org scim.OrgID, profile string, scopes ...string) {
		_, text, err := w.service.CreateToken(t.Context(), org, resources.NewToken{Name: name, Profile: profile, Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		w.tokens[name] = text
	}
	add("acme", acme.ID, "", scim.ScopeSCIM)
	add("other", other.ID, "", scim.ScopeSCIM)
	add("strict", acme.ID, "strict", scim.ScopeSCIM)
	add("entra", acme.ID, "entra", scim.ScopeSCIM)
	add("read", acme.ID, "", scim.ScopeSCIMRead)
	add("users", acme.ID, "", scim.TypeScope("/Users", true))
	add("users read", acme.ID, "", scim.TypeScope("/Users", false))
	add("groups", acme.ID, "", scim.TypeScope("/Groups", true))
	add("groups read", acme.ID, "", scim.TypeScope("/Groups", false))
	all := []string{scim.ScopeSCIM}
	for _, e := range []string{"/Roles", "/Entitlements", "/Occupations", "/Invites", "/JoinRequests"} {
		all = append(all, scim.TypeScope(e, true))
	}
	add("acme all", acme.ID, "", all...)
	add("other all", other.ID, "", all...)
	add("catalog", acme.ID, "", scim.TypeScope("/Roles", true), scim.TypeScope("/Invites", false))
	add("admin", acme.ID, "", scim.ScopeAdmin)
	w.tokens["wrong"] = "rc_wrong"
}

// do sends one request with the named token; an empty name sends none.
func (w *world) do(t testing.TB, token, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequestWithContext(t.Context(), method, root+path, r)
	req.Host = "internal.example.net"
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+w.tokens[token])
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	if req.Header.Get("X-Chunked") != "" {
		req.ContentLength = -1
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec
}

func newRequest(t testing.TB, method, target string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, target, nil)
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// counts is a Metrics that remembers.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[key]++
}

func (c *counts) get(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[key]
}

func (c *counts) Request(org, typ, method string, status int, _ time.Duration) {
	c.add(strings.Join([]string{"request", org, typ, method, http.StatusText(status)}, "/"))
}
func (c *counts) Relaxation(rule, profile string) { c.add("relaxation/" + rule + "/" + profile) }
func (c *counts) AuthFailure(reason string)       { c.add("auth/" + reason) }
func (c *counts) Panic()                          { c.add("panic") }
func (c *counts) Rejection(reason string)         { c.add("rejection/" + reason) }

// lockedBuffer is a log to look at.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
