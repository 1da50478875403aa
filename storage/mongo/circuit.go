package mongo

import (
	"context"
	"errors"
	"sync/atomic"

	"rollcall/storage"
)

// circuit keeps requests from waiting, one after the other, for a database that was just found to be away: after a
// failure one call at a time tries, and the others are refused at once until one succeeds.
type circuit struct {
	open    atomic.Bool
	probing atomic.Bool
}

var errOpen = errors.New("mongo: the database did not answer and is being tried again")

// allow reports whether a call may go to the database; probe: it is the one that tries, and must report.
func (c *circuit) allow() (probe bool, err error) {
	switch {
	case !c.open.Load():
		return false, nil
	case c.probing.CompareAndSwap(false, true):
		return true, nil
	}
	return false, errors.Join(storage.ErrUnavailable, errOpen)
}

// report takes the outcome of a call that was allowed.
func (c *circuit) report(probe bool, err error) {
	switch {
	case errors.Is(err, storage.ErrUnavailable):
		c.open.Store(true)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The caller went away: that says nothing of the database.
	default:
		c.open.Store(false) // any other outcome is an answer
	}
	if probe {
		c.probing.Store(false)
	}
}
