package sqlite

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"

	"rollcall/storage"
)

// entry is a record as the cache keeps it.
type entry struct {
	typ, rid                   int64
	version, created, modified int64
	at                         int64 // when the groups were read, see cache
	groups                     bool  // whether they were
	open                       bool  // the record has no secrets
	packed                     bool
	body                       []byte // the document and the groups, see appendBody
}

const (
	entryGroups = 1 << iota
	entryPacked
	entryOpen
)

func appendInt(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

func parseEntry(b []byte) (e entry, ok bool) {
	if len(b) == 0 {
		return e, false
	}
	e.groups, e.packed, e.open = b[0]&entryGroups != 0, b[0]&entryPacked != 0, b[0]&entryOpen != 0
	r := reader{b: b[1:]}
	e.typ, e.rid, e.version, e.created, e.modified, e.at = r.int(), r.int(), r.int(), r.int(), r.int(), r.int()
	e.body = r.b
	return e, !r.bad
}

// packer makes entries of one type. The documents of a type have their names and many values in common, so a
// dictionary made of the first ones shrinks each to a fraction, and unpacking takes less than half a microsecond.
type packer struct {
	dict    atomic.Pointer[s2.Dict]
	mu      sync.Mutex
	samples []byte
	left    int
}

// dictSamples is how many documents the dictionary is made of.
const dictSamples = 8

func (c *cache) packer(typ int64) *packer {
	if p, ok := c.packers.Load(typ); ok {
		return p.(*packer)
	}
	p, _ := c.packers.LoadOrStore(typ, &packer{left: dictSamples})
	return p.(*packer)
}

func (p *packer) pack(dst []byte, typ, rid int64, rec *storage.Record, groups, open bool, at int64) []byte {
	var room [4096]byte
	body := appendBody(room[:0], rec, groups)
	d := p.dict.Load()
	if d == nil {
		d = p.learn(body)
	}
	flags := byte(0)
	if groups {
		flags |= entryGroups
	}
	if d != nil {
		flags |= entryPacked
	}
	if open {
		flags |= entryOpen
	}
	dst = append(dst, flags)
	for _, n := range [...]int64{typ, rid, rec.Version, millis(rec.Created), millis(rec.Modified), at} {
		dst = appendInt(dst, n)
	}
	if d == nil {
		return append(dst, body...)
	}
	var packed [4096]byte
	return append(dst, d.Encode(packed[:], body)...)
}

// learn collects samples; it returns the dictionary when there are enough.
func (p *packer) learn(body []byte) *s2.Dict {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return p.dict.Load()
	}
	p.samples = append(p.samples, body...)
	if p.left--; p.left > 0 {
		return nil
	}
	p.samples = p.samples[:min(len(p.samples), s2.MaxDictSize)]
	// The last document is the most useful start of a search; too few bytes make no dictionary.
	p.dict.Store(s2.MakeDict(p.samples, body))
	p.samples = nil
	return p.dict.Load()
}

// appendBody writes the length of the document, the document, and its groups: directness, id and label of each.
func appendBody(dst []byte, rec *storage.Record, groups bool) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(rec.Doc))), rec.Doc...)
	if !groups {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(rec.Groups)))
	for _, g := range rec.Groups {
		direct := byte(0)
		if g.Direct {
			direct = 1
		}
		dst = append(dst, direct)
		dst = append(binary.AppendUvarint(dst, uint64(len(g.ID))), g.ID...)
		dst = append(binary.AppendUvarint(dst, uint64(len(g.Display))), g.Display...)
	}
	return dst
}

// unpack fills rec with what the entry has, in memory of the arena.
func (p *packer) unpack(rec *storage.Record, e *entry, groups bool, a *arena) bool {
	body := e.body
	if e.packed {
		d := p.dict.Load()
		n, err := s2.DecodedLen(e.body)
		if d == nil || err != nil {
			return false
		}
		if body, err = d.Decode(a.take(n), e.body); err != nil {
			return false
		}
	} else {
		body = append(a.take(len(body))[:0], body...)
	}
	rec.Version, rec.Created, rec.Modified = e.version, instant(e.created), instant(e.modified)
	r := reader{b: body}
	rec.Doc = r.bytes(r.uint())
	if !groups || r.bad {
		return !r.bad
	}
	n := r.uint()
	if n == 0 {
		return !r.bad
	}
	t := textReader{s: string(r.b)} // one copy for all ids and labels
	rec.Groups = a.memberships(n)
	for i := range rec.Groups {
		g := &rec.Groups[i]
		g.Direct = t.byte() == 1
		g.ID = t.text()
		g.Display = t.text()
	}
	return !t.bad
}

// arena is memory that the records of one page share.
type arena struct {
	page   bool   // more than one record will come
	bytes  []byte // what is left of it
	groups []storage.Membership
	packed []byte // room for an entry
}

// take returns n bytes.
func (a *arena) take(n int) []byte {
	if !a.page {
		return make([]byte, n)
	}
	if len(a.bytes) < n {
		a.bytes = make([]byte, max(n, 32<<10))
	}
	b := a.bytes[:n:n]
	a.bytes = a.bytes[n:]
	return b
}

func (a *arena) memberships(n int) []storage.Membership {
	if !a.page {
		return make([]storage.Membership, n)
	}
	if len(a.groups) < n {
		a.groups = make([]storage.Membership, max(n, 64))
	}
	g := a.groups[:n:n]
	a.groups = a.groups[n:]
	return g
}

// reader takes values off bytes that appendBody and pack wrote; bad if they are not such.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<31 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	b := slices.Clip(r.b[:n])
	r.b = r.b[n:]
	return b
}

// textReader is reader for strings.
type textReader struct {
	s   string
	bad bool
}

func (t *textReader) byte() byte {
	if t.s == "" {
		t.bad = true
		return 0
	}
	b := t.s[0]
	t.s = t.s[1:]
	return b
}

func (t *textReader) text() string {
	n, shift := 0, 0
	for {
		b := t.byte()
		n |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 || shift > 28 {
			break
		}
	}
	if n > len(t.s) {
		t.bad = true
		return ""
	}
	s := t.s[:n]
	t.s = t.s[n:]
	return s
}
