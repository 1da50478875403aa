package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// ErrLeaseLost is what an [Outbox] answers if an item is no longer leased to whoever reports about it.
var ErrLeaseLost = errors.New("mail: the lease of the item was lost")

// Item is a message that is due, leased to one worker.
type Item struct {
	ID      string // of the send: canonical UUID text, the same for every attempt
	Message Message
	// Attempt counts leases, from 1. A lease that ended without a report counts: a message that kills the process at
	// each attempt is not tried for ever.
	Attempt  int
	NotAfter time.Time // no attempt from then on; zero: no bound
	// Handle is the outbox's own, such as the version that its compare-and-set expects.
	Handle any
}

// State is what an attempt has made of an item.
type State string

// The states.
const (
	StateSent     State = "sent"     // the mail server has it
	StateDeferred State = "deferred" // there will be another attempt at Outcome.Next
	StateFailed   State = "failed"   // refused, or tried often enough
	StateExpired  State = "expired"  // its time had passed before it could be sent
)

// Outcome is what a worker reports about an item.
type Outcome struct {
	State  State
	At     time.Time
	Next   time.Time // of StateDeferred
	Result Result    // of the last attempt; zero for StateExpired
}

// Outbox is where messages wait. Several workers, also of several processes, may share one: an item is leased to one
// of them at a time, by compare-and-set.
//
// A message is sent once, with one exception that SMTP makes unavoidable: if a process dies, or loses the store,
// between the mail server's reply and Done, the lease ends and the message is sent a second time, with the same
// Message-ID. That can happen to the messages that were under way at that moment, which are no more than the worker's
// Parallel, and to no other.
type Outbox interface {
	// Lease returns up to n items that are due at now and leased to nobody, oldest first, and leases them for d.
	Lease(ctx context.Context, now time.Time, n int, d time.Duration) ([]Item, error)
	// Done stores an outcome and ends the lease; ErrLeaseLost if somebody else has the item by now.
	Done(ctx context.Context, item *Item, o *Outcome) error
}

// Metrics counts attempts; result is the outcome's state.
type Metrics interface {
	Mail(kind, result string)
}

// WorkerOptions are what a [Worker] works with.
type WorkerOptions struct {
	Outbox   Outbox
	Sender   Sender
	Identity Identity
	Now      func() time.Time
	Logger   *slog.Logger
	Metrics  Metrics
	// Parallel is how many messages are sent at once, 4 if 0. Lease is for how long one is this worker's, 10 minutes if
	// 0: longer than any Send takes. Poll is how often it looks for messages when nobody calls Wake, 2 seconds if 0.
	Parallel    int
	Lease, Poll time.Duration
}

// schedule is how long after which failed attempt the next one comes. After the last one the message has failed.
func schedule() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour}
}

// Worker empties an outbox.
type Worker struct {
	o    WorkerOptions
	wake chan struct{}

	mu      sync.Mutex
	trouble bool // the last attempt found the mail server in trouble
}

// NewWorker checks the options and fills in what is missing.
func NewWorker(o WorkerOptions) (*Worker, error) {
	if o.Outbox == nil || o.Sender == nil || o.Now == nil || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("mail: a worker needs an outbox, a sender, a clock, a logger and metrics")
	}
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Lease <= 0 {
		o.Lease = 10 * time.Minute
	}
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	return &Worker{o: o, wake: make(chan struct{}, 1)}, nil
}

// Wake tells the worker that something was put into the outbox. It never waits.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends; then it waits for what is being sent, which takes no longer than the sender's timeout.
func (w *Worker) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	done := make(chan struct{}, w.o.Parallel)
	busy := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			busy--
		case <-w.wake:
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return
		}
		items := w.lease(ctx, w.o.Parallel-busy)
		for i := range items {
			busy++
			group.Go(func() {
				w.handle(context.WithoutCancel(ctx), &items[i])
				done <- struct{}{}
			})
		}
		timer.Reset(w.o.Poll)
	}
}

// RunOnce sends what is due now and returns how many messages that were.
func (w *Worker) RunOnce(ctx context.Context) int {
	n := 0
	for {
		items := w.lease(ctx, w.o.Parallel)
		if len(items) == 0 {
			return n
		}
		n += len(items)
		var group sync.WaitGroup
		for i := range items {
			group.Go(func() { w.handle(ctx, &items[i]) })
		}
		group.Wait()
	}
}

// lease asks for no more than can be sent at once, so that no leased item waits for its turn.
func (w *Worker) lease(ctx context.Context, n int) []Item {
	if n <= 0 {
		return nil
	}
	items, err := w.o.Outbox.Lease(ctx, w.o.Now(), n, w.o.Lease)
	if err != nil && ctx.Err() == nil {
		w.o.Logger.WarnContext(ctx, "mail outbox", "error", err)
	}
	return items
}

func (w *Worker) handle(ctx context.Context, item *Item) {
	o := w.attempt(ctx, item)
	w.o.Metrics.Mail(string(item.Message.Kind), string(o.State))
	w.report(ctx, item, &o)
	log := w.o.Logger.DebugContext
	if o.State == StateFailed {
		log = w.o.Logger.WarnContext
	}
	log(ctx, "mail", "id", item.ID, "kind", string(item.Message.Kind), "attempt", item.Attempt, "state", string(o.State),
		"code", o.Result.Code, "status", o.Result.Status)
}

// attempt sends the item if it is still time and decides what comes next.
func (w *Worker) attempt(ctx context.Context, item *Item) Outcome {
	now := w.o.Now()
	if passed(item.NotAfter, now) {
		return Outcome{State: StateExpired, At: now}
	}
	e := w.o.Identity.Envelope(item.ID, &item.Message)
	r := w.o.Sender.Send(ctx, &e, &item.Message)
	w.noteServer(ctx, r.Err)
	o := Outcome{At: w.o.Now(), Result: r}
	switch r.Class {
	case Sent:
		o.State = StateSent
	case Soft:
		o.State = StateFailed
		if waits := schedule(); item.Attempt <= len(waits) {
			o.Next = o.At.Add(waits[max(item.Attempt, 1)-1])
			if !passed(item.NotAfter, o.Next) {
				o.State = StateDeferred
			}
		}
	case Hard:
		o.State = StateFailed
	}
	if o.State != StateDeferred {
		o.Next = time.Time{}
	}
	return o
}

func passed(bound, at time.Time) bool { return !bound.IsZero() && !at.Before(bound) }

// report stores the outcome, with patience: what is lost here is a message that is sent twice.
func (w *Worker) report(ctx context.Context, item *Item, o *Outcome) {
	const tries = 6
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		err := w.o.Outbox.Done(ctx, item, o)
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrLeaseLost) || try == tries || ctx.Err() != nil:
			w.o.Logger.ErrorContext(ctx, "mail outcome not stored", "id", item.ID, "state", string(o.State), "error", err)
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 3
	}
}

// noteServer logs when the mail server gets into trouble and when it is well again, not each message in between.
func (w *Worker) noteServer(ctx context.Context, err error) {
	w.mu.Lock()
	before := w.trouble
	w.trouble = err != nil
	w.mu.Unlock()
	switch {
	case err != nil && !before:
		w.o.Logger.ErrorContext(ctx, "mail server in trouble; messages wait", "error", err)
	case err == nil && before:
		w.o.Logger.InfoContext(ctx, "mail server takes messages again")
	}
}
