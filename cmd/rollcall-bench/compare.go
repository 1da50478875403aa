package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
)

// compare prints every figure of two results with the change of its rate and whether it is significant.
func compare(w io.Writer, before, after *result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "step\tconns\told/s\tnew/s\tchange\tp\t")
	for i := range after.Figures {
		b := &after.Figures[i]
		a := before.find(b.Step, b.Conns)
		if a == nil {
			continue
		}
		c := benchmath.AssumeNothing.Compare(rates(a.Runs), rates(b.Runs))
		change := "~"
		if c.P <= c.Alpha {
			change = fmt.Sprintf("%+.1f%%", 100*(b.Median.Rate/a.Median.Rate-1))
		}
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%s\t%.3f\t\n", b.Step, b.Conns, a.Median.Rate, b.Median.Rate, change, c.P)
	}
	return t.Flush()
}

func (r *result) find(step string, conns int) *figure {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Step == step && f.Conns == conns {
			return f
		}
	}
	return nil
}

func rates(runs []measurement) *benchmath.Sample {
	values := make([]float64, len(runs))
	for i, m := range runs {
		values[i] = m.Rate
	}
	return benchmath.NewSample(values, &benchmath.DefaultThresholds)
}
