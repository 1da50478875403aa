package sqlite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// queue holds the jobs that wait for the writer, in a lane for each organization. The lanes take turns, one job
// each, so that how long an organization waits depends on how many others write and not on how much they do.
//
// An empty lane stays: there are no more than organizations that have written since the start.
type queue struct {
	depth int           // of a lane
	wake  chan struct{} // has an element after a push

	mu          sync.Mutex
	lanes       map[scim.OrgID]*lane
	first, last *lane // those with jobs, in the order of their turns
}

// lane is a list of the jobs of one organization; "" is for what belongs to none.
type lane struct {
	org         scim.OrgID
	places      chan struct{} // one element for each job that waits for its first turn
	first, last *job
	next        *lane
}

func newQueue(depth int) *queue {
	return &queue{depth: depth, wake: make(chan struct{}, 1), lanes: make(map[scim.OrgID]*lane)}
}

// push adds a job to the lane of its organization. If that is full it waits, but not for ever.
func (q *queue) push(ctx context.Context, closing <-chan struct{}, j *job) error {
	l := q.lane(j.org)
	select {
	case l.places <- struct{}{}:
	default:
		t := time.NewTimer(maxQueueWait)
		defer t.Stop()
		select {
		case l.places <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-closing:
			return storage.ErrClosed
		case <-t.C:
			return fmt.Errorf("sqlite: the queue of writes is full: %w", storage.ErrUnavailable)
		}
	}
	q.enter(l, j)
	return nil
}

// offer adds a job if its lane is not full.
func (q *queue) offer(j *job) {
	l := q.lane(j.org)
	select {
	case l.places <- struct{}{}:
		q.enter(l, j)
	default:
	}
}

// enter adds a job that has its place and wakes the writer.
func (q *queue) enter(l *lane, j *job) {
	q.add(l, j)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) lane(org scim.OrgID) *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[org]
	if l == nil {
		l = &lane{org: org, places: make(chan struct{}, q.depth)}
		q.lanes[org] = l
	}
	return l
}

// again puts a job that has not finished behind the others of its organization.
func (q *queue) again(j *job) { q.add(q.lane(j.org), j) }

func (q *queue) add(l *lane, j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.first == nil {
		l.first, l.last = j, j
		q.line(l)
		return
	}
	l.last.next = j
	l.last = j
}

// line puts a lane behind the others.
func (q *queue) line(l *lane) {
	if q.first == nil {
		q.first, q.last = l, l
		return
	}
	q.last.next = l
	q.last = l
}

// pop returns the next job that fits, nil if there is none. A lane whose job does not fit keeps its turn.
func (q *queue) pop(fits func(*job) bool) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var before *lane
	l := q.first
	for ; l != nil && !fits(l.first); l = l.next {
		before = l
	}
	if l == nil {
		return nil
	}
	if before == nil {
		q.first = l.next
	} else {
		before.next = l.next
	}
	if q.last == l {
		q.last = before
	}
	l.next = nil
	j := l.first
	if l.first, j.next = j.next, nil; l.first != nil {
		q.line(l)
	}
	if !j.begun {
		j.begun = true
		<-l.places // not empty: the job put its element there before it was added
	}
	return j
}

// others reports whether an organization other than org waits.
func (q *queue) others(org scim.OrgID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.first != nil && (q.first != q.last || q.first.org != org)
}
