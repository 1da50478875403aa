package resources

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"

	"rollcall/scim"
)

// Parameters of argon2id, those that OWASP's password storage page names for it.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// hasher hashes secrets, so many at a time as there are slots: each one takes 19 MiB and a core for a while.
type hasher struct {
	slots  chan struct{}
	random io.Reader
}

// hash returns the PHC string of a secret's argon2id hash.
func (h *hasher) hash(ctx context.Context, plain string) (string, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("read random salt: %w", err)
	}
	key := argon2.IDKey(opaque(plain), salt, argonTime, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// opaque prepares a password as RFC 7644 5 asks (PRECIS OpaqueString, RFC 8265 4.2), so that two keyboards that
// write one character differently give one password. What the profile forbids is taken as it is.
func opaque(plain string) []byte {
	if b, err := precis.OpaqueString.Bytes([]byte(plain)); err == nil {
		return b
	}
	return []byte(plain)
}

// HashPassword returns what is stored of a password. It waits for its turn: hashing takes memory.
func (s *Service) HashPassword(ctx context.Context, plain string) (string, error) {
	return s.hasher.hash(ctx, plain)
}

// hashSecrets replaces the clear text of secrets by hashes; nil, which un-assigns, stays.
func (s *Service) hashSecrets(ctx context.Context, secret scim.Attributes) (scim.Attributes, error) {
	if len(secret) == 0 {
		return nil, nil
	}
	out := make(scim.Attributes, len(secret))
	for name, v := range secret {
		if v == nil {
			out[name] = nil
			continue
		}
		plain, _ := v.(string)
		if plain == "" {
			return nil, scim.InvalidValue(name, "must not be empty")
		}
		h, err := s.hasher.hash(ctx, plain)
		if err != nil {
			return nil, err
		}
		out[name] = h
	}
	return out, nil
}
