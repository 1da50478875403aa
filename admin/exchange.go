package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
)

// exchange is one request and its answer.
type exchange struct {
	api   *API
	w     http.ResponseWriter
	req   *http.Request
	ctx   context.Context //nolint:containedctx // lives as long as the request that it belongs to
	start time.Time
	addr  netip.Addr // of the client
	local bool       // came through [API.Local]

	id        string // request id
	operation *operation
	who       Identity

	inside   bool  // has passed the gate
	streamed bool  // the answer was sent while it was written
	reserved int64 // bytes of body memory
	rejected bool  // for load or rate

	body   []byte // of the request, once it was read
	answer answer
	cause  error // what a 5xx hides from the client
	denied error // a refusal, for the audit trail
	quota  scim.Quota
}

// exchangeKey is where the context of a request has its exchange: Gin and huma hand on nothing else. Handlers never
// look there, they are given a [Call].
type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		panic("admin: the context is not that of a request")
	}
	return x
}

// statusClientGone is how an answer that nobody waited for is counted.
const statusClientGone = 499

// identify takes the client's request id, if it can be logged and echoed as it is, or makes one.
func (x *exchange) identify() {
	x.id = x.req.Header.Get("X-Request-Id")
	if !edge.ValidRequestID(x.id) {
		x.id = x.api.NewID()
	}
}

// enter passes the gate, or says why not. It is called again after leave.
func (x *exchange) enter() error {
	err := x.api.Gate.Enter(x.ctx)
	switch {
	case err == nil:
		x.inside = true
		return nil
	case errors.Is(err, edge.ErrRoomFull):
		return x.overloaded("overload", err)
	case errors.Is(err, edge.ErrWaited):
		return x.overloaded("wait", err)
	}
	return err
}

// leave gives the slot back, if the request has one.
func (x *exchange) leave() {
	if x.inside {
		x.inside = false
		x.api.Gate.Leave()
	}
}

// done ends the work on the request: only the answer has to be sent.
func (x *exchange) done() {
	x.leave()
	if x.reserved > 0 {
		x.api.Gate.Release(x.reserved)
		x.reserved = 0
	}
}

func (x *exchange) overloaded(reason string, cause error) error {
	x.reject(reason)
	return &scim.Error{
		Status: http.StatusServiceUnavailable, Detail: "the server is overloaded", Code: "overloaded",
		RetryAfter: time.Second, Cause: cause,
	}
}

// reject notes that a request is refused for what others do, not for what it is.
func (x *exchange) reject(reason string) {
	x.rejected = true
	x.api.Metrics.Rejection(reason)
	if n := x.req.ContentLength; n < 0 || n > smallBody {
		x.answer.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
}

// finish ends every request, also one that panicked: the process lives, the client gets a 500 with the request id, the
// log one line.
func (x *exchange) finish() {
	if v := recover(); v != nil {
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			x.done()
			panic(v) // net/http's own way to drop a connection
		}
		x.api.Metrics.Panic()
		x.api.Logger.LogAttrs(x.ctx, slog.LevelError, "panic", slog.String("request", x.id),
			slog.String("operation", x.name()), slog.String("panic", edge.PanicText(v)),
			slog.String("stack", string(debug.Stack())))
		x.answer.reset()
		x.fail(errors.New("panic"))
	}
	x.deny()
	x.done()
	x.send()
	d := x.api.Now().Sub(x.start)
	x.api.Metrics.AdminRequest(x.who.OrgSlug, x.name(), x.answer.status, d)
	x.access(d)
}

// deny notes for the audit trail that the request was refused: of what changes something, and what nobody of the kind may
// see.
func (x *exchange) deny() {
	if x.denied == nil || x.operation == nil || x.operation.reads() && x.answer.status != http.StatusForbidden {
		return
	}
	kind, id := x.operation.target(x.req.URL.Path)
	x.api.Lifecycle.Deny(x.who.Subject.Caller, x.operation.id, kind, id, x.denied)
}

// name is the operation's, for metrics and logs: never what was sent.
func (x *exchange) name() string {
	if x.operation == nil {
		return ""
	}
	return x.operation.id
}

// access writes the request's log line. No query, body or credential is ever part of it.
func (x *exchange) access(d time.Duration) {
	level := slog.LevelInfo
	if x.answer.status >= http.StatusInternalServerError && !x.rejected {
		level = slog.LevelError
	}
	if !x.api.Logger.Enabled(x.ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", x.id), slog.String("method", edge.MethodLabel(x.req.Method)),
		slog.String("operation", x.name()), slog.Int("status", x.answer.status), slog.Duration("duration", d),
		slog.Int("bytes", x.answer.written),
	}
	if x.who.Subject.Actor.Kind != "" {
		attrs = append(attrs, slog.String("org", x.who.OrgSlug), slog.String(x.who.Subject.Actor.Kind, x.who.Subject.Actor.ID))
	}
	if x.cause != nil {
		attrs = append(attrs, slog.String("error", x.cause.Error()))
	}
	x.api.Logger.LogAttrs(x.ctx, level, "request", attrs...)
}
