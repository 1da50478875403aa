package lifecycle

import "time"

// Metrics counts transitions. Implementations must be safe for concurrent use. No label ever names a person.
type Metrics interface {
	// Invite counts one address of a request to invite, or one end of an invite: accepted, declined, revoked, expired.
	Invite(outcome string)
	// InviteAccepted observes the time from the making of an invite to its acceptance.
	InviteAccepted(d time.Duration)
	// JoinRequest counts one join request by what became of it: pending, approved, declined, withdrawn, expired,
	// superseded.
	JoinRequest(outcome string)
	// JoinDecided observes the time from a request to its decision.
	JoinDecided(d time.Duration)
	// BadToken counts one wrong token or code; what is "invite" or "join".
	BadToken(what string)
}

type noMetrics struct{}

func (noMetrics) Invite(string)                {}
func (noMetrics) InviteAccepted(time.Duration) {}
func (noMetrics) JoinRequest(string)           {}
func (noMetrics) JoinDecided(time.Duration)    {}
func (noMetrics) BadToken(string)              {}
