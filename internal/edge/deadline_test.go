package edge

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestDeadline(t *testing.T) {
	start := time.Now()
	later := func() time.Time { return start.Add(time.Hour) }
	same := func() time.Time { return start }
	t.Run("passed, with nobody waiting", func(t *testing.T) {
		d := NewDeadline(t.Context(), start.Add(time.Second), later)
		if err := d.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Err: %v", err)
		}
	})
	t.Run("passes while somebody waits", func(t *testing.T) {
		d := NewDeadline(t.Context(), start.Add(time.Millisecond), same)
		if err := d.Err(); err != nil {
			t.Errorf("Err before: %v", err)
		}
		<-d.Done()
		if err := d.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Err after: %v", err)
		}
	})
	t.Run("ended", func(t *testing.T) {
		d := NewDeadline(t.Context(), start.Add(time.Hour), same)
		child, cancel := context.WithCancel(d)
		defer cancel()
		d.End()
		<-d.Done()
		<-child.Done()
		if err := d.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err: %v", err)
		}
	})
	t.Run("ended before anybody asks", func(t *testing.T) {
		d := NewDeadline(t.Context(), start.Add(time.Hour), same)
		d.End()
		if err := d.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err: %v", err)
		}
		<-d.Done()
	})
	t.Run("the client goes away", func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		d := NewDeadline(parent, start.Add(time.Hour), same)
		done := d.Done()
		cancel()
		<-done
		if err := d.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err: %v", err)
		}
	})
}
