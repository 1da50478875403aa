package lifecycle

import (
	"context"
	"errors"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// SweepArrivals writes down which invites and join requests of an organization have ended by time, throws away codes that
// no longer work, ends invites of people whom clients have made, and returns how many records that were. Nothing depends on when it runs: whatever decides compares the
// time itself.
func (s *Service) SweepArrivals(ctx context.Context, org scim.OrgID) (int, error) {
	invites, err := s.settleInvites(ctx, org, "")
	if err != nil {
		return 0, err
	}
	joins, err := s.settleJoins(ctx, org, "")
	if err != nil {
		return invites, err
	}
	proofs, err := s.sweepProofs(ctx, org)
	return invites + joins + proofs, errors.Join(err, s.supersedeInvites(ctx, org))
}

func (s *Service) sweepProofs(ctx context.Context, org scim.OrgID) (int, error) {
	c, swept := System(org, "clock").Caller, 0
	for {
		list, err := find[proof](ctx, s, org, resources.TypeProof, s.when(resources.TypeProof, "until", query.Le, s.now()), settleBatch)
		if err != nil {
			return swept, fail(resources.TypeProof, err)
		}
		for _, p := range list {
			err := s.store.Delete(ctx, p.Key, s.now(), func(cur storage.Current) (storage.Change, error) {
				if cur.Record().Version != p.Version { // another code was sent
					return storage.Change{}, errMoved
				}
				return storage.Change{Op: storage.OpDelete, Actor: c.Actor}, nil
			})
			if err != nil && !errors.Is(err, errMoved) && !errors.Is(err, storage.ErrNotFound) {
				return swept, fail(resources.TypeProof, err)
			}
		}
		if swept += len(list); len(list) < settleBatch {
			return swept, nil
		}
	}
}
