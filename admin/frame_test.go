package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/admin"
	"rollcall/internal/edge"
	"rollcall/internal/transcript"
	"rollcall/scim"
)

// send sends a request that need not fit the document.
func (w *world) send(t testing.TB, who, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := &transcript.Request{Method: method, Path: path, Who: who, Body: body, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, w.request(t, r))
	return rec
}

func wantStatus(t testing.TB, rec *httptest.ResponseRecorder, status int) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("got %d, want %d: %s", rec.Code, status, rec.Body)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	for _, path := range []string{"/api/v1/me", "/api/v1/nothing", "/api/v1/openapi.json"} {
		rec := w.send(t, "admin", "GET", path, "")
		h := rec.Header()
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" || h.Get("Content-Length") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestNotModified(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	tag := w.send(t, "", "GET", "/api/v1/openapi.json", "").Header().Get("ETag")
	for have, status := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200,
	} {
		rec := w.send(t, "", "GET", "/api/v1/openapi.json", "", "If-None-Match", have)
		if rec.Code != status || (status == 304) != (rec.Body.Len() == 0) || rec.Header().Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d, %d bytes, %v", have, rec.Code, rec.Body.Len(), rec.Header())
		}
	}
}

// Whatever is wrong with a request, no value of it comes back or goes into the log: not the part that a parser quotes,
// not what a property was set to.
func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "zq7-hunter2"
	w := newWorld(t, openSQLite, nil)
	tokens := "/api/v1/operator/organizations/acme/tokens"
	for _, c := range []struct{ name, method, path, body string }{
		{"wrong type", "POST", tokens, `{"name":["` + secret + `"]}`},
		{"too long", "POST", tokens, `{"name":"` + strings.Repeat(secret, 50) + `"}`},
		{"not a time", "POST", tokens, `{"name":"x","expires":"` + secret + `"}`},
		{"unknown property", "POST", tokens, `{"name":"x","extra":"` + secret + `"}`},
		{"an element", "POST", tokens, `{"name":"x","scopes":[{"a":"` + secret + `"}]}`},
		{"an unknown scope", "POST", tokens, `{"name":"x","scopes":["` + secret + `"]}`},
		{"an unknown profile", "POST", tokens, `{"name":"x","profile":"` + secret + `"}`},
		{"pattern", "POST", "/api/v1/operator/organizations", `{"slug":"` + secret + ` "}`},
		{"broken JSON", "POST", tokens, `{"name":"` + secret},
		{"broken inside", "POST", tokens, `{"name":` + secret + `}`},
		{"twice", "POST", tokens, `{"name":"` + secret + `","name":"` + secret + `"}`},
		{"no object", "POST", tokens, `"` + secret + `"`},
		{"query", "GET", "/api/v1/me?x=" + secret, ""},
		{"path", "GET", "/api/v1/operator/organizations/" + secret + "/tokens", ""},
		{"not an id", "DELETE", tokens + "/" + secret, ""},
		{"no endpoint", "GET", "/api/v1/" + secret, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := "operator"
			if strings.HasPrefix(c.path, "/api/v1/me") {
				who = "admin"
			}
			rec := w.send(t, who, c.method, c.path, c.body)
			if rec.Code < 400 || rec.Code >= 500 {
				t.Errorf("answered %d: %s", rec.Code, rec.Body)
			}
			if strings.Contains(rec.Body.String(), secret) {
				t.Errorf("the answer holds the value: %s", rec.Body)
			}
		})
	}
	if log := w.Log.String(); strings.Contains(log, secret) || strings.Contains(log, w.Token("operator")) {
		t.Errorf("the log holds what was sent: %s", log)
	}
}

func TestBodyLimit(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *admin.Options) { o.Body = 200_000 })
	body := func(n int) string {
		head, tail := `{"slug":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	path := "/api/v1/operator/organizations"
	wantStatus(t, w.send(t, "operator", "POST", path, body(200_000)), 422) // read, and then too long
	rec := w.send(t, "operator", "POST", path, body(200_001))
	wantStatus(t, rec, 413)
	if rec.Header().Get("Connection") != "close" {
		t.Error("the connection is kept")
	}
	wantStatus(t, w.send(t, "wrong", "POST", path, body(200_001)), 401) // nobody's body is read
	wantStatus(t, w.send(t, "operator", "POST", path, strings.Repeat("[", 40)+strings.Repeat("]", 40)), 400)
	wantStatus(t, w.send(t, "operator", "POST", path, `{"slug":"x"}`, "Content-Encoding", "gzip"), 415)
}

func TestFailures(t *testing.T) {
	const cause = "dial tcp 10.0.0.3: secret cause"
	for _, c := range []struct {
		name   string
		fail   func() error
		status int
		panics int
	}{
		{"an error", func() error { return errors.New(cause) }, 500, 0},
		{"a panic", func() error { panic(cause) }, 500, 1},
		{"the store is away", func() error { return scim.Unavailable(5*time.Second, errors.New(cause)) }, 503, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, openSQLite, func(o *admin.Options) { o.Auth = authFunc(func() (*scim.Client, error) { return nil, c.fail() }) })
			rec := w.send(t, "admin", "GET", "/api/v1/me", "")
			wantStatus(t, rec, c.status)
			if strings.Contains(rec.Body.String(), "secret") || !strings.Contains(rec.Body.String(), rec.Header().Get("X-Request-Id")) {
				t.Errorf("answered %s", rec.Body)
			}
			if c.status == 503 && rec.Header().Get("Retry-After") != "5" {
				t.Error("no Retry-After")
			}
			if n := w.Metrics.Get("panic"); n != c.panics {
				t.Errorf("%d panics counted", n)
			}
			if logged := strings.Contains(w.Log.String(), "secret cause"); logged != (c.panics == 0) {
				t.Errorf("the cause is logged: %v", logged)
			}
		})
	}
}

func TestRates(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *admin.Options) {
		o.Rates = edge.NewRates(edge.Rate{PerSecond: 1, Burst: 2}, edge.Rate{})
	})
	wantStatus(t, w.send(t, "admin", "GET", "/api/v1/me", ""), 200)
	wantStatus(t, w.send(t, "admin", "GET", "/api/v1/me", ""), 200)
	rec := w.send(t, "read", "GET", "/api/v1/me", "")
	wantStatus(t, rec, 429)
	if rec.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
	}
	wantStatus(t, w.send(t, "other-admin", "GET", "/api/v1/me", ""), 200)
	w.Clock.Advance(time.Second)
	wantStatus(t, w.send(t, "admin", "GET", "/api/v1/me", ""), 200)
}

// Of many requests that come at once with one key, one is carried out; the others get its answer or are told to wait.
func TestIdempotencyUnderConcurrency(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	var mu sync.Mutex
	statuses, bodies := map[int]int{}, map[string]bool{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			rec := w.send(t, "operator", "POST", "/api/v1/operator/organizations/acme/tokens", `{"name":"once"}`, "Idempotency-Key", "k")
			mu.Lock()
			defer mu.Unlock()
			statuses[rec.Code]++
			if rec.Code == http.StatusCreated {
				bodies[rec.Body.String()] = true
			}
		})
	}
	wg.Wait()
	if len(bodies) != 1 || statuses[201]+statuses[409] != 30 {
		t.Errorf("%v, %d different answers", statuses, len(bodies))
	}
	list := w.send(t, "operator", "GET", "/api/v1/operator/organizations/acme/tokens", "").Body.String()
	if n := strings.Count(list, `"once"`); n != 1 {
		t.Errorf("%d tokens were made", n)
	}
}
