package lifecycle

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Bounds of mailed codes.
const (
	codeTries    = 5
	codeTTL      = 10 * time.Minute
	codePause    = 60 * time.Second
	codesPerHour = 5
	codesPerDay  = 10
	codeDigits   = 6
	codeRange    = 1_000_000
)

// proof is a code that was mailed to an address.
type proof struct {
	Until   Instant `json:"until"`
	Sent    Instant `json:"sent"`
	Tries   int     `json:"tries"`   // wrong ones
	Address string  `json:"address"` // digest of its key
}

const (
	secretCode    = "code"
	secretContent = "content" // sealed: what a join request will say once the address is proved
)

// newCode draws six digits, each equally likely.
func (s *Service) newCode() (string, error) {
	var b [4]byte
	for {
		if _, err := io.ReadFull(s.random, b[:]); err != nil {
			return "", fmt.Errorf("read random code: %w", err)
		}
		// What is beyond the last whole multiple would make low codes likelier.
		if n := binary.BigEndian.Uint32(b[:]); n < 1<<32-1-(1<<32-1)%codeRange {
			return fmt.Sprintf("%0*d", codeDigits, n%codeRange), nil
		}
	}
}

// codeDigest is what is stored of a code. The id makes equal codes differ.
func (s *Service) codeDigest(id, code string) string { return s.linkDigest("code " + id + " " + code) }

// mayMailCode takes one code from what an address may get.
func (s *Service) mayMailCode(ctx context.Context, address string) error {
	if err := s.limited(ctx, "code-hour", mail.Fold(address), codesPerHour, time.Hour); err != nil {
		return err
	}
	return s.limited(ctx, "code-day", mail.Fold(address), codesPerDay, day*time.Second)
}

func proofKey(org scim.OrgID, parts ...string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeProof, ID: idOf(append([]string{"proof", string(org)}, parts...)...)}
}

// invitePoof names the code by which an address is proved for an invite.
func inviteProof(org scim.OrgID, invite, address string) storage.Key {
	return proofKey(org, invite, mail.Fold(address))
}

// sendCode mails a code, in place of one that was mailed before. Within a minute of that it does nothing.
func (s *Service) sendCode(ctx context.Context, c scim.Caller, k storage.Key, address string, content scim.Attributes, letter Letter) error {
	code, err := s.newCode()
	if err != nil {
		return err
	}
	now := s.now()
	next := proof{Until: at(now.Add(codeTTL)), Sent: at(now), Address: s.linkDigest(mail.Fold(address))}
	secret := scim.CloneAttributes(content)
	if secret == nil {
		secret = scim.Attributes{}
	}
	secret[secretCode] = s.codeDigest(k.ID, code)
	letter.To, letter.Until, letter.Values.Code, letter.Values.Expires = address, next.Until.Time, code, next.Until.Time
	return s.store.Within(ctx, c.Org, func(tx storage.Tx) error {
		old, err := load[proof](ctx, tx, k)
		switch {
		case err != nil:
			return err
		case old == nil:
			if _, err := s.insert(ctx, tx, c, k, now, next, secret); err != nil {
				return err
			}
		case now.Sub(old.Value.Sent.Time) < codePause:
			return nil
		default:
			_, err := change(ctx, s, tx, c, k, now, func(r *record[proof]) error {
				r.Value, r.Secret = next, secret
				return nil
			})
			if err != nil {
				return err
			}
		}
		return s.post(ctx, tx, c, now, letter)
	})
}

// checkCode says whether code is the one that was mailed, and counts it if it is not. After five wrong ones none is right.
func (s *Service) checkCode(ctx context.Context, c scim.Caller, k storage.Key, code string) (*record[proof], error) {
	if len(code) != codeDigits {
		code = ""
	}
	now := s.now()
	var right *record[proof]
	_, err := change(ctx, s, s.store, c, k, now, func(r *record[proof]) error {
		right = nil
		digest, _ := r.Secret[secretCode].(string)
		same := hmac.Equal([]byte(digest), []byte(s.codeDigest(k.ID, code)))
		switch {
		case r.Value.Tries >= codeTries || !r.Value.Until.After(now):
		case same && code != "":
			mine := *r
			right = &mine
		default:
			r.Value.Tries++
		}
		return nil
	})
	if err = moved(err); err == errMoved { //nolint:errorlint // it is what moved has just made
		s.codeDigest(k.ID, code)
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return right, fail(resources.TypeProof, err)
}

// stillProved says in a step whether a code that checkCode found right has not been replaced since.
func stillProved(ctx context.Context, tx storage.Tx, seen *record[proof]) error {
	now, err := load[proof](ctx, tx, seen.Key)
	if err != nil {
		return err
	}
	if now == nil || now.Secret[secretCode] != seen.Secret[secretCode] {
		return errMoved
	}
	return nil
}
