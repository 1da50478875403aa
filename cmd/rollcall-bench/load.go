package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// slowest is how long a measurement may take for one answer on each connection.
const slowest = time.Minute

// measurement is one run of one step.
type measurement struct {
	Rate   float64 `json:"rate"` // requests (Bulk: operations) a second
	P50    float64 `json:"p50"`  // milliseconds
	P99    float64 `json:"p99"`
	P999   float64 `json:"p999"`
	Count  int     `json:"count"`
	Bytes  int     `json:"bytes"` // of all bodies
	Calls  int     `json:"-"`     // all of them, with those of the warm-up and those that ended too late to be measured
	CPU    float64 `json:"cpu"`   // server's CPU microseconds a request
	Allocs float64 `json:"allocs"`
	// Commands is how many commands the server sent to MongoDB for a request.
	Commands float64 `json:"commands,omitempty"`
	// Database is MongoDB's CPU microseconds a request.
	Database float64 `json:"database,omitempty"`
}

// source makes the i-th request of a worker.
type source func(worker, i int) []byte

// caller prepares the i-th call of a worker. What it returns makes the call, and is what is measured; it returns how
// many bytes came back.
type caller func(i int) func() (size int, err error)

// drive sends requests on conns connections for warmUp, then for d, and measures the latter. Any answer whose
// status is not in ok, or that check refuses, fails the run.
func drive(ctx context.Context, addr string, conns int, warmUp, d time.Duration, st *step) (measurement, error) {
	clients := make([]*client, conns)
	for w := range clients {
		c, err := dial(addr)
		if err != nil {
			return measurement{}, err
		}
		defer c.close()
		clients[w] = c
	}
	return load(ctx, conns, warmUp, d, func(w int) caller {
		return func(i int) func() (int, error) {
			req := st.src(w, i)
			return func() (int, error) {
				status, n, err := clients[w].do(req, st.check != nil)
				if err == nil && !slices.Contains(st.ok, status) {
					err = fmt.Errorf("status %d", status)
				}
				if err == nil && st.check != nil {
					err = st.check(clients[w].body)
				}
				return n, err
			}
		}
	})
}

// load has conns workers make calls for warmUp, then for d, and measures the latter.
func load(ctx context.Context, conns int, warmUp, d time.Duration, worker func(w int) caller) (measurement, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg       sync.WaitGroup
		counted  atomic.Bool
		answered atomic.Int64
		mu       sync.Mutex
		times    []time.Duration
		bytes    int
		calls    int
	)
	for w := range conns {
		prepare := worker(w)
		wg.Go(func() {
			mine := make([]time.Duration, 0, 1<<16)
			size, done := 0, 0
			for i := 0; ctx.Err() == nil; i++ {
				call := prepare(i)
				start := time.Now()
				n, err := call()
				took := time.Since(start)
				if err != nil {
					cancel(fmt.Errorf("connection %d: %w", w, err))
					break
				}
				done++
				if counted.Load() && ctx.Err() == nil {
					mine = append(mine, took)
					size += n
					answered.Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
			bytes += size
			calls += done
		})
	}
	wait(ctx, warmUp)
	counted.Store(true)
	start := time.Now()
	wait(ctx, d)
	// Of a step that takes long each connection has an answer at least.
	for answered.Load() < int64(conns) && time.Since(start) < slowest && ctx.Err() == nil {
		wait(ctx, d/10)
	}
	took := time.Since(start)
	err := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	if err != nil {
		return measurement{}, err
	}
	m := summarize(times, took, bytes)
	m.Calls = calls
	return m, nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func summarize(times []time.Duration, took time.Duration, bytes int) measurement {
	slices.Sort(times)
	at := func(q float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return float64(times[min(len(times)-1, int(q*float64(len(times))))].Microseconds()) / 1000
	}
	return measurement{
		Rate: float64(len(times)) / took.Seconds(), Count: len(times), Bytes: bytes,
		P50: at(0.5), P99: at(0.99), P999: at(0.999),
	}
}
