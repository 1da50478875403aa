package edge

import (
	"context"
	"sync"
	"time"
)

// Deadline is context.WithTimeout whose timer starts when somebody waits for it. Most requests are answered before
// anybody does, and arming a timer and stopping it costs a twentieth of a GET.
type Deadline struct {
	context.Context //nolint:containedctx // it is one
	at              time.Time
	now             func() time.Time

	mu     sync.Mutex
	timed  context.Context //nolint:containedctx // the real one, once there is one
	cancel context.CancelFunc
	ended  bool
}

// Deadline returns an instant in real time, whatever clock is injected: contexts made from this one compare it with theirs.
func (d *Deadline) Deadline() (time.Time, bool) { return d.real().Deadline() }

// NewDeadline returns ctx with a deadline at the instant at, told by now. Call End when the request is done.
func NewDeadline(ctx context.Context, at time.Time, now func() time.Time) *Deadline {
	return &Deadline{Context: ctx, at: at, now: now}
}

// real returns the context with the timer.
func (d *Deadline) real() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithTimeout(d.Context, d.at.Sub(d.now()))
		if d.ended {
			d.cancel()
		}
	}
	return d.timed
}

// Done arms the timer.
func (d *Deadline) Done() <-chan struct{} { return d.real().Done() }

// Err tells without a timer what the clock says.
func (d *Deadline) Err() error {
	d.mu.Lock()
	timed, ended := d.timed, d.ended
	d.mu.Unlock()
	switch {
	case timed != nil:
		return timed.Err()
	case ended:
		return context.Canceled
	case d.Context.Err() != nil:
		return d.Context.Err()
	case d.now().After(d.at):
		return context.DeadlineExceeded
	}
	return nil
}

// End is the cancel function.
func (d *Deadline) End() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}
