package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

// result is one whole run.
type result struct {
	Users        int         `json:"users"`
	Store        string      `json:"store,omitempty"` // empty: embedded
	SeedRate     float64     `json:"seedRate"`        // users a second through Bulk
	StartUp      float64     `json:"startUp"`         // seconds with the full database
	BytesPerUser int64       `json:"bytesPerUser"`
	MemoryIdle   int64       `json:"memoryIdle"` // bytes resident
	MemorySeeded int64       `json:"memorySeeded"`
	MemoryPeak   int64       `json:"memoryPeak"`
	DurableFloor float64     `json:"durableFloor"` // single durable inserts a second of a bare SQLite loop
	RowsFloor    []rowsFloor `json:"rowsFloor,omitempty"`
	Figures      []figure    `json:"figures"`
	Fairness     []fairness  `json:"fairness,omitempty"`
	Overload     *overload   `json:"overload,omitempty"`
	FullSync     *fullSync   `json:"fullSync,omitempty"`
}

// figure is a step at a number of connections, with all runs.
type figure struct {
	Step   string        `json:"step"`
	Conns  int           `json:"conns"`
	Write  bool          `json:"write"`
	Target float64       `json:"target"`
	Runs   []measurement `json:"runs"`
	Floor  []measurement `json:"floor,omitempty"`
	// Median is the run with the median rate; Ratio the median of each run's rate over its own floor's.
	Median measurement `json:"median"`
	Ratio  float64     `json:"ratio,omitempty"`
}

func (f *figure) settle() {
	f.Median = medianRun(f.Runs)
	if len(f.Floor) == 0 {
		return
	}
	ratios := make([]float64, len(f.Runs))
	for i := range f.Runs {
		ratios[i] = f.Runs[i].Rate / f.Floor[i].Rate
	}
	slices.Sort(ratios)
	f.Ratio = ratios[len(ratios)/2]
}

func medianRun(runs []measurement) measurement {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b measurement) int {
		if a.Rate < b.Rate {
			return -1
		}
		return 1
	})
	return sorted[len(sorted)/2]
}

// met says whether the target is met; empty without one.
func (f *figure) met() string {
	have := f.Ratio
	if f.Write {
		have = f.Median.Rate
	}
	switch {
	case f.Target == 0:
		return ""
	case have >= f.Target:
		return "met"
	}
	return "MISSED"
}

func (f *figure) String() string {
	return fmt.Sprintf("%-32s %3d  %9.0f/s  p50 %.3f ms  ratio %.2f %s", f.Step, f.Conns, f.Median.Rate, f.Median.P50, f.Ratio, f.met())
}

func (r *result) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "step\tconns\trate/s\tp50 ms\tp99 ms\tp99.9 ms\tfloor/s\tfloor p50 ms\tratio\ttarget\t\tCPU us\tallocs\tcommands\t")
	for i := range r.Figures {
		f := &r.Figures[i]
		floor, floorP50, ratio, target, commands := "", "", "", "", ""
		if len(f.Floor) > 0 {
			m := medianRun(f.Floor)
			floor, floorP50, ratio = fmt.Sprintf("%.0f", m.Rate), fmt.Sprintf("%.3f", m.P50), fmt.Sprintf("%.2f", f.Ratio)
		}
		if f.Median.Commands > 0 {
			commands = fmt.Sprintf("%.2f", f.Median.Commands)
		}
		if f.Target > 0 {
			target = fmt.Sprintf("%.4g", f.Target)
		}
		m := f.Median
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.3f\t%.3f\t%.3f\t%s\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t%s\t\n",
			f.Step, f.Conns, m.Rate, m.P50, m.P99, m.P999, floor, floorP50, ratio, target, f.met(), m.CPU, m.Allocs, commands)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range r.Fairness {
		if _, err := fmt.Fprintf(w, "%s of one organization beside another's full sync at %.0f users/s: p50 %.2f ms (alone %.2f), p99 %.2f ms (alone %.2f), ratio %.2f; p99 of a bare net/http server beside the sync %.2f ms, alone %.2f, beside a computing process for each processor %.2f\n",
			f.What, f.Sync, f.Beside.P50, f.Alone.P50, f.Beside.P99, f.Alone.P99, f.Ratio, f.Floor.P99, f.Bare.P99, f.Hogs.P99); err != nil {
			return err
		}
	}
	for _, f := range r.RowsFloor {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	if r.Overload != nil {
		if _, err := fmt.Fprintln(w, r.Overload); err != nil {
			return err
		}
	}
	if r.FullSync != nil {
		if _, err := fmt.Fprintln(w, r.FullSync); err != nil {
			return err
		}
	}
	if err := printLimits(w, r.limits()); err != nil {
		return err
	}
	const mb = 1 << 20
	if r.Store != "" {
		_, err := fmt.Fprintf(w, "users %d on %s, the floor is the bare driver sending the same commands; seeded at %.0f users/s; resident %d MB idle, %d MB seeded, %d MB peak\n",
			r.Users, r.Store, r.SeedRate, r.MemoryIdle/mb, r.MemorySeeded/mb, r.MemoryPeak/mb)
		return err
	}
	_, err := fmt.Fprintf(w, "users %d; seeded at %.0f users/s; database %d bytes a user; start-up %.2f s; resident %d MB idle, %d MB seeded, %d MB peak; bare SQLite %.0f single durable inserts/s\n",
		r.Users, r.SeedRate, r.BytesPerUser, r.StartUp, r.MemoryIdle/mb, r.MemorySeeded/mb, r.MemoryPeak/mb, r.DurableFloor)
	return err
}

func (r *result) write(file string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func readResult(file string) (*result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
