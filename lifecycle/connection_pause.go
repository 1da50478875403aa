package lifecycle

import (
	"context"
	"net/http"
	"sync"
	"time"

	"rollcall/scim"
)

// Bounds of what is remembered of pauses.
const (
	pausesFor  = time.Second
	retryPause = 5 * time.Minute
)

// pauses remembers for each organization which tokens are paused, so that a request costs no read but one in a while. It
// may be as old as pausesFor; the process that pauses forgets at once.
type pauses struct {
	mu sync.Mutex
	m  map[scim.OrgID]pausedTokens
}

type pausedTokens struct {
	tokens map[string]bool
	at     time.Time
}

func (p *pauses) get(org scim.OrgID) (pausedTokens, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.m[org]
	return v, ok
}

func (p *pauses) put(org scim.OrgID, v pausedTokens) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil || len(p.m) >= maxSnapshots {
		p.m = map[scim.OrgID]pausedTokens{}
	}
	p.m[org] = v
}

func (p *pauses) forget(org scim.OrgID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, org)
}

// admitClient turns a client away, 503 with Retry-After, whose connection an administrator has paused: it tries again, and
// nothing is lost. A store that does not answer keeps nobody out who got in before.
func (s *Service) admitClient(ctx context.Context, c *scim.Client) error {
	now := s.now()
	have, ok := s.pauses.get(c.Org)
	if !ok || now.Sub(have.at) >= pausesFor {
		known, err := s.readConnections(ctx, c.Org)
		switch {
		case err != nil && !ok:
			return err
		case err == nil:
			have = pausedTokens{map[string]bool{}, now}
			for _, r := range known.list {
				for _, t := range r.Value.Tokens {
					have.tokens[t] = !r.Value.PausedAt.IsZero()
				}
			}
			s.pauses.put(c.Org, have)
		}
	}
	if have.tokens[c.Actor.ID] && scim.Provisions(c.Scopes) {
		e := refuse(http.StatusServiceUnavailable, "connection_paused", "an administrator has paused this connection")
		e.RetryAfter = retryPause
		return e
	}
	return nil
}
