package lifecycle

import (
	"context"
	"errors"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// SweepMembers does in an organization what time has made due: people on leave come back, memberships that have ended are
// deactivated, profiles whose retention is over are destroyed, clients of people who were removed go to somebody else, people
// of connections that are gone are released. Rules never wait for it: they compare times themselves. It may run in several
// processes at once; what one sweep leaves the next one does.
func (s *Service) SweepMembers(ctx context.Context, org scim.OrgID) error {
	sub := System(org, "sweeper")
	return errors.Join(
		s.sweepReturns(ctx, sub), s.sweepEnded(ctx, sub), s.sweepTombstones(ctx, sub), s.sweepHandovers(ctx, sub),
		s.releasePeople(ctx, org), s.SweepTransfers(ctx, org))
}

// dueAtOnce bounds what one sweep of an organization does of each kind.
const dueAtOnce = 500

// due are the keys of records of a type that match.
func (s *Service) due(ctx context.Context, org scim.OrgID, t scim.TypeName, where query.Expr) ([]storage.Key, error) {
	page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: t, Where: where}}, Limit: dueAtOnce})
	if err != nil {
		return nil, err
	}
	keys := make([]storage.Key, len(page.Records))
	for i := range page.Records {
		keys[i] = page.Records[i].Key
	}
	return keys, nil
}

const (
	untilPath   = scim.SchemaRollcallUser + ":deactivation.until"
	expiresPath = scim.SchemaRollcallUser + ":expiresAt"
)

// sweepReturns activates people whose leave has ended. Without a free seat they stay away and are tried again.
func (s *Service) sweepReturns(ctx context.Context, sub Subject) error {
	keys, err := s.due(ctx, sub.Org, typeUser, query.And{s.when(typeUser, untilPath, query.Le, s.now()), s.is(typeUser, "active", false)})
	if err != nil {
		return err
	}
	for _, k := range keys {
		_, err := s.activate(ctx, sub.Caller, k.ID, 0)
		var known *scim.Error
		if err != nil && !errors.As(err, &known) && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	return nil
}

// sweepEnded deactivates people whose membership was for a time. The last owner stays: that is for the operator.
func (s *Service) sweepEnded(ctx context.Context, sub Subject) error {
	keys, err := s.due(ctx, sub.Org, typeUser, query.And{
		s.when(typeUser, expiresPath, query.Le, s.now()), query.Not{Expr: s.is(typeUser, "active", false)},
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		_, err := s.Deactivate(ctx, sub, k.ID, 0, Deactivation{Reason: ReasonExpired})
		var known *scim.Error
		if err != nil && !errors.As(err, &known) {
			return err
		}
	}
	return nil
}

// sweepTombstones destroys profiles, and pictures, whose retention is over. The name stays, to show beside what the person did.
func (s *Service) sweepTombstones(ctx context.Context, sub Subject) error {
	keys, err := s.due(ctx, sub.Org, typeTombstone, s.when(typeTombstone, "purgeAt", query.Le, s.now()))
	if err != nil {
		return err
	}
	for _, k := range keys {
		err := s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
			user := ""
			_, err := change(ctx, s, tx, sub.Caller, k, s.now(), func(r *record[tombstone]) error {
				user = r.Value.User
				r.Value.Profile, r.Value.PurgeAt, r.Value.ExternalID = "", Instant{}, ""
				return nil
			})
			if err != nil {
				return err
			}
			return dropPhoto(ctx, tx, sub.Caller, photoKey(sub.Org, user), s.now(), 0)
		})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	return nil
}
