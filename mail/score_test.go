package mail

import (
	"testing"
	"time"

	"rollcall/internal/testkit"
)

func TestScore(t *testing.T) {
	at := testkit.Epoch()
	day := 24 * time.Hour
	var s Score
	if s.Stopped(at) || !s.Until().IsZero() {
		t.Error("a new address is stopped")
	}
	hard := s.Bounced(true, true, at)
	if !hard.Stopped(at) || !hard.Stopped(at.Add(30*day-1)) || hard.Stopped(at.Add(30*day)) || !hard.Until().Equal(at.Add(30*day)) {
		t.Errorf("after a hard bounce: %+v", hard)
	}
	for i := range 4 {
		if s.Stopped(at.Add(time.Duration(i) * day)) {
			t.Errorf("stopped after %d soft bounces", i)
		}
		s = s.Bounced(i%2 == 0, false, at.Add(time.Duration(i)*day)) // refused for a policy counts as soft
	}
	if !s.Stopped(at.Add(4*day)) || s.Points != 4 {
		t.Errorf("after four soft bounces: %+v", s)
	}
	if s = s.Bounced(false, false, at.Add(33*day)); s.Points != 1 || s.Stopped(at.Add(33*day)) {
		t.Errorf("a bounce after 30 days without: %+v", s)
	}
	if s = s.Bounced(false, false, at); s.Points != 2 || !s.At.Equal(at.Add(33*day)) {
		t.Errorf("a report that comes late moves the score back: %+v", s)
	}
	if s = s.Complaint(at); !s.Stopped(at.Add(1000*day)) || !s.Until().IsZero() {
		t.Errorf("a complaint fades: %+v", s)
	}
}
