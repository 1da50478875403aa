package mongo

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/storage"
)

// tokenLease is how long a process goes by what it read of a token, so that a busy client does not cost a look-up a
// request. RevokeToken waits as long before it returns: by then no process takes the token any more.
const tokenLease = time.Second

// maxRemembered bounds how many tokens are remembered; forgetting one costs a look-up.
const maxRemembered = 10_000

// tokenMemory remembers tokens that were not revoked. Without a clock it remembers nothing.
type tokenMemory struct {
	clock func() time.Time
	mu    sync.RWMutex
	m     map[[32]byte]remembered
}

type remembered struct {
	token storage.Token
	read  time.Time // when it was asked for: the answer may be as old
}

// get returns a token whose lease has not ended, nil if there is none.
func (c *tokenMemory) get(digest [32]byte) *storage.Token {
	if c.clock == nil {
		return nil
	}
	c.mu.RLock()
	r, ok := c.m[digest]
	c.mu.RUnlock()
	if !ok || !lasts(r.read, c.clock(), tokenLease) {
		return nil
	}
	t := r.token
	t.Scopes = slices.Clone(t.Scopes)
	return &t
}

// lasts reports whether what began at start and counts for d counts now. It asks the wall clock as well: the one that
// only goes forward stands still while the machine is suspended.
func lasts(start, now time.Time, d time.Duration) bool {
	within := func(past time.Duration) bool { return past >= 0 && past < d }
	return within(now.Sub(start)) && within(now.Round(0).Sub(start.Round(0)))
}

// put remembers what an answer to a question asked at read says.
func (c *tokenMemory) put(t *storage.Token, read time.Time) {
	if c.clock == nil || !t.Revoked.IsZero() {
		return
	}
	own := *t
	own.Scopes = slices.Clone(t.Scopes)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxRemembered {
		c.m = make(map[[32]byte]remembered)
	}
	c.m[own.Digest] = remembered{own, read}
}

// outlive waits until every lease that was taken before now has ended, in whatever process.
func outlive(ctx context.Context) error {
	timer := time.NewTimer(tokenLease)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
