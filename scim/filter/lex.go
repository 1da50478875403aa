package filter

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
)

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isPathByte reports whether c may stand in an attribute path or the URI before it.
func isPathByte(c byte) bool {
	switch c {
	case '"', '(', ')', '[', ']', '<', '>', '\\', '^', '`', '{', '|', '}':
		return false
	}
	return c > ' ' && c < 0x7f
}

// isName reports whether s is an attribute name. The grammar of RFC 7643 2.1 is wrong about `$ref`, which starts
// with a dollar sign (erratum 8924).
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case isAlpha(c), c == '$':
		case i > 0 && (isDigit(c) || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return s != "" && s != "$"
}

// operator reads a comparison operator, ignoring case, that ends where a name would.
func (p *parser) operator() (fp.CompareOperator, bool) {
	end := p.i
	for end < len(p.s) && (isAlpha(p.s[end]) || isDigit(p.s[end]) || p.s[end] == '-' || p.s[end] == '_') {
		end++
	}
	if end-p.i != 2 {
		return "", false
	}
	var op fp.CompareOperator
	switch [2]byte{p.s[p.i] | 0x20, p.s[p.i+1] | 0x20} {
	case [2]byte{'e', 'q'}:
		op = fp.EQ
	case [2]byte{'n', 'e'}:
		op = fp.NE
	case [2]byte{'c', 'o'}:
		op = fp.CO
	case [2]byte{'s', 'w'}:
		op = fp.SW
	case [2]byte{'e', 'w'}:
		op = fp.EW
	case [2]byte{'g', 't'}:
		op = fp.GT
	case [2]byte{'g', 'e'}:
		op = fp.GE
	case [2]byte{'l', 't'}:
		op = fp.LT
	case [2]byte{'l', 'e'}:
		op = fp.LE
	case [2]byte{'p', 'r'}:
		op = fp.PR
	default:
		return "", false
	}
	p.i = end
	return op, true
}

// value reads `false / null / true / number / string` of JSON; the words in any case, as the library has it.
// Single-quoted and bare words are refused: guessing where they end would guess what was asked.
func (p *parser) value() (any, *scim.Error) {
	var v any
	start := p.i
	switch c := p.peek(); {
	case c == '"':
		s, err := p.str()
		if err != nil {
			return nil, err
		}
		v = s
	case c == '-' || isDigit(c):
		n, ok := p.number()
		if !ok {
			p.i = start
			return nil, p.expected("a JSON number")
		}
		v = n
	case p.word("true"):
		v = true
	case p.word("false"):
		v = false
	case p.word("null"):
	default:
		return nil, p.expected("a value: a string in double quotes, a number, true, false or null")
	}
	switch p.peek() {
	case ' ', ')', ']':
	default:
		if !p.done() {
			return nil, p.expected("the end of the value")
		}
	}
	return v, nil
}

// number reads a JSON number (RFC 8259 6). An exponent is written with a small e, as the library has it.
func (p *parser) number() (json.Number, bool) {
	start := p.i
	digits := func() bool {
		from := p.i
		for isDigit(p.peek()) {
			p.i++
		}
		return p.i > from
	}
	p.take('-')
	if !p.take('0') && !digits() {
		return "", false
	}
	if p.take('.') && !digits() {
		return "", false
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if !p.take('+') {
			p.take('-')
		}
		if !digits() {
			return "", false
		}
	}
	return json.Number(strings.ToLower(p.s[start:p.i])), true
}

// str reads a JSON string (RFC 8259 7) and returns its content.
func (p *parser) str() (string, *scim.Error) {
	p.i++
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.expected("no control character inside a string")
		}
		p.i++
	}
	return "", p.expected("a closing double quote")
}

// escaped reads on from the first escape of a string that began at start.
func (p *parser) escaped(start int) (string, *scim.Error) {
	b := append(make([]byte, 0, len(p.s)-start), p.s[start:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(b), nil
		case c < ' ':
			return "", p.expected("no control character inside a string")
		case c != '\\':
			b = append(b, c)
			p.i++
			continue
		}
		r, n := unescape(p.s[p.i:])
		if n == 0 {
			return "", p.expected("a JSON string escape")
		}
		b = utf8.AppendRune(b, r)
		p.i += n
	}
	return "", p.expected("a closing double quote")
}

// unescape decodes the escape at the start of s and returns its length; 0 if it is none. Half a surrogate pair is
// no character, and NUL is in no document: both are refused like any other bad escape.
func unescape(s string) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := hex4(s)
	switch {
	case !ok || r == 0:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
