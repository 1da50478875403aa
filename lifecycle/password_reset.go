package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// What becomes of passwords (passwords.mode).
const (
	passwordsOff   = "off"   // people sign in elsewhere
	passwordsLink  = "link"  // an application keeps them, and is told who has proved their mailbox
	passwordsLocal = "local" // Rollcall keeps their hashes
)

// Limits of password resets.
const (
	resetTTL        = 30 * time.Minute // asked for by the person
	resetByAdminTTL = 24 * time.Hour
	resetKept       = 24 * time.Hour // after its end, to tell who holds the link what happened
	resetsPerHour   = 3              // for one address
	resetsPerIP     = 20             // in an hour, from one address of the network
)

// passwordReset is the one reset of a user that counts; another one takes its place.
type passwordReset struct {
	User    string  `json:"user"`
	Class   string  `json:"class"` // mailed or shared
	Made    Instant `json:"made"`
	Expires Instant `json:"expires"`
	Until   Instant `json:"until"` // the record says nothing any more
	By      *Ref    `json:"by,omitempty"`
	UsedAt  Instant `json:"usedAt,omitzero"`
}

// What a link proves of who holds it.
const (
	resetMailed = "mailed" // receives mail at the person's address
	resetShared = "shared" // nothing: it was handed out
)

const (
	secretReset = "token" // digest of the link's token
	secretNonce = "nonce" // digest of what the application that redeemed it said, so that it may ask again
)

func resetKey(org scim.OrgID, user string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypePasswordReset, ID: idOf("password-reset", string(org), user)}
}

// signsInElsewhere is the answer where no password is reset here; page, which may be empty, is where.
func signsInElsewhere(page string) *scim.Error {
	if page == "" {
		return conflict("signs_in_elsewhere", "passwords are not reset here: sign in by your identity provider, and ask its administrator")
	}
	return conflict("signs_in_elsewhere", "passwords are not reset here but at %s", page)
}

// AskForReset mails a link to somebody who says that they have forgotten their password. The answer is the same for every
// address and every organization, but for one that has said that its people sign in elsewhere, and about as much is done.
func (s *Service) AskForReset(ctx context.Context, who Visitor, slug, email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil {
		return invalid("email", OutcomeInvalid, "%s", err)
	}
	if err := s.limitedThere(ctx, who, "reset-ip", resetsPerIP, time.Hour); err != nil {
		return err
	}
	if err := s.limited(ctx, "reset-address", a.Key(), resetsPerHour, time.Hour); err != nil {
		return err
	}
	org, err := s.publicOrg(ctx, slug)
	if err != nil {
		return err
	}
	if org == nil {
		return s.pretendReset(ctx, scim.SystemOrg)
	}
	set, _, err := s.Settings(ctx, org.ID)
	if err != nil {
		return err
	}
	if set.Passwords.Mode == passwordsOff {
		return signsInElsewhere(set.Passwords.Elsewhere)
	}
	found, err := s.facts(ctx, org.ID, []mail.Address{a})
	if err != nil {
		return fail(typeUser, err)
	}
	u := found[a.Key()].user
	if u == nil || !u.Value.active() || !u.Value.owns(a.String()) || set.Status == statusClosing {
		return s.pretendReset(ctx, org.ID)
	}
	elsewhere, err := s.ssoOnly(ctx, u.Key, u.Secret)
	if err != nil {
		return err
	}
	if elsewhere {
		return s.pretendReset(ctx, org.ID)
	}
	r := reset{org: org, set: set, user: u.Key.ID, name: u.Value.label(), to: a.String(), ttl: resetTTL, caller: who.caller(org.ID, KindPublic)}
	_, err = s.openReset(ctx, &r)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Code == "mail_off" { // nobody learns of it by an address
		return nil
	}
	return err
}

const statusClosing = "closing"

// ssoOnly reports whether a person signs in by an identity provider only: a connection provisions them, and there is no
// password here that could be reset.
func (s *Service) ssoOnly(ctx context.Context, k storage.Key, secret scim.Attributes) (bool, error) {
	if secret["password"] != nil {
		return false, nil
	}
	m, err := s.claims(ctx, k)
	return err == nil && m.any() != nil, err
}

