package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// plotGrowth draws, for each step, the p50 at 16 connections against the number of users. It sorts the results.
func plotGrowth(dir string, results []*result) error {
	slices.SortFunc(results, func(a, b *result) int { return cmp.Compare(a.Users, b.Users) })
	p := plot.New()
	p.Title.Text = "Latency against data size"
	p.X.Label.Text = "users"
	p.Y.Label.Text = "p50, ms (16 connections)"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	var lines []any
	for _, name := range []string{"get", "userName eq hit", "list first page", "patch as Entra", "create", memberStep(10_000)} {
		var xy plotter.XYs
		for _, r := range results {
			if f := r.find(name, 16); f != nil && f.Median.P50 > 0 {
				xy = append(xy, plotter.XY{X: float64(r.Users), Y: f.Median.P50})
			}
		}
		if len(xy) > 1 {
			lines = append(lines, name, xy)
		}
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, filepath.Join(dir, "growth.svg"))
}
