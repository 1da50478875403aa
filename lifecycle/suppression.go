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

// addressDoc is what all organizations together know of an address, which the record names by a keyed hash only.
type addressDoc struct {
	Points     int    `json:"points,omitempty"`
	At         string `json:"at,omitempty"`
	Complained bool   `json:"complained,omitempty"`
	OptedOut   bool   `json:"optedOut,omitempty"`
}

func (d *addressDoc) score() mail.Score {
	return mail.Score{Points: d.Points, At: instantOf(d.At), Complained: d.Complained}
}

// addressDigest is the hash by which an address is known where it must not be read.
func (s *Service) addressDigest(a mail.Address) string { return s.linkDigest("address " + a.Key()) }

func addressKey(digest string) storage.Key {
	return storage.Key{Org: scim.SystemOrg, Type: resources.TypeMailAddress, ID: idOf("mail-address", digest)}
}

// suppressed reports whether mail to an address is to be left alone: it bounced lately, or its owner complained or
// refused invitations.
func (s *Service) suppressed(ctx context.Context, a mail.Address) (bool, error) {
	known, err := load[addressDoc](ctx, s.store, addressKey(s.addressDigest(a)))
	if err != nil || known == nil {
		return false, fail(resources.TypeMailAddress, err)
	}
	return known.Value.OptedOut || known.Value.score().Stopped(s.now()), nil
}

// undeliverable reports whether mail that somebody waits for is of no use either: the address bounces, or its owner
// has called our mail unwanted.
func (s *Service) undeliverable(ctx context.Context, digest string) (bool, error) {
	known, err := load[addressDoc](ctx, s.store, addressKey(digest))
	if err != nil || known == nil {
		return false, err
	}
	return known.Value.score().Stopped(s.now()), nil
}

// suppress notes that the owner of an address wants no more invitations, from nobody.
func (s *Service) suppress(ctx context.Context, address string) error {
	a, err := mail.ParseAddress(address)
	if err != nil {
		return invalid("email", "invalid_address", "%s", err)
	}
	return fail(resources.TypeMailAddress, s.noteAddress(ctx, s.addressDigest(a), func(d *addressDoc, _ time.Time) { d.OptedOut = true }))
}

// Release lets mail go to an address again: the operator has cleared up why it bounced or complained.
func (s *Service) Release(ctx context.Context, address string) error {
	a, err := mail.ParseAddress(address)
	if err != nil {
		return invalid("email", "invalid_address", "%s", err)
	}
	return fail(resources.TypeMailAddress, s.noteAddress(ctx, s.addressDigest(a), func(d *addressDoc, _ time.Time) { *d = addressDoc{} }))
}

// noteAddress changes what is known of an address.
func (s *Service) noteAddress(ctx context.Context, digest string, fn func(*addressDoc, time.Time)) error {
	k, c, now := addressKey(digest), System(scim.SystemOrg, "mail").Caller, s.now()
	for {
		_, err := change(ctx, s, s.store, c, k, now, func(r *record[addressDoc]) error {
			fn(&r.Value, now)
			return nil
		})
		if !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		var d addressDoc
		fn(&d, now)
		if _, err = s.insert(ctx, s.store, c, k, now, d, nil); !errors.Is(err, storage.ErrExists) {
			return err
		}
	}
}

func (d *addressDoc) setScore(s mail.Score) {
	d.Points, d.Complained, d.At = s.Points, s.Complained, scim.FormatTime(s.At)
}

// instantOf reads an instant that this package has written; the zero time for "".
func instantOf(s string) time.Time {
	t, err := time.Parse(scim.TimeFormat, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
