package mongo

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestMayWriteInTime: one request looks whether the process may go on, and the others wait for it no longer than they have
// time.
func TestMayWriteInTime(t *testing.T) {
	now := time.Now()
	s := &Store{options: Options{Now: func() time.Time { return now }}}
	p := presence{store: s, back: make(chan struct{}, 1)}
	p.last.Store(&now)
	if err := p.mayWrite(t.Context()); err != nil {
		t.Errorf("somebody has just heard of it: %v", err)
	}
	p.ended.Store(true)
	p.back <- struct{}{} // a request that looks, and gets no answer
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.mayWrite(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("without time left: %v", err)
	}
}
