package main

import (
	"fmt"
	"io"
)

// limit is a target of the design that no single step has.
type limit struct {
	what string
	have float64
	most float64
}

// limits are those that the result has figures for.
func (r *result) limits() []limit {
	const mb = 1 << 20
	list := []limit{
		{"resident memory, MB, in the steps", float64(r.MemoryPeak) / mb, 250},
		{"start-up with all data, s", r.StartUp, 1},
	}
	ratio := func(what, step, over string, most float64) {
		a, b := r.find(step, 16), r.find(over, 16)
		if a != nil && b != nil && b.Median.P50 > 0 {
			list = append(list, limit{what, a.Median.P50 / b.Median.P50, most})
		}
	}
	ratio("p50 of the last page by index over the first by cursor", "list last page by index", "list by cursor", 1.3)
	ratio("p50 of a member change, group of 100,000 over 100", memberStep(100_000), memberStep(100), 1.2)
	if f := r.find(memberStep(100_000), 16); f != nil {
		list = append(list, limit{"p50 of a member change, group of 100,000, ms", f.Median.P50, 2})
	}
	for _, f := range r.Fairness {
		list = append(list, limit{"p99 of " + f.What + " beside another's full sync over alone", f.Ratio, 3})
	}
	if r.FullSync != nil {
		list = append(list, limit{"full sync, s", r.FullSync.Seconds, fullSyncSeconds})
	}
	return list
}

// growth compares the latency of steps at the largest number of users with that at the smallest.
func growth(few, many *result) []limit {
	var list []limit
	for _, step := range []string{"get", "userName eq hit", "userName eq miss", "externalId eq"} {
		a, b := few.find(step, 16), many.find(step, 16)
		if a != nil && b != nil && a.Median.P50 > 0 {
			what := fmt.Sprintf("p50 of %s, %d users over %d", step, many.Users, few.Users)
			list = append(list, limit{what, b.Median.P50 / a.Median.P50, 1.3})
		}
	}
	return list
}

func printLimits(w io.Writer, list []limit) error {
	for _, l := range list {
		met := "met"
		if l.have > l.most {
			met = "MISSED"
		}
		if _, err := fmt.Fprintf(w, "%-62s %8.2f  at most %g  %s\n", l.what, l.have, l.most, met); err != nil {
			return err
		}
	}
	return nil
}

func memberStep(size int) string { return fmt.Sprintf("one member, group of %d", size) }
