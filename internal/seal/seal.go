// Package seal encrypts small texts that others keep: cursors that clients carry, answers that lie in the store. A [Box]
// needs no random source.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Box encrypts with AES-GCM (NIST SP 800-38D) under keys derived from one. It is safe for concurrent use.
type Box struct {
	aead  cipher.AEAD
	nonce []byte
}

// New returns the box of a key for one purpose: boxes with other labels do not open what it sealed.
func New(key []byte, label string) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("seal: the key must have %d bytes", KeySize)
	}
	block, err := aes.NewCipher(derive(key, "rollcall "+label+" cipher"))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead, nonce: derive(key, "rollcall "+label+" nonce")}, nil
}

func derive(key []byte, label string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(label))
	return m.Sum(nil)
}

// Seal encrypts plain so that it opens with the same bound only. The nonce is a keyed digest of both: equal content is
// equal text, different content never shares a nonce but by collision.
func (b *Box) Seal(plain []byte, bound string) []byte {
	m := hmac.New(sha256.New, b.nonce)
	m.Write([]byte(bound))
	m.Write([]byte{0})
	m.Write(plain)
	nonce := m.Sum(nil)[:b.aead.NonceSize()]
	return b.aead.Seal(nonce, nonce, plain, []byte(bound))
}

// Open is the reverse of Seal; it reports false for what is forged, of another key, or bound to something else.
func (b *Box) Open(sealed []byte, bound string) ([]byte, bool) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, false
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(bound))
	return plain, err == nil
}
