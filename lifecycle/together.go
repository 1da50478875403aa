package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/storage"
)

// alsoKey is where a context has what belongs into the next step.
type alsoKey struct{}

// together returns a context under which a step of the service also does what also does, or nothing at all: so a job
// writes down what became of a thing in the very step that does it. An error of also undoes the step.
func together(ctx context.Context, also storage.Step) context.Context {
	return context.WithValue(ctx, alsoKey{}, also)
}

// stepStore is a store whose steps do what their context says they also do.
type stepStore struct{ storage.Store }

// Within runs a step.
func (s stepStore) Within(ctx context.Context, org scim.OrgID, step storage.Step) error {
	also, ok := ctx.Value(alsoKey{}).(storage.Step)
	if !ok {
		return s.Store.Within(ctx, org, step)
	}
	return s.Store.Within(ctx, org, func(tx storage.Tx) error {
		if err := step(tx); err != nil {
			return err
		}
		return also(tx)
	})
}
