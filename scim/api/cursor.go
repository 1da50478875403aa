package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"

	"rollcall/internal/seal"
	"rollcall/scim"
	"rollcall/scim/query"
)

// window is the page that a query asks for.
type window struct {
	start    int // 1-based, of index paging
	byCursor bool
	hash     [16]byte // of all that must be the same from page to page
	count    int
	at       cursor // what the client's cursor said; its zero value is the first page
}

// direction is which way a cursor leads from its position.
type direction uint8

const (
	fromStart direction = iota
	forward
	backward
)

// cursor is a place in one result, as a client carries it (RFC 9865). It grants nothing: every page is authorized
// anew.
type cursor struct {
	dir     direction
	pos     query.Position
	hash    [16]byte
	count   int
	expires time.Time
}

// page reads startIndex, count and cursor into q (RFC 7644 3.4.2.4, RFC 9865 2).
func (x *exchange) page(types []*endpointType, p *params, q *query.Query) (window, error) {
	count := x.api.limits.DefaultCount
	if p.counted {
		count = min(max(p.count, 0), x.api.limits.MaxCount)
	}
	q.Limit = count
	if !p.paged {
		w := window{start: 1, count: count}
		if p.started && p.start > 1 {
			w.start = p.start
		}
		q.Offset = w.start - 1
		return w, nil
	}
	if p.started {
		return window{}, scim.InvalidValue("startIndex", "cannot be combined with cursor")
	}
	if p.counted && p.count < 0 {
		return window{}, badCursor(scim.TypeInvalidCount, "count must be 0 to %d", x.api.limits.MaxCount)
	}
	w := window{byCursor: true, count: count, hash: queryHash(types, p)}
	if p.cursor == "" {
		return w, nil
	}
	at, ok := x.api.openCursor(x.caller.Org, p.cursor)
	switch {
	case !ok || at.hash != w.hash:
		return window{}, badCursor(scim.TypeInvalidCursor, "the cursor does not belong to this query")
	case x.api.now().After(at.expires):
		return window{}, badCursor(scim.TypeExpiredCursor, "the cursor has expired: start again")
	case at.count != count:
		return window{}, badCursor(scim.TypeInvalidCount, "count must be the same for every page")
	}
	w.at = at
	switch at.dir {
	case forward:
		q.After = &w.at.pos
	case backward:
		q.Before = &w.at.pos
	case fromStart:
	}
	return w, nil
}

func badCursor(t scim.ErrorType, format string, args ...any) error {
	e := scim.InvalidSyntax(format, args...)
	e.Type = t
	return e
}

// cursors are the cursors of a page: the one to the page before it, unless it is the first, and the one to the page
// after it, unless it is the last.
func (x *exchange) cursors(page *query.Page, w window) (previous, next string) {
	n := len(page.Sort)
	expires := x.api.now().Add(x.api.cursorTimeout)
	seal := func(d direction, pos query.Position) string {
		return x.api.sealCursor(x.caller.Org, cursor{dir: d, pos: pos, hash: w.hash, count: w.count, expires: expires})
	}
	back := w.at.dir == backward
	switch {
	case n == 0 && back:
		// Everything before has been deleted since: what follows is the beginning.
		return "", seal(fromStart, query.Position{})
	case n == 0:
		return "", ""
	}
	if w.at.dir == forward || back && page.More {
		previous = seal(backward, page.Sort[0])
	}
	if back || page.More {
		next = seal(forward, page.Sort[n-1])
	}
	return previous, next
}

// queryHash covers what decides which resources a query finds and in which order.
func queryHash(types []*endpointType, p *params) [16]byte {
	h := sha256.New()
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, t := range types {
		put(string(t.Name))
	}
	put("")
	put(p.filter)
	put(p.sortBy)
	if p.descending && p.sortBy != "" {
		put("descending")
	}
	return [16]byte(h.Sum(nil))
}

func (a *api) initCursors(key []byte) (err error) {
	a.cursors, err = seal.New(key, "cursor")
	return err
}

// sealCursor encrypts a cursor for one organization; equal cursors are equal text.
func (a *api) sealCursor(org scim.OrgID, c cursor) string {
	return base64.RawURLEncoding.EncodeToString(a.cursors.Seal(c.encode(), string(org)))
}

// openCursor is the reverse of sealCursor; a cursor that is forged or another organization's does not open.
func (a *api) openCursor(org scim.OrgID, text string) (cursor, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, false
	}
	plain, ok := a.cursors.Open(raw, string(org))
	if !ok {
		return cursor{}, false
	}
	return decodeCursor(plain)
}

const cursorFormat = 1 // first byte of every cursor's content

const cursorHead = 1 + 1 + 16 + 4 + 8 + 1 + 1 + 8 + 4

// encode writes a cursor's content: a fixed head, then the sort value's text and the id.
func (c cursor) encode() []byte {
	v := c.pos.Value
	b := make([]byte, 0, cursorHead+len(v.Str)+len(c.pos.ID))
	b = append(b, cursorFormat, byte(c.dir))
	b = append(b, c.hash[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(c.count))
	b = binary.BigEndian.AppendUint64(b, uint64(c.expires.UnixMilli()))
	var flags byte
	for i, f := range []bool{c.pos.Sorted, c.pos.Absent, v.Bool, v.IsInt} {
		if f {
			flags |= 1 << i
		}
	}
	b = append(b, flags, byte(v.Kind))
	number := math.Float64bits(v.Dec)
	if v.IsInt {
		number = uint64(v.Int)
	}
	b = binary.BigEndian.AppendUint64(b, number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(v.Str)))
	b = append(b, v.Str...)
	return append(b, c.pos.ID...)
}

func decodeCursor(b []byte) (cursor, bool) {
	if len(b) < cursorHead || b[0] != cursorFormat {
		return cursor{}, false
	}
	c := cursor{dir: direction(b[1]), hash: [16]byte(b[2:18])}
	c.count = int(binary.BigEndian.Uint32(b[18:]))
	c.expires = time.UnixMilli(int64(binary.BigEndian.Uint64(b[22:])))
	flags := b[30]
	c.pos.Sorted, c.pos.Absent = flags&1 != 0, flags&2 != 0
	v := &c.pos.Value
	v.Bool, v.IsInt, v.Kind = flags&4 != 0, flags&8 != 0, query.Kind(b[31])
	number := binary.BigEndian.Uint64(b[32:])
	if v.IsInt {
		v.Int = int64(number)
	} else {
		v.Dec = math.Float64frombits(number)
	}
	n := int(binary.BigEndian.Uint32(b[40:]))
	rest := b[cursorHead:]
	if n > len(rest) || c.dir > backward {
		return cursor{}, false
	}
	v.Str, c.pos.ID = string(rest[:n]), string(rest[n:])
	return c, true
}
