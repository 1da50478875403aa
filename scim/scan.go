package scim

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner reads the JSON that clients send and that documents are stored as, in one pass over one string of which the
// strings that it returns are parts: half of a token parser's time, a third of its allocations. It is never the judge:
// of what it does not take for certain it says nothing, and the token parser of [ParseJSON] and [DecodeAttributes]
// reads the bytes again from the beginning, refuses them by name or accepts them. What the scanner accepts that parser
// accepts with the same result, which a fuzz test holds it to.
type scanner struct {
	s      string
	i      int
	stored bool // a stored document is read, not a client's

	fields []Field // of the objects that are open
	values []any   // of the arrays that are open
}

// newScanner has room for the objects of a usual document.
func newScanner(data []byte) (*scanner, bool) {
	if !utf8.Valid(data) {
		return nil, false
	}
	return &scanner{s: string(data), fields: make([]Field, 0, 32), values: make([]any, 0, 16)}, true
}

// space skips white space and returns the byte that follows, 0 at the end.
func (sc *scanner) space() byte {
	for ; sc.i < len(sc.s); sc.i++ {
		switch c := sc.s[sc.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// literal takes the word text.
func (sc *scanner) literal(text string) bool {
	ok := strings.HasPrefix(sc.s[sc.i:], text)
	sc.i += len(text)
	return ok
}

// text takes a string.
func (sc *scanner) text() (string, bool) {
	start := sc.i
	escaped := false
	for i := start + 1; i < len(sc.s); i++ {
		switch c := sc.s[i]; {
		case c == '"':
			sc.i = i + 1
			if !escaped {
				return sc.s[start+1 : i], true
			}
			b, err := jsontext.AppendUnquote(nil, sc.s[start:sc.i])
			return string(b), err == nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// number takes a number (RFC 8259 6).
func (sc *scanner) number() (Number, bool) {
	start := sc.i
	if sc.s[sc.i] == '-' {
		sc.i++
	}
	whole := sc.digits()
	if whole == 0 || whole > 1 && sc.s[sc.i-whole] == '0' {
		return "", false
	}
	if sc.i < len(sc.s) && sc.s[sc.i] == '.' {
		sc.i++
		if sc.digits() == 0 {
			return "", false
		}
	}
	if sc.i < len(sc.s) && sc.s[sc.i]|0x20 == 'e' {
		sc.i++
		if sc.i < len(sc.s) && (sc.s[sc.i] == '+' || sc.s[sc.i] == '-') {
			sc.i++
		}
		if sc.digits() == 0 {
			return "", false
		}
	}
	return Number(sc.s[start:sc.i]), true
}

func (sc *scanner) digits() int {
	start := sc.i
	for sc.i < len(sc.s) && '0' <= sc.s[sc.i] && sc.s[sc.i] <= '9' {
		sc.i++
	}
	return sc.i - start
}

// member takes a name and the colon behind it.
func (sc *scanner) member() (string, bool) {
	if sc.space() != '"' {
		return "", false
	}
	name, ok := sc.text()
	if !ok || sc.space() != ':' {
		return "", false
	}
	sc.i++
	return name, true
}

// next takes what stands behind an element: a comma (more), or the end of its array or object.
func (sc *scanner) next(end byte) (more, ok bool) {
	c := sc.space()
	sc.i++
	return c == ',', c == ',' || c == end
}

// array takes an array.
func (sc *scanner) array(depth int) ([]any, bool) {
	sc.i++
	if sc.space() == ']' {
		sc.i++
		if sc.stored {
			return nil, true
		}
		return []any{}, true
	}
	start := len(sc.values)
	for more := true; more; {
		v, ok := sc.value(depth)
		if !ok {
			return nil, false
		}
		sc.values = append(sc.values, v)
		if more, ok = sc.next(']'); !ok {
			return nil, false
		}
	}
	list := make([]any, len(sc.values)-start)
	copy(list, sc.values[start:])
	sc.values = sc.values[:start]
	return list, true
}

// object takes an object.
func (sc *scanner) object(depth int) (any, bool) {
	sc.i++
	start := len(sc.fields)
	more := sc.space() != '}'
	if !more {
		sc.i++
	}
	for more {
		name, ok := sc.member()
		if !ok {
			return nil, false
		}
		v, ok := sc.value(depth)
		if !ok {
			return nil, false
		}
		sc.fields = append(sc.fields, Field{name, v})
		if more, ok = sc.next('}'); !ok {
			return nil, false
		}
	}
	fields := sc.fields[start:]
	sc.fields = sc.fields[:start]
	if sc.stored {
		m := make(Attributes, len(fields))
		for i := range fields {
			m[fields[i].Name] = fields[i].Value
		}
		return m, true
	}
	if !distinctNames(fields) {
		return nil, false
	}
	o := make(Object, len(fields))
	copy(o, fields)
	return o, true
}

// value takes a value whose arrays and objects are not nested deeper than depth.
func (sc *scanner) value(depth int) (any, bool) {
	switch c := sc.space(); c {
	case '"':
		s, ok := sc.text()
		return s, ok && (sc.stored || strings.IndexByte(s, 0) < 0)
	case '{':
		if depth <= 0 {
			return nil, false
		}
		return sc.object(depth - 1)
	case '[':
		if depth <= 0 {
			return nil, false
		}
		list, ok := sc.array(depth - 1)
		return list, ok
	case 't':
		return true, sc.literal("true")
	case 'f':
		return false, sc.literal("false")
	case 'n':
		return nil, sc.literal("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return nil, false
		}
		n, ok := sc.number()
		if ok && sc.stored {
			return n.value(), true
		}
		return n, ok
	}
}

// distinctNames: no name is there twice and none holds NUL. Large objects are the token parser's, which hashes names.
func distinctNames(fields []Field) bool {
	if len(fields) > 64 {
		return false
	}
	for i := range fields {
		name := fields[i].Name
		if strings.IndexByte(name, 0) >= 0 {
			return false
		}
		for j := range i {
			if fields[j].Name == name {
				return false
			}
		}
	}
	return true
}

// scanJSON is [ParseJSON] for what the scanner takes.
func scanJSON(body []byte, maxDepth int) (any, bool) {
	sc, ok := newScanner(body)
	if !ok {
		return nil, false
	}
	v, ok := sc.value(maxDepth)
	return v, ok && sc.space() == 0 && sc.i == len(sc.s)
}

// scanAttributes is [DecodeAttributes] for what the scanner takes.
func scanAttributes(doc []byte) (Attributes, bool) {
	const maxDepth = 32 // far above that of documents; it bounds the recursion
	sc, ok := newScanner(doc)
	if !ok {
		return nil, false
	}
	sc.stored = true
	v, ok := sc.value(maxDepth)
	a, isObject := v.(Attributes)
	return a, ok && isObject
}
