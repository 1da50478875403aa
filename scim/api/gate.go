package api

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"rollcall/scim"
)

// Load bounds what all requests together take. A zero field means its default.
type Load struct {
	InFlight   int           // requests that are worked on at once
	Waiting    int           // further ones that wait for their turn; negative: none
	Wait       time.Duration // longest that one waits
	BodyMemory int64         // bytes of bodies that are read or worked on, those under 64 KiB aside
}

// DefaultLoad is for a server that is told nothing else. 64 busy connections never wait.
func DefaultLoad() Load {
	return Load{InFlight: 128, Waiting: 64, Wait: time.Second, BodyMemory: 128 << 20}
}

func (l Load) withDefaults(limits Limits) Load {
	d := DefaultLoad()
	if l.InFlight <= 0 {
		l.InFlight = d.InFlight
	}
	if l.Waiting == 0 {
		l.Waiting = d.Waiting
	}
	if l.Wait <= 0 {
		l.Wait = d.Wait
	}
	if l.BodyMemory <= 0 {
		l.BodyMemory = d.BodyMemory
	}
	// The largest body that is allowed must fit.
	l.BodyMemory = max(l.BodyMemory, limits.BulkBody, limits.Body)
	return l
}

// gate lets a bounded number of requests be worked on, first come first served, and a bounded number of others wait
// for a bounded time. All further ones are refused at once: a client that is told to come back costs little, one that
// waits for longer than it has patience costs as much as one that is served.
//
// A request passes the gate when there is work to do. It is outside while its body comes in and while its answer goes
// out, so a slow client keeps nobody else waiting.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	room    int64
	wait    time.Duration
	bodies  *semaphore.Weighted
	memory  int64
}

func newGate(l Load) *gate {
	return &gate{
		slots: make(chan struct{}, l.InFlight), room: int64(max(l.Waiting, 0)), wait: l.Wait,
		bodies: semaphore.NewWeighted(l.BodyMemory), memory: l.BodyMemory,
	}
}

var (
	errRoomFull = errors.New("the waiting room is full")
	errWaited   = errors.New("waited for too long")
)

// enter takes a slot. The channel keeps those that wait in their order, and nobody overtakes them.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.room {
		g.waiting.Add(-1)
		return errRoomFull
	}
	defer g.waiting.Add(-1)
	t := time.NewTimer(g.wait)
	defer t.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return errWaited
	}
}

func (g *gate) leave() { <-g.slots }

// reserve takes n bytes for a body.
func (g *gate) reserve(ctx context.Context, n int64) error {
	if g.bodies.TryAcquire(n) {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, g.wait)
	defer cancel()
	if g.bodies.Acquire(short, n) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errWaited
}

// enter passes the gate, or answers why not. It is called again after leave.
func (x *exchange) enter() error {
	err := x.api.gate.enter(x.ctx)
	switch {
	case err == nil:
		x.inside = true
		return nil
	case errors.Is(err, errRoomFull):
		return x.overloaded("overload", err)
	case errors.Is(err, errWaited):
		return x.overloaded("wait", err)
	}
	return err
}

// leave gives the slot back, if the request has one.
func (x *exchange) leave() {
	if x.inside {
		x.inside = false
		x.api.gate.leave()
	}
}

// reserve takes memory for n bytes of body until the request's answer is built: what a body is parsed into lives as
// long as the work on it does.
func (x *exchange) reserve(n int64) error {
	err := x.api.gate.reserve(x.ctx, n)
	switch {
	case err == nil:
		x.reserved = n
		return nil
	case errors.Is(err, errWaited):
		return x.overloaded("body_memory", err)
	}
	return err
}

// done ends the work on the request: only the answer has to be sent.
func (x *exchange) done() {
	x.leave()
	if x.reserved > 0 {
		x.api.gate.bodies.Release(x.reserved)
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
