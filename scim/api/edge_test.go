package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/api"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// broken is a service whose reads fail as they are told to.
type broken struct {
	api.Service
	get func(ctx context.Context) error
}

func (b broken) Get(ctx context.Context, _ scim.Caller, _ *schema.ResourceType, _ string, _ query.Load) (*scim.Resource, error) {
	return nil, b.get(ctx)
}

func brokenWorld(t *testing.T, get func(context.Context) error) *world {
	t.Helper()
	return newWorld(t, openSQLite, func(o *api.Options) { o.Service = broken{o.Service, get} })
}

// What goes wrong inside is an error of its own to the client, and told to nobody but the log.
func TestInternalErrors(t *testing.T) {
	secret := "sqlite3: disk I/O error at 10.0.0.3"
	tests := []struct {
		name           string
		err            error
		status         int
		retry, keyword string
	}{
		{"unknown", errors.New(secret), 500, "", ""},
		{"wrapped", fmt.Errorf("get: %w", errors.New(secret)), 500, "", ""},
		{"unavailable", scim.Unavailable(1500*time.Millisecond, errors.New(secret)), 503, "2", ""},
		{"deadline", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), 503, "1", ""},
		{"canceled by us", fmt.Errorf("%s: %w", secret, context.Canceled), 503, "1", ""},
		{"wrapped for the client", fmt.Errorf("%s: %w", secret, scim.TooMany("too many members")), 400, "", "tooMany"},
		{"body", &http.MaxBytesError{Limit: 7}, 413, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := brokenWorld(t, func(context.Context) error { return tt.err })
			rec := w.do(t, "acme", "GET", "/Users/1", "", "X-Request-Id", "req-1")
			if rec.Code != tt.status || rec.Header().Get("Retry-After") != tt.retry {
				t.Errorf("got %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
			}
			body := rec.Body.String()
			if strings.Contains(body, "sqlite3") || strings.Contains(body, "10.0.0.3") {
				t.Errorf("the answer leaks the cause: %s", body)
			}
			if !strings.Contains(body, scim.MessageError) || !strings.Contains(body, fmt.Sprintf(`"status":"%d"`, tt.status)) || !strings.Contains(body, tt.keyword) {
				t.Errorf("not the SCIM error: %s", body)
			}
			if logged := strings.Count(w.log.String(), secret); tt.status >= 500 && logged != 1 {
				t.Errorf("the cause is logged %d times: %s", logged, w.log)
			}
			if tt.status == 500 && !strings.Contains(body, "req-1") {
				t.Errorf("no request id: %s", body)
			}
		})
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	w := brokenWorld(t, func(context.Context) error { panic("a secret value") })
	rec := w.do(t, "acme", "GET", "/Users/1", "", "X-Request-Id", "req-2")
	if rec.Code != 500 || !strings.Contains(rec.Body.String(), "req-2") || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if w.metrics.get("panic") != 1 || !strings.Contains(w.log.String(), `"request":"req-2"`) || strings.Contains(w.log.String(), "a secret value") {
		t.Errorf("panics %d, log %s", w.metrics.get("panic"), w.log)
	}
	if rec := w.do(t, "acme", "GET", "/Users", ""); rec.Code != 200 {
		t.Errorf("the next request: %d", rec.Code)
	}
}

func TestRuntimePanicIsLogged(t *testing.T) {
	var none []int
	w := brokenWorld(t, func(context.Context) error { return errors.New(strings.Repeat("x", none[0])) })
	if rec := w.do(t, "acme", "GET", "/Users/1", ""); rec.Code != 500 || strings.Contains(rec.Body.String(), "index out of range") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if !strings.Contains(w.log.String(), "index out of range") || !strings.Contains(w.log.String(), "edge_test.go") {
		t.Errorf("the log says neither what nor where: %s", w.log)
	}
}

func TestAbortIsPassedOn(t *testing.T) {
	w := brokenWorld(t, func(context.Context) error { panic(http.ErrAbortHandler) })
	defer func() {
		if v := recover(); v == nil || w.metrics.get("panic") != 0 {
			t.Errorf("recovered %v", v)
		}
	}()
	w.do(t, "acme", "GET", "/Users/1", "")
}

func TestDeadline(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) {
		o.Timeout = time.Millisecond
		o.Service = broken{o.Service, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
	})
	if rec := w.do(t, "acme", "GET", "/Users/1", ""); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", rec.Code)
	}
}

