package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/scim/api"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadOrder(t *testing.T) {
	file := writeFile(t, `
listen: 127.0.0.1:1001
ops-listen: 127.0.0.1:1002
limit-body: 2MiB
log-level: debug
trusted-proxies: [10.0.0.0/8, 192.0.2.1]
metrics-per-organization: false
timeout-shutdown: 10s
`)
	got, err := Load(Sources{
		File:  file,
		Env:   []string{"PATH=/bin", "ROLLCALL_OPS_LISTEN=127.0.0.1:2002", "ROLLCALL_LIMIT_BODY=3MiB", "ROLLCALL_BOOTSTRAP_TOKEN=hunter2hunter2hunter2"},
		Flags: map[string]string{"limit-body": "4MiB", "pprof": "false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Listen = "127.0.0.1:1001"
	want.OpsListen = "127.0.0.1:2002"
	want.Limits.Body = 4 << 20
	want.LogLevel = "debug"
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	want.MetricsPerOrganization = false
	want.Pprof = false
	want.BootstrapToken = "hunter2hunter2hunter2"
	want.Timeouts.Shutdown = 10 * time.Second
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileFromEnvironment(t *testing.T) {
	c, err := Load(Sources{Env: []string{"ROLLCALL_CONFIG=" + writeFile(t, "log-format: json")}})
	if err != nil || c.LogFormat != "json" {
		t.Errorf("log format %q, %v", c.LogFormat, err)
	}
}

// TestLoadReportsEverything: one run shows every mistake, each with where it is, and no secret.
func TestLoadReportsEverything(t *testing.T) {
	file := writeFile(t, "listen: nowhere\nlimt-body: 1MiB\nlimit-count: 0\nlimit-count: 5\nlimit-values: {a: 1}\nbootstrap-token: file-secret-of-the-test\n")
	_, err := Load(Sources{
		File: file,
		Env: []string{
			"ROLLCALL_LIMIT_BODY=much", "ROLLCALL_LISTN=x", "ROLLCALL_TIMEOUT_READ=-1s",
			"ROLLCALL_BOOTSTRAP_TOKEN_FILE=/nonexistent/token", "ROLLCALL_TEST_MONGO_URI=ignored", "ROLLCALL_PORT=tcp://10.0.0.1:80",
			"ROLLCALL_PORT_8080_TCP_ADDR=10.0.0.1", "ROLLCALL_SERVICE_HOST=10.0.0.1",
		},
		Flags: map[string]string{"log-format": "xml", "tls-key": "key.pem", "trusted-proxies": "10.0.0.0/99"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		got = append(got, strings.ReplaceAll(strings.TrimSpace(line), file, "FILE"))
	}
	want := []string{
		"the configuration has 13 problem(s):",
		"ROLLCALL_LISTN: no such setting",
		"FILE:2: limt-body: no such setting",
		"FILE:3: limit-count: must be a number from 1 to 1000000",
		"FILE:4: limit-count: is set twice",
		"FILE:5: limit-values: must be a single value or a list of them",
		`--trusted-proxies: "10.0.0.0/99" is neither an address nor a network such as 10.0.0.0/8`,
		"--log-format: must be one of text|json",
		"ROLLCALL_LIMIT_BODY: must be a size from 1 to 2147483647, such as 8KiB or 16MiB",
		"ROLLCALL_TIMEOUT_READ: must be a duration above zero, such as 500ms, 30s or 2m",
		`listen: "nowhere" is not an address such as 127.0.0.1:8080 or :8080`,
		"tls-cert: is needed with tls-key",
		"bootstrap-token-file: give it or bootstrap-token, not both",
		"bootstrap-token-file: open /nonexistent/token: no such file or directory",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckedTogether(t *testing.T) {
	tests := []struct {
		name  string
		flags map[string]string
		want  string
	}{
		{"bulk below body", map[string]string{"limit-bulk-body": "1KiB"}, "limit-bulk-body: must not be below limit-body (1MiB)"},
		{"body memory below bulk", map[string]string{"limit-body-memory": "1MiB"}, "limit-body-memory: must not be below limit-bulk-body (16MiB)"},
		{"rate without operations", map[string]string{"rate-limit-token": "0:5"}, "--rate-limit-token: must be requests a second and, after a colon, how many at once"},
		{"rate without burst", map[string]string{"rate-limit-token": "5:"}, "--rate-limit-token: must be"},
		{"rate of nonsense", map[string]string{"rate-limit-organization": "NaN"}, "--rate-limit-organization: must be"},
		{"write below request", map[string]string{"timeout-write": "1s"}, "timeout-write: must not be below timeout-request (1m)"},
		{"same address", map[string]string{"listen": ":9", "ops-listen": ":9"}, "ops-listen: must differ from listen"},
		{"bad port", map[string]string{"listen": "127.0.0.1:99999"}, `listen: "127.0.0.1:99999" has no valid port`},
		{"cert alone", map[string]string{"tls-cert": "x.pem"}, "tls-key: is needed with tls-cert"},
		{"no pair", map[string]string{"tls-cert": "/nonexistent/c", "tls-key": "/nonexistent/k"}, "tls-cert, tls-key: open /nonexistent/c"},
		{"no data", map[string]string{"data": ""}, "data: must name a directory"},
		{"base url", map[string]string{"base-url": "ftp://x"}, "--base-url: must be a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Sources{Flags: tt.flags})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRates(t *testing.T) {
	for in, want := range map[string]api.Rate{
		"":         {},
		"50:200":   {PerSecond: 50, Burst: 200},
		"0.5 : 10": {PerSecond: 0.5, Burst: 10},
		"50":       {PerSecond: 50, Burst: 50},
		"0.5":      {PerSecond: 0.5, Burst: 1},
	} {
		c, err := Load(Sources{Flags: map[string]string{"rate-limit-token": in}})
		if err != nil || c.TokenRate != want {
			t.Errorf("%q: %+v, %v", in, c.TokenRate, err)
		}
		var again api.Rate
		if err := (rateValue{&again}).Set((rateValue{&c.TokenRate}).String()); err != nil || again != want {
			t.Errorf("%q is written as %q", in, rateValue{&c.TokenRate})
		}
	}
}

func TestBaseURL(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"https://a.example":             "https://a.example/scim/v2",
		"https://a.example/":            "https://a.example/scim/v2",
		"https://a.example/x/scim/v2/":  "https://a.example/x/scim/v2",
		"http://localhost:8080/scim/v2": "http://localhost:8080/scim/v2",
	} {
		c, err := Load(Sources{Flags: map[string]string{"base-url": in}})
		if err != nil || c.BaseURL != want {
			t.Errorf("%q became %q, %v; want %q", in, c.BaseURL, err, want)
		}
	}
}

// TestRedactedReadsBack: what is printed is a file that means the same, but for the secret.
func TestRedactedReadsBack(t *testing.T) {
	c, err := Load(Sources{
		Env:   []string{"ROLLCALL_BOOTSTRAP_TOKEN=hunter2hunter2hunter2"},
		Flags: map[string]string{"limit-body": "1234567", "timeout-idle": "90m", "data": "a: b #c", "trusted-proxies": "10.0.0.0/8,::1", "pprof": "false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "# bootstrap-token: (set, not shown)") {
		t.Errorf("the secret is not redacted:\n%s", text)
	}
	again, err := Load(Sources{File: writeFile(t, text)})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	c.BootstrapToken = ""
	if diff := cmp.Diff(c, again, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-printed +read):\n%s", diff)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	c := Defaults()
	c.BootstrapToken = "hunter2"
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "token", c.BootstrapToken, "config", c)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.BootstrapToken, c.BootstrapToken), log.String(),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("printed: %s", text)
		}
	}
}

// TestSettingsTable: every field of Config has one row, every default is a valid setting, no name comes twice.
func TestSettingsTable(t *testing.T) {
	c := Defaults()
	seen := map[string]bool{}
	for _, s := range settings(&c) {
		if seen[s.key] || seen[s.env()] {
			t.Errorf("%s comes twice", s.key)
		}
		seen[s.key], seen[s.env()] = true, true
		if s.help == "" {
			t.Errorf("%s has no help", s.key)
		}
		if s.secret() != s.noFlag {
			t.Errorf("%s: a secret, and nothing else, has no flag", s.key)
		}
		if foreignEnv().MatchString(s.env()) {
			t.Errorf("%s hides behind a name that Kubernetes uses", s.env())
		}
		if text := s.value.String(); text != "" {
			if err := s.value.Set(text); err != nil {
				t.Errorf("default of %s: %v", s.key, err)
			}
		}
	}
	if diff := cmp.Diff(Defaults(), c); diff != "" {
		t.Errorf("setting the defaults changes them (-want +got):\n%s", diff)
	}
	if got, want := len(seen)/2, countFields(reflect.TypeFor[Config]()); got != want {
		t.Errorf("the table has %d rows, Config %d fields", got, want)
	}
}

func countFields(t reflect.Type) int {
	n := 0
	for f := range t.Fields() {
		switch f.Type {
		case reflect.TypeFor[Limits](), reflect.TypeFor[Timeouts](), reflect.TypeFor[MailConfig]():
			n += countFields(f.Type)
		default:
			n++
		}
	}
	return n
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]string{
		"90d": "2026-04-02T03:04:05Z", "12h": "2026-01-02T15:04:05Z", "2027-01-31": "2027-01-31T00:00:00Z",
		"2027-01-31T12:00:00+02:00": "2027-01-31T10:00:00Z",
	} {
		got, err := parseExpiry(in, now)
		if err != nil || got == nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "never"} {
		if got, err := parseExpiry(in, now); got != nil || err != nil {
			t.Errorf("%q is %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"soon", "0d", "-1h", "2020-01-01", "99999999d"} {
		if got, err := parseExpiry(in, now); err == nil {
			t.Errorf("%q is %v", in, got)
		}
	}
}
