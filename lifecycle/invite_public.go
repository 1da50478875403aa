package lifecycle

import (
	"context"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// linkClass is what a token proves.
type linkClass uint8

const (
	classNone   linkClass = iota
	classMailed           // whoever holds it receives mail at the address
	classShared           // nothing
)

// visit is a visitor with the token of an invite.
type visit struct {
	*Service
	who    Visitor
	caller scim.Caller
	org    *storage.Organization
	invite *record[Invite]
	class  linkClass
	now    time.Time
}

// InviteLink is what a visitor holds.
type InviteLink struct {
	Org    string // slug or id, as the page shows it
	Invite string // id
	Token  string
}

// visit finds the invite of a link. Whatever is wrong with it, the answer and the work are the same.
func (s *Service) visit(ctx context.Context, who Visitor, l InviteLink) (*visit, error) {
	if err := s.mayTry(ctx, who); err != nil {
		return nil, err
	}
	org, err := s.publicOrg(ctx, l.Org)
	if err != nil {
		return nil, err
	}
	v := &visit{Service: s, who: who, org: org, now: s.now()}
	k := storage.Key{Org: scim.SystemOrg, Type: typeInvite, ID: l.Invite} // where there is none
	if org != nil {
		k.Org = org.ID
	}
	if len(l.Invite) == 36 {
		if v.invite, err = load[Invite](ctx, s.store, k); err != nil {
			return nil, fail(typeInvite, err)
		}
	}
	var secret scim.Attributes
	if v.invite != nil {
		secret = v.invite.Secret
	}
	v.class = s.classOf(l.Token, secret)
	if v.class == classNone || org == nil {
		return nil, s.wrong(ctx, who, "invite", l.Invite)
	}
	v.caller = who.caller(org.ID, KindInvitee)
	v.caller.Actor.ID, v.caller.Actor.Name = k.ID, "invited person"
	return v, nil
}

// classOf is the class of a token. It takes as long for one that is wrong.
func (s *Service) classOf(token string, secret scim.Attributes) linkClass {
	mailed, _ := secret[secretMailed].(string)
	shared, _ := secret[secretShared].(string)
	isMailed, isShared := s.isLinkToken(token, mailed), s.isLinkToken(token, shared)
	switch {
	case isMailed:
		return classMailed
	case isShared:
		return classShared
	}
	return classNone
}

// ended tells the holder of the token plainly that it has ended, and whom to ask.
func (v *visit) ended() error {
	i := &v.invite.Value
	ask := ""
	if name := i.inviterLabel(); name != "" && i.Inviter.Type == "user" {
		ask = ": ask " + name + " for another one"
	}
	switch status := i.statusAt(v.now); status {
	case invitePending:
		return nil
	case inviteExpired:
		return gone("invite_expired", "the invite expired on %s%s", date(i.ExpiresAt.Time), ask)
	case inviteAccepted:
		return gone("invite_accepted", "the invite has been accepted")
	default:
		return gone("invite_"+status, "the invite is %s%s", status, ask)
	}
}

// InvitePage is what a page shows of an invite before anybody accepts it.
type InvitePage struct {
	Org         *storage.Organization
	Branding    Branding
	Inviter     string
	Kind        string
	EmailMasked string
	Name        *Name
	Role        string
	Message     string
	ExpiresAt   time.Time
	Needs       []string // what proves the address: "mailboxCode", "login"; one of them is enough. None: nothing more
	ProfileAsks bool     // the person has no name yet
}

// ViewInvite shows an invite to who holds its token. It changes nothing.
func (s *Service) ViewInvite(ctx context.Context, who Visitor, l InviteLink) (*InvitePage, error) {
	v, err := s.visit(ctx, who, l)
	if err != nil {
		return nil, err
	}
	if err := v.ended(); err != nil {
		return nil, err
	}
	set, _, err := s.Settings(ctx, v.org.ID)
	if err != nil {
		return nil, err
	}
	i := &v.invite.Value
	p := &InvitePage{
		Org: v.org, Branding: set.Branding, Inviter: i.inviterLabel(), Kind: i.Kind, EmailMasked: masked(i.Email), Name: i.Name,
		Message: i.Message, ExpiresAt: i.ExpiresAt.Time, ProfileAsks: i.Name == nil,
	}
	if len(i.Roles) > 0 {
		p.Role = i.Roles[0].Display
	}
	open := i.Kind == kindLink && set.Invite.LinkSharing == "open"
	if !open && !v.proved(i.Email) {
		p.Needs = []string{"mailboxCode", "login"}
	}
	return p, nil
}

// proved reports whether link and login alone prove that the visitor receives mail at the address.
func (v *visit) proved(address string) bool {
	return v.class == classMailed || v.who.Login.proves(address)
}

// masked is an address as somebody may see it who is perhaps another person.
func masked(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return ""
	}
	r := []rune(local)
	if len(r) <= 2 {
		return string(r[:1]) + "***@" + domain
	}
	return string(r[:1]) + "***" + string(r[len(r)-1:]) + "@" + domain
}

