package scim

import (
	"slices"
	"strings"
)

// DecodeSome decodes those attributes of a canonical document that have one of the names, and passes over the others
// without reading them: a filter that looks at one attribute of each document of a type costs a tenth of decoding them.
// Like [DecodeAttributes] it is for bytes of our own making.
func DecodeSome(doc []byte, names []string) (Attributes, error) {
	if a, ok := scanSome(doc, names); ok {
		return a, nil
	}
	all, err := decodeTokens(doc)
	if err != nil {
		return nil, err
	}
	some := make(Attributes, len(names))
	for _, n := range names {
		if v, ok := all[n]; ok {
			some[n] = v
		}
	}
	return some, nil
}

func scanSome(doc []byte, names []string) (Attributes, bool) {
	const maxDepth = 31 // as in scanAttributes, inside of the object
	sc := &scanner{s: string(doc), stored: true}
	if sc.space() != '{' {
		return nil, false
	}
	sc.i++
	some := make(Attributes, len(names)+2) // room for what a caller may put in
	for more := sc.space() != '}'; more; {
		name, ok := sc.member()
		if !ok {
			return nil, false
		}
		if !slices.Contains(names, name) {
			ok = sc.skip()
		} else if some[name], ok = sc.value(maxDepth); ok && len(some) == len(names) {
			return some, true
		}
		if !ok {
			return nil, false
		}
		if more, ok = sc.next('}'); !ok {
			return nil, false
		}
	}
	return some, true
}

// skip passes over a value.
func (sc *scanner) skip() bool {
	sc.space()
	depth := 0
	for sc.i < len(sc.s) {
		switch sc.s[sc.i] {
		case '"':
			if !sc.skipText() {
				return false
			}
		case '{', '[':
			depth++
			sc.i++
		case '}', ']':
			depth--
			sc.i++
		default: // of a literal or a number, a comma or a colon
			sc.i++
		}
		if depth == 0 && sc.ended() {
			return true
		}
	}
	return false
}

// ended: what follows does not belong to the value.
func (sc *scanner) ended() bool { return sc.i < len(sc.s) && (sc.s[sc.i] == ',' || sc.s[sc.i] == '}') }

// skipText passes over a string.
func (sc *scanner) skipText() bool {
	for i := sc.i + 1; ; {
		n := strings.IndexByte(sc.s[i:], '"')
		if n < 0 {
			return false
		}
		i += n + 1
		slashes := 0
		for sc.s[i-2-slashes] == '\\' {
			slashes++ // the string's own quote ends the count
		}
		if slashes%2 == 0 {
			sc.i = i
			return true
		}
	}
}
