package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Limits of join requests.
const (
	joinsPerDay    = 3   // for one address
	joinsPerHour   = 20  // from one address of the network
	maxOpenJoins   = 200 // of one organization
	maxJoinMessage = 500 // characters
)

// Who may ask to join (join.policy).
const (
	policyClosed        = "closed"
	policyRequest       = "request"
	policyDomainRequest = "domainRequest" // people with an address of the organization's domains
	policyDomainAuto    = "domainAuto"    // the same, and they are let in without being looked at
)

// JoinAsk is what somebody says who asks to be let in.
type JoinAsk struct {
	Org        string // slug or id
	Email      string
	Name       *Name
	Message    string
	Occupation string
	Role       string
}

// JoinAsked is the answer to everybody who asks, whatever the organization does with it.
type JoinAsked struct {
	ID        string    // to send with the mailed code
	ExpiresAt time.Time // of the code
}

// joinContent is what a request will say, sealed until its address is proved.
type joinContent struct {
	Ask   JoinAsk `json:"ask"`
	Login *Login  `json:"login,omitempty"`
}

func joinProof(org scim.OrgID, id string) storage.Key { return proofKey(org, "join", id) }

// AskToJoin takes a request of somebody who is nobody here. The answer is the same whether there is such an organization,
// whether it lets people ask, and whether it knows the person. Only who receives the mailed code can go on.
func (s *Service) AskToJoin(ctx context.Context, who Visitor, in JoinAsk) (*JoinAsked, error) {
	a, err := mail.ParseAddress(in.Email)
	if err != nil {
		return nil, invalid("email", OutcomeInvalid, "%s", err)
	}
	if utf8.RuneCountInString(in.Message) > maxJoinMessage {
		return nil, invalid("message", "too_long", "must have %d characters at most", maxJoinMessage)
	}
	if err := s.limitedThere(ctx, who, "join-ip", joinsPerHour, time.Hour); err != nil {
		return nil, err
	}
	if err := s.limited(ctx, "join-address", a.Key(), joinsPerDay, day*time.Second); err != nil {
		return nil, err
	}
	in.Email = a.String()
	out := &JoinAsked{ID: s.newID(), ExpiresAt: s.now().Add(codeTTL)}
	org, err := s.publicOrg(ctx, in.Org)
	if err != nil || org == nil {
		return out, err
	}
	ok, err := s.mayAsk(ctx, org.ID, a)
	if err != nil || !ok {
		return out, err
	}
	b, err := json.Marshal(joinContent{in, who.Login})
	if err != nil {
		return nil, err
	}
	k := joinProof(org.ID, out.ID)
	content, err := s.sealed(b, k.ID)
	if err != nil {
		return nil, err
	}
	letter := Letter{
		Kind: mail.KindJoinVerify, About: k,
		Values: mail.Values{Organization: org.Name, Name: greeting(in.Name), Link: s.pageLink("join", "org", org.Slug, "request", out.ID)},
	}
	c := who.caller(org.ID, KindPublic)
	return out, fail(typeJoinRequest, s.sendCode(ctx, c, k, in.Email, scim.Attributes{secretContent: content}, letter))
}

// mayAsk says whether a request for the address would get anywhere.
func (s *Service) mayAsk(ctx context.Context, org scim.OrgID, a mail.Address) (bool, error) {
	p, err := s.invitePolicy(ctx, org)
	if err != nil {
		return false, err
	}
	set := p.settings
	if set.Status != "active" || !set.Plan.Has(featureMultiUser) || p.joining(a.Domain) == joinNot {
		return false, nil
	}
	if outcome, _, _, err := s.judgeAddress(ctx, p, a); err != nil || outcome != "" {
		return false, err
	}
	found, err := s.facts(ctx, org, []mail.Address{a})
	if err != nil {
		return false, fail(typeJoinRequest, err)
	}
	if f := found[a.Key()]; f.user != nil || f.join != nil || f.invite != nil && f.invite.Value.open(s.now()) {
		return false, nil
	}
	declined, err := s.count(ctx, org, typeJoinRequest, query.And{
		s.eq(typeJoinRequest, "email", a.String()), s.eq(typeJoinRequest, "status", joinDeclined),
		s.when(typeJoinRequest, "decidedAt", query.Gt, s.now().Add(-seconds(set.Join.ReapplyAfter))),
	})
	return declined == 0, fail(typeJoinRequest, err)
}

