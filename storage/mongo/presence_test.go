package mongo

import (
	"context"
	"errors"
	"testing"
	"time"
	"unsafe"
)

// suspended is what time.Now says when the machine was suspended for d since then: the wall clock has gone on, the one
// that only goes forward has not.
func suspended(t *testing.T, since time.Time, d time.Duration) time.Time {
	t.Helper()
	now := since.Add(d)
	// Nothing else makes such a time. The second word of one from time.Now is the clock that only goes forward.
	(*[2]int64)(unsafe.Pointer(&now))[1] -= int64(d)
	if now.Sub(since) != 0 || now.Round(0).Sub(since.Round(0)) != d {
		t.Fatal("time.Time is made in another way")
	}
	return now
}

// TestMayWriteInTime: one request looks whether the process may go on, and the others wait for it no longer than they have
// time.
func TestMayWriteInTime(t *testing.T) {
	now := time.Now()
	s := &Store{options: Options{Now: func() time.Time { return now }}}
	p := presence{store: s, back: make(chan struct{}, 1)}
	last := now
	p.last.Store(&last)
	if err := p.mayWrite(t.Context()); err != nil {
		t.Errorf("somebody has just heard of it: %v", err)
	}
	if now = suspended(t, last, seenFor); p.heard() {
		t.Error("others may have counted it as ended while it was suspended")
	}
	p.ended.Store(true)
	p.back <- struct{}{} // a request that looks, and gets no answer
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.mayWrite(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("without time left: %v", err)
	}
}
