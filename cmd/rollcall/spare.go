package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// spare keeps short requests quick while Bulk requests run. A Bulk request computes for many milliseconds, and when
// all of Go's processors (GOMAXPROCS) compute, its runtime looks at the network only every 10 ms: each request of
// others waits that long although it needs a tenth of one. So while Bulk requests run there are twice as many
// processors as cores. One is then always idle, waiting for the network, and the kernel shares the cores. Always to
// have them would cost reads a fifth of their rate, since idle processors look for work.
type spare struct {
	// raise and lower set the number of processors; each stops the world for some microseconds.
	raise, lower func()
	// linger is how long the processors stay after the last Bulk request: the next one of a sync comes soon.
	linger time.Duration

	mu     sync.Mutex
	busy   int
	raised bool
	timer  *time.Timer
}

func (s *spare) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && isBulk(r.URL.Path) {
			s.begin()
			defer s.end()
		}
		next.ServeHTTP(w, r)
	})
}

func isBulk(path string) bool {
	path = strings.TrimRight(path, "/")
	return strings.EqualFold(path[strings.LastIndexByte(path, '/')+1:], "Bulk")
}

func (s *spare) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	if !s.raised {
		s.raised = true
		s.raise()
	}
}

func (s *spare) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	if s.busy > 0 {
		return
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(s.linger, s.idle)
	} else {
		s.timer.Reset(s.linger)
	}
}

// idle is called when no Bulk request has ended for a while.
func (s *spare) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == 0 && s.raised {
		s.raised = false
		s.lower()
	}
}