// JoinOpened is a request that its maker has proved the address of.
type JoinOpened struct {
	ID     string
	Status string // pending, or approved if the organization lets people of its domains in
	Token  string // takes the request back
	User   string // who was let in
}

// VerifyJoin makes a request of what was asked, once the code proves the address. Nobody sees a request before.
func (s *Service) VerifyJoin(ctx context.Context, who Visitor, orgSlug, id, code string) (*JoinOpened, error) {
	if err := s.mayTry(ctx, who); err != nil {
		return nil, err
	}
	org, err := s.publicOrg(ctx, orgSlug)
	if err != nil {
		return nil, err
	}
	owner := scim.SystemOrg // where there is none
	if org != nil {
		owner = org.ID
	}
	c := who.caller(owner, KindPublic)
	p, err := s.checkCode(ctx, c, joinProof(owner, id), code)
	if err != nil {
		return nil, err
	}
	if p == nil || org == nil {
		return nil, s.wrong(ctx, who, "join", id)
	}
	sealed, _ := p.Secret[secretContent].(string)
	b, err := s.opened(sealed, p.Key.ID)
	if err != nil {
		return nil, err
	}
	var content joinContent
	if err := json.Unmarshal(b, &content); err != nil {
		return nil, err
	}
	if who.Login != nil {
		content.Login = who.Login
	}
	opened, err := s.openJoin(ctx, c, org, id, p, content)
	return opened, s.alike(ctx, who, "join", err)
}

func (s *Service) openJoin(ctx context.Context, c scim.Caller, org *storage.Organization, id string, p *record[proof], content joinContent) (*JoinOpened, error) {
	a, err := mail.ParseAddress(content.Ask.Email)
	if err != nil {
		return nil, err
	}
	k := storage.Key{Org: org.ID, Type: typeJoinRequest, ID: id}
	if done, err := load[JoinRequest](ctx, s.store, k); err != nil || done != nil {
		if err == nil && done.Value.Status == joinPending { // the answer was lost: its token is another one now
			return s.openedAgain(ctx, c, k)
		}
		if err == nil {
			err = unknownLink()
		}
		return nil, fail(typeJoinRequest, err)
	}
	policy, err := s.invitePolicy(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	set := policy.settings
	ok, err := s.mayAsk(ctx, org.ID, a)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, conflict("nothing_to_ask", "you are a member or invited already, or the organization takes no request of yours")
	}
	way := policy.joining(a.Domain)
	if way == joinNot {
		return nil, forbidden("not_our_domain", "the organization takes requests from addresses of its own domains only")
	}
	ours := policy.domains.owned(a.Domain) && policy.domains.capture(a.Domain) != captureIdPOnly
	if way == joinAuto {
		if way, err = s.aboveFloor(ctx, org.ID, set, a.Domain); err != nil {
			return nil, err
		}
	}
	open, err := s.count(ctx, org.ID, typeJoinRequest, s.eq(typeJoinRequest, "status", joinPending))
	if err != nil {
		return nil, fail(typeJoinRequest, err)
	}
	if open >= maxOpenJoins {
		return nil, tooMany("too_many_requests", maxOpenJoins, time.Hour, "the organization has more requests than it can look at: ask again later")
	}
	j, err := s.newJoin(ctx, org.ID, a, set, content, ours)
	if err != nil {
		return nil, err
	}
	token, digest, err := s.newLinkToken(prefixJoin)
	if err != nil {
		return nil, err
	}
	secret := scim.Attributes{secretWithdraw: digest}
	if content.Login != nil {
		b, err := json.Marshal(content.Login)
		if err != nil {
			return nil, err
		}
		secret[secretLogin] = string(b)
	}
	now := s.now()
	letter := Letter{
		Kind: mail.KindJoinReceived, To: j.Email, About: k, Until: j.ExpiresAt.Time,
		Values: mail.Values{Organization: org.Name, Name: greeting(j.Name), Expires: j.ExpiresAt.Time},
	}
	err = s.store.Within(ctx, org.ID, func(tx storage.Tx) error {
		if err := stillProved(ctx, tx, p); err != nil {
			return err
		}
		if _, err := s.insert(ctx, tx, c, k, now, j, secret); err != nil {
			return err
		}
		if way == joinAuto {
			return nil // what follows at once is told by another letter
		}
		return s.post(ctx, tx, c, now, letter)
	})
	var taken *storage.UniqueError
	switch {
	case errors.As(err, &taken):
		return nil, conflict("nothing_to_ask", "there is a request for the address already")
	case errors.Is(err, errMoved):
		return nil, unknownLink()
	case err != nil:
		return nil, fail(typeJoinRequest, err)
	}
	s.counted.JoinRequest(joinPending)
	out := &JoinOpened{ID: id, Status: joinPending, Token: token}
	if way != joinAuto {
		return out, nil
	}
	decided, err := s.decide(ctx, System(org.ID, originDomain), k, policy.domains.gives(a.Domain), originDomain)
	if err != nil {
		return nil, err
	}
	out.Status, out.User = decided.Status, decided.User
	return out, nil
}

