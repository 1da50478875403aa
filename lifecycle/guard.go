package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

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

// epochMark is how far the guarded steps of one kind had come when somebody looked.
type epochMark struct {
	key  storage.Key
	seen *record[epoch]
}

// readEpoch is the first half of a guarded step, before its rule looks at the store.
func (s *Service) readEpoch(ctx context.Context, org scim.OrgID, kind string) (epochMark, error) {
	k := storage.Key{Org: org, Type: resources.TypeEpoch, ID: idOf("epoch", string(org), kind)}
	seen, err := load[epoch](ctx, s.store, k)
	return epochMark{k, seen}, err
}

// pass is the second half, in the step: it fails with errEpoch if another guarded step of the kind committed since.
func (m epochMark) pass(ctx context.Context, s *Service, tx storage.Tx, c scim.Caller, at time.Time) error {
	if m.seen == nil {
		_, err := s.insert(ctx, tx, c, m.key, at, epoch{1}, nil)
		if errors.Is(err, storage.ErrExists) { // another one's was the first
			return errEpoch
		}
		return err
	}
	_, err := change(ctx, s, tx, c, m.key, at, func(r *record[epoch]) error {
		if r.Value.N != m.seen.Value.N {
			return errEpoch
		}
		r.Value.N++
		return nil
	})
	return err
}

// guarded runs a step whose rule looks at more records than it writes. look runs outside of the step, against the
// store; if another guarded step of the same kind committed since, both run again. Snapshot isolation alone would let
// two steps that each leave one owner leave none.
func (s *Service) guarded(ctx context.Context, c scim.Caller, kind string, look func() error, step storage.Step) error {
	at := s.now()
	for range maxGuardRuns {
		mark, err := s.readEpoch(ctx, c.Org, kind)
		if err != nil {
			return err
		}
		if err := look(); err != nil {
			return err
		}
		err = s.store.Within(ctx, c.Org, func(tx storage.Tx) error {
			if err := mark.pass(ctx, s, tx, c, at); err != nil {
				return err
			}
			return step(tx)
		})
		if !errors.Is(err, errEpoch) {
			return err
		}
	}
	return lostRaces()
}

// lostRaces says: others were always faster.
func lostRaces() error {
	return &scim.Error{
		Status: http.StatusServiceUnavailable, Detail: "too many changes at once", RetryAfter: retryContention,
		Cause: fmt.Errorf("lifecycle: a guarded step lost %d races", maxGuardRuns),
	}
}
