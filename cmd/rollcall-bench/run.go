package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// run seeds a server, measures every step beside its floor, and prints the result.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir := o.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rollcall-bench"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := startRollcall(ctx, o, dir, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	res := &result{Users: o.users}
	res.MemoryIdle, _ = s.memory()

	d, err := loadData(dir)
	if err != nil {
		return err
	}
	if d == nil {
		fmt.Fprintf(stderr, "seeding %d users\n", o.users)
		if d, err = seed(ctx, s.addr, o.users); err != nil {
			return err
		}
		if o.keep != "" {
			if err := d.save(dir); err != nil {
				return err
			}
		}
	}
	res.Users = len(d.Users)
	res.SeedRate = float64(len(d.Users)) / d.Took.Seconds()
	res.MemorySeeded, _ = s.memory()
	if res.BytesPerUser, err = perUser(dir, len(d.Users)); err != nil {
		return err
	}
	if err := restart(ctx, o, dir, stderr, &s, res); err != nil {
		return err
	}
	if err := readAll(ctx, s.addr, len(d.Users)); err != nil {
		return err
	}
	if res.DurableFloor, err = durableFloor(ctx, filepath.Dir(dir)); err != nil {
		return err
	}
	if res.RowsFloor, err = measureRows(ctx, filepath.Dir(dir), max(o.duration, time.Second)); err != nil {
		return fmt.Errorf("bare SQLite: %w", err)
	}
	for _, st := range steps(d) {
		if !only.MatchString(st.name) {
			continue
		}
		for _, conns := range o.conns {
			f, err := measureStep(ctx, o, s, st, conns)
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", st.name, conns, err)
			}
			res.Figures = append(res.Figures, *f)
			fmt.Fprintln(stderr, f)
		}
	}
	if only.MatchString("fairness") {
		if res.Fairness, err = measureFairness(ctx, o, s, dir); err != nil {
			return fmt.Errorf("fairness: %w", err)
		}
	}
	_, res.MemoryPeak = s.memory()
	if only.MatchString("overload") {
		if res.Overload, err = measureOverload(ctx, o, s, d); err != nil {
			return fmt.Errorf("overload: %w", err)
		}
	}
	if only.MatchString("full sync") {
		if res.FullSync, err = measureFullSync(ctx, o, len(d.Users), stderr); err != nil {
			return fmt.Errorf("full sync: %w", err)
		}
	}
	if o.json != "" {
		if err := res.write(o.json); err != nil {
			return err
		}
	}
	return res.print(stdout)
}

// readAll reads every user once: what is measured is a server that has been up for a while, not its first seconds.
// With --serve-flag --cache-size=0 there is nothing to warm.
func readAll(ctx context.Context, addr string, users int) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	for start := 1; start <= users && ctx.Err() == nil; start += 500 {
		target := fmt.Sprintf("/scim/v2/Users?count=500&startIndex=%d", start)
		status, _, err := c.do(request("GET", target, token, nil, nil), false)
		if err != nil || status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("reading all users: status %d", status))
		}
	}
	return ctx.Err()
}

// restart measures a start with the full database.
func restart(ctx context.Context, o options, dir string, stderr io.Writer, s **server, res *result) error {
	if err := (*s).stop(); err != nil {
		return err
	}
	start := time.Now()
	fresh, err := startRollcall(ctx, o, dir, stderr)
	*s = fresh
	res.StartUp = time.Since(start).Seconds()
	return err
}

func perUser(dir string, users int) (int64, error) {
	var size int64
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return 0, err
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return size / int64(users), nil
}

// measureStep takes the median of several runs, each followed by its floor, so that a slow minute of a shared
// machine slows both.
func measureStep(ctx context.Context, o options, s *server, st step, conns int) (*figure, error) {
	f := &figure{Step: st.name, Conns: conns, Target: st.target, Write: st.write}
	weight := max(1, st.weight)
	if st.before != nil {
		if err := st.before(ctx, s.addr); err != nil {
			return nil, err
		}
	}
	var floor *server
	if !st.write && st.name != "mixed day" {
		a, err := sample(s.addr, st)
		if err != nil {
			return nil, err
		}
		if floor, err = startFloor(ctx, a); err != nil {
			return nil, err
		}
		defer func() { _ = floor.stop() }()
	}
	for r := range o.runs {
		if o.profile != "" && r == 0 {
			go saveProfile(ctx, s, filepath.Join(o.profile, fileName(st.name, conns)+".pprof"), o.duration)
		}
		m, err := measured(ctx, o, s, st, conns)
		if err != nil {
			return nil, err
		}
		m.Rate *= float64(weight)
		f.Runs = append(f.Runs, m)
		if floor != nil {
			m, err := drive(ctx, floor.addr, conns, o.warmUp, o.duration, &st)
			if err != nil {
				return nil, fmt.Errorf("floor: %w", err)
			}
			f.Floor = append(f.Floor, m)
		}
	}
	f.settle()
	return f, nil
}

// measured adds what the server spent to what the clients saw.
func measured(ctx context.Context, o options, s *server, st step, conns int) (measurement, error) {
	cpu, err := s.cpu()
	if err != nil {
		return measurement{}, err
	}
	allocs, err := s.mallocs(ctx)
	if err != nil {
		return measurement{}, err
	}
	m, err := drive(ctx, s.addr, conns, o.warmUp, o.duration, &st)
	if err != nil {
		return m, err
	}
	cpu2, err := s.cpu()
	if err != nil {
		return m, err
	}
	allocs2, err := s.mallocs(ctx)
	if err != nil {
		return m, err
	}
	if requests := float64(m.Calls); requests > 0 { // the counters saw all of them
		m.CPU = float64((cpu2 - cpu).Microseconds()) / requests
		m.Allocs = (allocs2 - allocs) / requests
	}
	return m, nil
}

// sample asks the real server once: the floor repeats that very answer.
func sample(addr string, st step) (answer, error) {
	c, err := dial(addr)
	if err != nil {
		return answer{}, err
	}
	defer c.close()
	status, _, err := c.do(st.src(0, 0), true)
	if err != nil {
		return answer{}, err
	}
	if !slices.Contains(st.ok, status) {
		return answer{}, fmt.Errorf("status %d", status)
	}
	return answer{Status: status, Body: slices.Clone(c.body)}, nil
}

func saveProfile(ctx context.Context, s *server, file string, d time.Duration) {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.ops, max(1, int(d.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return
	}
	out, err := os.Create(file)
	if err != nil {
		return
	}
	defer out.Close()
	_, _ = io.Copy(out, resp.Body)
}

func fileName(step string, conns int) string {
	return regexp.MustCompile(`[^a-zA-Z0-9]+`).ReplaceAllString(fmt.Sprintf("%s-%d", step, conns), "-")
}