// openedAgain answers a verification that is repeated.
func (s *Service) openedAgain(ctx context.Context, c scim.Caller, k storage.Key) (*JoinOpened, error) {
	token, digest, err := s.newLinkToken(prefixJoin)
	if err != nil {
		return nil, err
	}
	_, err = change(ctx, s, s.store, c, k, s.now(), func(r *record[JoinRequest]) error {
		r.Secret[secretWithdraw] = digest
		return nil
	})
	return &JoinOpened{ID: k.ID, Status: joinPending, Token: token}, fail(typeJoinRequest, err)
}

// newJoin is the document of a request whose address is proved.
func (s *Service) newJoin(ctx context.Context, org scim.OrgID, a mail.Address, set Settings, content joinContent, ours bool) (*JoinRequest, error) {
	now := s.now()
	declined, err := s.count(ctx, org, typeJoinRequest, query.And{
		s.eq(typeJoinRequest, "email", a.String()), s.eq(typeJoinRequest, "status", joinDeclined),
	})
	if err != nil {
		return nil, fail(typeJoinRequest, err)
	}
	domains, err := s.domains()
	if err != nil {
		return nil, err
	}
	ask := content.Ask
	j := &JoinRequest{
		Email: a.String(), Name: ask.Name, Message: ask.Message, OccupationRequested: ask.Occupation, RoleRequested: ask.Role,
		Source: sourcePublic, Status: joinPending, VerifiedAt: at(now), ExpiresAt: at(now.Add(seconds(set.Join.RequestTTL))),
		Signals: &Signals{DomainMatch: ours, PriorDecline: declined, Disposable: domains.Disposable(a.Domain, mail.Lists{})},
	}
	if ours {
		j.Source = sourceDomain
	}
	return j, nil
}

// The ways in for somebody with an address.
const (
	joinNot  = iota // they cannot ask
	joinAsks        // somebody decides
	joinAuto        // they are let in
)

// joining is the way in for people with an address of a domain. What was decided about a proved domain goes before the
// organization's policy, which is about everybody else, and about proved domains of which nothing was decided.
func (p *invitePolicy) joining(domain string) int {
	closed := p.settings.Join.Policy == policyClosed
	switch p.domains.capture(domain) {
	case captureIdPOnly:
		return joinNot
	case captureAuto:
		return joinAuto
	case captureRequest:
		return joinAsks
	case captureSuggest:
		if closed {
			return joinNot
		}
		return joinAsks
	}
	switch p.settings.Join.Policy {
	case policyRequest:
		return joinAsks
	case policyDomainRequest:
		if p.domains.owned(domain) {
			return joinAsks
		}
	case policyDomainAuto:
		if p.domains.owned(domain) {
			return joinAuto
		}
	}
	return joinNot
}

// gives is what people get who are let in by their domain; nil if nothing was decided about that.
func (d *ownDomains) gives(domain string) *Given {
	v := d.m[domain]
	if v == nil || v.DefaultRole == "" && v.DefaultOccupation == "" {
		return nil
	}
	g := &Given{Occupation: v.DefaultOccupation}
	if v.DefaultRole != "" {
		g.Roles = []string{v.DefaultRole}
	}
	return g
}

