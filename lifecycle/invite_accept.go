package lifecycle

import (
	"context"
	"errors"
	"reflect"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Acceptance is what a person says when they accept.
type Acceptance struct {
	InviteLink
	Code    string // of SendInviteCode
	Email   string // for a link that is for several people
	Name    *Name
	Profile Profile
}

// Accepted is what an acceptance led to.
type Accepted struct {
	User     string // id
	Org      *storage.Organization
	Existing bool     // the person was a member already
	Dropped  []string // what of the invite could not be given, as "role:admin"
	Again    bool     // the same person has accepted before
}

// accepting is one acceptance on its way.
type accepting struct {
	*visit
	in      Acceptance
	policy  *invitePolicy
	address string
	code    *record[proof] // that was typed in, if any
	facts   *addressFacts
	out     Accepted

	origin     string // of the new user; empty: invite, or the join request that it answers
	unwelcomed bool   // another letter greets the person
}

// maxAcceptRuns bounds how often an acceptance starts again because the world has changed under it.
const maxAcceptRuns = 10

// AcceptInvite makes the visitor a member. It is one step: time, token, mailbox, organization, seat and roles are decided
// in it, and of any number of tries at once one makes the user. Who has accepted may repeat it and gets the same answer;
// everybody else is told that the link is not valid.
func (s *Service) AcceptInvite(ctx context.Context, who Visitor, in Acceptance) (out *Accepted, err error) {
	v, err := s.visit(ctx, who, in.InviteLink)
	if err != nil {
		return nil, err
	}
	invite := v.invite.Key.ID
	defer func() {
		err = s.alike(ctx, who, "invite", err)
		s.Deny(v.caller, "accept-invite", string(typeInvite), invite, err)
	}()
	a := &accepting{visit: v, in: in}
	for range maxAcceptRuns {
		if err := a.prepare(ctx); err != nil {
			return nil, err
		}
		if a.out.Again {
			break
		}
		err := a.run(ctx)
		if err == nil {
			s.snapshots.forget(v.org.ID) // there is somebody now who came another way than by a client
			s.counted.Invite(inviteAccepted)
			s.counted.InviteAccepted(a.now.Sub(a.invite.Created))
			break
		}
		var taken *storage.UniqueError
		if !errors.Is(err, errMoved) && !errors.Is(err, errEpoch) && !errors.As(err, &taken) && !errors.Is(err, storage.ErrExists) {
			return nil, fail(typeInvite, err)
		}
		if v.invite, err = load[Invite](ctx, s.store, v.invite.Key); err != nil {
			return nil, fail(typeInvite, err)
		}
		if v.invite == nil || s.classOf(in.Token, v.invite.Secret) == classNone {
			return nil, unknownLink()
		}
	}
	if a.out.User == "" {
		return nil, lostRaces()
	}
	if who.Login != nil {
		if err := s.indexLogin(ctx, who.Login, v.org.ID); err != nil {
			return nil, err
		}
	}
	return &a.out, nil
}

// prepare decides outside of the step what can be decided there.
func (a *accepting) prepare(ctx context.Context) (err error) {
	a.out = Accepted{Org: a.org}
	i := &a.invite.Value
	if a.policy, err = a.invitePolicy(ctx, a.org.ID); err != nil {
		return err
	}
	if a.address, err = a.visit.address(ctx, a.in.Email); err != nil {
		return err
	}
	if a.code == nil && a.in.Code != "" && !a.proved(a.address) {
		a.code, err = a.checkCode(ctx, a.caller, inviteProof(a.org.ID, a.invite.Key.ID, a.address), a.in.Code)
		if err != nil {
			return err
		}
		if a.code == nil {
			a.counted.BadToken("code")
			return refuse(403, "wrong_code", "the code is wrong or too old: let another one be sent")
		}
	}
	if i.Kind == kindPerson && i.Status == inviteAccepted {
		return a.repeat()
	}
	address, err := mail.ParseAddress(a.address)
	if err != nil {
		return invalid("email", OutcomeInvalid, "%s", err)
	}
	if err := a.ended(); err != nil {
		return err
	}
	if err := a.policy.opening(); err != nil {
		return err
	}
	if a.policy.domains.capture(address.Domain) == captureIdPOnly {
		return conflict("managed_domain", "your company signs you in through its identity provider: ask its administrators")
	}
	open := i.Kind == kindLink && a.policy.settings.Invite.LinkSharing == "open"
	if a.policy.settings.Invite.LinkSharing == "off" && a.class == classShared {
		return gone("link_sharing_off", "the organization does not let people in by links that are handed out")
	}
	all, err := a.Service.facts(ctx, a.org.ID, []mail.Address{address})
	if err != nil {
		return fail(typeInvite, err)
	}
	found := all[address.Key()]
	a.facts = found
	sure := a.proved(a.address) || a.code != nil
	if !sure && (!open || found.user != nil) {
		return forbidden("prove_mailbox", "prove that you receive mail at the address: by a code that is mailed to it, or by signing in")
	}
	if found.user == nil {
		if err := a.notRemoved(ctx); err != nil {
			return err
		}
	}
	if u := found.user; u != nil {
		if !u.Value.owns(a.address) { // somebody else lists it: whose it is, an administrator must find out
			return conflict("address_in_use", "another member has the address: ask an administrator")
		}
		if !u.Value.active() {
			return conflict("deactivated", "your account in the organization is deactivated: ask an administrator")
		}
		if i.Kind == kindLink { // who is a member already uses nothing up
			a.out.User, a.out.Existing, a.out.Again = u.Key.ID, true, true
		}
	}
	return nil
}

// removedSince is the answer to somebody who was removed after the invite was made: what was handed out before a removal
// lets nobody back in, and no id is used twice.
func removedSince() error {
	return gone("removed_since", "you were removed from the organization after the invite was made: ask an administrator for another one")
}

// notRemoved refuses an address of somebody who was removed since the invite was made.
func (a *accepting) notRemoved(ctx context.Context) error {
	n, err := a.count(ctx, a.org.ID, typeTombstone, query.And{
		a.eq(typeTombstone, "emails", a.linkDigest("address "+mail.Fold(a.address))),
		a.when(typeTombstone, "removedAt", query.Ge, a.invite.Created),
	})
	if err != nil {
		return fail(typeTombstone, err)
	}
	if n > 0 {
		return removedSince()
	}
	return nil
}

// repeat answers somebody who comes with an invite that has been accepted: the same person as before, or anybody.
func (a *accepting) repeat() error {
	by, _ := a.invite.Secret[secretLogin].(string)
	same := by == a.who.Login.key()
	if a.class == classShared && by == "" { // the token says nothing of who holds it
		same = same && a.code != nil
	}
	if !same || a.invite.Value.AcceptedUser == nil {
		return unknownLink()
	}
	a.out.User, a.out.Again = a.invite.Value.AcceptedUser.Value, true
	return nil
}

// run is the step.
func (a *accepting) run(ctx context.Context) error {
	person, err := a.entrant(ctx)
	if err != nil {
		return err
	}
	var mark *epochMark
	if a.policy.settings.Plan.Seats.Limit > 0 && a.facts.user == nil {
		m, err := a.readEpoch(ctx, a.org.ID, guardSeats)
		if err != nil {
			return err
		}
		room, err := a.room(ctx, a.org.ID, a.policy.settings, a.now)
		if err != nil {
			return err
		}
		if a.invite.Value.SeatHeld && a.policy.settings.Plan.Seats.CountPending {
			room.Used-- // it is the one that the invite holds
		}
		if room.Free() == 0 {
			return noSeat()
		}
		mark = &m
	}
	return a.store.Within(ctx, a.org.ID, func(tx storage.Tx) error {
		if mark != nil {
			if err := mark.pass(ctx, a.Service, tx, a.caller, a.now); err != nil {
				return err
			}
		}
		if person.creation != nil {
			left, err := load[tombstone](ctx, tx, tombstoneKey(a.org.ID, person.id))
			if err != nil {
				return err
			}
			if left != nil { // removed while this acceptance was being prepared
				return removedSince()
			}
		}
		if err := a.consume(ctx, tx, person.id); err != nil {
			return err
		}
		if a.code != nil {
			if err := stillProved(ctx, tx, a.code); err != nil {
				return err
			}
		}
		return person.enter(ctx, tx)
	})
}

// consume uses the invite up, by comparing what it was decided from with what is stored now.
func (a *accepting) consume(ctx context.Context, tx storage.Tx, user string) error {
	_, err := change(ctx, a.Service, tx, a.caller, a.invite.Key, a.now, func(r *record[Invite]) error {
		if a.classOf(a.in.Token, r.Secret) != a.class || !r.Value.open(a.now) || !sameGrant(&r.Value, &a.invite.Value) {
			return errMoved
		}
		v := &r.Value
		ref := &Ref{Value: user, Display: a.label()}
		if v.Kind == kindLink {
			if v.Uses >= v.MaxUses {
				return gone("link_used_up", "as many people have used the link as may")
			}
			v.Uses++
			if v.Uses < v.MaxUses {
				return nil
			}
			ref = nil
		}
		v.Status, v.AcceptedAt, v.AcceptedUser, v.SeatHeld = inviteAccepted, at(a.now), ref, false
		if a.who.Login != nil {
			r.Secret[secretLogin] = a.who.Login.key()
		}
		return nil
	})
	return moved(err)
}

// sameGrant reports whether an invite is the same as another, but for how many people have used it.
func sameGrant(a, b *Invite) bool {
	was := *b
	was.Uses = a.Uses
	return reflect.DeepEqual(*a, was)
}

// label is what people see the new member as.
func (a *accepting) label() string {
	if name := greeting(a.in.Name); name != "" {
		return name
	}
	if name := greeting(a.invite.Value.Name); name != "" {
		return name
	}
	return a.address
}

// entrant is who comes in: a new user, or one who is there already.
type entrant struct {
	*accepting
	id       string
	creation *resources.Creation // nil: the user is there
	groups   []string
	clients  []string // ids
	grant    *Invite
	strict   bool // local actors give the user nothing
	kept     bool // nor an occupation
}

// entrant prepares the user: with the id that the invite has kept for it, so that a try that failed half-way is finished by
// the next.
func (a *accepting) entrant(ctx context.Context) (*entrant, error) {
	grant, dropped := a.stillGiven()
	a.out.Dropped = dropped
	p := &entrant{accepting: a, grant: grant}
	for _, g := range grant.Groups {
		p.groups = append(p.groups, g.Value)
	}
	if a.facts.user != nil {
		p.id, a.out.Existing = a.facts.user.Key.ID, true
		a.out.User = p.id
		if err := p.withhold(ctx); err != nil {
			return nil, err
		}
		return p, p.grantClients(ctx)
	}
	p.id, _ = a.invite.Secret[secretUser].(string)
	if a.invite.Value.Kind == kindLink || p.id == "" {
		p.id = idOf("invited", a.invite.Key.ID, mail.Fold(a.address))
	}
	a.out.User = p.id
	if err := p.grantClients(ctx); err != nil {
		return nil, err
	}
	var err error
	p.creation, err = a.resources.NewCreation(ctx, a.caller, typeUser, p.id, a.newUser(grant))
	return p, err
}

// stillGiven is what of the invite's grant can still be given, and what cannot.
func (a *accepting) stillGiven() (*Invite, []string) {
	v := a.invite.Value
	var dropped []string
	v.Roles, v.Entitlements = nil, nil
	for _, r := range a.invite.Value.Roles {
		if role := a.policy.catalogue.Role(r.Value); role == nil || !role.Supported {
			dropped = append(dropped, "role:"+r.Value)
			continue
		}
		v.Roles = append(v.Roles, r)
	}
	for _, e := range a.invite.Value.Entitlements {
		one := Invite{Entitlements: []Ref{e}}
		if a.policy.entitle(&one, a.policy.rankOf(&a.invite.Value) >= RankAdmin) != nil {
			dropped = append(dropped, e.Type+":"+e.Value)
			continue
		}
		v.Entitlements = append(v.Entitlements, e)
	}
	return &v, dropped
}

// enter stores the person and what they get, in the step.
func (p *entrant) enter(ctx context.Context, tx storage.Tx) error {
	if p.creation != nil {
		if _, err := p.creation.Insert(ctx, tx); err != nil {
			return err
		}
	} else if err := p.add(ctx, tx); err != nil {
		return err
	}
	for _, g := range p.groups {
		if err := joinGroup(ctx, tx, p.caller, g, p.id, p.now); err != nil {
			return err
		}
	}
	if err := p.giveClients(ctx, tx); err != nil {
		return err
	}
	if join := p.facts.join; join != nil {
		_, err := change(ctx, p.Service, tx, p.caller, join.Key, p.now, func(r *record[JoinRequest]) error {
			return closeRequest(r, joinSuperseded, p.id, at(p.now))
		})
		if err != nil {
			return moved(err)
		}
	}
	if p.who.Login != nil {
		if err := p.bindLogin(ctx, tx, p.caller, p.who.Login, p.id, p.now); err != nil {
			return err
		}
	}
	if p.creation == nil || p.unwelcomed || p.policy.settings.Welcome.Mode != "auto" {
		return nil
	}
	err := p.post(ctx, tx, p.caller, p.now, p.welcome())
	var e *scim.Error
	if errors.As(err, &e) && e.Code == "mail_off" { // nobody is kept out for want of a greeting
		return nil
	}
	return err
}

func (p *entrant) welcome() Letter {
	l := Letter{
		Kind: mail.KindWelcome, To: p.address, Locale: p.grant.Locale, About: storage.Key{Org: p.org.ID, Type: typeUser, ID: p.id},
		Values: mail.Values{
			Organization: p.org.Name, Name: p.label(), Actor: p.grant.inviterLabel(), Contact: p.grant.inviterLabel(),
			Occupation: p.grant.Occupation, Link: p.pageLink("welcome", "org", p.org.Slug),
		},
	}
	if len(p.grant.Roles) > 0 {
		l.Values.Role = p.grant.Roles[0].Display
	}
	return l
}

// joinGroup makes a user a member of a group. A group that is gone is none to join.
func joinGroup(ctx context.Context, tx storage.Tx, c scim.Caller, group, user string, now time.Time) error {
	k := storage.Key{Org: c.Org, Type: typeGroup, ID: group}
	if _, err := tx.Get(ctx, k, query.Load{MemberLimit: 1}); err != nil {
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	}
	_, _, err := tx.Update(ctx, k, now, func(storage.Current) (*storage.Edit, error) {
		return &storage.Edit{
			Members: storage.MemberDelta{Add: []string{user}},
			Change:  storage.Change{Op: storage.OpPatch, Actor: c.Actor, Request: c.RequestID},
		}, nil
	})
	return err
}
