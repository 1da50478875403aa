package lifecycle

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// keys are the database's secrets that the lifecycle uses; every process has the same.
type keys struct {
	pepper []byte      // of digests of link tokens
	seal   cipher.AEAD // of what must be read again but not lie open: variables of mails, profiles of removed people
}

func (s *Service) readKeys(ctx context.Context) error {
	random := func(b []byte) error { _, err := io.ReadFull(s.random, b); return err }
	pepper, err := s.store.Secret(ctx, "lifecycle-pepper", random)
	if err != nil {
		return fmt.Errorf("lifecycle: read the key of link tokens: %w", err)
	}
	seal, err := s.store.Secret(ctx, "lifecycle-seal", random)
	if err != nil {
		return fmt.Errorf("lifecycle: read the sealing key: %w", err)
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return fmt.Errorf("lifecycle: sealing key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("lifecycle: sealing key: %w", err)
	}
	s.keys = keys{pepper: pepper, seal: aead}
	return nil
}

// The prefixes of link tokens let secret scanners find leaked ones.
const (
	prefixInvite = "inv_"
	prefixJoin   = "jr_"
	prefixReset  = "pwr_"
	prefixOptOut = "opt_"
)

const (
	linkTokenBytes   = 32
	maxLinkTokenText = 128 // bounds what is hashed for a stranger
	pepperID         = "1" // which pepper a digest is of, so that another can follow
)

// newLinkToken makes an opaque token. Its text exists nowhere else from then on; only the digest is stored.
func (s *Service) newLinkToken(prefix string) (text, digest string, err error) {
	b := make([]byte, linkTokenBytes)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", "", fmt.Errorf("read random token: %w", err)
	}
	text = prefix + base64.RawURLEncoding.EncodeToString(b)
	return text, s.linkDigest(text), nil
}

// linkDigest is what is stored of a link token: a keyed hash, so that a stolen database opens no link.
func (s *Service) linkDigest(text string) string {
	h := hmac.New(sha256.New, s.keys.pepper)
	h.Write([]byte(text))
	return pepperID + ":" + hex.EncodeToString(h.Sum(nil))
}

// isLinkToken compares in constant time. It does the same work for an empty digest, so that a stranger cannot tell an
// unknown invite from a wrong token.
func (s *Service) isLinkToken(text, digest string) bool {
	if len(text) > maxLinkTokenText {
		text = ""
	}
	same := subtle.ConstantTimeCompare([]byte(s.linkDigest(text)), []byte(digest)) == 1
	return same && digest != "" && text != ""
}

// sealed encrypts data for the record that about names, which must be given again to open it.
func (s *Service) sealed(data []byte, about string) (string, error) {
	nonce := make([]byte, s.keys.seal.NonceSize())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return "", fmt.Errorf("read random nonce: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(s.keys.seal.Seal(nonce, nonce, data, []byte(about))), nil
}

func (s *Service) opened(text, about string) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) < s.keys.seal.NonceSize() {
		return nil, errors.New("sealed text is damaged")
	}
	n := s.keys.seal.NonceSize()
	data, err := s.keys.seal.Open(nil, b[:n], b[n:], []byte(about))
	if err != nil {
		return nil, errors.New("sealed text does not open")
	}
	return data, nil
}
