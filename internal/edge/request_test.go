package edge_test

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"rollcall/internal/edge"
)

func TestClientAddr(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:5000", []string{"198.51.100.9"}, "192.0.2.1"},
		{"one proxy", "10.1.2.3:5000", []string{"198.51.100.9"}, "198.51.100.9"},
		{"mapped address", "[::ffff:10.1.2.3]:5000", []string{"198.51.100.9"}, "198.51.100.9"},
		{"several lines", "10.1.2.3:5000", []string{"198.51.100.9", "10.9.9.9"}, "198.51.100.9"},
		{"what the client made up", "10.1.2.3:5000", []string{"203.0.113.7, 198.51.100.9, fd00::1"}, "198.51.100.9"},
		{"only proxies", "10.1.2.3:5000", []string{"10.0.0.1"}, "10.0.0.1"},
		{"nonsense ends the chain", "10.1.2.3:5000", []string{"198.51.100.9, who, 10.0.0.1"}, "10.0.0.1"},
		{"no header", "10.1.2.3:5000", nil, "10.1.2.3"},
		{"a long chain", "10.1.2.3:5000", []string{"198.51.100.9" + strings.Repeat(", 10.0.0.7", 100)}, "10.0.0.7"},
		{"no address", "pipe", []string{"198.51.100.9"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.RemoteAddr = c.peer
			for _, f := range c.forwarded {
				r.Header.Add("X-Forwarded-For", f)
			}
			if got := edge.ClientAddr(r, proxies).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestValidRequestID(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, "a-B_9.:": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
		"a b": false, "a\nb": false, "ä": false, `"`: false,
	} {
		if got := edge.ValidRequestID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

// What a panic says may be a client's value: only the runtime's own words are kept.
func TestPanicText(t *testing.T) {
	if got := edge.PanicText(errors.New("secret")); strings.Contains(got, "secret") {
		t.Error(got)
	}
	defer func() {
		if got := edge.PanicText(recover()); !strings.Contains(got, "nil map") {
			t.Error(got)
		}
	}()
	made := func() map[string]int { return nil }
	made()["x"]++
}
