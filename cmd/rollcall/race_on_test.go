//go:build race

package main

// raceEnabled: the race detector makes SQLite, which is C compiled to Go, slower by an order of magnitude. What the
// crash test proves has nothing to do with it, so it runs fewer rounds under it and all without; see `make test`.
const raceEnabled = true
