package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// run decides and does what a chunk of items comes to, as one step.
func (x *inviting) run(ctx context.Context, items []*inviteItem) error {
	open := undecided(items)
	if len(open) == 0 {
		return nil
	}
	for range maxGuardRuns {
		mark, err := x.decide(ctx, open)
		if err != nil {
			return err
		}
		if x.dry {
			return nil
		}
		err = x.store.Within(ctx, x.sub.Org, func(tx storage.Tx) error {
			if mark != nil {
				if err := mark.pass(ctx, x.Service, tx, x.sub.Caller, x.now); err != nil {
					return err
				}
			}
			for _, item := range open {
				if err := x.do(ctx, tx, item); err != nil {
					return err
				}
			}
			return nil
		})
		var taken *storage.UniqueError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errEpoch), errors.As(err, &taken), errors.Is(err, storage.ErrExists), errors.Is(err, errMoved):
			// Somebody else invited, let in or revoked meanwhile: what is known is out of date.
		default:
			return fail(typeInvite, err)
		}
		for _, item := range open {
			item.forget()
		}
		if err := x.learn(ctx, open); err != nil {
			return err
		}
	}
	return lostRaces()
}

// errMoved ends a step that found something else than what it was decided from.
var errMoved = errors.New("lifecycle: the state has changed")

// decide says for each item what is to be done.
func (x *inviting) decide(ctx context.Context, items []*inviteItem) (*epochMark, error) {
	var mark *epochMark
	set := x.policy.settings
	free := -1 // no bound
	if set.Plan.Seats.Limit > 0 {
		m, err := x.readEpoch(ctx, x.sub.Org, guardSeats)
		if err != nil {
			return nil, fail(resources.TypeEpoch, err)
		}
		room, err := x.room(ctx, x.sub.Org, set, x.now)
		if err != nil {
			return nil, fail(typeUser, err)
		}
		mark, free = &m, room.Free()
		if x.mass != nil && x.dry && set.Plan.Seats.CountPending {
			free = max(0, free-x.mass.promised)
		}
	}
	for _, item := range items {
		x.decideOne(item)
		if item.action != doCreate || item.invite.Kind == kindLink {
			continue
		}
		if item.invite.SeatHeld = set.Plan.Seats.CountPending; free < 0 {
			continue
		}
		old := item.replaces()
		renewed := old != nil && old.Value.SeatHeld && old.Value.open(x.now)
		switch {
		case renewed: // it takes over the seat
		case free == 0:
			item.action = doNothing
			item.set(OutcomeOverSeats, "every seat of the plan is taken")
			continue
		case set.Plan.Seats.CountPending:
			free--
		}
	}
	if x.dry {
		return mark, nil
	}
	for _, item := range items {
		if err := x.provide(item); err != nil {
			return nil, err
		}
	}
	return mark, nil
}

func (x *inviting) decideOne(item *inviteItem) {
	f := item.facts
	switch {
	case f.user != nil && f.user.Value.active():
		item.User = f.user.Key.ID
		item.set(OutcomeMember, "the person is a member already")
	case f.user != nil:
		item.User = f.user.Key.ID
		item.set(OutcomeDeactivated, "the person is a member who is deactivated: activate them instead")
	case f.invite != nil && f.invite.Value.open(x.now):
		x.decideDuplicate(item)
	case x.approval:
		if f.join != nil {
			item.JoinRequest = f.join.Key.ID
			item.set(OutcomePending, "a request for the person waits for approval already")
			return
		}
		item.action, item.Outcome = doAsk, OutcomeNeedsApproval
	default:
		item.action, item.Outcome = doCreate, OutcomeCreated
		if f.join != nil {
			item.Outcome = OutcomeConvertedJoin
		}
	}
}

func (x *inviting) decideDuplicate(item *inviteItem) {
	open := item.facts.invite
	item.Invite = open.Key.ID
	above := x.policy.rankOf(&open.Value) > x.sub.Rank
	switch {
	case x.dup == "resend" && !above && x.now.Sub(open.Value.LastSentAt.Time) >= resendPause:
		item.action, item.Outcome = doResend, OutcomeResent
	case x.dup == "replace" && !above && !x.approval:
		item.action, item.Outcome = doCreate, OutcomeReplaced
	default:
		item.set(OutcomePending, "the address has an open invite")
	}
}

