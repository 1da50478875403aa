//go:build unix

package sqlite_test

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU adds the processor time of an operation to a benchmark's result: on a machine that does other things as
// well the wall clock says little.
func reportCPU(b *testing.B) func() {
	start := cpuTime(b)
	return func() {
		used := cpuTime(b) - start
		b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
