package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// kind is one kind of thing that is copied.
type kind int

const (
	organizations kind = iota
	tokens
	secrets
	records
	members
	changes
	kinds
)

func (k kind) String() string {
	return [...]string{"organizations", "tokens", "keys", "records", "members", "changes"}[k]
}

// tally counts what a store has and keeps a digest of it. The digest of a kind is the sum of the SHA-256 of its things,
// as the stores have them in different orders; what has an order says so in its own bytes.
type tally struct {
	counts [kinds]int64
	sums   [kinds][32]byte
}

func (t *tally) add(k kind, h *item) {
	t.counts[k]++
	var sum [32]byte
	h.h.Sum(sum[:0])
	carry := uint16(0)
	for i := len(sum) - 1; i >= 0; i-- {
		carry += uint16(t.sums[k][i]) + uint16(sum[i])
		t.sums[k][i] = byte(carry)
		carry >>= 8
	}
}

// differs names a kind that two stores do not have alike, "" if there is none.
func (t *tally) differs(other *tally) string {
	for k := range kinds {
		if t.counts[k] != other.counts[k] || t.sums[k] != other.sums[k] {
			return k.String()
		}
	}
	return ""
}

// Report says what was copied.
type Report struct {
	Organizations int64  `json:"organizations"`
	Tokens        int64  `json:"tokens"`
	Records       int64  `json:"records"`
	Members       int64  `json:"members"`
	Changes       int64  `json:"changes"`
	Digest        string `json:"digest"` // of everything, in hexadecimal; the same for both stores
}

func (t *tally) report() *Report {
	all := newItem()
	for k := range kinds {
		all.int(t.counts[k])
		all.bytes(t.sums[k][:])
	}
	return &Report{
		Organizations: t.counts[organizations], Tokens: t.counts[tokens], Records: t.counts[records],
		Members: t.counts[members], Changes: t.counts[changes], Digest: hex.EncodeToString(all.h.Sum(nil)),
	}
}

// item collects the bytes of one thing, each part with its length, so that no two things have the same bytes.
type item struct {
	h   hash.Hash
	buf []byte
}

func newItem() *item { return &item{h: sha256.New()} }

func (i *item) bytes(b []byte) {
	i.int(int64(len(b)))
	i.h.Write(b)
}

func (i *item) text(texts ...string) {
	for _, s := range texts {
		i.buf = append(i.buf[:0], s...)
		i.bytes(i.buf)
	}
}

func (i *item) list(texts []string) {
	i.int(int64(len(texts)))
	i.text(texts...)
}

func (i *item) int(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	i.h.Write(b[:])
}

func (i *item) time(at time.Time) {
	if at.IsZero() {
		i.text("never")
		return
	}
	i.int(scim.Millis(at).UnixMilli())
}

func (t *tally) organization(o *storage.Organization) {
	i := newItem()
	i.text(string(o.ID), o.Slug, o.Name)
	i.time(o.Created)
	t.add(organizations, i)
}

func (t *tally) token(tok *storage.Token) {
	i := tokenItem(tok)
	t.add(tokens, i)
}

func tokenItem(tok *storage.Token) *item {
	i := newItem()
	i.text(tok.ID, string(tok.Org), tok.Name, tok.Profile)
	i.bytes(tok.Digest[:])
	i.list(tok.Scopes)
	for _, at := range []time.Time{tok.Created, tok.Expires, tok.Revoked, tok.LastUsed} {
		i.time(at)
	}
	return i
}

func tokenDigest(tok *storage.Token) (sum [32]byte) {
	tokenItem(tok).h.Sum(sum[:0])
	return sum
}

func (t *tally) secret(name string, value []byte) {
	i := newItem()
	i.text(name)
	i.bytes(value)
	t.add(secrets, i)
}

func (t *tally) record(r *storage.ExportedRecord) {
	i := newItem()
	i.text(string(r.Org), string(r.Type), r.ID, r.Label)
	i.int(r.Version)
	i.time(r.Created)
	i.time(r.Modified)
	i.bytes(r.Doc)
	if len(r.Secret) > 0 {
		i.bytes(scim.AppendJSON(nil, r.Secret))
	}
	keys := slices.Clone(r.Unique)
	slices.SortFunc(keys, func(a, b query.UniqueKey) int {
		if n := strings.Compare(a.Attr, b.Attr); n != 0 {
			return n
		}
		return strings.Compare(a.Value, b.Value)
	})
	i.int(int64(len(keys)))
	for _, k := range keys {
		i.text(k.Attr, k.Value)
	}
	t.add(records, i)
}

func (t *tally) link(org scim.OrgID, l *storage.Link) {
	i := newItem()
	i.text(string(org), l.Group, l.Member)
	t.add(members, i)
}

func (t *tally) change(org scim.OrgID, c *storage.Change) {
	i := newItem()
	i.text(string(org), string(c.Position), string(c.Key.Type), c.Key.ID, string(c.Op), c.Request, c.Actor.Kind, c.Actor.ID, c.Actor.Name)
	i.int(c.Version)
	i.time(c.At)
	i.int(int64(len(c.Values)))
	for _, v := range c.Values {
		i.text(v.Path)
		i.bytes(scim.AppendJSON(nil, v.Old))
		i.bytes(scim.AppendJSON(nil, v.New))
	}
	i.list(c.MembersAdded)
	i.list(c.MembersRemoved)
	t.add(changes, i)
}
