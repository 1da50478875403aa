package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// overload is what a server makes of far more requests than it can work on.
type overload struct {
	Offered  float64     `json:"offered"`  // requests a second that were sent, refused ones at once again
	Alone    measurement `json:"alone"`    // of the same request on 16 connections
	Accepted measurement `json:"accepted"` // those that were served
	Refused  measurement `json:"refused"`  // those that were answered 503 or 429 with Retry-After
	Memory   int64       `json:"memory"`   // peak, bytes resident
	After    measurement `json:"after"`    // reads at a steady pace, from one second after
	Before   measurement `json:"before"`   // the same before
}

const (
	overloadConns  = 256
	overloadFactor = 10 // times the rate that the server sustains
)

// measureOverload lets 256 connections create users, each sending again as soon as it is answered, at up to ten times
// the rate that 16 connections reach. An answer that is neither a success nor a refusal that says when to come back
// fails the run.
func measureOverload(ctx context.Context, o options, s *server, d *data) (f *overload, err error) {
	all := steps(d)
	create := all[slices.IndexFunc(all, func(st step) bool { return st.name == "create" })]
	read := func(w, i int) []byte {
		return request("GET", "/scim/v2/Users/"+d.Users[(w*127+i)%len(d.Users)], token, nil, nil)
	}
	f = &overload{}
	if f.Alone, err = drive(ctx, s.addr, 16, o.warmUp, o.duration, &create); err != nil {
		return nil, err
	}
	if f.Before, err = pace(ctx, s.addr, time.Second, read); err != nil {
		return nil, err
	}
	took := max(o.duration, 3*time.Second)
	accepted, refused, err := flood(ctx, s.addr, took, overloadFactor*f.Alone.Rate, create)
	if err != nil {
		return nil, err
	}
	f.Accepted, f.Refused = summarize(accepted, took, 0), summarize(refused, took, 0)
	f.Offered = f.Accepted.Rate + f.Refused.Rate
	_, f.Memory = s.memory()
	if wait(ctx, time.Second); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.After, err = pace(ctx, s.addr, time.Second, read)
	return f, err
}

// flood sends for d, at rate a second if the server answers that many, and returns how long the answers took.
func flood(ctx context.Context, addr string, d time.Duration, rate float64, st step) (accepted, refused []time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	interval := time.Duration(overloadConns / rate * float64(time.Second))
	begin := time.Now()
	for w := range overloadConns {
		c, err := dial(addr)
		if err != nil {
			return nil, nil, err
		}
		wg.Go(func() {
			defer func() { c.close() }()
			var good, bad []time.Duration
			for i := 0; ctx.Err() == nil && time.Since(begin) < d; i++ {
				wait(ctx, time.Until(begin.Add(interval*time.Duration(i))))
				start := time.Now()
				status, _, err := c.do(st.src(w, i), false)
				switch {
				case err != nil:
					cancel(err)
				case slices.Contains(st.ok, status):
					good = append(good, time.Since(start))
				case (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && c.retryAfter:
					bad = append(bad, time.Since(start))
				default:
					cancel(errors.Join(errUnexpected, fmt.Errorf("status %d, Retry-After %t", status, c.retryAfter)))
				}
				if c.closed {
					c.close()
					again, err := dial(addr)
					if err != nil {
						cancel(err)
						break
					}
					c = again
				}
			}
			mu.Lock()
			defer mu.Unlock()
			accepted, refused = append(accepted, good...), append(refused, bad...)
		})
	}
	wg.Wait()
	return accepted, refused, context.Cause(ctx)
}

var errUnexpected = errors.New("neither served nor refused")

func (f *overload) String() string {
	return fmt.Sprintf("overload, %d connections: %.0f/s offered (%.0f/s on 16 connections), %.0f/s served (p50 %.1f ms, p99 %.1f ms; on 16 connections %.1f, %.1f), %.0f/s refused with Retry-After (p99 %.1f ms); %d MB resident at most; reads one second after p99 %.2f ms (before %.2f)",
		overloadConns, f.Offered, f.Alone.Rate, f.Accepted.Rate, f.Accepted.P50, f.Accepted.P99, f.Alone.P50, f.Alone.P99,
		f.Refused.Rate, f.Refused.P99, f.Memory>>20, f.After.P99, f.Before.P99)
}
