package api

import (
	"context"
	"sync"
	"time"
)

// deadline is context.WithTimeout whose timer starts when somebody waits for it. Most requests are answered before
// anybody does, and arming a timer and stopping it costs a twentieth of a GET.
type deadline struct {
	context.Context //nolint:containedctx // it is one
	at              time.Time
	now             func() time.Time

	mu     sync.Mutex
	timed  context.Context //nolint:containedctx // the real one, once there is one
	cancel context.CancelFunc
	ended  bool
}

// Deadline is in real time, whatever clock is injected: contexts made from this one compare it with theirs.
func (d *deadline) Deadline() (time.Time, bool) { return d.real().Deadline() }

// real returns the context with the timer.
func (d *deadline) real() context.Context {
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

func (d *deadline) Done() <-chan struct{} { return d.real().Done() }

func (d *deadline) Err() error {
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

// end is the cancel function.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}
