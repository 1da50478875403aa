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

// mayTry takes one try from what the visitor may make.
func (s *Service) mayTry(ctx context.Context, v Visitor) error {
	if v.IP == "" {
		return nil
	}
	return s.limited(ctx, "public-tries", v.IP, triesPerMinute, time.Minute)
}

// wrong counts a wrong token or code, and returns the answer to it. What does not exist is counted alike.
func (s *Service) wrong(ctx context.Context, v Visitor, what, id string) error {
	s.counted.BadToken(what)
	if v.IP != "" {
		if err := s.limited(ctx, "public-wrong", v.IP, wrongPerMinute, time.Minute); err != nil {
			return err
		}
	}
	if err := s.limited(ctx, "link-wrong", id, wrongPerHour, time.Hour); err != nil {
		return err
	}
	return unknownLink()
}

// limited takes one from a limit that all organizations share.
func (s *Service) limited(ctx context.Context, name, key string, most int, per time.Duration) error {
	n, after, err := s.take(ctx, scim.SystemOrg, name, s.linkDigest(key), 1, most, per)
	if err == nil && n == 0 {
		err = tooMany("rate_limited", max(after, time.Second), "too many tries: wait a while")
	}
	return err
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