// rankOf is the highest rank that an invite gives, as the catalogue is now.
func (p *invitePolicy) rankOf(v *Invite) int {
	rank := 0
	for _, r := range v.Roles {
		if role := p.catalogue.Role(r.Value); role != nil {
			rank = max(rank, role.Rank)
		}
	}
	return rank
}

// provide makes what an item's step needs of random bytes and ids.
func (x *inviting) provide(item *inviteItem) (err error) {
	if item.action == doNothing {
		return nil
	}
	if item.id == "" {
		item.id, item.user = x.newID(), x.newID()
	}
	if item.token == "" && item.action != doAsk && item.invite.Delivery != deliverNone {
		item.token, item.digest, err = x.newLinkToken(prefixInvite)
	}
	return err
}

// do does what was decided, in the step.
func (x *inviting) do(ctx context.Context, tx storage.Tx, item *inviteItem) error {
	switch item.action {
	case doCreate:
		return x.create(ctx, tx, item)
	case doResend:
		return x.again(ctx, tx, item)
	case doAsk:
		return x.ask(ctx, tx, item)
	case doNothing:
	}
	return nil
}

// begin completes the document of a new invite and its secrets.
func (x *inviting) begin(item *inviteItem) scim.Attributes {
	v := &item.invite
	v.Status, v.Inviter = invitePending, inviterOf(x.sub)
	secret := scim.Attributes{secretUser: item.user, secretRank: strconv.Itoa(x.sub.Rank)}
	switch {
	case item.token == "":
	case v.Delivery == deliverEmail:
		secret[secretMailed] = item.digest
		v.SentAt, v.LastSentAt, v.SendCount = at(x.now), at(x.now), 1
		v.Mail.State, v.Mail.At = "queued", at(x.now)
	default:
		secret[secretShared] = item.digest
		item.Token, item.Link = item.token, x.inviteLink(x.org.Slug, item.id, item.token)
	}
	item.Invite, item.ExpiresAt = item.id, v.ExpiresAt.Time
	return secret
}

// create stores a new invite and what goes with it.
func (x *inviting) create(ctx context.Context, tx storage.Tx, item *inviteItem) error {
	secret := x.begin(item)
	if err := x.aside(ctx, tx, item); err != nil {
		return err
	}
	k := storage.Key{Org: x.sub.Org, Type: typeInvite, ID: item.id}
	_, err := x.insert(ctx, tx, x.sub.Caller, k, x.now, item.invite, secret)
	return err
}

// aside is what a new invite means for other records: the one that it replaces ends, a request that it answers is
// closed, a mail is queued.
func (x *inviting) aside(ctx context.Context, tx storage.Tx, item *inviteItem) error {
	if old := item.replaces(); old != nil {
		item.invite.Supersedes = old.Key.ID
		_, err := change(ctx, x.Service, tx, x.sub.Caller, old.Key, x.now, func(r *record[Invite]) error {
			if r.Value.Status != old.Value.Status {
				return errMoved
			}
			r.Value.Status, r.Value.SeatHeld, r.Value.SupersededBy = inviteExpired, false, item.id
			if r.Value.ExpiresAt.After(x.now) {
				r.Value.Status, r.Value.RevokedAt, r.Value.Reason = inviteRevoked, at(x.now), "replaced"
			}
			return nil
		})
		if err != nil {
			return moved(err)
		}
	}
	if join := item.facts.join; join != nil {
		item.invite.JoinRequest, item.JoinRequest = join.Key.ID, join.Key.ID
		_, err := change(ctx, x.Service, tx, x.sub.Caller, join.Key, x.now, func(r *record[JoinRequest]) error {
			return closeRequest(r, joinSuperseded, item.id, at(x.now))
		})
		if err != nil {
			return moved(err)
		}
	}
	if item.invite.Delivery != deliverEmail {
		return nil
	}
	return x.post(ctx, tx, x.sub.Caller, x.now, x.letter(mail.KindInvite, item.id, &item.invite, item.token))
}

// replaces is the invite that ends with the new one: that of the address, whose time may be over, or the one that had
// the wrong address.
func (i *inviteItem) replaces() *record[Invite] {
	if i.instead != nil {
		return i.instead
	}
	return i.facts.invite
}

// moved turns the absence of what was there a moment ago into errMoved.
func moved(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return errMoved
	}
	return err
}

// letter is a mail about an invite.
func (x *inviting) letter(kind mail.Kind, id string, v *Invite, token string) Letter {
	return x.inviteLetter(kind, x.org, id, v, token, x.policy)
}

