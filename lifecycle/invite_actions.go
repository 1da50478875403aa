package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// InviteRecord is an invite as the companion API shows it.
type InviteRecord struct {
	ID       string
	Version  int64
	Created  time.Time
	Modified time.Time
	Invite
}

// LinkMade is an invite with the link that was just made for it, which is shown this once. A link that was mailed is not
// shown at all.
type LinkMade struct {
	InviteRecord
	Token, Link string
}

func inviteRecord(rec *storage.Record) (*InviteRecord, error) {
	r, err := decode[Invite](rec)
	if err != nil {
		return nil, err
	}
	return &InviteRecord{r.Key.ID, r.Version, rec.Created, rec.Modified, r.Value}, nil
}

func inviteKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeInvite, ID: id}
}

// GetInvite reads one invite.
func (s *Service) GetInvite(ctx context.Context, sub Subject, id string) (*InviteRecord, error) {
	if err := s.mayReadInvites(ctx, sub); err != nil {
		return nil, err
	}
	if _, err := s.settleInvites(ctx, sub.Org, id); err != nil {
		return nil, err
	}
	rec, err := s.store.Get(ctx, inviteKey(sub.Org, id), query.Load{})
	if err != nil {
		return nil, fail(typeInvite, err)
	}
	r, err := inviteRecord(rec)
	if err != nil {
		return nil, err
	}
	if own := mine(sub, ""); own != "" && (r.Inviter == nil || r.Inviter.Value != own) {
		return nil, notFound(typeInvite)
	}
	return r, nil
}

// acting is one action on one invite.
type acting struct {
	*inviting
	key storage.Key
}

// acting starts an action: who may invite may act on invites of up to their own rank.
func (s *Service) acting(ctx context.Context, sub Subject, id string) (*acting, *record[Invite], error) {
	x, err := s.inviting(ctx, sub, false)
	if err != nil {
		return nil, nil, err
	}
	a := &acting{x, inviteKey(sub.Org, id)}
	r, err := load[Invite](ctx, s.store, a.key)
	switch {
	case err != nil:
		return nil, nil, fail(typeInvite, err)
	case r == nil:
		return nil, nil, notFound(typeInvite)
	}
	return a, r, a.may(&r.Value)
}

// may says whether the subject may act on the invite.
func (a *acting) may(v *Invite) error {
	if a.policy.rankOf(v) > a.sub.Rank {
		return forbidden(OutcomeRoleAboveYours, "the invite gives a role above your own")
	}
	mine := v.Inviter != nil && a.sub.User != "" && v.Inviter.Value == a.sub.User
	if a.sub.Rank < RankAdmin && a.sub.User != "" && !mine {
		return forbidden("not_your_invite", "the invite is somebody else's")
	}
	return nil
}

// reopening is acting for what opens an invite again.
func (s *Service) reopening(ctx context.Context, sub Subject, id string) (*acting, *record[Invite], error) {
	a, r, err := s.acting(ctx, sub, id)
	if err != nil {
		return nil, nil, err
	}
	if err := a.policy.opening(); err != nil {
		return nil, nil, err
	}
	if a.approval {
		return nil, nil, forbidden("approval_needed", "somebody of a higher rank must agree: ask them")
	}
	return a, r, renewable(&r.Value)
}

// renewable says whether an invite can be opened for another while: a pending one, and one whose time is over.
func renewable(v *Invite) error {
	switch v.Status {
	case invitePending, inviteExpired:
		return nil
	}
	return conflict("invite_"+v.Status, "the invite is %s", v.Status)
}

// act changes the invite in a step of its own, in which more may be written.
func (a *acting) act(ctx context.Context, fn func(*record[Invite]) error, more func(storage.Tx, *record[Invite]) error) (*InviteRecord, error) {
	var out *InviteRecord
	err := a.store.Within(ctx, a.key.Org, func(tx storage.Tx) error {
		var now record[Invite]
		rec, err := change(ctx, a.Service, tx, a.sub.Caller, a.key, a.now, func(r *record[Invite]) error {
			if err := fn(r); err != nil {
				return err
			}
			now = *r
			return nil
		})
		if err != nil {
			return err
		}
		if out, err = inviteRecord(rec); err != nil || more == nil {
			return err
		}
		return more(tx, &now)
	})
	if _, taken := errors.AsType[*storage.UniqueError](err); taken {
		return nil, conflict(OutcomePending, "the address has another open invite")
	}
	if err != nil {
		return nil, fail(typeInvite, err)
	}
	return out, nil
}

