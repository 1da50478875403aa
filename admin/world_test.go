package admin_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/admin"
	"rollcall/internal/idtoken"
	"rollcall/internal/idtoken/idtokentest"
	"rollcall/internal/testkit"
	"rollcall/internal/transcript"
	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/api"
	"rollcall/storage"
)

// The roots of what is served.
const (
	scimRoot  = api.DefaultBasePath
	adminRoot = admin.DefaultBasePath
)

// world is a whole server without a network: SCIM, the companion API and what is under them, with a clock that is moved
// by hand, ids that count and random bytes from a seed. It has the organizations acme and other, and tokens by name.
// Every request to the companion API and every answer is held against the OpenAPI document that the server serves.
type world struct {
	Handler   http.Handler
	Resources *resources.Service
	Lifecycle *lifecycle.Service
	Store     storage.Store
	Clock     *testkit.Clock
	Metrics   *counts
	Log       *lockedLog
	Mailbox   *mailbox

	tokens map[string]string
	issuer *idtokentest.Issuer // signs in the people of acme
	dns    *zone
	doc    *contract
}

// newWorld opens a world; tweak, which may be nil, may change the options of the companion API.
func newWorld(t testing.TB, open openStore, tweak func(*admin.Options)) *world {
	t.Helper()
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		Clock: testkit.NewClock(), Metrics: &counts{n: map[string]int{}}, Log: &lockedLog{}, tokens: map[string]string{},
		Store: open(t, registry.StorageTypes()), dns: &zone{texts: map[string]string{}},
	}
	// What is there before a transcript begins has ids of its own, so that more of it changes no transcript.
	setup, later, requests := testkit.NewIDs(), testkit.NewIDs(), testkit.NewIDs()
	for range setupIDs {
		later.New()
	}
	ids := setup
	newID := func() string { return ids.New() }
	random := &lockedRandom{r: rand.NewChaCha8([32]byte{1})}
	w.Resources, err = resources.NewService(resources.Options{
		Store: w.Store, Registry: registry, Now: w.Clock.Now, NewID: newID, Random: random,
		MaxValues: 500, MaxPatchOperations: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Resources.Close)
	o := lifecycle.Options{
		Store: w.Store, Registry: registry, Resources: w.Resources, Now: w.Clock.Now, NewID: newID, Random: random,
	}
	w.mailed(t, &o)
	o.Resolver = w.dns
	w.Lifecycle, err = lifecycle.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.setup(t)
	// What a transcript draws does not depend on what was there before it either.
	ids, random.r = later, rand.NewChaCha8([32]byte{2})
	w.serve(t, registry, requests, tweak)
	return w
}

// setupIDs is how many ids are kept for what is there from the beginning.
const setupIDs = 1000

// setup makes the organizations and the tokens.
func (w *world) setup(t testing.TB) {
	t.Helper()
	orgs := map[string]scim.OrgID{}
	for _, slug := range []string{"acme", "other"} {
		o, err := w.Resources.CreateOrganization(t.Context(), slug, strings.ToUpper(slug[:1])+slug[1:])
		if err != nil {
			t.Fatal(err)
		}
		orgs[slug] = o.ID
	}
	for _, x := range []struct{ name, org, scope string }{
		{"admin", "acme", scim.ScopeAdmin},
		{"read", "acme", scim.ScopeAdminRead},
		{"members", "acme", scim.ScopeAdminMembers},
		{"invites", "acme", scim.ScopeAdminInvites},
		{"catalog", "acme", scim.ScopeAdminCatalog},
		{"clients", "acme", scim.ScopeAdminClients},
		{"scim", "acme", scim.ScopeSCIM},
		{"scim-invites", "acme", scim.TypeScope("/Invites", true)},
		{"scim-catalog", "acme", scim.TypeScope("/Entitlements", true)},
		{"operator", "acme", scim.ScopeOperator},
		{"other-admin", "other", scim.ScopeAdmin},
		{"other-scim", "other", scim.ScopeSCIM},
		{"other-operator", "other", scim.ScopeOperator},
		{"crm", "acme", scim.AppScope("crm")},
		{"calendar", "acme", scim.AppScope("calendar")},
	} {
		_, text, err := w.Resources.CreateToken(t.Context(), orgs[x.org], resources.NewToken{Name: x.name, Scopes: []string{x.scope}})
		if err != nil {
			t.Fatal(err)
		}
		w.tokens[x.name] = text
	}
	w.tokens["wrong"] = "rc_wrong"
}

