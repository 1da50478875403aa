package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers /healthz and /readyz: the first says that the process lives, the second that it should be sent
// requests. Both need no token and tell no more than that.
type health struct {
	ready func(context.Context) error // of the store
	log   *slog.Logger
	state atomic.Int32
}

const (
	starting int32 = iota
	serving
	draining
)

// readyTimeout is how long the store may take to say that it is well.
const readyTimeout = 2 * time.Second

// wrap answers the two paths and leaves all others to next.
func (h *health) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			h.answer(w, r, func(context.Context) (int, string) { return http.StatusOK, "ok" })
		case "/readyz":
			h.answer(w, r, h.readiness)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (h *health) readiness(ctx context.Context) (int, string) {
	switch h.state.Load() {
	case starting:
		return http.StatusServiceUnavailable, "starting"
	case draining:
		return http.StatusServiceUnavailable, "stopping"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := h.ready(ctx); err != nil {
		h.log.WarnContext(ctx, "not ready", "error", err)
		return http.StatusServiceUnavailable, "the store is unavailable"
	}
	return http.StatusOK, "ok"
}

func (h *health) answer(w http.ResponseWriter, r *http.Request, state func(context.Context) (int, string)) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	status, text := state(r.Context())
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, text+"\n")
	}
}
