package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestSpareProcessors(t *testing.T) {
	raised, lowered := 0, make(chan struct{}, 10)
	s := &spare{raise: func() { raised++ }, lower: func() { lowered <- struct{}{} }, linger: time.Millisecond}
	var want int
	h := s.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if raised != want {
			t.Errorf("%s %s: raised %d times, want %d", r.Method, r.URL.Path, raised, want)
		}
		select {
		case <-lowered:
			t.Errorf("lowered during %s", r.URL.Path)
		default:
		}
	}))
	send := func(method, path string) { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil)) }
	send("GET", "/scim/v2/Users")
	send("POST", "/scim/v2/Users")
	send("GET", "/scim/v2/Bulk")
	send("POST", "/")
	for want = 1; want <= 3; want++ {
		send("POST", []string{"/scim/v2/Bulk", "/scim/v2/bulk", "/scim/v2/Bulk/"}[want-1])
		<-lowered
	}
	// While one runs, the end of another lowers nothing.
	s.begin()
	want = 4
	send("POST", "/scim/v2/Bulk")
	s.idle()
	send("POST", "/scim/v2/Bulk")
	s.end()
	<-lowered
}
