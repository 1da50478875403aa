package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDriveCountsAndRefusesErrors drives a small server: sizes and statuses are read, also of chunked answers, and
// an unexpected status fails the run.
func TestDriveCountsAndRefusesErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write([]byte("hello"))
	}))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	for _, path := range []string{"/plain", "/chunked"} {
		c, err := dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			status, _, err := c.do(request("GET", path, "t", nil, nil), true)
			if err != nil || status != 200 || string(c.body) != "hello" {
				t.Errorf("%s: %d %q %v", path, status, c.body, err)
			}
		}
		c.close()
	}
	st := &step{ok: ok200(), src: func(int, int) []byte { return request("GET", "/plain", "t", nil, nil) }}
	m, err := drive(t.Context(), addr, 2, 0, 50*time.Millisecond, st)
	if err != nil || m.Count == 0 || m.Bytes != 5*m.Count {
		t.Errorf("measured %+v, %v", m, err)
	}
	st.check = func(body []byte) error { return fmt.Errorf("body %q", body) }
	if _, err := drive(t.Context(), addr, 2, 0, 50*time.Millisecond, st); err == nil {
		t.Error("a body that is refused did not fail the run")
	}
	st = &step{ok: ok200(), src: func(int, int) []byte { return request("GET", "/plain", "wrong", nil, nil) }}
	if _, err := drive(t.Context(), addr, 2, 0, 50*time.Millisecond, st); err == nil {
		t.Error("status 401 did not fail the run")
	}
}

func TestSettleComparesRunByRun(t *testing.T) {
	f := figure{
		Runs:   []measurement{{Rate: 50}, {Rate: 10}, {Rate: 30}},
		Floor:  []measurement{{Rate: 100}, {Rate: 20}, {Rate: 100}},
		Target: 0.45,
	}
	f.settle()
	if f.Median.Rate != 30 || f.Ratio != 0.5 || f.met() != "met" {
		t.Errorf("median %v, ratio %v, %q", f.Median.Rate, f.Ratio, f.met())
	}
}

// TestFloodCountsRefusals: what is served and what is refused with Retry-After are told apart; any other answer fails.
func TestFloodCountsRefusals(t *testing.T) {
	var n atomic.Int64
	bare := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			if !bare {
				w.Header().Set("Retry-After", "1")
			}
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	st := step{ok: ok200(), src: func(int, int) []byte { return request("GET", "/", "t", nil, nil) }}
	good, bad, err := flood(t.Context(), addr, 100*time.Millisecond, 10_000, st)
	if err != nil || len(good) == 0 || len(bad) == 0 || int64(len(good)+len(bad)) != n.Load() {
		t.Errorf("%d served, %d refused of %d, %v", len(good), len(bad), n.Load(), err)
	}
	bare = true
	if _, _, err := flood(t.Context(), addr, 100*time.Millisecond, 10_000, st); !errors.Is(err, errUnexpected) {
		t.Errorf("a refusal without Retry-After: %v", err)
	}
}