// A client that went away gets nothing, and is no server error.
func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := brokenWorld(t, func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, root+"/Users/1", nil)
	req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	if rec.Body.Len() > 0 || !strings.Contains(w.log.String(), `"status":499`) || strings.Contains(w.log.String(), `"level":"ERROR"`) {
		t.Errorf("body %s, log %s", rec.Body, w.log)
	}
}

// The log has one line a request, and nothing in it that a person typed.
func TestLogHoldsNoValues(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	id := w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"typed-name","password":"typed-password"}`)
	w.do(t, "acme", "GET", "/Users?filter=userName%20eq%20%22typed-filter%22", "")
	w.do(t, "acme", "GET", "/typed-route/typed-id", "")
	w.do(t, "acme", "GET", "/Users/typed-id", "")
	w.do(t, "acme", "GET", "/Users?sortBy=typed-sort", "")
	w.do(t, "acme", "typed-method", "/Users", "")
	w.do(t, "", "GET", "/Users", "", "Authorization", "Bearer typed-token")
	w.do(t, "acme", "PATCH", "/Users/"+id, `{`+patchSchema+`,"Operations":[{"op":"replace","path":"active","value":"typed-value"}]}`)
	w.do(t, "acme", "GET", "/Users", "", "X-Request-Id", "typed id with spaces\"")
	// A password is hashed and told to nobody, however it comes.
	set := `{` + patchSchema + `,"Operations":[{"op":"replace","path":"password","value":"typed-patch"}]}`
	for _, rec := range []*httptest.ResponseRecorder{
		w.do(t, "acme", "PATCH", "/Users/"+id+"?attributes=password", set),
		w.do(t, "acme", "PUT", "/Users/"+id+"?attributes=password", `{`+userSchema+`,"userName":"typed-name","password":"typed-put"}`),
		w.do(t, "acme", "POST", "/Bulk", `{`+bulkSchema+`,"Operations":[{"method":"PATCH","path":"/Users/`+id+`","data":`+set+`}]}`),
		w.do(t, "acme", "GET", "/Users/"+id+"?attributes=password", ""),
		w.do(t, "acme", "GET", "/Users?filter=password%20eq%20%22typed-oracle%22", ""),
	} {
		if body := rec.Body.String(); strings.Contains(body, "typed") || strings.Contains(body, "argon2") {
			t.Errorf("an answer tells a password: %s", body)
		}
	}
	log := w.log.String()
	if strings.Contains(log, "typed") || strings.Contains(log, "argon2") || strings.Contains(log, w.tokens["acme"]) {
		t.Errorf("the log holds what was typed: %s", log)
	}
	if n := strings.Count(log, "\n"); n != 14 {
		t.Errorf("%d lines for 14 requests", n)
	}
	for _, want := range []string{
		`"route":"/Users/{id}"`, `"route":"/Users"`, `"status":201`, `"org":"acme"`, `"token":"`, `"bytes":`, `"duration":`, `"method":"other"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	w.create(t, "acme", "/users", `{`+userSchema+`,"userName":"m","active":"True"}`)
	w.do(t, "acme", "GET", "/Users/none", "")
	w.do(t, "", "GET", "/Users", "")
	w.do(t, "wrong", "GET", "/Users", "")
	w.do(t, "users", "GET", "/Groups", "")
	w.do(t, "acme", "POST", "/Bulk", `{`+bulkSchema+`,"Operations":[{"method":"DELETE","path":"/Users/none"},{"method":"DELETE","path":"/Users/none"}]}`)
	for key, want := range map[string]int{
		"request/acme/User/POST/Created": 1, "request/acme/User/GET/Not Found": 1, "request//User/GET/Unauthorized": 2,
		"request/acme/Group/GET/Forbidden": 1, "request/acme//POST/OK": 1, "request/acme/User/BULK DELETE/Not Found": 2,
		"relaxation/string_boolean/auto": 1, "relaxation/lower_case_endpoint/auto": 1,
		"auth/missing": 1, "auth/unknown": 1, "auth/scope": 1,
	} {
		if got := w.metrics.get(key); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

func TestRequestID(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	long := strings.Repeat("x", 129)
	for sent, echoed := range map[string]bool{"abc-123_x.y:z": true, long[:128]: true, long: false, "a b": false, "": false, "ä": false} {
		rec := w.do(t, "acme", "GET", "/Nothing", "", "X-Request-Id", sent)
		if got := rec.Header().Get("X-Request-Id"); (got == sent) != echoed || got == "" {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

func TestGzip(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	plain := w.do(t, "acme", "GET", "/Schemas", "")
	if plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("not asked for: %v", plain.Header())
	}
	for accept, want := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip;q=0.000": false, "br": false} {
		rec := w.do(t, "acme", "GET", "/Schemas", "", "Accept-Encoding", accept)
		if got := rec.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%s: gzip %v", accept, got)
		}
		if !want {
			continue
		}
		if head := w.do(t, "acme", "HEAD", "/Schemas", "", "Accept-Encoding", accept); head.Header().Get("Content-Length") != fmt.Sprint(rec.Body.Len()) ||
			head.Header().Get("Content-Encoding") != "gzip" || head.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("HEAD: %v", head.Header())
		}
		if rec.Header().Get("Content-Length") != fmt.Sprint(rec.Body.Len()) {
			t.Errorf("Content-Length %s of %d bytes", rec.Header().Get("Content-Length"), rec.Body.Len())
		}
		z, err := gzip.NewReader(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, plain.Body.Bytes()) {
			t.Errorf("%s: other bytes, %v", accept, err)
		}
	}
	if rec := w.do(t, "acme", "GET", "/Users", "", "Accept-Encoding", "gzip"); rec.Header().Get("Content-Encoding") != "" {
		t.Error("a tiny body is compressed")
	}
}

