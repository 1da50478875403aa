package lifecycle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// JoinRecord is a join request as the companion API shows it.
type JoinRecord struct {
	ID       string
	Version  int64
	Created  time.Time
	Modified time.Time
	JoinRequest
}

func joinRecord(rec *storage.Record) (*JoinRecord, error) {
	r, err := decode[JoinRequest](rec)
	if err != nil {
		return nil, err
	}
	return &JoinRecord{r.Key.ID, r.Version, rec.Created, rec.Modified, r.Value}, nil
}

func joinKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeJoinRequest, ID: id}
}

// JoinDecided is a request after its approval.
type JoinDecided struct {
	JoinRecord
	User   string // who was let in at once
	Invite string // that was mailed instead
}

// ApproveJoin lets the person in: at once if they have proved the address and have a login, else by an invite. Without a
// grant it gives what was proposed, else what invites give.
func (s *Service) ApproveJoin(ctx context.Context, sub Subject, id string, g *Given) (*JoinDecided, error) {
	return s.decide(ctx, sub, joinKey(sub.Org, id), g, "joinRequest")
}

// approval is one approval on its way.
type approval struct {
	*inviting
	key     storage.Key
	request *record[JoinRequest]
	item    *inviteItem
	given   Given
	login   *Login
	origin  string
}

func (s *Service) decide(ctx context.Context, sub Subject, k storage.Key, g *Given, origin string) (*JoinDecided, error) {
	a, err := s.approval(ctx, sub, k, g, origin)
	if err != nil {
		return nil, err
	}
	for range maxGuardRuns {
		out, err := a.run(ctx)
		var taken *storage.UniqueError
		switch {
		case err == nil:
			s.counted.JoinRequest(joinApproved)
			s.counted.JoinDecided(a.now.Sub(a.request.Created))
			return out, nil
		case errors.Is(err, errEpoch), errors.Is(err, errMoved), errors.As(err, &taken), errors.Is(err, storage.ErrExists):
			if a, err = s.approval(ctx, sub, k, g, origin); err != nil {
				return nil, err
			}
		default:
			return nil, fail(typeJoinRequest, err)
		}
	}
	return nil, lostRaces()
}

// approval reads a request and says what its approval comes to.
func (s *Service) approval(ctx context.Context, sub Subject, k storage.Key, g *Given, origin string) (*approval, error) {
	x, err := s.deciding(ctx, sub)
	if err != nil {
		return nil, err
	}
	if err := x.policy.opening(); err != nil {
		return nil, err
	}
	a := &approval{inviting: x, key: k, origin: origin}
	if a.request, err = load[JoinRequest](ctx, s.store, k); err != nil {
		return nil, fail(typeJoinRequest, err)
	}
	if a.request == nil {
		return nil, notFound(typeJoinRequest)
	}
	j := &a.request.Value
	if err := decidable(j, x.now); err != nil {
		return nil, err
	}
	if a.given, err = a.grant(g); err != nil {
		return nil, err
	}
	if text, _ := a.request.Secret[secretLogin].(string); text != "" {
		if err := json.Unmarshal([]byte(text), &a.login); err != nil {
			return nil, err
		}
	}
	v := a.given.invite()
	v.Email, v.Name, v.JoinRequest, v.Kind, v.Delivery = j.Email, j.Name, k.ID, kindPerson, deliverEmail
	if j.Source == sourceMember {
		v.Message = j.Message
	}
	rank, _, err := x.policy.complete(&v, sub, x.now)
	if refused, ok := errors.AsType[*grantError](err); ok {
		return nil, refused.err
	}
	if err != nil {
		return nil, err
	}
	if err := x.mayDecide(rank); err != nil {
		return nil, err
	}
	if err := s.checkGroups(ctx, sub.Org, v.Groups); err != nil {
		return nil, err
	}
	if err := x.checkClients(ctx, v.Clients); err != nil {
		return nil, err
	}
	address, err := mail.ParseAddress(j.Email)
	if err != nil {
		return nil, invalid("email", OutcomeInvalid, "%s", err)
	}
	a.item = &inviteItem{address: address, invite: v, InviteOutcome: InviteOutcome{Email: j.Email}}
	return a, a.meet(ctx)
}

