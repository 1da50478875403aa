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
		Started: func(ctx context.Context, e *event.CommandStartedEvent) { s.gate.pass(ctx, e.ConnectionID) },
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
