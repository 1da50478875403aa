package edge

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
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

// Filled returns l with its zero fields set to their defaults, and room for one body of the size largest at least.
func (l Load) Filled(largest int64) Load {
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
	l.BodyMemory = max(l.BodyMemory, largest)
	return l
}

// Gate lets a bounded number of requests be worked on, first come first served, and a bounded number of others wait
// for a bounded time. All further ones are refused at once: a client that is told to come back costs little, one that
// waits for longer than it has patience costs as much as one that is served.
//
// A request passes the gate when there is work to do. It is outside while its body comes in and while its answer goes
// out, so a slow client keeps nobody else waiting.
type Gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	room    int64
	wait    time.Duration
	bodies  *semaphore.Weighted
}

// NewGate returns a gate for the load l, which has no zero field.
func NewGate(l Load) *Gate {
	return &Gate{
		slots: make(chan struct{}, l.InFlight), room: int64(max(l.Waiting, 0)), wait: l.Wait,
		bodies: semaphore.NewWeighted(l.BodyMemory),
	}
}

// What [Gate.Enter] and [Gate.Reserve] refuse with.
var (
	ErrRoomFull = errors.New("the waiting room is full")
	ErrWaited   = errors.New("waited for too long")
)

// Enter takes a slot. The channel keeps those that wait in their order, and nobody overtakes them.
func (g *Gate) Enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.room {
		g.waiting.Add(-1)
		return ErrRoomFull
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
		return ErrWaited
	}
}

// Leave gives the slot back.
func (g *Gate) Leave() { <-g.slots }

// Reserve takes n bytes for a body.
func (g *Gate) Reserve(ctx context.Context, n int64) error {
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
	return ErrWaited
}

// Release gives n bytes back.
func (g *Gate) Release(n int64) { g.bodies.Release(n) }