// ResendInvite mails the invite again with a new link: links made before are dead, and the time starts again. It may be
// sent once a minute, and as often as limits of mails to one address allow.
func (s *Service) ResendInvite(ctx context.Context, sub Subject, id string) (*InviteRecord, error) {
	a, r, err := s.reopening(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if r.Value.Kind == kindLink {
		return nil, conflict("not_mailed", "the invite is a link for several people, which is not mailed")
	}
	if err := a.pause(&r.Value); err != nil {
		return nil, err
	}
	address, err := mail.ParseAddress(r.Value.Email)
	if err != nil {
		return nil, invalid("email", OutcomeInvalid, "%s", err)
	}
	if err := a.mailable(ctx, address); err != nil {
		return nil, err
	}
	token, digest, err := s.newLinkToken(prefixInvite)
	if err != nil {
		return nil, err
	}
	out, err := a.reopen(ctx, func(r *record[Invite]) error {
		if err := a.pause(&r.Value); err != nil {
			return err
		}
		a.renew(r, digest, a.now)
		return nil
	}, func(tx storage.Tx, r *record[Invite]) error {
		return a.post(ctx, tx, sub.Caller, a.now, a.letter(mail.KindInvite, id, &r.Value, token))
	})
	if err == nil {
		s.counted.Invite(OutcomeResent)
	}
	return out, err
}

// pause keeps a minute between two mails.
func (a *acting) pause(v *Invite) error {
	if rest := resendPause - a.now.Sub(v.LastSentAt.Time); rest > 0 && !v.LastSentAt.IsZero() {
		return tooMany("sent_just_now", 1, rest, "the invite was sent less than a minute ago")
	}
	return nil
}

// mailable says whether a mail may go to an address, and counts it.
func (a *acting) mailable(ctx context.Context, address mail.Address) error {
	outcome, detail, _, err := a.judgeAddress(ctx, a.policy, address)
	if err != nil {
		return err
	}
	if outcome != "" {
		return invalid("email", outcome, "%s", detail)
	}
	ok, most, after, err := a.mayMail(ctx, address)
	if err == nil && !ok {
		err = tooMany(OutcomeOverRate, most, after, "the address has got as many mails as it may%s", later(after))
	}
	return err
}

// reopen is act for what makes an invite open, which may need a seat again.
func (a *acting) reopen(ctx context.Context, fn func(*record[Invite]) error, more func(storage.Tx, *record[Invite]) error) (*InviteRecord, error) {
	seats := a.policy.settings.Plan.Seats
	open := func(r *record[Invite]) error {
		if err := renewable(&r.Value); err != nil {
			return err
		}
		r.Value.SeatHeld = r.Value.Kind == kindPerson && seats.CountPending
		if !r.Value.open(a.now) {
			r.Value.Status, r.Value.Reason, r.Value.ExpiresAt = invitePending, "", at(a.now.Add(seconds(a.policy.settings.Invite.TTL)))
		}
		return fn(r)
	}
	if seats.Limit == 0 || !seats.CountPending {
		return a.act(ctx, open, more)
	}
	for range maxGuardRuns {
		mark, err := a.readEpoch(ctx, a.key.Org, guardSeats)
		if err != nil {
			return nil, fail(resources.TypeEpoch, err)
		}
		room, err := a.room(ctx, a.key.Org, a.policy.settings, a.now)
		if err != nil {
			return nil, fail(typeUser, err)
		}
		out, err := a.act(ctx, func(r *record[Invite]) error {
			held := r.Value.SeatHeld && r.Value.open(a.now)
			if !held && r.Value.Kind == kindPerson && room.Free() == 0 {
				return noSeat()
			}
			return open(r)
		}, func(tx storage.Tx, r *record[Invite]) error {
			if err := mark.pass(ctx, a.Service, tx, a.sub.Caller, a.now); err != nil || more == nil {
				return err
			}
			return more(tx, r)
		})
		if !errors.Is(err, errEpoch) {
			return out, err
		}
	}
	return nil, lostRaces()
}

// LinkInvite makes a link to hand out. Whoever holds it has not proved to be the invited person: they must, by a code that
// is mailed to the address or by a login that has it. The link that was mailed works on, one handed out before is dead.
func (s *Service) LinkInvite(ctx context.Context, sub Subject, id string) (*LinkMade, error) {
	a, _, err := s.reopening(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if a.policy.settings.Invite.LinkSharing == "off" {
		return nil, forbidden("link_sharing_off", "the organization does not share links: invites are mailed")
	}
	token, digest, err := s.newLinkToken(prefixInvite)
	if err != nil {
		return nil, err
	}
	out, err := a.reopen(ctx, func(r *record[Invite]) error {
		r.Secret[secretShared] = digest
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return &LinkMade{*out, token, s.inviteLink(a.org.Slug, id, token)}, nil
}

// ReissueInvite replaces an open invite by one to another address: the way to mend a typing error.
func (s *Service) ReissueInvite(ctx context.Context, sub Subject, id, email string) (*InviteOutcome, error) {
	a, r, err := s.reopening(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if r.Value.Kind == kindLink {
		return nil, conflict("no_address", "the invite is a link for several people, which has no address")
	}
	v := r.Value
	next := Invite{
		Email: email, Name: v.Name, Roles: v.Roles, Occupation: v.Occupation, Entitlements: v.Entitlements, Groups: v.Groups,
		Clients: v.Clients, Profile: v.Profile, MembershipExpiresAt: v.MembershipExpiresAt, Message: v.Message, Locale: v.Locale,
		Delivery: v.Delivery, ExternalID: v.ExternalID,
	}
	address, err := mail.ParseAddress(email)
	if err != nil {
		return nil, invalid("email", OutcomeInvalid, "%s", err)
	}
	if mail.Fold(v.Email) == address.Key() {
		return nil, conflict("same_address", "the invite has this address: send it again instead")
	}
	next.Email = address.String()
	item := &inviteItem{address: address, invite: next, InviteOutcome: InviteOutcome{Input: email, Email: next.Email}, instead: r}
	items := []*inviteItem{item}
	for _, step := range []func(context.Context, []*inviteItem) error{a.judge, a.sift, a.bound, a.run} {
		if err := step(ctx, items); err != nil {
			return nil, err
		}
		if item.Outcome != "" && !item.Made() {
			return nil, item.refusal()
		}
	}
	item.Outcome = OutcomeReplaced
	return &a.report(items)[0], nil
}

// ChangeInvite stores what fn makes of what an open invite gives and says.
func (s *Service) ChangeInvite(ctx context.Context, sub Subject, id string, pre scim.Precondition, fn func(*Invite) error) (*InviteRecord, error) {
	a, seen, err := s.acting(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	next := seen.Value
	if err := fn(&next); err != nil {
		return nil, err
	}
	if err := s.checkGroups(ctx, sub.Org, next.Groups); err != nil {
		return nil, err
	}
	if err := a.checkClients(ctx, slices.Clone(next.Clients)); err != nil {
		return nil, err
	}
	return a.act(ctx, func(r *record[Invite]) error {
		if err := pre.Check(r.Version); err != nil {
			return err
		}
		next := r.Value
		if err := fn(&next); err != nil {
			return err
		}
		for i := range next.Clients {
			next.Clients[i].Display = a.clients[next.Clients[i].Value]
		}
		if err := a.policy.judgeChange(&r.Value, &next, sub, a.now); err != nil {
			return err
		}
		r.Value = next
		return nil
	}, nil)
}

// RevokeInvite ends an open invite. Revoking one that was revoked is no error.
func (s *Service) RevokeInvite(ctx context.Context, sub Subject, id, reason string) (*InviteRecord, error) {
	x, _, err := s.acting(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	out, err := x.act(ctx, func(r *record[Invite]) error {
		if r.Value.Status == inviteRevoked || end(r, inviteRevoked, reason, at(x.now)) {
			return nil
		}
		if r.Value.Status == inviteExpired {
			r.Value.Status, r.Value.RevokedAt, r.Value.Reason = inviteRevoked, at(x.now), reason
			return nil
		}
		return conflict("invite_"+r.Value.Status, "the invite is %s", r.Value.Status)
	}, nil)
	if err == nil {
		s.counted.Invite(inviteRevoked)
	}
	return out, err
}

// RevokeInvites ends every open invite that the subject may end, or those of one inviter, and returns how many.
func (s *Service) RevokeInvites(ctx context.Context, sub Subject, inviter, reason string) (int, error) {
	x, err := s.inviting(ctx, sub, false)
	if err != nil {
		return 0, err
	}
	if sub.Rank < RankAdmin && sub.User != "" {
		inviter = sub.User
	}
	where := query.And{s.eq(typeInvite, "status", invitePending)}
	if inviter != "" {
		where = append(where, s.eq(typeInvite, "inviter.value", inviter))
	}
	a := &acting{inviting: x}
	return s.revokeWhere(ctx, sub.Caller, where, reason, func(v *Invite) bool {
		return x.policy.rankOf(v) <= sub.Rank && a.may(v) == nil
	})
}
