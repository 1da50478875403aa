package edge

import (
	"container/list"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"rollcall/scim"
)

// Rate is how much somebody may do: PerSecond operations in the long run, Burst of them at once. The zero Rate sets
// no bound.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Valid reports whether r is a bound, or none.
func (r Rate) Valid() bool {
	return r == (Rate{}) || r.PerSecond > 0 && !math.IsInf(r.PerSecond, 0) && r.Burst >= 1
}

// Rates bounds what organizations and tokens do. An operation is a request, or one of a Bulk request's. It is nil
// if neither is bounded.
type Rates struct {
	mu            sync.Mutex
	organizations table
	tokens        table
}

// ratesKept is how many organizations, and how many tokens, are remembered.
const ratesKept = 10_000

// NewRates returns the bounds, nil for none; a nil *Rates admits everything.
func NewRates(organization, token Rate) *Rates {
	if organization == (Rate{}) && token == (Rate{}) {
		return nil
	}
	return &Rates{
		organizations: table{rate: organization, bound: ratesKept, reason: "rate_organization"},
		tokens:        table{rate: token, bound: ratesKept, reason: "rate_token"},
	}
}

// Request admits one request of the client, or says which bound it meets and for how long.
func (r *Rates) Request(c *scim.Client, now time.Time) (reason string, wait time.Duration) {
	if r == nil {
		return "", 0
	}
	return r.take(c, now, 1, func(Rate) int { return 1 })
}

// Operations admits what a Bulk request of n operations does beyond the request itself, which was admitted when its
// body was not known yet. One with more operations than the burst needs a whole burst to be there and leaves a debt:
// the client waits afterwards, as it would have between single requests. Otherwise no large Bulk could ever run.
func (r *Rates) Operations(c *scim.Client, now time.Time, n int) (reason string, wait time.Duration) {
	if r == nil || n <= 1 {
		return "", 0
	}
	return r.take(c, now, n-1, func(to Rate) int { return min(n, to.Burst) - 1 })
}

// take takes n operations of both bounds or of neither, if each has those that need asks for.
func (r *Rates) take(c *scim.Client, now time.Time, n int, need func(Rate) int) (reason string, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bounds := [...]struct {
		*table
		key string
	}{{&r.organizations, string(c.Org)}, {&r.tokens, c.Actor.ID}}
	var limiters [len(bounds)]*rate.Limiter
	for i, b := range bounds {
		if b.rate == (Rate{}) {
			continue
		}
		l := b.limiter(b.key, now)
		limiters[i] = l
		if w := missing(l, now, need(b.rate)); w > wait {
			reason, wait = b.reason, w
		}
	}
	if wait > 0 {
		return reason, wait
	}
	for _, l := range limiters {
		if l != nil {
			spend(l, now, n)
		}
	}
	return "", 0
}

// missing is how long it takes until l has n operations.
func missing(l *rate.Limiter, now time.Time, n int) time.Duration {
	// What a float loses must not refuse a client that waited exactly as long as it was told.
	const lost = 1e-6
	lack := float64(n) - l.TokensAt(now) - lost
	if lack <= 0 {
		return 0
	}
	return time.Duration(lack/float64(l.Limit())*float64(time.Second)) + 1
}

// spend takes n operations, also those that are not there: that is a debt. A reservation is never larger than the
// burst, so it takes several.
func spend(l *rate.Limiter, now time.Time, n int) {
	for n > 0 {
		k := min(n, l.Burst())
		l.ReserveN(now, k)
		n -= k
	}
}

// table holds a limiter for each key, the one used last in front, and never more than bound.
//
// To forget a limiter must not be a way to get more than the rate. One that has refilled is forgotten for free: a new
// one is the same. If the oldest has not, whoever is new starts with nothing instead of a burst, so that a key that
// comes back after it was forgotten has at most lost its debt.
type table struct {
	rate   Rate
	bound  int
	reason string
	byKey  map[string]*list.Element
	used   list.List // of *entry
}

type entry struct {
	key     string
	limiter *rate.Limiter
}

func (t *table) limiter(key string, now time.Time) *rate.Limiter {
	if e := t.byKey[key]; e != nil {
		t.used.MoveToFront(e)
		return e.Value.(*entry).limiter
	}
	if t.byKey == nil {
		t.byKey = make(map[string]*list.Element)
	}
	l := rate.NewLimiter(rate.Limit(t.rate.PerSecond), t.rate.Burst)
	if len(t.byKey) >= t.bound {
		last := t.used.Back()
		old := last.Value.(*entry)
		if old.limiter.TokensAt(now) < float64(t.rate.Burst) {
			spend(l, now, t.rate.Burst)
		}
		t.used.Remove(last)
		delete(t.byKey, old.key)
	}
	t.byKey[key] = t.used.PushFront(&entry{key: key, limiter: l})
	return l
}
