package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"rollcall/internal/smtptest"
	"rollcall/internal/testkit"
)

// memory is an outbox in memory, for the worker's own logic. The one that counts is kept in the store.
type memory struct {
	mu    sync.Mutex
	items map[string]*memoryItem
	fail  int // how many calls of Done fail
}

type memoryItem struct {
	Item
	due, leased time.Time
	lease       int
	outcomes    []Outcome
}

func (m *memory) put(id string, due time.Time, change func(*Item)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string]*memoryItem{}
	}
	msg := testMessage()
	item := Item{ID: id, Message: msg}
	if change != nil {
		change(&item)
	}
	m.items[id] = &memoryItem{Item: item, due: due}
}

func (m *memory) Lease(_ context.Context, now time.Time, n int, d time.Duration) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Item
	for _, i := range m.items {
		if len(out) == n {
			break
		}
		if i.due.IsZero() || now.Before(i.due) || now.Before(i.leased) {
			continue
		}
		i.Attempt++
		i.lease++
		i.leased = now.Add(d)
		item := i.Item
		item.Handle = i.lease
		out = append(out, item)
	}
	return out, nil
}

func (m *memory) Done(_ context.Context, item *Item, o *Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail > 0 {
		m.fail--
		return errors.New("the store is away")
	}
	i := m.items[item.ID]
	if i.lease != item.Handle {
		return ErrLeaseLost
	}
	i.lease++
	i.due, i.leased = o.Next, time.Time{}
	i.outcomes = append(i.outcomes, *o)
	return nil
}

func (m *memory) outcomes(id string) []Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.items[id].outcomes)
}

// counts is the metrics of a test.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) Mail(kind, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[kind+" "+result]++
}

func (c *counts) of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[key]
}

