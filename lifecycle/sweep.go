package lifecycle

import (
	"context"
	"errors"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// sweepBatch is how many records of a type one sweep of an organization removes at most.
const sweepBatch = 500

// Sweep removes what counts for nothing any more from an organization: counters of limits, kept answers, and password
// resets whose time is long over. Nothing depends on it, since every use compares the time itself; it keeps the database
// small. It returns how many it removed.
func (s *Service) Sweep(ctx context.Context, org scim.OrgID) (int, error) {
	removed := 0
	for _, t := range []scim.TypeName{resources.TypeLimit, resources.TypeRequest, resources.TypePasswordReset} {
		n, err := s.sweep(ctx, org, t)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Service) sweep(ctx context.Context, org scim.OrgID, t scim.TypeName) (int, error) {
	now, c := s.now(), System(org, "sweep").Caller
	over := query.Compare{
		Field: s.field(t, "until"), Op: query.Le, Value: query.Value{Kind: query.DateTime, Str: query.InstantKey(now)},
	}
	list, err := find[untilOnly](ctx, s, org, t, over, sweepBatch)
	if err != nil {
		return 0, fail(t, err)
	}
	removed := 0
	for _, r := range list {
		err := s.store.Delete(ctx, r.Key, now, func(cur storage.Current) (storage.Change, error) {
			if cur.Record().Version != r.Version { // used again since
				return storage.Change{}, errKept
			}
			return storage.Change{Op: storage.OpDelete, Actor: c.Actor}, nil
		})
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, errKept) && !errors.Is(err, storage.ErrNotFound):
			return removed, fail(t, err)
		}
	}
	return removed, nil
}

// untilOnly is any record that counts until some time.
type untilOnly struct {
	Until string `json:"until"`
}
