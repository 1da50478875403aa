package api

import (
	"errors"
	"net/http"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
)

// enter passes the gate, or answers why not. It is called again after leave.
func (x *exchange) enter() error {
	err := x.api.gate.Enter(x.ctx)
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
		x.api.gate.Leave()
	}
}

// reserve takes memory for n bytes of body until the request's answer is built: what a body is parsed into lives as
// long as the work on it does.
func (x *exchange) reserve(n int64) error {
	err := x.api.gate.Reserve(x.ctx, n)
	switch {
	case err == nil:
		x.reserved = n
		return nil
	case errors.Is(err, edge.ErrWaited):
		return x.overloaded("body_memory", err)
	}
	return err
}

// done ends the work on the request: only the answer has to be sent.
func (x *exchange) done() {
	x.leave()
	if x.reserved > 0 {
		x.api.gate.Release(x.reserved)
		x.reserved = 0
	}
}

// overloaded refuses a request that the server has no room for now.
func (x *exchange) overloaded(reason string, cause error) error {
	x.reject(reason)
	return &scim.Error{
		Status: http.StatusServiceUnavailable, Detail: "the server is overloaded", RetryAfter: time.Second, Cause: cause,
	}
}

// reject notes that a request is refused for what others do, not for what it is. If its body may be large, the
// connection is closed: before it answers, net/http would wait for as much of the body as it takes to keep it.
func (x *exchange) reject(reason string) {
	x.rejected = true
	x.api.metrics.Rejection(reason)
	if n := x.req.ContentLength; n < 0 || n > smallBody {
		x.w.Header().Set("Connection", "close")
	}
}

// limited is the answer to a client that is faster than its rate.
func (x *exchange) limited(reason string, wait time.Duration) error {
	x.reject(reason)
	return &scim.Error{
		Status: http.StatusTooManyRequests, Detail: "too many requests: the rate that the operator set is used up",
		RetryAfter: wait,
	}
}
