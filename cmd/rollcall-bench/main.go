// Command rollcall-bench measures a real Rollcall server over HTTP and puts every figure beside its floor, a bare
// net/http server answering the same bytes in the same run on the same machine. It is not part of the server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

// options are what a run is made of.
type options struct {
	binary   string
	users    int
	full     bool
	conns    []int
	duration time.Duration
	warmUp   time.Duration
	runs     int
	only     string
	json     string
	profile  string
	keep     string
	store    string   // connection string of a MongoDB; empty: the embedded store
	serve    []string // further flags for rollcall serve
}

func command(stdout, stderr io.Writer) *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:          "rollcall-bench",
		Short:        "Measure a Rollcall server beside its floor",
		SilenceUsage: true,
		Args:         cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.full {
				for name, value := range map[string]string{"users": "1000000", "conns": "1,16,64", "duration": "5s"} {
					if f := cmd.Flags().Lookup(name); !f.Changed {
						if err := f.Value.Set(value); err != nil {
							return err
						}
					}
				}
			}
			if o.users < 1000 || o.runs < 1 || len(o.conns) == 0 {
				return errors.New("at least 1000 users, one run and one number of connections are needed")
			}
			if o.store != "" {
				return runMongo(cmd.Context(), o, stdout, stderr)
			}
			return run(cmd.Context(), o, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.binary, "binary", "bin/rollcall", "the server to measure")
	f.IntVar(&o.users, "users", 100_000, "users to seed through Bulk")
	f.BoolVar(&o.full, "full", false, "1,000,000 users, 1, 16 and 64 connections, 5 s a measurement, but for what is given: takes hours")
	f.IntSliceVar(&o.conns, "conns", []int{16}, "numbers of keep-alive connections")
	f.DurationVar(&o.duration, "duration", time.Second, "time of one measurement")
	f.DurationVar(&o.warmUp, "warm-up", 300*time.Millisecond, "time before it that is not counted")
	f.IntVar(&o.runs, "runs", 3, "measurements of each figure, of which the median is taken")
	f.StringVar(&o.only, "only", "", "regular expression of the steps to run")
	f.StringVar(&o.json, "json", "", "write the result to this file as JSON")
	f.StringVar(&o.profile, "cpu-profile", "", "write a CPU profile of the server, taken during each step, into this directory")
	f.StringVar(&o.keep, "data", "", "data directory to use and keep, seeded only if it is new; empty: a throw-away one")
	f.StringArrayVar(&o.serve, "serve-flag", nil, "further flag for rollcall serve, repeatable")
	f.StringVar(&o.store, "store", "", "connection string of a MongoDB to measure on, beside the bare driver; two databases of it are dropped: "+mongoDatabase+", "+bareDatabase)
	cmd.AddCommand(floorCommand(), hogCommand(), compareCommand(stdout), growthCommand(stdout))
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd
}

func compareCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD.json NEW.json",
		Short: "Compare two results, with significance by the Mann-Whitney U test as benchstat does",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			before, err := readResult(args[0])
			if err != nil {
				return err
			}
			after, err := readResult(args[1])
			if err != nil {
				return err
			}
			return compare(stdout, before, after)
		},
	}
}

func growthCommand(stdout io.Writer) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "growth RESULT.json RESULT.json...",
		Short: "Judge and draw latency against data size from results with different numbers of users",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var results []*result
			for _, a := range args {
				r, err := readResult(a)
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			if err := plotGrowth(out, results); err != nil {
				return fmt.Errorf("plot: %w", err)
			}
			return printLimits(stdout, growth(results[0], results[len(results)-1]))
		},
	}
	cmd.Flags().StringVar(&out, "out", "docs/performance", "directory for the SVG files")
	return cmd
}
