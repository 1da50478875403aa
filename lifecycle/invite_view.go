package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// settleBatch is how many records one look for what time has changed takes.
const settleBatch = 100

// inviteView writes down which invites' time is over, before anybody reads them. Whatever decides compares the time
// itself: a record that nobody has settled yet lets nobody in.
type inviteView struct{ *Service }

// Settle implements [resources.View].
func (v inviteView) Settle(ctx context.Context, c scim.Caller, id string) error {
	_, err := v.settleInvites(ctx, c.Org, id)
	return err
}

// Compute implements [resources.View]: the documents have it all.
func (inviteView) Compute(context.Context, scim.Caller, []scim.Resource, []scim.Attributes) error {
	return nil
}

// settleInvites flips invites whose time is over, all or the one called id, and returns how many.
func (s *Service) settleInvites(ctx context.Context, org scim.OrgID, id string) (int, error) {
	now := s.now()
	over := query.And{s.eq(typeInvite, "status", invitePending), s.when(typeInvite, "expiresAt", query.Le, now)}
	if id != "" {
		over = append(over, s.eq(typeInvite, "id", id))
	}
	n, err := settle(ctx, s, org, typeInvite, over, now, func(r *record[Invite]) {
		if !r.Value.ExpiresAt.After(now) {
			end(r, inviteExpired, "", at(now))
		}
	})
	for range n {
		s.counted.Invite(inviteExpired)
	}
	return n, fail(typeInvite, err)
}

// settle changes the records that match where by fn, until none is left.
func settle[T any](ctx context.Context, s *Service, org scim.OrgID, t scim.TypeName, where query.Expr, now time.Time, fn func(*record[T])) (int, error) {
	c := System(org, "clock").Caller
	settled := 0
	for {
		list, err := find[T](ctx, s, org, t, where, settleBatch)
		if err != nil || len(list) == 0 {
			return settled, err
		}
		steps := make([]storage.Step, len(list))
		for i, r := range list {
			steps[i] = func(tx storage.Tx) error {
				_, err := change(ctx, s, tx, c, r.Key, now, func(r *record[T]) error {
					fn(r)
					return nil
				})
				return err
			}
		}
		for _, err := range s.store.Batch(ctx, org, steps, nil) {
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return settled, err
			}
		}
		settled += len(list)
		if len(list) < settleBatch {
			return settled, nil
		}
	}
}
