package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/storage"
)

// alsoKey is where a context has what belongs into the next step.
type alsoKey struct{}

// also is what belongs into the next step, once.
type also struct {
	step storage.Step
	done bool // a step with it is committed: later ones have nothing to do with it
}

// together returns a context under which the next step of the service also does what step does, or nothing at all: so a
// job writes down what became of a thing in the very step that does it. An error of step also undoes the other.
func together(ctx context.Context, step storage.Step) context.Context {
	return context.WithValue(ctx, alsoKey{}, &also{step: step})
}

// stepStore is a store whose steps do what their context says they also do.
type stepStore struct{ storage.Store }

// Within runs a step.
func (s stepStore) Within(ctx context.Context, org scim.OrgID, step storage.Step) error {
	more, ok := ctx.Value(alsoKey{}).(*also)
	if !ok || more.done {
		return s.Store.Within(ctx, org, step)
	}
	err := s.Store.Within(ctx, org, func(tx storage.Tx) error {
		if err := step(tx); err != nil {
			return err
		}
		return more.step(tx)
	})
	more.done = err == nil
	return err
}