// pretendReset writes as much as a reset does, so that nobody learns from the time that it takes whom there is. A sweep
// throws it away.
func (s *Service) pretendReset(ctx context.Context, org scim.OrgID) error {
	c, now := System(org, "limits").Caller, s.now()
	if _, _, err := s.newLinkToken(prefixReset); err != nil {
		return err
	}
	return fail(resources.TypeLimit, s.store.Within(ctx, org, func(tx storage.Tx) error {
		for range 2 { // the reset and its letter
			k := storage.Key{Org: org, Type: resources.TypeLimit, ID: s.newID()}
			if _, err := s.insert(ctx, tx, c, k, now, limitDoc{Until: scim.FormatTime(now)}, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

// reset is a password reset that is being opened.
type reset struct {
	org    *storage.Organization
	set    Settings
	user   string // id
	name   string
	to     string // address; empty: the link is handed out
	by     *Ref
	ttl    time.Duration
	caller scim.Caller
}

// ResetOpened is a password reset that waits for the person.
type ResetOpened struct {
	ID        string
	SentTo    string // masked; empty if the link is handed out
	Link      string // to hand out; empty if it was mailed
	Token     string // of that link
	ExpiresAt time.Time
}

// openReset stores the reset, in place of an older one, and mails its link in the same step.
func (s *Service) openReset(ctx context.Context, r *reset) (*ResetOpened, error) {
	token, digest, err := s.newLinkToken(prefixReset)
	if err != nil {
		return nil, err
	}
	k, now := resetKey(r.org.ID, r.user), s.now()
	next := passwordReset{
		User: r.user, Class: resetMailed, Made: at(now), Expires: at(now.Add(r.ttl)), Until: at(now.Add(r.ttl + resetKept)), By: r.by,
	}
	link := s.resetLink(r.set.Passwords.Page, r.org.Slug, k.ID, token)
	out := &ResetOpened{ID: k.ID, SentTo: masked(r.to), ExpiresAt: next.Expires.Time}
	if r.to == "" {
		next.Class, out.Link, out.Token = resetShared, link, token
	}
	secret := scim.Attributes{secretReset: digest}
	err = s.store.Within(ctx, r.org.ID, func(tx storage.Tx) error {
		_, err := change(ctx, s, tx, r.caller, k, now, func(x *record[passwordReset]) error {
			x.Value, x.Secret = next, secret
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			_, err = s.insert(ctx, tx, r.caller, k, now, next, secret)
		}
		if err != nil || r.to == "" {
			return err
		}
		l := Letter{
			Kind: mail.KindPasswordReset, To: r.to, About: userKey(r.org.ID, r.user), Until: next.Expires.Time,
			Values: mail.Values{Organization: r.org.Name, Name: r.name, Link: link, Expires: next.Expires.Time},
		}
		if r.by != nil {
			l.Values.Actor = r.by.Display
		}
		return s.post(ctx, tx, r.caller, now, l)
	})
	if errors.Is(err, storage.ErrExists) { // another one was opened in the same moment
		err = storage.ErrContention
	}
	if err != nil {
		return nil, fail(resources.TypePasswordReset, err)
	}
	return out, nil
}

// ResetPassword lets a person set a new password: a link is mailed to them, or, if the organization allows that,
// handed to the administrator, which proves nothing about the mailbox. People do it for themselves, by mail.
func (s *Service) ResetPassword(ctx context.Context, sub Subject, id, deliver string) (*ResetOpened, error) {
	p, snap, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActResetPassword, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	set := snap.settings
	secret, err := load[scim.Attributes](ctx, s.store, userKey(sub.Org, id))
	if err != nil {
		return nil, fail(typeUser, err)
	}
	if secret == nil {
		return nil, notFound(typeUser)
	}
	if set.Passwords.Mode == passwordsOff {
		return nil, signsInElsewhere(set.Passwords.Elsewhere)
	}
	elsewhere, err := s.ssoOnly(ctx, userKey(sub.Org, id), secret.Secret)
	switch {
	case err != nil:
		return nil, err
	case elsewhere:
		return nil, signsInElsewhere(set.Passwords.Elsewhere)
	case !p.Facts.Active:
		return nil, conflict("deactivated", "the person is deactivated: activate them first")
	case deliver == deliverLink && (!set.Passwords.AdminLinks || sub.User == id):
		return nil, forbidden("links_off", "the organization does not hand out reset links: have it mailed")
	}
	org, err := s.store.Organization(ctx, string(sub.Org))
	if err != nil {
		return nil, fail("Organization", err)
	}
	r := reset{org: org, set: set, user: id, name: p.Label, ttl: resetByAdminTTL, caller: sub.Caller}
	if sub.User != id {
		r.by = &Ref{Value: sub.actorID(), Display: sub.Label, Type: sub.Actor.Kind}
	} else {
		r.ttl = resetTTL
	}
	if deliver != deliverLink {
		a, err := mail.ParseAddress(mainAddress(p.Doc))
		if err != nil {
			return nil, conflict("no_address", "the person has no mail address")
		}
		if err := s.limited(ctx, "reset-address", a.Key(), resetsPerHour, time.Hour); err != nil {
			return nil, err
		}
		r.to = a.String()
	}
	return s.openReset(ctx, &r)
}

// mainAddress is the main mail address of a person; the userName, if there is none.
func mainAddress(doc scim.Attributes) string {
	if a := mainValue(doc, "emails"); a != "" {
		return a
	}
	return text(doc["userName"])
}

// label is the name that people know a user by.
func (u *userFacts) label() string {
	if u.DisplayName != "" {
		return u.DisplayName
	}
	return u.UserName
}
