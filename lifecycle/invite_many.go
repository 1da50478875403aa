package lifecycle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// MaxRecipients is how many addresses one request may name.
const MaxRecipients = 500

// inviteChunk is how many addresses share a step.
const inviteChunk = 50

// InviteBatch is a request to invite several people.
type InviteBatch struct {
	Text        string            // a list as people write it; see mail.ParseRecipients
	Recipients  []InviteRecipient // instead of Text
	Common      Invite            // what all invites say
	OnDuplicate string            // skip, resend, replace, fail; empty: as the organization has decided
	DryRun      bool              // says what would happen
}

// InviteRecipient is one person of a batch. What Own says goes before what is common.
type InviteRecipient struct {
	Email string
	Own   Invite
}

// inviteItem is one address on its way.
type inviteItem struct {
	InviteOutcome
	address mail.Address
	invite  Invite
	rank    int
	hints   []string // about the grant, which matter only if it is made
	facts   *addressFacts
	instead *record[Invite] // the invite, to another address, that this one replaces

	// What to do, decided from facts.
	action   inviteAction
	waits    bool   // for a limit: nothing is decided now
	id, user string // of the new invite, and of the user that it will lead to
	token    string
	digest   string
}

// forget makes the item one that nothing is decided of.
func (i *inviteItem) forget() {
	i.Outcome, i.Detail, i.Invite, i.User, i.JoinRequest, i.action = "", "", "", "", "", doNothing
}

type inviteAction uint8

const (
	doNothing inviteAction = iota
	doCreate
	doResend
	doAsk // somebody else must agree
)

// inviting is one request to invite.
type inviting struct {
	*Service
	sub      Subject
	policy   *invitePolicy
	org      *storage.Organization
	now      time.Time
	dup      string
	approval bool
	dry      bool
	clients  map[string]string // names of those that are known to be there, by id
	mass     *mass             // of an import; nil for what is asked for at once
}

func (s *Service) inviting(ctx context.Context, sub Subject, bySCIM bool) (*inviting, error) {
	p, err := s.invitePolicy(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	x := &inviting{Service: s, sub: sub, policy: p, now: s.now(), dup: "skip"}
	if x.approval, err = p.mayInvite(sub, bySCIM); err != nil {
		return nil, err
	}
	if x.org, err = s.store.Organization(ctx, string(sub.Org)); err != nil {
		return nil, fail("Organization", err)
	}
	return x, nil
}

// opening is inviting for what opens an invite.
func (s *Service) opening(ctx context.Context, sub Subject, bySCIM bool) (*inviting, error) {
	x, err := s.inviting(ctx, sub, bySCIM)
	if err != nil {
		return nil, err
	}
	return x, x.policy.opening()
}

// InviteMany invites people and says what became of each address, in the order of the request. Nothing happens at all if
// the request itself is refused.
func (s *Service) InviteMany(ctx context.Context, sub Subject, b InviteBatch) ([]InviteOutcome, error) {
	x, err := s.opening(ctx, sub, false)
	if err != nil {
		return nil, err
	}
	x.dry, x.dup = b.DryRun, x.policy.settings.Invite.OnDuplicate
	if b.OnDuplicate != "" {
		x.dup = b.OnDuplicate
	}
	if !slices.Contains([]string{"skip", "resend", "replace", "fail"}, x.dup) {
		return nil, invalid("onDuplicate", "not_a_choice", "must be skip, resend, replace or fail")
	}
	items, err := x.items(b)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, []*inviteItem) error{x.judge, x.sift, x.bound} {
		if err := step(ctx, items); err != nil {
			return nil, err
		}
	}
	for chunk := range slices.Chunk(items, inviteChunk) {
		if err := x.run(ctx, chunk); err != nil {
			return nil, err
		}
	}
	return x.report(items), nil
}

// Invite invites one person, or makes a link. What InviteMany would skip is refused.
func (s *Service) Invite(ctx context.Context, sub Subject, v Invite) (*InviteOutcome, error) {
	x, err := s.opening(ctx, sub, false)
	if err != nil {
		return nil, err
	}
	item := &inviteItem{invite: v, InviteOutcome: InviteOutcome{Input: v.Email}}
	if v.Kind != kindLink {
		if item.address, err = mail.ParseAddress(v.Email); err != nil {
			return nil, invalid("email", OutcomeInvalid, "%s", err)
		}
		item.invite.Email = item.address.String()
	}
	items := []*inviteItem{item}
	for _, step := range []func(context.Context, []*inviteItem) error{x.judge, x.sift, x.bound, x.run} {
		if err := step(ctx, items); err != nil {
			return nil, err
		}
		if item.Outcome != "" && !item.Made() {
			return nil, item.refusal()
		}
	}
	return &x.report(items)[0], nil
}

func (x *inviting) report(items []*inviteItem) []InviteOutcome {
	out := make([]InviteOutcome, len(items))
	for i, item := range items {
		if out[i] = item.InviteOutcome; item.Made() {
			out[i].Warnings = slices.Concat(item.Warnings, item.hints)
		}
		if !x.dry && item.Outcome != "" {
			x.counted.Invite(item.Outcome)
		}
	}
	return out
}