// Without a configured base URL it is the request's own, and a proxy's word counts only from a trusted one.
func TestBaseURL(t *testing.T) {
	tests := []struct {
		name, host, remote string
		header             []string
		want               string
	}{
		{"host", "idm.example.org:8443", "192.0.2.1:1", nil, "http://idm.example.org:8443/scim/v2"},
		{"HTTP/1.0 without a host", "", "192.0.2.1:1", nil, "http://localhost/scim/v2"},
		{"bad host", "a\"b", "192.0.2.1:1", nil, "http://localhost/scim/v2"},
		{"stranger's header", "in.example", "192.0.2.1:1", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"}, "http://in.example/scim/v2"},
		{"proxy", "in.example", "10.1.2.3:1", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "out.example, in.example"}, "https://out.example/scim/v2"},
		{"proxy in other words", "in.example", "10.1.2.3:1", []string{"X-Forwarded-Proto", "gopher"}, "http://in.example/scim/v2"},
	}
	w := newWorld(t, openSQLite, func(o *api.Options) {
		o.BaseURL = ""
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newRequest(t, http.MethodGet, root+"/ServiceProviderConfig")
			req.Host, req.RemoteAddr = tt.host, tt.remote
			for i := 0; i < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, req)
			if want := `"location":"` + tt.want + `/ServiceProviderConfig"`; !strings.Contains(rec.Body.String(), want) {
				t.Errorf("want %s in %s", want, rec.Body)
			}
		})
	}
}

// Over a real connection: no body on HEAD and 304, a length on everything else, the connection kept.
func TestOverTheWire(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	id := w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"wire"}`)
	srv := httptest.NewServer(w.handler)
	defer srv.Close()
	for _, tt := range []struct {
		method, match string
		status        int
		body          bool
	}{{"GET", "", 200, true}, {"HEAD", "", 200, false}, {"GET", "*", 304, false}, {"DELETE", "", 204, false}, {"GET", "", 404, true}} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+root+"/Users/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "bearer "+w.tokens["acme"]) // the scheme's case means nothing
		if tt.match != "" {
			req.Header.Set("If-None-Match", tt.match)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != tt.status || (len(body) > 0) != tt.body {
			t.Errorf("%s: %d, %d bytes, %v", tt.method, res.StatusCode, len(body), err)
		}
		if tt.status == 200 && (res.ContentLength <= 0 || len(res.TransferEncoding) > 0) {
			t.Errorf("%s: length %d, encoding %v", tt.method, res.ContentLength, res.TransferEncoding)
		}
	}
}

// Options that cannot work are all reported at once.
func TestNewChecksItsOptions(t *testing.T) {
	_, err := api.New(api.Options{BaseURL: "not a url"})
	for _, want := range []string{"Service", "Auth", "Registry", "Logger", "Now", "NewID", "CursorKey", "BaseURL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s: %v", want, err)
		}
	}
	for _, endpoint := range []string{"/Bulk", "/me", "/a/b", "/"} {
		rt := &schema.ResourceType{Name: "X", Endpoint: endpoint, Schema: schema.CoreGroup()}
		registry, err := schema.NewRegistry(rt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.New(api.Options{Registry: registry}); err == nil || !strings.Contains(err.Error(), "endpoint of X") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}