func (w *world) serve(t testing.TB, registry *resources.Registry, requests *testkit.IDs, tweak func(*admin.Options)) {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(w.Log, nil))
	key := bytes.Repeat([]byte{7}, 32)
	edge, err := api.New(api.Options{
		Service: w.Resources, Auth: w.Resources, Registry: registry.Registry, Logger: log, Now: w.Clock.Now,
		NewID: requests.New, Denied: w.Lifecycle.Deny, BaseURL: "https://id.example.com" + scimRoot, CursorKey: key, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.issuer = idtokentest.NewAt(t, "https://login.example.com")
	people, err := idtoken.New([]idtoken.Issuer{
		{URL: w.issuer.URL, Audience: idtokentest.Audience, Organization: "acme"},
	}, w.Clock.Now, w.issuer)
	if err != nil {
		t.Fatal(err)
	}
	o := admin.Options{
		People: people, Resources: w.Resources, Lifecycle: w.Lifecycle, Post: w.Mailbox.post, Auth: w.Resources, Metrics: w.Metrics, Logger: log, Now: w.Clock.Now, NewID: requests.New,
		Key: key, Timeout: time.Minute, Version: "test",
	}
	if tweak != nil {
		tweak(&o)
	}
	companion, err := admin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(scimRoot+"/", edge)
	mux.Handle(adminRoot+"/", companion)
	mux.Handle(dnsPath, w.dns)
	w.Handler = mux
	w.doc = contractOf(t, w)
}

// workPath is where transcripts let the server work on jobs: POST /work does all that is to be done.
const workPath = "/work"

func (w *world) work(t testing.TB) *httptest.ResponseRecorder {
	t.Helper()
	for {
		n, err := w.Lifecycle.RunJobsOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return &httptest.ResponseRecorder{Code: http.StatusNoContent, Body: new(bytes.Buffer)}
		}
	}
}

// Advance moves the clock.
func (w *world) Advance(d time.Duration) { w.Clock.Advance(d) }

// Token returns the text of the token called name.
func (w *world) Token(name string) string { return w.tokens[name] }

// Do sends one request of a transcript and holds it and its answer against the OpenAPI document, if it is for the
// companion API.
func (w *world) Do(t testing.TB, r *transcript.Request) *httptest.ResponseRecorder {
	t.Helper()
	if address, ok := strings.CutPrefix(r.Path, sendPath); ok {
		return w.Mailbox.send(t, address)
	}
	if address, ok := strings.CutPrefix(r.Path, mailboxPath); ok {
		return w.Mailbox.read(address)
	}
	if r.Path == sweepPath {
		return w.sweep(t)
	}
	if r.Path == workPath {
		return w.work(t)
	}
	req := w.request(t, r)
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, req)
	w.Resources.Close() // when a token was last used is noted beside the request
	if strings.HasPrefix(r.Path, adminRoot+"/") {
		w.doc.check(t, w.request(t, r), rec, r.Invalid)
	}
	return rec
}

// sweepPath is no endpoint: a transcript asks there for what the server does by itself, once.
const sweepPath = "/sweep"

// sweep does what time has made due.
func (w *world) sweep(t testing.TB) *httptest.ResponseRecorder {
	t.Helper()
	org, err := w.Resources.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Lifecycle.SweepMembers(t.Context(), org.ID); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	rec.WriteHeader(http.StatusNoContent)
	return rec
}

// request makes a request by a token's name, or as the person of that name, who signed in at acme's provider just now with
// the address name@example.com.
func (w *world) request(t testing.TB, r *transcript.Request) *http.Request {
	t.Helper()
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, body)
	req.Host = "id.example.com"
	if r.Body != "" {
		req.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(r.Path, scimRoot) {
			req.Header.Set("Content-Type", scim.MediaType)
		}
	}
	if r.Who != "" {
		text, ok := w.tokens[r.Who]
		if !ok {
			text = w.issuer.Sign(w.issuer.Claims(r.Who, r.Who+"@example.com", w.Clock.Now()))
		}
		req.Header.Set("Authorization", "Bearer "+text)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	for _, name := range r.Without {
		req.Header.Del(name)
	}
	return req
}

// counts is an admin.Metrics that remembers.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[key]++
}

// Get returns how often something was counted: "auth/expired", "panic", "rejection/overload", "succeeded/get-me".
func (c *counts) Get(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[key]
}

// Succeeded returns the operations that were answered with success.
func (c *counts) Succeeded() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for key := range c.n {
		if op, ok := strings.CutPrefix(key, "succeeded/"); ok {
			list = append(list, op)
		}
	}
	return list
}

// AdminRequest counts the request of an operation.
func (c *counts) AdminRequest(_, operation string, status int, _ time.Duration) {
	if status < http.StatusBadRequest {
		c.add("succeeded/" + operation)
	}
}

// AuthFailure counts a refused credential.
func (c *counts) AuthFailure(reason string) { c.add("auth/" + reason) }

// Panic counts a panic.
func (c *counts) Panic() { c.add("panic") }

// Rejection counts a request that was refused for load or rate.
func (c *counts) Rejection(reason string) { c.add("rejection/" + reason) }

// lockedLog is a log to look at.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the log.
func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was logged.
func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lockedRandom is a seeded source for concurrent use.
type lockedRandom struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRandom) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// authFunc is an admin.Authenticator.
type authFunc func() (*scim.Client, error)

// Authenticate is the function.
func (f authFunc) Authenticate(context.Context, string) (*scim.Client, error) { return f() }