// items reads the addresses of a batch.
func (x *inviting) items(b InviteBatch) ([]*inviteItem, error) {
	tooMany := refuse(413, "too_many_recipients", "one request may name %d addresses: import more from a file", MaxRecipients)
	var items []*inviteItem
	add := func(r mail.Recipient, own Invite) {
		v := merge(b.Common, own)
		v.Kind, v.Email = kindPerson, r.Address.String()
		if v.Name == nil && r.Name != "" {
			v.Name = &Name{Formatted: r.Name}
		}
		item := &inviteItem{address: r.Address, invite: v, InviteOutcome: InviteOutcome{Input: r.Input, Email: v.Email}}
		if r.Problem != "" {
			item.Email = ""
			item.set(OutcomeInvalid, r.Problem.Error())
		}
		items = append(items, item)
	}
	if b.Text != "" {
		list, err := mail.ParseRecipients(b.Text, MaxRecipients)
		if errors.Is(err, mail.ErrTooManyRecipients) {
			return nil, tooMany
		}
		for _, r := range list {
			add(r, Invite{})
		}
	}
	if len(items)+len(b.Recipients) > MaxRecipients {
		return nil, tooMany
	}
	for _, r := range b.Recipients {
		list, err := mail.ParseRecipients(r.Email, 1)
		switch {
		case err != nil:
			add(mail.Recipient{Input: r.Email, Problem: mail.ErrExtraText}, r.Own)
		case len(list) == 0:
			add(mail.Recipient{Input: r.Email, Problem: mail.ErrEmpty}, r.Own)
		default:
			add(list[0], r.Own)
		}
	}
	if len(items) == 0 {
		return nil, invalid("recipients", "no_recipients", "names no address")
	}
	return items, nil
}

// merge is what one invite of a batch says.
func merge(common, own Invite) Invite {
	v := common
	v.Roles, v.Entitlements = slices.Clone(v.Roles), slices.Clone(v.Entitlements)
	v.Groups, v.Clients = slices.Clone(v.Groups), slices.Clone(v.Clients)
	pick(&v.Name, own.Name)
	pick(&v.Occupation, own.Occupation)
	pick(&v.Profile, own.Profile)
	pick(&v.MembershipExpiresAt, own.MembershipExpiresAt)
	pick(&v.Message, own.Message)
	pick(&v.Locale, own.Locale)
	pick(&v.ExternalID, own.ExternalID)
	for _, l := range []struct{ to, from *[]Ref }{
		{&v.Roles, &own.Roles}, {&v.Entitlements, &own.Entitlements}, {&v.Groups, &own.Groups}, {&v.Clients, &own.Clients},
	} {
		if len(*l.from) > 0 {
			*l.to = slices.Clone(*l.from)
		}
	}
	return v
}

func pick[T comparable](to *T, from T) {
	var none T
	if from != none {
		*to = from
	}
}

// judge decides what can be decided without the organization's people: the form, the grant, the address.
func (x *inviting) judge(ctx context.Context, items []*inviteItem) error {
	seen := map[string]bool{}
	for _, item := range items {
		if item.Outcome != "" {
			continue
		}
		v := &item.invite
		key := item.address.Key()
		if v.Kind != kindLink && seen[key] {
			item.set(OutcomeDuplicate, "the request names the address before")
			continue
		}
		seen[key] = true
		rank, warnings, err := x.policy.complete(v, x.sub, x.now)
		var (
			refused *grantError
			known   *scim.Error
		)
		switch {
		case errors.As(err, &refused):
			item.set(refused.outcome, refused.err.Detail)
			item.err = refused.err
			continue
		case err != nil && x.mass != nil && errors.As(err, &known):
			item.set(OutcomeInvalidValue, known.Detail)
			continue
		case err != nil:
			return err
		}
		item.rank = rank
		if x.mass == nil { // an import has looked before
			if err := x.checkGroups(ctx, x.sub.Org, v.Groups); err != nil {
				return err
			}
		}
		if err := x.checkClients(ctx, v.Clients); err != nil {
			return err
		}
		if v.Kind == kindLink {
			item.hints = warnings
			continue
		}
		outcome, detail, more, err := x.judgeAddress(ctx, x.policy, item.address)
		if err != nil {
			return err
		}
		item.Warnings, item.hints = more, warnings
		if outcome != "" {
			item.set(outcome, detail)
			continue
		}
		v.Mail.Suggestion = suggestion(item.address, more)
	}
	return nil
}

// open are the items of which nothing is decided yet.
func undecided(items []*inviteItem) []*inviteItem {
	return slices.DeleteFunc(slices.Clone(items), func(i *inviteItem) bool { return i.Outcome != "" || i.waits })
}

// learn reads what the organization knows of the addresses.
func (x *inviting) learn(ctx context.Context, items []*inviteItem) error {
	addresses := map[string]mail.Address{}
	for _, item := range items {
		item.facts = &addressFacts{}
		if item.invite.Kind != kindLink {
			addresses[item.address.Key()] = item.address
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	found, err := x.facts(ctx, x.sub.Org, slices.Collect(maps.Values(addresses)))
	if err != nil {
		return fail(typeInvite, err)
	}
	for _, item := range items {
		if f := found[item.address.Key()]; f != nil {
			item.facts = f
		}
	}
	return nil
}

// sift decides what the organization's people and open invites decide, so that limits are asked only for the rest.
func (x *inviting) sift(ctx context.Context, items []*inviteItem) error {
	for chunk := range slices.Chunk(undecided(items), inviteChunk) {
		if err := x.learn(ctx, chunk); err != nil {
			return err
		}
		for _, item := range chunk {
			known := item.facts.user != nil || item.facts.invite != nil && item.facts.invite.Value.open(x.now)
			if x.dup == "fail" && known {
				return scimConflict("duplicates", "somebody of the list is a member or invited already: nobody was invited")
			}
			if x.decideOne(item); item.Made() {
				item.forget()
			}
		}
		if err := x.warnOfFormer(ctx, undecided(chunk)); err != nil {
			return err
		}
	}
	return nil
}

func scimConflict(code, detail string) *scim.Error {
	e := scim.Uniqueness("email")
	e.Code, e.Detail = code, detail
	return e
}
