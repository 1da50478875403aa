package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// fairness is what one organization feels of another's full sync.
type fairness struct {
	What   string      `json:"what"`
	Alone  measurement `json:"alone"`
	Beside measurement `json:"beside"` // while the other organization sends Bulk requests
	// Floor is what a bare net/http server, a process of its own, answers in beside the same sync: what the
	// scheduler of the machine and the generator add to every answer while all processors are busy.
	Floor measurement `json:"floor"`
	// Bare is what that server answers in alone, Hogs beside one process for each processor that does nothing but
	// compute: no server can keep its answers clear of those.
	Bare measurement `json:"bare"`
	Hogs measurement `json:"hogs"`
	// Ratio is the median over the runs of the p99 beside the sync over the p99 alone.
	Ratio float64 `json:"ratio"`
	// Sync is how many users a second the other organization had created meanwhile.
	Sync float64 `json:"sync"`
}

const (
	secondOrg = "bench-second"
	// The second organization sends at a steady pace far below what the server can do: its p99 is then what it
	// feels, not what it causes.
	paceConns    = 16
	paceInterval = 100 * time.Millisecond
	syncConns    = 4
	fairnessTime = 3 * time.Second // at least; a p99 needs some hundred requests
)

// measureFairness lets the second organization read and write at a steady pace, alone and beside a full sync of the
// first.
func measureFairness(ctx context.Context, o options, s *server, dir string) ([]fairness, error) {
	tok, err := secondToken(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	prefix := fmt.Sprintf("f%d-", time.Now().UnixMilli()) // a kept data directory holds those of earlier runs
	ids, err := c.bulk(tok, bulkUsers(0, bulkSize, prefix))
	if err != nil {
		return nil, err
	}
	floor, err := startFloor(ctx, answer{Status: http.StatusOK, Body: []byte("{}")})
	if err != nil {
		return nil, err
	}
	defer func() { _ = floor.stop() }()
	d := max(o.duration, fairnessTime)
	user := func(w, i int) string { return "/scim/v2/Users/" + ids[(w*127+i)%len(ids)] }
	bare, err := pace(ctx, floor.addr, d, func(int, int) []byte { return request("GET", "/", tok, nil, nil) })
	if err != nil {
		return nil, err
	}
	hogs, err := besideHogs(ctx, floor.addr, d)
	if err != nil {
		return nil, err
	}
	var list []fairness
	next := 0
	for _, what := range []struct {
		name string
		src  source
	}{
		{"reads", func(w, i int) []byte { return request("GET", user(w, i), tok, nil, nil) }},
		{"writes", func(w, i int) []byte {
			body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"T%d-%d"}]}`, w, time.Now().UnixNano())
			return request("PATCH", user(w, i), tok, nil, []byte(body))
		}},
	} {
		f := fairness{What: what.name, Bare: bare, Hogs: hogs}
		var alone, beside, floors []measurement
		var ratios []float64
		for range o.runs {
			a, err := pace(ctx, s.addr, d, what.src)
			if err != nil {
				return nil, err
			}
			sync, err := startSync(ctx, s.addr, 2*d, prefix, &next)
			if err != nil {
				return nil, err
			}
			b, err := pace(ctx, s.addr, d, what.src)
			n, ferr := pace(ctx, floor.addr, d, what.src)
			rate, serr := sync()
			if err := errors.Join(err, ferr, serr); err != nil {
				return nil, err
			}
			floors = append(floors, n)
			f.Sync = max(f.Sync, rate)
			alone, beside, ratios = append(alone, a), append(beside, b), append(ratios, b.P99/a.P99)
		}
		slices.Sort(ratios)
		f.Ratio = ratios[len(ratios)/2]
		f.Alone, f.Beside, f.Floor = medianP99(alone), medianP99(beside), medianP99(floors)
		list = append(list, f)
	}
	return list, nil
}

// besideHogs measures a server while as many processes as there are processors compute.
func besideHogs(ctx context.Context, addr string, d time.Duration) (m measurement, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	for range runtime.NumCPU() {
		hog := exec.CommandContext(ctx, self, "hog")
		if err := hog.Start(); err != nil {
			return m, err
		}
		defer func() {
			_ = hog.Process.Kill()
			_ = hog.Wait() // it was killed: that is no error
		}()
	}
	return pace(ctx, addr, d, func(int, int) []byte { return request("GET", "/", "", nil, nil) })
}

// hogCommand is this program as one that computes until it is killed.
func hogCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hog", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for n := uint64(0); ; n++ {
				if n%(1<<24) == 0 && cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
			}
		},
	}
}

func medianP99(runs []measurement) measurement {
	slices.SortFunc(runs, func(a, b measurement) int {
		if a.P99 < b.P99 {
			return -1
		}
		return 1
	})
	return runs[len(runs)/2]
}

// secondToken makes the second organization, if it is not there, and a token of it.
func secondToken(ctx context.Context, o options, dir string) (string, error) {
	if out, err := exec.CommandContext(ctx, o.binary, "org", "list", "--json", "--data", dir).Output(); err != nil {
		return "", fmt.Errorf("org list: %w", err)
	} else if !bytes.Contains(out, []byte(`"`+secondOrg+`"`)) {
		if err := exec.CommandContext(ctx, o.binary, "org", "create", secondOrg, "--data", dir).Run(); err != nil {
			return "", fmt.Errorf("org create: %w", err)
		}
	}
	out, err := exec.CommandContext(ctx, o.binary, "token", "create", "--org", secondOrg, "--name", "bench", "--json", "--data", dir).Output()
	if err != nil {
		return "", fmt.Errorf("token create: %w", err)
	}
	var t struct{ Token string }
	if err := json.Unmarshal(out, &t); err != nil {
		return "", err
	}
	return t.Token, nil
}

// pace sends requests at a steady pace for d. A request that is late because the one before it was slow is counted
// from when it was due, so that slowness is not hidden by sending less.
func pace(ctx context.Context, addr string, d time.Duration, src source) (measurement, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		times []time.Duration
	)
	begin := time.Now()
	for w := range paceConns {
		c, err := dial(addr)
		if err != nil {
			return measurement{}, err
		}
		wg.Go(func() {
			defer c.close()
			var mine []time.Duration
			due := begin.Add(paceInterval * time.Duration(w) / paceConns)
			for i := 0; due.Sub(begin) < d; i++ {
				if wait(ctx, time.Until(due)); ctx.Err() != nil {
					return
				}
				// What a timer oversleeps is the generator's: only a slow answer may make a request late.
				from := due
				if late := time.Since(due); late < paceInterval/4 {
					from = time.Now()
				}
				status, _, err := c.do(src(w, i), false)
				if err != nil || status != http.StatusOK {
					cancel(errors.Join(err, fmt.Errorf("status %d", status)))
					return
				}
				mine = append(mine, time.Since(from))
				due = due.Add(paceInterval)
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return measurement{}, err
	}
	return summarize(times, d, 0), nil
}

// startSync lets the first organization create users through Bulk for at least d and returns a function that ends
// it and tells its rate. The requests are made before, as making them takes processors from the server.
func startSync(ctx context.Context, addr string, d time.Duration, prefix string, next *int) (func() (float64, error), error) {
	bodies := make(chan []byte, max(8, int(d.Seconds()*40)))
	for len(bodies) < cap(bodies) {
		bodies <- request("POST", "/scim/v2/Bulk", token, nil, bulkUsers(*next, *next+bulkSize, "s"+prefix))
		*next += bulkSize
	}
	ctx, cancel := context.WithCancel(ctx)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		sent int
	)
	begin := time.Now()
	for range syncConns {
		c, err := dial(addr)
		if err != nil {
			cancel()
			return nil, err
		}
		wg.Go(func() {
			defer c.close()
			for ctx.Err() == nil {
				var body []byte
				select {
				case body = <-bodies:
				default:
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, errors.New("the sync ended before the measurement"))
					return
				}
				status, _, err := c.do(body, false)
				mu.Lock()
				sent++
				if err != nil || status != http.StatusOK {
					errs = append(errs, err, fmt.Errorf("bulk: status %d", status))
				}
				mu.Unlock()
			}
		})
	}
	return func() (float64, error) {
		cancel()
		wg.Wait()
		return float64(sent*bulkSize) / time.Since(begin).Seconds(), errors.Join(errs...)
	}, nil
}
