package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"rollcall/metrics"
)

func newMetrics(t *testing.T, o metrics.Options) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := metrics.New(reg, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, reg
}

// useAll gives every metric at least one series, as a vector without one is not gathered.
func useAll(m *metrics.Metrics) {
	m.Request("acme", "User", http.MethodGet, http.StatusOK, 300*time.Microsecond)
	m.Request("acme", "User", http.MethodPost, http.StatusCreated, 2*time.Millisecond)
	m.Request("", "", "BREW", http.StatusMethodNotAllowed, time.Microsecond)
	m.AdminRequest("acme", "get-me", http.StatusOK, time.Millisecond)
	m.Relaxation("op_case", "auto")
	m.AuthFailure("unknown")
	m.Panic()
	m.Rejection("overload")
	m.StoreOperation("insert", "ok", time.Millisecond)
	m.GroupCommit(17, 3*time.Millisecond)
	m.Invite("accepted")
	m.InviteAccepted(time.Hour)
	m.JoinRequest("approved")
	m.JoinDecided(time.Hour)
	m.BadToken("invite")
}

func TestNamesAreClean(t *testing.T) {
	m, reg := newMetrics(t, metrics.Options{Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26"})
	useAll(m)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		// The Go and process collectors are not ours to name.
		if strings.HasPrefix(p.Metric, "rollcall_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		have[name] = true
		if !strings.HasPrefix(name, "rollcall_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s lacks the prefix", name)
		}
	}
	for _, want := range []string{"rollcall_build_info", "go_goroutines", "process_open_fds"} {
		if !have[want] {
			t.Errorf("no %s", want)
		}
	}
}

func TestRequests(t *testing.T) {
	tests := []struct {
		name            string
		perOrganization bool
		want            string
	}{
		{"by organization", true, `
rollcall_http_requests_total{method="GET",organization="acme",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="POST",organization="acme",resource_type="User",status="201"} 1
rollcall_http_requests_total{method="other",organization="",resource_type="",status="405"} 1
`},
		{"without organization", false, `
rollcall_http_requests_total{method="GET",organization="",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="POST",organization="",resource_type="User",status="201"} 1
rollcall_http_requests_total{method="other",organization="",resource_type="",status="405"} 1
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, reg := newMetrics(t, metrics.Options{PerOrganization: tt.perOrganization})
			useAll(m)
			head := `# HELP rollcall_http_requests_total SCIM requests answered, by organization (if switched on), resource type, method and status code.
# TYPE rollcall_http_requests_total counter`
			if err := testutil.GatherAndCompare(reg, strings.NewReader(head+tt.want), "rollcall_http_requests_total"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOperationsOfBulkAreToldApart(t *testing.T) {
	m, reg := newMetrics(t, metrics.Options{})
	for _, method := range []string{"BULK POST", "BULK PUT", "BULK PATCH", "BULK DELETE", "BULK EVERYTHING"} {
		m.Request("acme", "User", method, 200, time.Millisecond)
	}
	const want = `# HELP rollcall_http_requests_total SCIM requests answered, by organization (if switched on), resource type, method and status code.
# TYPE rollcall_http_requests_total counter
rollcall_http_requests_total{method="BULK DELETE",organization="",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="BULK PATCH",organization="",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="BULK POST",organization="",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="BULK PUT",organization="",resource_type="User",status="200"} 1
rollcall_http_requests_total{method="other",organization="",resource_type="User",status="200"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "rollcall_http_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestCounters(t *testing.T) {
	m, reg := newMetrics(t, metrics.Options{})
	useAll(m)
	want := `
# HELP rollcall_auth_failures_total Requests refused for their credentials: missing, unknown, expired, revoked or scope; of people issuer, invalid or stranger.
# TYPE rollcall_auth_failures_total counter
rollcall_auth_failures_total{reason="expired"} 0
rollcall_auth_failures_total{reason="invalid"} 0
rollcall_auth_failures_total{reason="issuer"} 0
rollcall_auth_failures_total{reason="missing"} 0
rollcall_auth_failures_total{reason="revoked"} 0
rollcall_auth_failures_total{reason="scope"} 0
rollcall_auth_failures_total{reason="stranger"} 0
rollcall_auth_failures_total{reason="unknown"} 1
# HELP rollcall_compat_relaxations_total Requests that needed a relaxation of the strict protocol, by rule and the client's compatibility profile.
# TYPE rollcall_compat_relaxations_total counter
rollcall_compat_relaxations_total{profile="auto",rule="op_case"} 1
# HELP rollcall_http_panics_total Panics that became a 500.
# TYPE rollcall_http_panics_total counter
rollcall_http_panics_total 1
# HELP rollcall_http_rejections_total Requests refused for load (503) or rate (429): overload, wait, body_memory, rate_organization or rate_token.
# TYPE rollcall_http_rejections_total counter
rollcall_http_rejections_total{reason="body_memory"} 0
rollcall_http_rejections_total{reason="overload"} 1
rollcall_http_rejections_total{reason="rate_organization"} 0
rollcall_http_rejections_total{reason="rate_token"} 0
rollcall_http_rejections_total{reason="wait"} 0
# HELP rollcall_invites_total Addresses of requests to invite by outcome, and ends of invites: accepted, declined, revoked, expired.
# TYPE rollcall_invites_total counter
rollcall_invites_total{outcome="accepted"} 1
rollcall_invites_total{outcome="created"} 0
rollcall_invites_total{outcome="declined"} 0
rollcall_invites_total{outcome="expired"} 0
rollcall_invites_total{outcome="revoked"} 0
# HELP rollcall_join_requests_total Join requests by what became of them: pending, approved, declined, withdrawn, expired, superseded.
# TYPE rollcall_join_requests_total counter
rollcall_join_requests_total{outcome="approved"} 1
rollcall_join_requests_total{outcome="declined"} 0
rollcall_join_requests_total{outcome="expired"} 0
rollcall_join_requests_total{outcome="pending"} 0
rollcall_join_requests_total{outcome="superseded"} 0
rollcall_join_requests_total{outcome="withdrawn"} 0
# HELP rollcall_token_bad_tries_total Wrong tokens and codes of links, by what they were for.
# TYPE rollcall_token_bad_tries_total counter
rollcall_token_bad_tries_total{link="invite"} 1
rollcall_token_bad_tries_total{link="join"} 0
# HELP rollcall_store_operations_total Calls of the store, by operation and result.
# TYPE rollcall_store_operations_total counter
rollcall_store_operations_total{operation="insert",result="ok"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "rollcall_auth_failures_total",
		"rollcall_compat_relaxations_total", "rollcall_http_panics_total", "rollcall_http_rejections_total",
		"rollcall_invites_total", "rollcall_join_requests_total", "rollcall_token_bad_tries_total",
		"rollcall_store_operations_total"); err != nil {
		t.Error(err)
	}
}

func TestInFlight(t *testing.T) {
	m, reg := newMetrics(t, metrics.Options{})
	gauge := func(want string) {
		t.Helper()
		text := `# HELP rollcall_http_requests_in_flight Requests on the main listener that are being answered now.
# TYPE rollcall_http_requests_in_flight gauge
rollcall_http_requests_in_flight ` + want + "\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "rollcall_http_requests_in_flight"); err != nil {
			t.Error(err)
		}
	}
	h := m.InFlight(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { gauge("1") }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	gauge("0")
}

func TestRegisteringTwiceFails(t *testing.T) {
	_, reg := newMetrics(t, metrics.Options{})
	if _, err := metrics.New(reg, metrics.Options{}); err == nil {
		t.Error("a second set on one registry is accepted")
	}
}
