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

// With the setting provisioning.outsidersNeedConsent, people whom a client makes and whose address is of none of the
// organization's proved domains come in only once they have accepted an invite that is mailed to them. Their user is there
// for the client meanwhile, and may do nothing.

const (
	originSCIM    = "scim"
	statusPending = "pendingConsent"

	// consentTTL stands for an invite without an end.
	consentTTL = 10 * 365 * 24 * time.Hour
)

// pendingConsent reports whether a person has not agreed yet to be in the organization.
func pendingConsent(doc scim.Attributes) bool {
	return extension(doc, "origin") == originSCIM && extension(doc, "emailVerified") == false
}

// pendingConsent matches them.
func (r rewriter) pendingConsent() query.Expr {
	return query.And{
		r.s.eq(typeUser, originPath, originSCIM),
		r.s.is(typeUser, scim.SchemaRollcallUser+":emailVerified", false),
	}
}

// askConsent marks a person whom a client is about to make as one to ask, if the organization wants that.
func (s *snapshot) askConsent(doc scim.Attributes) {
	if !s.settings.Provision.OutsidersNeedConsent {
		return
	}
	a, err := mail.ParseAddress(mainAddress(doc))
	if err != nil || s.domains.owned(a.Domain) { // nobody can be asked without an address
		return
	}
	setExtension(doc, "origin", originSCIM)
	setExtension(doc, "emailVerified", false)
}

// consent is the invite of a person who is asked, on its way into the step that makes them.
type consent struct {
	invite Invite
	id     string
	secret scim.Attributes
	letter Letter
}

// consent prepares the invite; nil if there is an open one already, which does as well.
func (s *Service) consent(ctx context.Context, w *resources.Write) (*consent, error) {
	a, err := mail.ParseAddress(mainAddress(w.Doc))
	if err != nil {
		return nil, err
	}
	found, err := s.facts(ctx, w.Key.Org, []mail.Address{a})
	if err != nil {
		return nil, fail(typeInvite, err)
	}
	if i := found[a.Key()].invite; i != nil {
		if i.Value.open(w.At) {
			return nil, nil //nolint:nilnil // absence is an answer here
		}
		if _, err := s.settleInvites(ctx, w.Key.Org, i.Key.ID); err != nil {
			return nil, err
		}
	}
	org, err := s.store.Organization(ctx, string(w.Key.Org))
	if err != nil {
		return nil, fail("Organization", err)
	}
	policy, err := s.invitePolicy(ctx, w.Key.Org)
	if err != nil {
		return nil, err
	}
	token, digest, err := s.newLinkToken(prefixInvite)
	if err != nil {
		return nil, err
	}
	c := &consent{id: s.newID(), secret: scim.Attributes{secretUser: w.Key.ID, secretRank: "0", secretMailed: digest}}
	c.invite = Invite{
		Email: a.String(), Kind: kindPerson, Delivery: deliverEmail, Status: invitePending, ExpiresAt: at(w.At.Add(consentTTL)),
		SentAt: at(w.At), LastSentAt: at(w.At), SendCount: 1,
		Inviter: &Ref{Value: w.Caller.Actor.ID, Display: w.Caller.Actor.Name, Type: "connection"},
	}
	c.invite.Mail.State, c.invite.Mail.At = "queued", at(w.At)
	c.letter = s.inviteLetter(mail.KindInvite, org, c.id, &c.invite, token, policy)
	return c, nil
}

// askByMail stores the invite and queues its mail, in the step that makes the person. Where nothing can be mailed the invite
// waits for an administrator to hand out its link.
func (s *Service) askByMail(ctx context.Context, tx storage.Tx, w *resources.Write, c *consent) error {
	err := s.post(ctx, tx, w.Caller, w.At, c.letter)
	var e *scim.Error
	if err != nil && (!errors.As(err, &e) || e.Code != "mail_off") {
		return err
	}
	_, err = s.insert(ctx, tx, w.Caller, storage.Key{Org: w.Key.Org, Type: typeInvite, ID: c.id}, w.At, c.invite, c.secret)
	return err
}
