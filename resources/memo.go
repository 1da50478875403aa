package resources

import "sync"

// memoSize bounds what a memo holds.
const memoSize = 10_000

// memo remembers what can be found out again. When full it forgets everything, which costs a moment and needs no
// bookkeeping on the way that every request takes.
type memo[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]V
}

func newMemo[K comparable, V any]() *memo[K, V] { return &memo[K, V]{m: map[K]V{}} }

func (c *memo[K, V]) get(k K) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.m[k]
	return v, ok
}

// claim stores v if unless does not hold for what is there, and reports whether it did.
func (c *memo[K, V]) claim(k K, v V, unless func(V) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.m[k]; ok && unless(have) {
		return false
	}
	if len(c.m) >= memoSize {
		clear(c.m)
	}
	c.m[k] = v
	return true
}

func (c *memo[K, V]) put(k K, v V) { c.claim(k, v, func(V) bool { return false }) }
