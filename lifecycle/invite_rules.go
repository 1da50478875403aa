package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// inviteRules hangs the rules of invites into their definition, so that SCIM follows them.
func (s *Service) inviteRules() {
	d := s.registry.Definition(typeInvite)
	d.Keys = inviteKeys
	d.OnCreate, d.OnUpdate, d.OnDelete = inviteCreation{s}, inviteUpdate{s}, inviteDeletion{s}
	s.registry.SetView(typeInvite, inviteView{s})
}

// inviteCreation is POST /Invites: the validator of InviteMany in SCIM's dress.
type inviteCreation struct{ *Service }

// creating is what Before leaves for Within.
type creating struct {
	x    *inviting
	item *inviteItem
	mark *epochMark
}

// Before implements [resources.Rules].
func (r inviteCreation) Before(ctx context.Context, w *resources.Write) error {
	v, err := typed[Invite](w.Doc)
	if err != nil {
		return err
	}
	x, err := r.opening(ctx, subjectOf(w.Caller), true)
	if err != nil {
		return err
	}
	item := &inviteItem{invite: *v, id: w.Key.ID, user: r.newID(), InviteOutcome: InviteOutcome{Input: v.Email}}
	if v.Kind != kindLink {
		if v.Email == "" {
			return scim.InvalidValue("email", "is required")
		}
		if item.address, err = mail.ParseAddress(v.Email); err != nil {
			return invalid("email", OutcomeInvalid, "%s", err)
		}
		item.invite.Email = item.address.String()
	}
	state := &creating{x: x, item: item}
	items := []*inviteItem{item}
	for _, step := range []func(context.Context, []*inviteItem) error{x.judge, x.sift, x.bound} {
		if err := step(ctx, items); err != nil {
			return err
		}
		if item.Outcome != "" {
			return item.refusal()
		}
	}
	if state.mark, err = x.decide(ctx, items); err != nil {
		return err
	}
	r.counted.Invite(item.Outcome)
	if item.action != doCreate {
		return item.refusal()
	}
	if item.invite.Delivery != deliverEmail { // SCIM has no attribute for a token: the companion API hands it out
		item.token = ""
	}
	w.State = state
	return rewrite(r.registry.Definition(typeInvite), w.Doc, item.invite)
}

// Within implements [resources.Rules].
func (r inviteCreation) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	state, ok := w.State.(*creating)
	if !ok {
		return errors.New("lifecycle: an invite without its state")
	}
	if state.mark != nil {
		if err := state.mark.pass(ctx, r.Service, tx, w.Caller, w.At); err != nil {
			return contended(err)
		}
	}
	item := *state.item // this may run again
	w.Secret = state.x.begin(&item)
	if err := state.x.aside(ctx, tx, &item); err != nil {
		return contended(err)
	}
	return rewrite(r.registry.Definition(typeInvite), w.Doc, item.invite)
}

// contended lets the client try again what another one has overtaken.
func contended(err error) error {
	if errors.Is(err, errEpoch) || errors.Is(err, errMoved) {
		return scim.Unavailable(retryContention, err)
	}
	return err
}

// inviteUpdate is PUT and PATCH of an invite: of what it gives and says, while it is open.
type inviteUpdate struct{ *Service }

// Before implements [resources.Rules].
func (r inviteUpdate) Before(ctx context.Context, w *resources.Write) (err error) {
	w.State, err = r.invitePolicy(ctx, w.Caller.Org)
	return err
}

// Within implements [resources.Rules].
func (r inviteUpdate) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	p, ok := w.State.(*invitePolicy)
	if !ok {
		return errors.New("lifecycle: an update without its policy")
	}
	return r.changed(ctx, tx, p, subjectOf(w.Caller), w)
}

// changed judges what an update makes of an invite.
func (s *Service) changed(ctx context.Context, tx storage.Tx, p *invitePolicy, sub Subject, w *resources.Write) error {
	old, err := typed[Invite](w.Old)
	if err != nil {
		return err
	}
	next, err := typed[Invite](w.Doc)
	if err != nil {
		return err
	}
	if err := p.judgeChange(old, next, sub, w.At); err != nil {
		return err
	}
	for i := range next.Groups {
		k := storage.Key{Org: w.Key.Org, Type: typeGroup, ID: next.Groups[i].Value}
		if _, err := tx.Get(ctx, k, query.Load{MemberLimit: 1}); errors.Is(err, storage.ErrNotFound) {
			return invalid("groups", "unknown_group", "there is no such group")
		} else if err != nil {
			return err
		}
	}
	for _, c := range next.Clients {
		if _, err := tx.Get(ctx, clientKey(w.Key.Org, c.Value), query.Load{}); errors.Is(err, storage.ErrNotFound) {
			return invalid("clients", "unknown_client", "there is no such client")
		} else if err != nil {
			return err
		}
	}
	return rewrite(s.registry.Definition(typeInvite), w.Doc, next)
}

// judgeChange says whether old may become next, and completes it.
func (p *invitePolicy) judgeChange(old, next *Invite, sub Subject, now time.Time) error {
	if !old.open(now) {
		return conflict("invite_"+old.statusAt(now), "the invite is %s: only an open one can be changed", old.statusAt(now))
	}
	if p.rankOf(old) > sub.Rank {
		return forbidden(OutcomeRoleAboveYours, "the invite gives a role above your own")
	}
	if next.ExpiresAt.IsZero() {
		next.ExpiresAt = old.ExpiresAt
	}
	if next.Roles == nil {
		next.Roles = old.Roles
	}
	kept := next.ExpiresAt.Equal(old.ExpiresAt.Time)
	if kept { // what is left of its time may be short
		next.ExpiresAt = Instant{}
	}
	_, _, err := p.complete(next, sub, now)
	if kept {
		next.ExpiresAt = old.ExpiresAt
	}
	if refused, ok := errors.AsType[*grantError](err); ok {
		return refused.err
	}
	return err
}

// inviteDeletion is DELETE of an invite: an open one is revoked first, so that its history says so.
type inviteDeletion struct{ *Service }

// Before implements [resources.Rules].
func (inviteDeletion) Before(context.Context, *resources.Write) error { return nil }

// Within implements [resources.Rules].
func (r inviteDeletion) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	_, err := change(ctx, r.Service, tx, w.Caller, w.Key, w.At, func(rec *record[Invite]) error {
		end(rec, inviteRevoked, "deleted", at(w.At))
		return nil
	})
	return err
}

// end ends an open invite: its links are dead and its seat is free.
func end(r *record[Invite], status, reason string, now Instant) bool {
	v := &r.Value
	if v.Status != invitePending {
		return false
	}
	v.Status, v.Reason, v.SeatHeld = status, reason, false
	switch status {
	case inviteRevoked:
		v.RevokedAt = now
	case inviteDeclined:
		v.DeclinedAt = now
	}
	return true
}
