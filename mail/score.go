package mail

import "time"

// How bounces add up: a hard one stops mails to an address at once, soft ones when there were four without a pause of
// the length of scoreFade. A complaint stops them for good.
const (
	scoreHard = 4
	scoreSoft = 1
	scoreStop = 4
	scoreFade = 30 * 24 * time.Hour
)

// Score is how bad an address is to send to. The zero value is a good one.
type Score struct {
	Points     int
	At         time.Time // of the last event
	Complained bool
}

// Bounced returns the score after a bounce. Hard bounces that are not about the address count as soft ones.
func (s Score) Bounced(hard, badAddress bool, at time.Time) Score {
	if s.faded(at) {
		s.Points = 0
	}
	if hard && badAddress {
		s.Points += scoreHard
	} else {
		s.Points += scoreSoft
	}
	s.Points = min(s.Points, 10*scoreStop)
	if at.After(s.At) {
		s.At = at
	}
	return s
}

// Complaint returns the score after the recipient has called a message unwanted.
func (s Score) Complaint(at time.Time) Score {
	s.Complained, s.At = true, at
	return s
}

// Stopped reports whether nothing more is to be sent to the address.
func (s Score) Stopped(at time.Time) bool {
	return s.Complained || s.Points >= scoreStop && !s.faded(at)
}

// Until is when a stop ends by itself: 30 days after the last bounce. Zero if nothing is stopped, or for good.
func (s Score) Until() time.Time {
	if s.Complained || s.Points < scoreStop {
		return time.Time{}
	}
	return s.At.Add(scoreFade)
}

func (s Score) faded(at time.Time) bool { return !at.Before(s.At.Add(scoreFade)) }
