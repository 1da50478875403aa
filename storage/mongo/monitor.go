package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/event"
)

var errCommand = errors.New("mongo: a command failed")

// commandMonitor lets commands wait at the gate, and tells the observer, if there is one, of each by name and duration.
// What a command says is not looked at: it holds the values of documents.
func (s *Store) commandMonitor() *event.CommandMonitor {
	m := &event.CommandMonitor{
		Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			if !cleansUp(e.CommandName) {
				s.gate.pass(ctx, e.ConnectionID)
			}
		},
	}
	if tell := s.options.Observer; tell != nil {
		m.Succeeded = func(_ context.Context, e *event.CommandSucceededEvent) {
			tell(Event{Op: e.CommandName, Command: true, Took: e.Duration})
		}
		m.Failed = func(_ context.Context, e *event.CommandFailedEvent) {
			tell(Event{Op: e.CommandName, Command: true, Took: e.Duration, Err: errCommand})
		}
	}
	return m
}

// cleansUp tells the commands that read nothing and that are sent after a request's time is over, too: it would be late
// if they waited at the gate.
func cleansUp(command string) bool {
	switch command {
	case "abortTransaction", "endSessions", "killCursors":
		return true
	}
	return false
}
