package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/api"
)

// limitedFor checks a 429 and how long the client is told to wait.
func limitedFor(t *testing.T, w *world, token, path, body, seconds string) {
	t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	rec := w.do(t, token, method, path, body)
	want(t, rec, 429)
	if after := rec.Header().Get("Retry-After"); after != seconds {
		t.Errorf("Retry-After %q, want %q", after, seconds)
	}
	if !strings.Contains(rec.Body.String(), scim.MessageError) || !strings.Contains(rec.Body.String(), `"status":"429"`) {
		t.Errorf("not a SCIM error: %s", rec.Body)
	}
}

func deletions(n int) string {
	return `{` + bulkSchema + `,"Operations":[` + repeat(n, func(i int) string {
		return fmt.Sprintf(`{"method":"DELETE","path":"/Users/none%d"}`, i)
	}) + `]}`
}

func TestOrganizationRate(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) { o.OrganizationRate = api.Rate{PerSecond: 0.5, Burst: 2} })
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	want(t, w.do(t, "read", "GET", "/Users", ""), 200) // another token, the same organization
	limitedFor(t, w, "acme", "/Users", "", "2")
	limitedFor(t, w, "read", "/Users", "", "2")
	want(t, w.do(t, "other", "GET", "/Users", ""), 200)
	// Who is not known is not limited, and costs nobody anything.
	want(t, w.do(t, "wrong", "GET", "/Users", ""), 401)
	want(t, w.do(t, "", "GET", "/ServiceProviderConfig", ""), 200)
	w.clock.Advance(time.Second)
	limitedFor(t, w, "acme", "/Users", "", "1")
	w.clock.Advance(time.Second)
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	limitedFor(t, w, "acme", "/Users", "", "2")
	if n := w.metrics.get("rejection/rate_organization"); n != 4 {
		t.Errorf("%d rejections are counted", n)
	}
}

// A request that one bound refuses takes nothing of the other.
func TestTokenRate(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) {
		o.TokenRate = api.Rate{PerSecond: 1, Burst: 1}
		o.OrganizationRate = api.Rate{PerSecond: 0.01, Burst: 2}
	})
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	limitedFor(t, w, "acme", "/Users", "", "1")
	if n := w.metrics.get("rejection/rate_token"); n != 1 {
		t.Errorf("%d rejections are counted", n)
	}
	want(t, w.do(t, "read", "GET", "/Users", ""), 200)
	limitedFor(t, w, "users", "/Users", "", "100")
}

func TestBulkOperationsCountOneByOne(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) { o.OrganizationRate = api.Rate{PerSecond: 1, Burst: 5} })
	want(t, w.do(t, "acme", "POST", "/Bulk", deletions(4)), 200)
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	limitedFor(t, w, "acme", "/Users", "", "1")
	w.clock.Advance(3 * time.Second)
	limitedFor(t, w, "acme", "/Bulk", deletions(4), "1") // which took one, as each request does
	w.clock.Advance(3 * time.Second)
	// One larger than the burst needs a whole burst and leaves a debt.
	want(t, w.do(t, "acme", "POST", "/Bulk", deletions(12)), 200)
	limitedFor(t, w, "acme", "/Users", "", "8")
	w.clock.Advance(8 * time.Second)
	want(t, w.do(t, "acme", "GET", "/Users", ""), 200)
	limitedFor(t, w, "acme", "/Users", "", "1")
}

func TestRatesAreChecked(t *testing.T) {
	for _, r := range []api.Rate{{PerSecond: 1}, {Burst: 1}, {PerSecond: -1, Burst: 1}, {PerSecond: 1, Burst: -1}} {
		if _, err := api.New(api.Options{TokenRate: r}); err == nil || !strings.Contains(err.Error(), "rate") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
