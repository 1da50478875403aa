package admin

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// answer is what a handler answers, kept until it is complete: an answer that fails half way becomes an error instead
// of half an answer, and what belongs to an Idempotency-Key can be kept.
type answer struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	written int // bytes of the body that were sent
}

// Header is the header of the answer.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader sets the status; the first one counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write adds to the body.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// reset forgets what was answered so far.
func (a *answer) reset() {
	a.header, a.status = nil, 0
	a.body.Reset()
}

// alwaysHeaders puts what every answer has.
func (x *exchange) alwaysHeaders(h http.Header) {
	h.Set("X-Request-Id", x.id)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
}

// send writes the answer to the client.
func (x *exchange) send() {
	a := &x.answer
	if x.streamed {
		return
	}
	if a.status == 0 { // nobody answered: the client is gone
		a.status = statusClientGone
	}
	x.alwaysHeaders(a.Header())
	x.notModified()
	out := x.w.Header()
	maps.Copy(out, a.header)
	if a.status == statusClientGone {
		x.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		out.Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	x.w.WriteHeader(a.status)
	if x.req.Method == http.MethodHead || a.body.Len() == 0 {
		return
	}
	a.written, _ = x.w.Write(a.body.Bytes()) // an error means that the client is gone: nothing is left to do
}

// notModified turns a GET's answer into 304 if the client has it already (RFC 9110 13.1.2).
func (x *exchange) notModified() {
	have := x.req.Header.Get("If-None-Match")
	tag := x.answer.Header().Get("ETag")
	if have == "" || tag == "" || x.answer.status != http.StatusOK || x.req.Method != http.MethodGet && x.req.Method != http.MethodHead {
		return
	}
	weak := func(t string) string { return strings.TrimPrefix(strings.TrimSpace(t), "W/") }
	for t := range strings.SplitSeq(have, ",") {
		if weak(t) == weak(tag) || strings.TrimSpace(t) == "*" {
			x.answer.status = http.StatusNotModified
			x.answer.body.Reset()
			x.answer.Header().Del("Content-Type")
			return
		}
	}
}
