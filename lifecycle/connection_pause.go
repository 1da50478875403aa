package lifecycle

import (
	"context"
	"net/http"
	"time"

	"rollcall/scim"
)

// Bounds of what is remembered of pauses.
const (
	pausesFor  = time.Second
	retryPause = 5 * time.Minute
)

// pausedTokens is what was decided about the connections of an organization, remembered so that a request costs no read but
// one in a while. It may be as old as pausesFor; the process that changes something forgets at once.
type pausedTokens struct {
	*connections
	at time.Time
}

// lately is what was decided about an organization's connections, of a moment ago at most. A store that does not answer
// changes nothing of what is known.
func (s *Service) lately(ctx context.Context, org scim.OrgID) (*connections, error) {
	now := s.now()
	have := s.pauses.get(org)
	if have != nil && now.Sub(have.at) < pausesFor {
		return have.connections, nil
	}
	known, err := s.readConnections(ctx, org)
	switch {
	case err == nil:
		s.pauses.put(org, &pausedTokens{known, now})
	case have != nil:
		return have.connections, nil
	}
	return known, err
}

// admitToken turns a client away, 503 with Retry-After, whose connection an administrator has paused: it tries again, and
// nothing is lost.
func (s *Service) admitToken(ctx context.Context, c *scim.Client) error {
	known, err := s.lately(ctx, c.Org)
	if err != nil {
		return err
	}
	if _, conn := known.of(c.Actor.ID); conn.PausedAt.IsZero() || !scim.Provisions(c.Scopes) {
		return nil
	}
	e := refuse(http.StatusServiceUnavailable, "connection_paused", "an administrator has paused this connection")
	e.RetryAfter = retryPause
	return e
}