func (s *Service) inviteLetter(kind mail.Kind, org *storage.Organization, id string, v *Invite, token string, p *invitePolicy) Letter {
	l := Letter{
		Kind: kind, To: v.Email, Locale: v.Locale, About: storage.Key{Org: org.ID, Type: typeInvite, ID: id}, Until: v.ExpiresAt.Time,
		Values: mail.Values{
			Organization: org.Name, Name: greeting(v.Name), Actor: v.inviterLabel(), Occupation: v.Occupation,
			Message: v.Message, Contact: v.inviterLabel(), Expires: v.ExpiresAt.Time,
			Link: s.inviteLink(org.Slug, id, token),
		},
	}
	if len(v.Roles) > 0 {
		l.Values.Role = v.Roles[0].Display
	}
	if o := p.catalogue.Occupation(v.Occupation); o != nil {
		l.Values.Occupation = o.Display
	}
	return l
}

// greeting is how a mail calls a person.
func greeting(n *Name) string {
	switch {
	case n == nil:
		return ""
	case n.Formatted != "":
		return n.Formatted
	case n.GivenName != "" && n.FamilyName != "":
		return n.GivenName + " " + n.FamilyName
	}
	return n.GivenName + n.FamilyName
}

// again sends an open invite once more.
func (x *inviting) again(ctx context.Context, tx storage.Tx, item *inviteItem) error {
	k := item.facts.invite.Key
	var now Invite
	_, err := change(ctx, x.Service, tx, x.sub.Caller, k, x.now, func(r *record[Invite]) error {
		if r.Value.Status != invitePending {
			return errMoved
		}
		x.renew(r, item.digest, x.now)
		now = r.Value
		return nil
	})
	if err != nil {
		return moved(err)
	}
	item.Invite, item.ExpiresAt = k.ID, now.ExpiresAt.Time
	return x.post(ctx, tx, x.sub.Caller, x.now, x.letter(mail.KindInvite, k.ID, &now, item.token))
}

// renew gives an invite a new mailed token: the old ones are dead, and its time starts again.
func (x *inviting) renew(r *record[Invite], digest string, now time.Time) {
	v := &r.Value
	r.Secret[secretMailed] = digest
	delete(r.Secret, secretShared)
	if v.SentAt.IsZero() {
		v.SentAt = at(now)
	}
	v.LastSentAt, v.SendCount = at(now), v.SendCount+1
	v.Mail = MailState{State: "queued", At: at(now), Suggestion: v.Mail.Suggestion}
	if set := x.policy.settings.Invite; set.ResendRestartsTTL || !v.ExpiresAt.After(now) {
		v.ExpiresAt = at(now.Add(seconds(set.TTL)))
	}
	v.Delivery = deliverEmail
}

// ask makes a request to let the person in, for somebody of a higher rank to approve.
func (x *inviting) ask(ctx context.Context, tx storage.Tx, item *inviteItem) error {
	v := &item.invite
	wish, err := json.Marshal(givenBy(v))
	if err != nil {
		return err
	}
	role := ""
	if len(v.Roles) > 0 {
		role = v.Roles[0].Value
	}
	j := JoinRequest{
		Email: v.Email, Name: v.Name, Message: v.Message, OccupationRequested: v.Occupation, RoleRequested: role,
		Requester: inviterOf(x.sub), OnBehalfOf: &Ref{Value: v.Email, Display: greeting(v.Name)}, Source: sourceMember,
		Status: joinPending, ExpiresAt: at(x.now.Add(seconds(x.policy.settings.Join.RequestTTL))),
	}
	j.Requester.Type = map[bool]string{true: "user", false: "app"}[x.sub.User != ""]
	k := storage.Key{Org: x.sub.Org, Type: typeJoinRequest, ID: item.id}
	if _, err := x.insert(ctx, tx, x.sub.Caller, k, x.now, j, scim.Attributes{secretWish: string(wish)}); err != nil {
		return err
	}
	item.JoinRequest = item.id
	return nil
}

// givenBy is the grant of an invite as approvals write it.
func givenBy(v *Invite) Given {
	g := Given{Roles: v.roleKeys(), Occupation: v.Occupation}
	for _, e := range v.Entitlements {
		g.Entitlements = append(g.Entitlements, e.Type+":"+e.Value)
	}
	for _, r := range v.Groups {
		g.Groups = append(g.Groups, r.Value)
	}
	for _, r := range v.Clients {
		g.Clients = append(g.Clients, r.Value)
	}
	return g
}
