package lifecycle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"rollcall/scim"
	"rollcall/storage"
)

type digest = [sha256.Size]byte

const (
	saltBytes = 16
	// What stands in front of what is hashed says what it is, so that no leaf can be taken for a link.
	leafMark   = "rollcall audit change 1"
	linkMark   = "rollcall audit seal 1"
	valuesMark = "rollcall audit values 1"
)

// blind is how a link commits to the values of one change: with a salt, as long as they are kept; when they are erased the
// salt goes too, and only what it made of them stays. Without the salt nobody can try out which values they were.
type blind struct {
	salt   []byte
	values digest // if there is no salt
}

func (b *blind) of(ch *storage.Change) digest {
	if b.salt == nil {
		return b.values
	}
	h := sha256.New()
	hashAll(h, []byte(valuesMark), b.salt)
	for i := range ch.Values {
		v := &ch.Values[i]
		hashAll(h, []byte(v.Path), scim.AppendJSON(nil, v.Old), scim.AppendJSON(nil, v.New))
	}
	return digest(h.Sum(nil))
}

// hashAll adds parts with their lengths, so that no two lists of parts are hashed alike.
func hashAll(h hash.Hash, parts ...[]byte) {
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
}

func hashInt(h hash.Hash, numbers ...int64) {
	var n [8]byte
	for _, x := range numbers {
		binary.BigEndian.PutUint64(n[:], uint64(x))
		h.Write(n[:])
	}
}

// leaf is the hash of a change: all of it, and of its values what b makes of them.
func leaf(ch *storage.Change, b *blind) digest {
	h := sha256.New()
	hashAll(h, []byte(leafMark), []byte(ch.Position), []byte(ch.Key.Type), []byte(ch.Key.ID), []byte(ch.Op),
		[]byte(ch.Actor.Kind), []byte(ch.Actor.ID), []byte(ch.Actor.Name), []byte(ch.Request))
	hashInt(h, ch.Version, ch.At.UnixMilli(), int64(len(ch.Values)))
	for i := range ch.Values {
		hashAll(h, []byte(ch.Values[i].Path))
	}
	for _, ids := range [][]string{ch.MembersAdded, ch.MembersRemoved} {
		hashInt(h, int64(len(ids)))
		for _, id := range ids {
			hashAll(h, []byte(id))
		}
	}
	values := b.of(ch)
	h.Write(values[:])
	return digest(h.Sum(nil))
}

// chain is the hash of a link under way.
type chain struct{ h hash.Hash }

func newChain(number int64, prior string) chain {
	c := chain{sha256.New()}
	hashAll(c.h, []byte(linkMark), []byte(prior))
	hashInt(c.h, number)
	return c
}

func (c chain) add(l digest) { c.h.Write(l[:]) }

func (c chain) sum() string { return hex.EncodeToString(c.h.Sum(nil)) }

// The kinds of blinds as they are stored.
const (
	blindSalt   = 's'
	blindDigest = 'd'
)

var errBlinds = errors.New("lifecycle: the secrets of a seal cannot be read")

// newBlinds draws salts for n changes.
func newBlinds(random io.Reader, n int) ([]blind, error) {
	salts := make([]byte, n*saltBytes)
	if _, err := io.ReadFull(random, salts); err != nil {
		return nil, err
	}
	list := make([]blind, n)
	for i := range list {
		list[i].salt = salts[i*saltBytes : (i+1)*saltBytes]
	}
	return list, nil
}

func encodeBlinds(list []blind) string {
	b := make([]byte, 0, len(list)*(saltBytes+1))
	for i := range list {
		if list[i].salt != nil {
			b = append(append(b, blindSalt), list[i].salt...)
		} else {
			b = append(append(b, blindDigest), list[i].values[:]...)
		}
	}
	return base64.RawStdEncoding.EncodeToString(b)
}

func decodeBlinds(text string) ([]blind, error) {
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errBlinds
	}
	var list []blind
	for len(b) > 0 {
		switch kind := b[0]; {
		case kind == blindSalt && len(b) > saltBytes:
			list = append(list, blind{salt: b[1 : saltBytes+1]})
			b = b[saltBytes+1:]
		case kind == blindDigest && len(b) > sha256.Size:
			list = append(list, blind{values: digest(b[1 : sha256.Size+1])})
			b = b[sha256.Size+1:]
		default:
			return nil, errBlinds
		}
	}
	return list, nil
}
