package mongo

import (
	"context"
	"sync"

	"rollcall/storage"
)

// queue lets the updates of one record take turns within this process: of transactions that meet, the server aborts
// all but one, and without turns the many would keep each other from ever being done.
type queue struct {
	mu    sync.Mutex
	turns map[storage.Key]*turn
}

// turn is a lock that a context can end the wait for.
type turn struct {
	free  chan struct{} // holds one element while nobody has the turn
	users int
}

// enter waits for the key's turn; leave must be called after.
func (q *queue) enter(ctx context.Context, k storage.Key) (leave func(), err error) {
	q.mu.Lock()
	if q.turns == nil {
		q.turns = make(map[storage.Key]*turn)
	}
	t := q.turns[k]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		q.turns[k] = t
	}
	t.users++
	q.mu.Unlock()
	select {
	case <-t.free:
		return func() {
			t.free <- struct{}{}
			q.forget(k, t)
		}, nil
	case <-ctx.Done():
		q.forget(k, t)
		return nil, ctx.Err()
	}
}

func (q *queue) forget(k storage.Key, t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(q.turns, k)
	}
}