func newWorker(t *testing.T, o *memory, s Sender, clock *testkit.Clock, c *counts) *Worker {
	t.Helper()
	w, err := NewWorker(WorkerOptions{
		Outbox: o, Sender: s, Identity: testIdentity(t), Now: clock.Now, Metrics: c, Poll: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// scripted answers as the test says.
type scripted func(ctx context.Context, e *Envelope, m *Message) Result

func (s scripted) Send(ctx context.Context, e *Envelope, m *Message) Result { return s(ctx, e, m) }

func TestWorkerSchedule(t *testing.T) {
	clock, outbox, n := testkit.NewClock(), &memory{}, &counts{}
	attempts := 0
	var envelope Envelope
	w := newWorker(t, outbox, scripted(func(_ context.Context, e *Envelope, _ *Message) Result {
		if attempts++; attempts > 1 && *e != envelope {
			t.Errorf("attempt %d has another envelope: %+v", attempts, *e)
		}
		envelope = *e
		return Result{Class: Soft, Code: 450}
	}), clock, n)
	start := clock.Now()
	outbox.put(sendID, start, nil)
	var at []time.Duration
	for range 30 * 60 {
		if w.RunOnce(t.Context()) > 0 {
			at = append(at, clock.Now().Sub(start))
		}
		clock.Advance(time.Minute)
	}
	want := []time.Duration{0, 1, 6, 21, 81, 321, 1041}
	for i := range want {
		want[i] *= time.Minute
	}
	if !slices.Equal(at, want) {
		t.Errorf("attempts at %v, want %v", at, want)
	}
	got := outbox.outcomes(sendID)
	if len(got) != 7 || got[5].State != StateDeferred || got[6].State != StateFailed || !got[6].Next.IsZero() || got[6].Result.Code != 450 {
		t.Errorf("%+v", got)
	}
	if n.of("invite deferred") != 6 || n.of("invite failed") != 1 {
		t.Errorf("%v", n.n)
	}
}

func TestWorkerOutcomes(t *testing.T) {
	clock, outbox, n := testkit.NewClock(), &memory{}, &counts{}
	results := map[string]Result{}
	w := newWorker(t, outbox, scripted(func(_ context.Context, e *Envelope, _ *Message) Result { return results[e.ID] }), clock, n)
	now := clock.Now()
	id := func(i int) string { return testkit.ID(uint64(i)) }
	results[id(1)] = Result{Class: Sent, Code: 250}
	results[id(2)] = Result{Class: Hard, Code: 550, BadAddress: true}
	results[id(3)] = Result{Class: Soft}
	results[id(4)] = Result{Class: Sent}
	results[id(5)] = Result{Class: Soft}
	outbox.put(id(1), now, nil)
	outbox.put(id(2), now, nil)
	outbox.put(id(3), now, func(i *Item) { i.NotAfter = now.Add(time.Hour) })
	outbox.put(id(4), now, func(i *Item) { i.NotAfter = now })                  // too late already
	outbox.put(id(5), now, func(i *Item) { i.NotAfter = now.Add(time.Minute) }) // the next attempt would be
	outbox.put(id(6), now.Add(time.Second), nil)                                // not due
	if got := w.RunOnce(t.Context()); got != 5 {
		t.Fatalf("%d handled", got)
	}
	for i, want := range map[int]Outcome{
		1: {State: StateSent, At: now, Result: results[id(1)]},
		2: {State: StateFailed, At: now, Result: results[id(2)]},
		3: {State: StateDeferred, At: now, Next: now.Add(time.Minute), Result: results[id(3)]},
		4: {State: StateExpired, At: now},
		5: {State: StateFailed, At: now, Result: results[id(5)]},
	} {
		if got := outbox.outcomes(id(i)); len(got) != 1 || got[0] != want {
			t.Errorf("%d: %+v, want %+v", i, got, want)
		}
	}
	if got := outbox.outcomes(id(6)); len(got) != 0 {
		t.Errorf("what is not due: %+v", got)
	}
}

// TestWorkerReportsWithPatience: an outcome that the store does not take at first is not lost.
func TestWorkerReportsWithPatience(t *testing.T) {
	clock, outbox := testkit.NewClock(), &memory{fail: 2}
	w := newWorker(t, outbox, scripted(func(context.Context, *Envelope, *Message) Result { return Result{Class: Sent} }), clock, &counts{})
	outbox.put(sendID, clock.Now(), nil)
	w.RunOnce(t.Context())
	if got := outbox.outcomes(sendID); len(got) != 1 || got[0].State != StateSent {
		t.Errorf("%+v", got)
	}
}

// TestWorkerAfterACrash: a worker that dies between the server's reply and its report leaves a message that is sent
// again once its lease has ended, with the same Message-ID, and no other.
func TestWorkerAfterACrash(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{})
	sender := newSMTP(t, server, nil)
	clock, outbox := testkit.NewClock(), &memory{}
	for i := range 10 {
		outbox.put(testkit.ID(uint64(i+1)), clock.Now(), nil)
	}
	items, err := outbox.Lease(t.Context(), clock.Now(), 1, 10*time.Minute)
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	e := testIdentity(t).Envelope(items[0].ID, &items[0].Message)
	if r := sender.Send(t.Context(), &e, &items[0].Message); r.Class != Sent {
		t.Fatalf("%+v", r)
	}
	// The process is gone. Another one works on.
	w := newWorker(t, outbox, sender, clock, &counts{})
	if n := w.RunOnce(t.Context()); n != 9 {
		t.Errorf("%d sent while one is leased", n)
	}
	clock.Advance(10 * time.Minute)
	if n := w.RunOnce(t.Context()); n != 1 {
		t.Errorf("%d sent after the lease", n)
	}
	perMessage := map[string]int{}
	for _, m := range server.Messages() {
		perMessage[m.From]++
	}
	for from, n := range perMessage {
		if want := map[bool]int{true: 2, false: 1}[from == e.From]; n != want {
			t.Errorf("%s: %d times, want %d", from, n, want)
		}
	}
	o := Outcome{State: StateSent}
	if err := outbox.Done(t.Context(), &items[0], &o); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("the dead worker's report: %v", err)
	}
}

// TestWorkerRun: a worker that runs sends what is put in as it comes, several at once, and finishes what it has begun.
func TestWorkerRun(t *testing.T) {
	const messages = 60
	entered, release := make(chan struct{}, messages), make(chan struct{})
	server := smtptest.Start(t, smtptest.Options{
		Wait: func() { entered <- struct{}{}; <-release },
		Reply: func(at smtptest.Stage, about string) error {
			if at == smtptest.To && about == "bad@example.com" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Unknown"}
			}
			return nil
		},
	})
	sender := newSMTP(t, server, nil)
	clock, outbox, n := testkit.NewClock(), &memory{}, &counts{}
	w := newWorker(t, outbox, sender, clock, n)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); w.Run(ctx) }()
	for i := range messages {
		outbox.put(testkit.ID(uint64(i+1)), clock.Now(), func(item *Item) { item.Message.To = fmt.Sprintf("u%d@example.com", i) })
	}
	outbox.put(sendID, clock.Now(), func(item *Item) { item.Message.To = "bad@example.com" })
	w.Wake()
	for range 4 { // four at once
		<-entered
	}
	close(release)
	for range messages - 4 {
		<-entered
	}
	cancel()
	<-stopped
	if got := len(server.Messages()); got != messages || n.of("invite sent") != messages {
		t.Errorf("%d taken, %d counted", got, n.of("invite sent"))
	}
	for i := range messages {
		if got := outbox.outcomes(testkit.ID(uint64(i + 1))); len(got) != 1 || got[0].State != StateSent {
			t.Errorf("%d: %+v", i, got)
		}
	}
}

func TestWorkerOptions(t *testing.T) {
	if _, err := NewWorker(WorkerOptions{}); err == nil {
		t.Error("a worker without anything is made")
	}
}
