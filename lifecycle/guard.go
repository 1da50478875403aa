package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// epoch counts the guarded steps of one kind.
type epoch struct {
	N int64 `json:"n"`
}

// What guarded steps are about.
const (
	guardOwners = "owners" // somebody remains owner
	guardSeats  = "seats"  // no more people than seats
)

// maxGuardRuns bounds how often a guarded step starts again because another one came between.
const maxGuardRuns = 20

var errEpoch = errors.New("lifecycle: another guarded step came between")

// lookAgain is nil for the error of a step that was decided on what is not true any more, else the error itself.
func lookAgain(err error) error {
	if errors.Is(err, errEpoch) {
		return nil
	}
	return err
}

// guarded runs a step whose rule looks at more records than it writes. look runs outside of the step, against the
// store; if another guarded step of the same kind committed since, both run again. Snapshot isolation alone would let
// two steps that each leave one owner leave none.
func (s *Service) guarded(ctx context.Context, c scim.Caller, kind string, look func() error, step storage.Step) error {
	k, at := storage.Key{Org: c.Org, Type: resources.TypeEpoch, ID: idOf("epoch", string(c.Org), kind)}, s.now()
	for range maxGuardRuns {
		seen, err := load[epoch](ctx, s.store, k)
		if err != nil {
			return err
		}
		if err := look(); err != nil {
			return err
		}
		err = s.store.Within(ctx, c.Org, func(tx storage.Tx) error {
			if seen == nil {
				if _, err := s.insert(ctx, tx, c, k, at, epoch{1}, nil); err != nil {
					return err
				}
				return step(tx)
			}
			_, err := change(ctx, s, tx, c, k, at, func(r *record[epoch]) error {
				if r.Value.N != seen.Value.N {
					return errEpoch
				}
				r.Value.N++
				return nil
			})
			if err != nil {
				return err
			}
			return step(tx)
		})
		first := seen == nil && errors.Is(err, storage.ErrExists) // another one's was the first
		if !errors.Is(err, errEpoch) && !first {
			return err
		}
	}
	return &scim.Error{
		Status: http.StatusServiceUnavailable, Detail: "too many changes at once", RetryAfter: retryContention,
		Cause: fmt.Errorf("lifecycle: a guarded step lost %d races", maxGuardRuns),
	}
}