// meet looks for who the person is here already.
func (a *approval) meet(ctx context.Context) error {
	if err := a.learn(ctx, []*inviteItem{a.item}); err != nil {
		return err
	}
	f := a.item.facts
	if f.user != nil {
		_, err := change(ctx, a.Service, a.store, a.sub.Caller, a.key, a.now, func(r *record[JoinRequest]) error {
			return closeRequest(r, joinSuperseded, f.user.Key.ID, at(a.now))
		})
		if err != nil {
			return fail(typeJoinRequest, err)
		}
		return conflict("request_superseded", "the person is a member already")
	}
	f.join = nil // it is the one that is decided
	return nil
}

// deciding is inviting for who decides join requests.
func (s *Service) deciding(ctx context.Context, sub Subject) (*inviting, error) {
	x, err := s.inviting(ctx, sub, true) // who may invite is another question
	if err != nil {
		return nil, err
	}
	x.approval = false
	return x, x.mayDecide(0)
}

// mayDecide says whether the subject may decide join requests, and give roles of that rank. The server itself does so for
// people of the organization's domains.
func (x *inviting) mayDecide(rank int) error {
	if x.sub.Actor.Kind == "system" {
		return nil
	}
	return Allowed(x.sub, ActDecideJoin, Target{Type: typeJoinRequest, Gives: rank, Setting: x.policy.settings.Join.ByManagers})
}

// decidable says whether a request waits for a decision.
func decidable(j *JoinRequest, now time.Time) error {
	switch {
	case j.Status != joinPending:
		return conflict("request_"+j.Status, "the request is %s", j.Status)
	case !j.ExpiresAt.After(now):
		return conflict("request_expired", "the request expired on %s", date(j.ExpiresAt.Time))
	}
	return nil
}

// grant is what the approval gives.
func (a *approval) grant(g *Given) (Given, error) {
	if g != nil {
		return *g, nil
	}
	var wish Given
	if text, _ := a.request.Secret[secretWish].(string); text != "" {
		err := json.Unmarshal([]byte(text), &wish)
		return wish, err
	}
	if o := a.policy.catalogue.Occupation(a.request.Value.OccupationRequested); o != nil && o.SelfAssignable {
		wish.Occupation = o.Key
	}
	return wish, nil
}

// invite is an invite that gives it.
func (g *Given) invite() Invite {
	v := Invite{Occupation: g.Occupation}
	for _, r := range g.Roles {
		v.Roles = append(v.Roles, Ref{Value: r})
	}
	for _, e := range g.Entitlements {
		kind, key, ok := strings.Cut(e, ":")
		if !ok || kind != resources.EntitlementModule && kind != resources.EntitlementSubAccount {
			kind, key = "", e
		}
		v.Entitlements = append(v.Entitlements, Ref{Value: key, Type: kind})
	}
	for _, id := range g.Groups {
		v.Groups = append(v.Groups, Ref{Value: id})
	}
	for _, id := range g.Clients {
		v.Clients = append(v.Clients, Ref{Value: id})
	}
	return v
}

