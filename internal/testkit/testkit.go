// Package testkit holds what the tests of several packages share: a clock that stands still and ids that count. It
// is imported by tests only and knows nothing of HTTP, resource types or a store.
package testkit

import (
	"fmt"
	"sync"
	"time"
)

// Epoch returns the instant at which every [Clock] starts: a whole second, so that a test may write instants down.
func Epoch() time.Time { return time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC) }

// Clock is a clock that moves only when it is told to. Its methods may be called concurrently.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at [Epoch].
func NewClock() *Clock { return &Clock{now: Epoch()} }

// Now returns the clock's instant. Pass the method value where a `func() time.Time` is wanted.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d and returns the new instant.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Tick advances the clock by one millisecond, the shortest step that a store keeps, and returns the new instant.
func (c *Clock) Tick() time.Time { return c.Advance(time.Millisecond) }

// IDs hands out ids in rising order: 00000000-0000-7000-8000-000000000001, ...2, and so on. Its methods may be
// called concurrently.
type IDs struct {
	mu   sync.Mutex
	last uint64
}

// NewIDs returns a sequence that starts at 1.
func NewIDs() *IDs { return &IDs{} }

// New returns the next id. Pass the method value where a `func() string` is wanted.
func (s *IDs) New() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return ID(s.last)
}

// ID returns the n-th id of a sequence: canonical text of a UUID that has version 7 and the RFC 9562 variant.
func ID(n uint64) string {
	return fmt.Sprintf("00000000-0000-7000-8000-%012x", n&(1<<48-1))
}
