package lifecycle

import (
	"sync"

	"rollcall/scim"
)

// maxRemembered bounds the organizations of which something is remembered. Beyond it all is forgotten, which costs reads.
const maxRemembered = 10_000

// remembered keeps one T for each organization, so that a request costs no reads but one in a while. It may be used by
// several goroutines at once.
type remembered[T any] struct {
	mu sync.Mutex
	m  map[scim.OrgID]*T
}

// get returns what is known of an organization, nil if nothing is.
func (r *remembered[T]) get(org scim.OrgID) *T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m[org]
}

func (r *remembered[T]) put(org scim.OrgID, v *T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil || len(r.m) >= maxRemembered {
		r.m = map[scim.OrgID]*T{}
	}
	r.m[org] = v
}

// forget is called after this process has changed what is remembered.
func (r *remembered[T]) forget(org scim.OrgID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.m, org)
}
