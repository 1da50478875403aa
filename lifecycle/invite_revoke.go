package lifecycle

import (
	"context"
	"errors"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// revokeWhere ends the open invites that match where and fn agrees to, in steps of their own, and returns how many.
func (s *Service) revokeWhere(ctx context.Context, c scim.Caller, where query.Expr, cause string, fn func(*Invite) bool) (int, error) {
	now, done, after := s.now(), 0, ""
	for {
		q := where
		if after != "" {
			q = query.And{where, query.Compare{Field: s.field(typeInvite, "id"), Op: query.Gt, Value: query.Value{Str: after}}}
		}
		list, err := find[Invite](ctx, s, c.Org, typeInvite, q, settleBatch)
		if err != nil {
			return done, fail(typeInvite, err)
		}
		var steps []storage.Step
		for _, r := range list {
			after = r.Key.ID
			if !fn(&r.Value) {
				continue
			}
			steps = append(steps, func(tx storage.Tx) error { return s.revokeIn(ctx, tx, c, r.Key.ID, cause, at(now)) })
		}
		for _, err := range s.store.Batch(ctx, c.Org, steps, nil) {
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return done, fail(typeInvite, err)
			}
			done++
			s.counted.Invite(inviteRevoked)
		}
		if len(list) < settleBatch {
			return done, nil
		}
	}
}

// revokeIn ends an invite in a step, if it is open.
func (s *Service) revokeIn(ctx context.Context, tx storage.Tx, c scim.Caller, id, cause string, now Instant) error {
	_, err := change(ctx, s, tx, c, inviteKey(c.Org, id), now.Time, func(r *record[Invite]) error {
		end(r, inviteRevoked, cause, now)
		return nil
	})
	return err
}

// departure is what invites have to do with a person who loses access: found outside of the step that takes it, ended
// in it.
type departure struct {
	invites []string // ids
	joins   []string
}

// maxDeparture bounds how many invites one person's departure ends in its step; a person with more has the rest ended by
// EndInvitesOf afterwards.
const maxDeparture = 200

// invitesOf finds what a person's departure ends: open invites to their addresses, and, if they are gone for good, those
// that they sent, as invite.onInviterLeaves says.
func (s *Service) invitesOf(ctx context.Context, org scim.OrgID, user string, addresses []string, gone bool) (*departure, error) {
	d := &departure{}
	var to, asked query.Or
	for _, a := range addresses {
		to = append(to, s.eq(typeInvite, "email", a))
		asked = append(asked, s.eq(typeJoinRequest, "email", a))
	}
	if len(to) > 0 {
		list, err := find[Invite](ctx, s, org, typeInvite, query.And{to, s.eq(typeInvite, "status", invitePending)}, maxDeparture)
		if err != nil {
			return nil, fail(typeInvite, err)
		}
		for _, r := range list {
			d.invites = append(d.invites, r.Key.ID)
		}
		joins, err := find[JoinRequest](ctx, s, org, typeJoinRequest, query.And{asked, s.eq(typeJoinRequest, "status", joinPending)}, maxDeparture)
		if err != nil {
			return nil, fail(typeJoinRequest, err)
		}
		for _, r := range joins {
			d.joins = append(d.joins, r.Key.ID)
		}
	}
	if !gone || user == "" {
		return d, nil
	}
	set, _, err := s.Settings(ctx, org)
	if err != nil {
		return nil, err
	}
	sent, err := find[Invite](ctx, s, org, typeInvite, query.And{s.eq(typeInvite, "inviter.value", user), s.eq(typeInvite, "status", invitePending)}, maxDeparture)
	if err != nil {
		return nil, fail(typeInvite, err)
	}
	policy, err := s.invitePolicy(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, r := range sent {
		if leavesWith(set.Invite.OnInviterLeaves, policy.rankOf(&r.Value)) {
			d.invites = append(d.invites, r.Key.ID)
		}
	}
	return d, nil
}

// leavesWith reports whether an invite of that rank ends with its inviter's membership. What an account that is gone has
// promised beyond plain membership is looked at anew.
func leavesWith(setting string, rank int) bool {
	switch setting {
	case "keep":
		return false
	case "revoke":
		return true
	}
	return rank > RankMember
}

// revokeInvitesOf ends what invitesOf found, in the step that takes the person's access: nobody comes back by a link that
// was sent before.
func (s *Service) revokeInvitesOf(ctx context.Context, tx storage.Tx, c scim.Caller, d *departure, cause string, now Instant) error {
	for _, id := range d.invites {
		if err := s.revokeIn(ctx, tx, c, id, cause, now); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	for _, id := range d.joins {
		k := storage.Key{Org: c.Org, Type: typeJoinRequest, ID: id}
		_, err := change(ctx, s, tx, c, k, now.Time, func(r *record[JoinRequest]) error {
			return closeRequest(r, joinSuperseded, "", now)
		})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	return nil
}

// revokeAllInvites ends every open invite of an organization that closes or whose plan is for one person only.
func (s *Service) revokeAllInvites(ctx context.Context, c scim.Caller, cause string) (int, error) {
	return s.revokeWhere(ctx, c, s.eq(typeInvite, "status", invitePending), cause, func(*Invite) bool { return true })
}