// aboveFloor lets people of a domain in only if enough members have proved an address of it; else somebody decides.
func (s *Service) aboveFloor(ctx context.Context, org scim.OrgID, set Settings, domain string) (int, error) {
	if set.Join.Floor == 0 {
		return joinAuto, nil
	}
	f := s.field(typeUser, "emails.value")
	n, err := s.count(ctx, org, typeUser, query.And{
		query.Compare{Field: f, Op: query.Ew, Value: query.Value{Kind: f.Kind, Str: query.Fold("@" + domain)}},
		s.is(typeUser, scim.SchemaRollcallUser+":emailVerified", true),
		query.Not{Expr: s.is(typeUser, "active", false)},
	})
	if err != nil || n < set.Join.Floor {
		return joinAsks, fail(typeUser, err)
	}
	return joinAuto, nil
}

// WithdrawJoin takes a request back for who made it.
func (s *Service) WithdrawJoin(ctx context.Context, who Visitor, orgSlug, id, token string) error {
	if err := s.mayTry(ctx, who); err != nil {
		return err
	}
	org, err := s.publicOrg(ctx, orgSlug)
	if err != nil {
		return err
	}
	k := storage.Key{Org: scim.SystemOrg, Type: typeJoinRequest, ID: id}
	if org != nil {
		k.Org = org.ID
	}
	var r *record[JoinRequest]
	if len(id) == 36 {
		if r, err = load[JoinRequest](ctx, s.store, k); err != nil {
			return fail(typeJoinRequest, err)
		}
	}
	digest := ""
	if r != nil {
		digest, _ = r.Secret[secretWithdraw].(string)
	}
	if !s.isLinkToken(token, digest) {
		return s.wrong(ctx, who, "join", id)
	}
	now := s.now()
	_, err = change(ctx, s, s.store, who.caller(k.Org, KindPublic), k, now, func(r *record[JoinRequest]) error {
		if r.Value.Status != joinPending && r.Value.Status != joinWithdrawn {
			return gone("request_"+r.Value.Status, "the request is %s", r.Value.Status)
		}
		return closeRequest(r, joinWithdrawn, "", at(now))
	})
	if err == nil {
		s.counted.JoinRequest(joinWithdrawn)
	}
	return fail(typeJoinRequest, err)
}

// AskForOther makes a request of a member, or of an application, that somebody be let in.
func (s *Service) AskForOther(ctx context.Context, sub Subject, in JoinAsk) (*JoinRecord, error) {
	if err := Allowed(sub, ActAskToJoin, Target{Type: typeJoinRequest}); err != nil {
		return nil, err
	}
	x, err := s.inviting(ctx, Subject{Caller: sub.Caller, Kind: KindOperator, User: sub.User, Label: sub.Label, Rank: RankOwner}, true)
	if err != nil {
		return nil, err
	}
	if err := x.policy.opening(); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(in.Message) > maxJoinMessage {
		return nil, invalid("message", "too_long", "must have %d characters at most", maxJoinMessage)
	}
	v := Invite{Email: in.Email, Name: in.Name, Message: in.Message, Occupation: in.Occupation}
	if in.Role != "" {
		v.Roles = []Ref{{Value: in.Role}}
	}
	x.approval = true
	item := &inviteItem{invite: v, InviteOutcome: InviteOutcome{Input: in.Email}}
	if item.address, err = mail.ParseAddress(in.Email); err != nil {
		return nil, invalid("email", OutcomeInvalid, "%s", err)
	}
	item.invite.Email = item.address.String()
	items := []*inviteItem{item}
	for _, step := range []func(context.Context, []*inviteItem) error{x.judge, x.sift, x.bound, x.run} {
		if err := step(ctx, items); err != nil {
			return nil, err
		}
		if item.Outcome != "" && !item.Made() {
			return nil, item.refusal()
		}
	}
	s.counted.JoinRequest(joinPending)
	return s.GetJoin(ctx, sub, item.JoinRequest)
}