// SendInviteCode mails six digits to the invited address, which whoever holds a link that was handed out types in to prove
// that they receive its mail. For a link that is for several people the visitor says the address.
func (s *Service) SendInviteCode(ctx context.Context, who Visitor, l InviteLink, email string) error {
	v, err := s.visit(ctx, who, l)
	if err != nil {
		return err
	}
	if v.invite.Value.Status != inviteAccepted { // one that was accepted is looked at again by who accepted it
		if err := v.ended(); err != nil {
			return err
		}
	}
	address, err := v.address(ctx, email)
	if err != nil {
		return err
	}
	if err := s.mayMailCode(ctx, address); err != nil {
		return err
	}
	letter := Letter{
		Kind: mail.KindMailboxCode, Locale: v.invite.Value.Locale, About: v.invite.Key,
		Values: mail.Values{Organization: v.org.Name, Name: greeting(v.invite.Value.Name)},
	}
	return fail(typeInvite, s.sendCode(ctx, v.caller, inviteProof(v.org.ID, v.invite.Key.ID, address), address, nil, letter))
}

// address is the address that the visitor is to become a member with.
func (v *visit) address(ctx context.Context, email string) (string, error) {
	i := &v.invite.Value
	if i.Kind == kindPerson {
		return i.Email, nil
	}
	if email == "" && v.who.Login != nil && v.who.Login.EmailVerified {
		email = v.who.Login.Email
	}
	a, err := mail.ParseAddress(email)
	if err != nil {
		return "", invalid("email", OutcomeInvalid, "%s", err)
	}
	policy, err := v.invitePolicy(ctx, v.org.ID)
	if err != nil {
		return "", err
	}
	outcome, detail, _, err := v.judgeAddress(ctx, policy, a)
	if err == nil && outcome != "" {
		err = invalid("email", outcome, "%s", detail)
	}
	return a.String(), err
}

// DeclineInvite ends an invite for who was invited. With stop, nothing is mailed to the address again.
func (s *Service) DeclineInvite(ctx context.Context, who Visitor, l InviteLink, stop bool) error {
	v, err := s.visit(ctx, who, l)
	if err != nil {
		return err
	}
	if v.invite.Value.Status == inviteDeclined {
		return nil
	}
	if err := v.ended(); err != nil {
		return err
	}
	if v.invite.Value.Kind == kindLink {
		return conflict("not_personal", "the link is for several people: there is nothing to decline")
	}
	_, err = change(ctx, s, s.store, v.caller, v.invite.Key, v.now, func(r *record[Invite]) error {
		if s.classOf(l.Token, r.Secret) == classNone || !r.Value.open(v.now) {
			return gone("invite_ended", "the invite has ended")
		}
		end(r, inviteDeclined, "", at(v.now))
		return nil
	})
	if err != nil {
		return fail(typeInvite, err)
	}
	s.counted.Invite(inviteDeclined)
	if stop && v.class == classMailed {
		return s.suppress(ctx, v.invite.Value.Email)
	}
	return nil
}
