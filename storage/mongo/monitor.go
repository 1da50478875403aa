package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/event"
)

var errCommand = errors.New("mongo: a command failed")

// commandMonitor tells the observer of each command by name and duration. What a command says is not looked at: it
// holds the values of documents.
func commandMonitor(tell Observer) *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			tell(Event{Op: e.CommandName, Command: true, Took: e.Duration})
		},
		Failed: func(_ context.Context, e *event.CommandFailedEvent) {
			tell(Event{Op: e.CommandName, Command: true, Took: e.Duration, Err: errCommand})
		},
	}
}
