package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
	"rollcall/scim/compat"
)

// exchange is one request and its answer.
type exchange struct {
	api   *api
	w     http.ResponseWriter
	req   *http.Request
	ctx   context.Context //nolint:containedctx // lives as long as the request that it belongs to
	start time.Time

	id      string // request id
	route   route
	client  *scim.Client // nil without a token, which only public routes allow
	caller  scim.Caller
	baseURL string // see base

	inside   bool  // has passed the gate
	reserved int64 // bytes of body memory
	rejected bool  // for load or rate

	values [6]string // of headers, see set
	set    int

	status int
	bytes  int
	cause  error // what a 5xx hides from the client
}

// statusClientGone is how an answer that nobody waited for is counted.
const statusClientGone = 499

// identify takes the client's request id, if it can be logged and echoed as it is, or makes one.
func (x *exchange) identify() {
	x.id = x.req.Header.Get("X-Request-Id")
	if !edge.ValidRequestID(x.id) {
		x.id = x.api.newID()
	}
	x.header("X-Request-Id", x.id)
}

// header sets a header whose name is canonical. The lists that http.Header wants lie in the exchange: an allocation
// for each would be a tenth of those of a GET.
func (x *exchange) header(name, value string) {
	if x.set == len(x.values) {
		x.w.Header()[name] = []string{value}
		return
	}
	x.values[x.set] = value
	x.w.Header()[name] = x.values[x.set : x.set+1 : x.set+1]
	x.set++
}

func (x *exchange) handle() error {
	x.route = x.api.match(x.req.URL)
	if err := x.enter(); err != nil {
		return err
	}
	m := x.api.handlers[x.route.kind]
	if x.req.Method == http.MethodOptions && m.allow != "" {
		x.w.Header().Set("Allow", m.allow)
		x.empty(http.StatusNoContent)
		return nil
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	if x.client != nil {
		if reason, wait := x.api.rates.Request(x.client, x.start); wait > 0 {
			return x.limited(reason, wait)
		}
	}
	if x.route.folded && !x.caller.Compat.Allow(compat.LowerCaseEndpoint) {
		x.route = route{}
	}
	if x.route.kind == unknown {
		return &scim.Error{Status: http.StatusNotFound, Detail: "no such endpoint"}
	}
	if x.route.kind == me {
		// A token stands for a provisioning client, not for a person (RFC 7644 3.11).
		return &scim.Error{Status: http.StatusNotImplemented, Detail: "/Me is not supported: a token belongs to no user"}
	}
	h := m.byName[x.req.Method]
	if h == nil {
		x.w.Header().Set("Allow", m.allow)
		return &scim.Error{Status: http.StatusMethodNotAllowed, Detail: "the endpoint allows only " + m.allow}
	}
	if x.req.Method != http.MethodDelete && !acceptable(x.req.Header["Accept"]) {
		return &scim.Error{Status: http.StatusNotAcceptable, Detail: "answers are " + scim.MediaType}
	}
	return h(x)
}

// base is the SCIM root as the client sees it, for Location and $ref.
func (x *exchange) base() string {
	if x.baseURL != "" {
		return x.baseURL
	}
	if x.api.baseURL != "" {
		x.baseURL = x.api.baseURL
		return x.baseURL
	}
	scheme, host := "http", x.req.Host
	if x.req.TLS != nil {
		scheme = "https"
	}
	if edge.FromProxy(x.req, x.api.proxies) {
		if p := edge.First(x.req.Header.Get("X-Forwarded-Proto")); p == "http" || p == "https" {
			scheme = p
		}
		if h := edge.First(x.req.Header.Get("X-Forwarded-Host")); h != "" {
			host = h
		}
	}
	x.baseURL = scheme + "://" + edge.SafeHost(host) + x.api.basePath
	return x.baseURL
}

// finish ends every request, also one that panicked: the process lives, the client gets a 500 with the request id,
// the log one line. No query string, filter, value or token is ever part of it.
func (x *exchange) finish() {
	x.done()
	if v := recover(); v != nil {
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // net/http's own way to drop a connection
		}
		x.api.metrics.Panic()
		x.api.log.LogAttrs(x.ctx, slog.LevelError, "panic", slog.String("request", x.id),
			slog.String("route", x.route.text), slog.String("panic", edge.PanicText(v)),
			slog.String("stack", string(debug.Stack())))
		if x.status == 0 {
			x.fail(errPanic)
		}
	}
	d := x.api.now().Sub(x.start)
	org, typ := "", ""
	if x.client != nil {
		org = x.client.OrgSlug
	}
	if x.route.typ != nil {
		typ = string(x.route.typ.Name)
	}
	x.api.metrics.Request(org, typ, edge.MethodLabel(x.req.Method), x.status, d)
	for _, r := range x.caller.Compat.Used() {
		x.api.metrics.Relaxation(r.String(), x.client.Profile.Name)
	}
	x.access(org, d)
}

var errPanic = errors.New("panic")

// access writes the request's log line.
func (x *exchange) access(org string, d time.Duration) {
	level := slog.LevelInfo
	if x.status >= http.StatusInternalServerError && x.status != http.StatusNotImplemented && !x.rejected {
		level = slog.LevelError
	}
	if !x.api.log.Enabled(x.ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs, slog.String("request", x.id), slog.String("method", edge.MethodLabel(x.req.Method)),
		slog.String("route", x.route.text), slog.Int("status", x.status), slog.Duration("duration", d),
		slog.Int("bytes", x.bytes))
	if x.client != nil {
		attrs = append(attrs, slog.String("org", org), slog.String("token", x.client.Actor.ID))
	}
	if x.cause != nil {
		attrs = append(attrs, slog.String("error", x.cause.Error()))
	}
	x.api.log.LogAttrs(x.ctx, level, "request", attrs...)
}
