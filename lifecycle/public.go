package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// Visitor is who comes without being known: where from, and the login if they have one.
type Visitor struct {
	IP        string // for limits; empty: none
	RequestID string
	Login     *Login
	// Quota, if it is not nil, is told what the tightest of the limits leaves that are kept for where the visitor comes
	// from. Limits for a mail address or a link are not in it: what is left of them says what others did.
	Quota *scim.Quota
}

// tell makes a limit known to the visitor if it is tighter than what they were told before.
func (v Visitor) tell(left scim.Quota) {
	if q := v.Quota; q != nil && (q.Limit == 0 || left.Remaining < q.Remaining || left.Remaining == q.Remaining && left.Reset > q.Reset) {
		*q = left
	}
}

// Login is a person as an identity provider, which the server trusts, has authenticated them.
type Login struct {
	Issuer        string
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
}

// proves reports whether the login proves that the person receives mail at the address.
func (l *Login) proves(address string) bool {
	return l != nil && l.EmailVerified && l.Email != "" && mail.Fold(l.Email) == mail.Fold(address)
}

// key is how records name a login.
func (l *Login) key() string {
	if l == nil {
		return ""
	}
	return idOf("login", l.Issuer, l.Subject)
}

// caller is the visitor in change rows.
func (v Visitor) caller(org scim.OrgID, kind Kind) scim.Caller {
	return scim.Caller{Org: org, Actor: scim.Actor{Kind: string(kind)}, RequestID: v.RequestID}
}

// unknownLink is the one answer to whatever is not known, be it the organization, the invite, or the token: nobody learns
// what there is.
func unknownLink() *scim.Error {
	return refuse(http.StatusNotFound, "unknown_link", "the link is not valid: ask whoever sent it for another one")
}

// gone says to who holds the token of something that it has ended.
func gone(code, format string, args ...any) *scim.Error {
	return refuse(http.StatusGone, code, format, args...)
}

// Limits of the public API.
const (
	triesPerMinute = 10 // of one address of the network
	wrongPerMinute = 5
	wrongPerHour   = 30 // on one link: it slows down, and never dies of it
)

const limitWrong = "public-wrong"

// mayTry takes one try from what the visitor may make.
func (s *Service) mayTry(ctx context.Context, v Visitor) error {
	return s.limitedThere(ctx, v, "public-tries", triesPerMinute, time.Minute)
}

// wrong counts a wrong token or code, and returns the answer to it. What does not exist is counted alike.
func (s *Service) wrong(ctx context.Context, v Visitor, what, id string) error {
	s.counted.BadToken(what)
	if err := s.limitedThere(ctx, v, limitWrong, wrongPerMinute, time.Minute); err != nil {
		return err
	}
	if err := s.limited(ctx, "link-wrong", id, wrongPerHour, time.Hour); err != nil {
		return err
	}
	return unknownLink()
}

// alike counts for the visitor what turned out unknown later, such as the link of somebody else, as a wrong token: neither
// the answer nor what is left to them tells it from one that never was. It does not slow the link down, whose token was right.
func (s *Service) alike(ctx context.Context, v Visitor, what string, err error) error {
	if known, ok := errors.AsType[*scim.Error](err); !ok || known.Code != unknownLink().Code {
		return err
	}
	s.counted.BadToken(what)
	if limit := s.limitedThere(ctx, v, limitWrong, wrongPerMinute, time.Minute); limit != nil {
		return limit
	}
	return err
}

// limited takes one from a limit that all organizations share.
func (s *Service) limited(ctx context.Context, name, key string, most int, per time.Duration) error {
	_, err := s.limitedBy(ctx, name, key, most, per)
	return err
}

// limitedThere takes one from a limit on where the visitor comes from, and tells them what is left.
func (s *Service) limitedThere(ctx context.Context, v Visitor, name string, most int, per time.Duration) error {
	if v.IP == "" {
		return nil
	}
	left, err := s.limitedBy(ctx, name, v.IP, most, per)
	if err == nil {
		v.tell(left)
	}
	return err
}

func (s *Service) limitedBy(ctx context.Context, name, key string, most int, per time.Duration) (scim.Quota, error) {
	n, left, err := s.use(ctx, scim.SystemOrg, name, s.linkDigest(key), 1, most, per)
	if err == nil && n == 0 {
		err = tooMany("rate_limited", most, max(left.Reset, time.Second), "too many tries: wait a while")
	}
	return left, err
}

// publicOrg finds an organization by what a page says; nil for an unknown one.
func (s *Service) publicOrg(ctx context.Context, slug string) (*storage.Organization, error) {
	if slug == "" || len(slug) > 64 {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	o, err := s.store.Organization(ctx, strings.ToLower(slug))
	if errors.Is(err, storage.ErrNotFound) || o != nil && o.ID == scim.SystemOrg {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return o, fail("Organization", err)
}
