package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballast is memory that is never touched, so no page of it exists; the collector counts it nevertheless. What is alive
// in this process is small, since records are cached outside of Go's heap, and the collector would run for every few
// megabytes of garbage. With the ballast it lets that much more gather, whatever is alive: a higher GOGC would multiply
// what large Bulk requests keep alive, and a memory limit would make it run without a pause when they exceed it.
const ballast = 24 << 20

// keepBallast returns what releases the ballast. An operator who sets GOGC has other plans.
func keepBallast() func() {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	b := make([]byte, ballast)
	debug.SetGCPercent(75) // of ballast and live memory together: what the target for resident memory leaves
	return func() { runtime.KeepAlive(b) }
}