// run approves in one step, with the user or the invite that it leads to.
func (a *approval) run(ctx context.Context) (*JoinDecided, error) {
	var mark *epochMark
	seats := a.policy.settings.Plan.Seats
	if seats.Limit > 0 {
		m, err := a.readEpoch(ctx, a.sub.Org, guardSeats)
		if err != nil {
			return nil, err
		}
		room, err := a.room(ctx, a.sub.Org, a.policy.settings, a.now)
		if err != nil {
			return nil, err
		}
		if room.Free() == 0 {
			return nil, noSeat()
		}
		mark = &m
	}
	var p *entrant
	if a.login != nil && !a.request.Value.VerifiedAt.IsZero() {
		var err error
		if p, err = a.enters(ctx); err != nil {
			return nil, err
		}
	} else {
		a.item.action, a.item.invite.SeatHeld = doCreate, seats.CountPending
		if err := a.provide(a.item); err != nil {
			return nil, err
		}
	}
	out := &JoinDecided{}
	err := a.store.Within(ctx, a.sub.Org, func(tx storage.Tx) error {
		if mark != nil {
			if err := mark.pass(ctx, a.Service, tx, a.sub.Caller, a.now); err != nil {
				return err
			}
		}
		out.User, out.Invite = "", ""
		if p != nil {
			out.User = p.id
		} else {
			out.Invite = a.item.id
		}
		rec, err := change(ctx, a.Service, tx, a.sub.Caller, a.key, a.now, func(r *record[JoinRequest]) error {
			return a.approve(r, cmp.Or(out.User, out.Invite))
		})
		if err != nil {
			return moved(err)
		}
		j, err := joinRecord(rec)
		if err != nil {
			return err
		}
		out.JoinRecord = *j
		if p != nil {
			if err := p.enter(ctx, tx); err != nil {
				return err
			}
			return a.post(ctx, tx, a.sub.Caller, a.now, a.letterTo(p))
		}
		return a.mailInvite(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	if p != nil {
		return out, a.indexLogin(ctx, a.login, a.sub.Org)
	}
	return out, nil
}

// approve writes the decision down.
func (a *approval) approve(r *record[JoinRequest], result string) error {
	if r.Version != a.request.Version {
		return errMoved
	}
	j := &r.Value
	if err := decidable(j, a.now); err != nil {
		return err
	}
	g := givenBy(&a.item.invite)
	j.Status, j.Result, j.DecidedAt, j.Grant = joinApproved, result, at(a.now), &g
	j.Decision = &Decision{By: cmp.Or(a.sub.User, a.sub.Actor.ID), Display: a.sub.Label, At: at(a.now)}
	delete(r.Secret, secretLogin)
	return nil
}

// enters prepares the user whom the approval lets in at once.
func (a *approval) enters(ctx context.Context) (*entrant, error) {
	v := &visit{
		Service: a.Service, who: Visitor{Login: a.login}, caller: a.sub.Caller, org: a.org, class: classMailed, now: a.now,
		invite: &record[Invite]{Key: a.key, Value: a.item.invite, Secret: scim.Attributes{secretUser: a.newID()}},
	}
	acc := &accepting{visit: v, policy: a.policy, address: a.item.Email, facts: a.item.facts, origin: a.origin, unwelcomed: true}
	return acc.entrant(ctx)
}

// mailInvite makes the invite that an approval leads to, whose mail says that the request was approved.
func (a *approval) mailInvite(ctx context.Context, tx storage.Tx) error {
	secret := a.begin(a.item)
	v := &a.item.invite
	if old := a.item.facts.invite; old != nil { // its time is over: an open one would have ended the request
		if err := a.revokeIn(ctx, tx, a.sub.Caller, old.Key.ID, "replaced", at(a.now)); err != nil {
			return err
		}
		v.Supersedes = old.Key.ID
	}
	if _, err := a.insert(ctx, tx, a.sub.Caller, inviteKey(a.sub.Org, a.item.id), a.now, *v, secret); err != nil {
		return err
	}
	return a.post(ctx, tx, a.sub.Caller, a.now, a.letter(mail.KindJoinApproved, a.item.id, v, a.item.token))
}

// letterTo tells who was let in at once.
func (a *approval) letterTo(p *entrant) Letter {
	l := p.welcome()
	l.Kind, l.Values.Message = mail.KindJoinApproved, ""
	l.Values.Actor = a.sub.Label
	return l
}

// Refusal is why a request is declined.
type Refusal struct {
	ReasonCode string
	Note       string
	Visible    bool // the person who asked is told the note
}

// DeclineJoin refuses a request. Whoever asked is told, with the note if it is for them to see.
func (s *Service) DeclineJoin(ctx context.Context, sub Subject, id string, why Refusal) (*JoinRecord, error) {
	x, err := s.deciding(ctx, sub)
	if err != nil {
		return nil, err
	}
	var out *JoinRecord
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		verified := false
		rec, err := change(ctx, s, tx, sub.Caller, joinKey(sub.Org, id), x.now, func(r *record[JoinRequest]) error {
			if err := decidable(&r.Value, x.now); err != nil {
				return err
			}
			r.Value.Status, r.Value.DecidedAt = joinDeclined, at(x.now)
			r.Value.Decision = &Decision{
				By: cmp.Or(sub.User, sub.Actor.ID), Display: sub.Label, At: at(x.now), ReasonCode: why.ReasonCode, Note: why.Note,
				VisibleToRequester: why.Visible,
			}
			delete(r.Secret, secretLogin)
			verified = !r.Value.VerifiedAt.IsZero()
			return nil
		})
		if err != nil {
			return err
		}
		if out, err = joinRecord(rec); err != nil || !verified {
			return err
		}
		l := Letter{
			Kind: mail.KindJoinDeclined, To: out.Email, About: rec.Key,
			Values: mail.Values{Organization: x.org.Name, Name: greeting(out.Name)},
		}
		if why.Visible {
			l.Values.Reason = why.Note
		}
		return s.post(ctx, tx, sub.Caller, x.now, l)
	})
	if err != nil {
		return nil, fail(typeJoinRequest, err)
	}
	s.counted.JoinRequest(joinDeclined)
	s.counted.JoinDecided(x.now.Sub(out.Created))
	return out, nil
}
