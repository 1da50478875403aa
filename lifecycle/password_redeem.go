package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// ResetLink is what a link to reset a password holds, and what its holder says.
type ResetLink struct {
	Org   string // slug or id
	Reset string // id
	Token string

	Password string // the new one, where Rollcall keeps passwords
	Nonce    string // of the application, elsewhere: with the same one it may ask again; empty: it may not
}

// ResetDone is what a link led to.
type ResetDone struct {
	User          string // id
	Org           *storage.Organization
	MailboxProved bool // whoever held the link receives mail at the person's address
	At            time.Time
	Again         bool // the same application has redeemed it before
}

// Bounds of passwords, in characters.
const (
	minPassword = 8
	maxPassword = 256
	maxNonce    = 128
)

// RedeemReset uses a link up. Where Rollcall keeps passwords the new one is set; else the caller, an application, learns
// whose link it is and sets the password itself. Of any number of tries at once one succeeds: token, time and use are
// compared in the step. Whoever holds the token is told why it is of no use any more, everybody else that there is no
// such link.
func (s *Service) RedeemReset(ctx context.Context, who Visitor, l ResetLink) (*ResetDone, error) {
	if err := s.mayTry(ctx, who); err != nil {
		return nil, err
	}
	org, err := s.publicOrg(ctx, l.Org)
	if err != nil {
		return nil, err
	}
	var r *record[passwordReset]
	digest := ""
	if org != nil {
		if r, err = load[passwordReset](ctx, s.store, storage.Key{Org: org.ID, Type: resources.TypePasswordReset, ID: l.Reset}); err != nil {
			return nil, fail(resources.TypePasswordReset, err)
		}
	}
	if r != nil {
		digest, _ = r.Secret[secretReset].(string)
	}
	if !s.isLinkToken(l.Token, digest) {
		return nil, s.wrong(ctx, who, "password_reset", l.Reset)
	}
	set, _, err := s.Settings(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	hash, err := s.newPassword(ctx, set.Passwords.Mode, r, &l)
	if err != nil {
		return nil, err
	}
	x := redeeming{Service: s, link: l, org: org, digest: digest, hash: hash, caller: who.caller(org.ID, KindPublic), key: r.Key}
	err = s.store.Within(ctx, org.ID, func(tx storage.Tx) error { return x.run(ctx, tx) })
	if err != nil {
		return nil, s.alike(ctx, who, "password_reset", fail(resources.TypePasswordReset, err))
	}
	return &x.done, nil
}

// newPassword checks what the holder of a link says, and hashes the password if Rollcall keeps it. A link that has ended
// costs no hashing.
func (s *Service) newPassword(ctx context.Context, mode string, r *record[passwordReset], l *ResetLink) (string, error) {
	switch {
	case mode == passwordsOff:
		return "", signsInElsewhere("")
	case mode == passwordsLink:
		if l.Password != "" {
			return "", conflict("password_not_here", "Rollcall keeps no passwords for this organization: the application sets it")
		}
		if len(l.Nonce) > maxNonce {
			return "", invalid("nonce", "too_long", "must have at most %d characters", maxNonce)
		}
		return "", nil
	case !r.Value.UsedAt.IsZero(), !r.Value.Expires.After(s.now()):
		return "", nil // the step says why
	}
	u, err := load[userFacts](ctx, s.store, userKey(r.Key.Org, r.Value.User))
	if err != nil {
		return "", fail(typeUser, err)
	}
	if u == nil {
		return "", nil
	}
	if err := goodPassword(l.Password, &u.Value); err != nil {
		return "", err
	}
	return s.resources.HashPassword(ctx, l.Password)
}

// goodPassword refuses what is guessed first. Length is what counts (NIST SP 800-63B 3.1.1): which characters it has is
// not asked.
func goodPassword(plain string, u *userFacts) error {
	switch n := utf8.RuneCountInString(plain); {
	case !utf8.ValidString(plain):
		return invalid("password", "malformed", "must be text in UTF-8")
	case n < minPassword:
		return invalid("password", "password_too_short", "must have at least %d characters", minPassword)
	case n > maxPassword:
		return invalid("password", "too_long", "must have at most %d characters", maxPassword)
	}
	known := []string{u.UserName, u.DisplayName}
	for _, m := range u.Emails {
		known = append(known, m.Value)
	}
	for _, name := range known {
		local, _, _ := strings.Cut(name, "@")
		if name != "" && (strings.EqualFold(plain, name) || strings.EqualFold(plain, local)) {
			return invalid("password", "password_guessable", "must not be the person's name or address")
		}
	}
	return nil
}

// redeeming is a link that is being used up.
type redeeming struct {
	*Service
	link   ResetLink
	org    *storage.Organization
	digest string // of the token that was checked
	hash   string // of the new password; empty: none is kept here
	caller scim.Caller
	key    storage.Key
	done   ResetDone
}

// run is the step.
func (x *redeeming) run(ctx context.Context, tx storage.Tx) error {
	now := x.now()
	nonce := ""
	if x.link.Nonce != "" {
		nonce = x.linkDigest("reset nonce " + x.key.ID + " " + x.link.Nonce)
	}
	_, err := change(ctx, x.Service, tx, x.caller, x.key, now, func(r *record[passwordReset]) error {
		v := &r.Value
		x.done = ResetDone{User: v.User, Org: x.org, MailboxProved: v.Class == resetMailed, At: now}
		have, _ := r.Secret[secretNonce].(string)
		switch {
		case r.Secret[secretReset] != x.digest: // another link has taken its place
			return gone("reset_replaced", "there is a newer link: use that one")
		case !v.Expires.After(now):
			return gone("reset_expired", "the link has expired: ask for another one")
		case !v.UsedAt.IsZero() && nonce != "" && have == nonce:
			x.done.Again, x.done.At = true, v.UsedAt.Time
			return errMoved // nothing is to be written
		case !v.UsedAt.IsZero():
			return gone("reset_used", "the link has been used: ask for another one")
		}
		if v.UsedAt = at(now); nonce != "" {
			r.Secret[secretNonce] = nonce
		}
		return nil
	})
	switch {
	case errors.Is(err, errMoved):
		return nil
	case errors.Is(err, storage.ErrNotFound):
		return unknownLink()
	case err != nil:
		return err
	}
	return x.set(ctx, tx, now)
}

// set writes the password, if it is kept here, and tells the person. Somebody who has no access gets none by this way.
func (x *redeeming) set(ctx context.Context, tx storage.Tx, now time.Time) error {
	k := userKey(x.org.ID, x.done.User)
	u, err := load[userFacts](ctx, tx, k)
	if err != nil {
		return err
	}
	if u == nil || !u.Value.active() {
		return refuse(http.StatusGone, "account_closed", "the account has no access any more: ask an administrator")
	}
	if x.hash == "" {
		return nil
	}
	d := x.registry.Definition(typeUser)
	_, _, err = tx.Update(ctx, k, now, func(cur storage.Current) (*storage.Edit, error) {
		doc, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		return d.NewEdit(x.caller, storage.OpPatch, doc, scim.CloneAttributes(doc), scim.Attributes{"password": x.hash}), nil
	})
	if err != nil {
		return err
	}
	to, err := mail.ParseAddress(mainAddress(u.doc))
	if err != nil {
		return nil //nolint:nilerr // there is nobody to tell
	}
	l := Letter{
		Kind: mail.KindPasswordChanged, To: to.String(), About: k,
		Values: mail.Values{Organization: x.org.Name, Name: u.Value.label(), When: now},
	}
	err = x.post(ctx, tx, x.caller, now, l)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Code == "mail_off" {
		return nil
	}
	return err
}
