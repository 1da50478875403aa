package scim

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Object is a JSON object as the client sent it: order and spelling of the names are kept, because PATCH applies
// the members of a path-less value in their order and because names are folded only where a schema is known.
type Object []Field

// Field is one member of an [Object].
type Field struct {
	Name  string
	Value any // nil, bool, string, Number, []any or Object
}

// Number is a JSON number as the client wrote it.
type Number string

// Get returns the member whose name equals name, ignoring ASCII case (RFC 7643 2.1), and whether there is one.
func (o Object) Get(name string) (any, bool) {
	for i := range o {
		if strings.EqualFold(o[i].Name, name) {
			return o[i].Value, true
		}
	}
	return nil, false
}

// ParseJSON decodes exactly one JSON value. Duplicate names, trailing data, invalid UTF-8, NUL characters in
// strings and nesting deeper than maxDepth are refused with 400 invalidSyntax; the error names no value.
func ParseJSON(body []byte, maxDepth int) (any, error) {
	if v, ok := scanJSON(body, maxDepth); ok {
		return v, nil
	}
	return parseTokens(body, maxDepth)
}

func parseTokens(body []byte, maxDepth int) (any, error) {
	// One read buffer, no copy: the decoder of a *bytes.Buffer works on the bytes in place.
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	v, err := parseValue(d, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, InvalidSyntax("the body has data after the JSON value")
	}
	return v, nil
}

func parseValue(d *jsontext.Decoder, depth int) (any, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, syntaxError(err)
	}
	switch t.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return t.Bool(), nil
	case '"':
		s := t.String()
		if strings.IndexByte(s, 0) >= 0 {
			return nil, InvalidSyntax("a string in the body holds a NUL character")
		}
		return s, nil
	case '0':
		return Number(t.String()), nil
	case '{':
		if depth <= 0 {
			return nil, InvalidSyntax("the body is nested too deeply")
		}
		o := make(Object, 0, 8)
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, syntaxError(err)
			}
			n := name.String()
			if strings.IndexByte(n, 0) >= 0 {
				return nil, InvalidSyntax("a name in the body holds a NUL character")
			}
			v, err := parseValue(d, depth-1)
			if err != nil {
				return nil, err
			}
			o = append(o, Field{n, v})
		}
		_, err := d.ReadToken()
		return o, syntaxError(err)
	case '[':
		if depth <= 0 {
			return nil, InvalidSyntax("the body is nested too deeply")
		}
		a := []any{}
		for d.PeekKind() != ']' {
			v, err := parseValue(d, depth-1)
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		_, err := d.ReadToken()
		return a, syntaxError(err)
	}
	return nil, InvalidSyntax("the body is not valid JSON")
}

func syntaxError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return InvalidSyntax("an object in the body has the same name twice")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return InvalidSyntax("the body ends before its JSON value is complete")
	default:
		return InvalidSyntax("the body is not valid JSON")
	}
}

// DecodeAttributes decodes a canonical document written by [AppendJSON]. It is for bytes of our own making: the
// input is trusted, so nothing but well-formedness is checked.
func DecodeAttributes(doc []byte) (Attributes, error) {
	if a, ok := scanAttributes(doc); ok {
		return a, nil
	}
	return decodeTokens(doc)
}

func decodeTokens(doc []byte) (Attributes, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := decodeCanonical(d)
	if err != nil {
		return nil, err
	}
	m, ok := v.(Attributes)
	if !ok {
		return nil, errors.New("scim: stored document is not an object")
	}
	return m, nil
}

func decodeCanonical(d *jsontext.Decoder) (any, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case 't', 'f':
		return t.Bool(), nil
	case '"':
		return t.String(), nil
	case '0':
		return Number(t.String()).value(), nil
	case '{':
		m := make(Attributes, 8)
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			n := name.String()
			if m[n], err = decodeCanonical(d); err != nil {
				return nil, err
			}
		}
		_, err := d.ReadToken()
		return m, err
	case '[':
		var a []any
		for d.PeekKind() != ']' {
			v, err := decodeCanonical(d)
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		_, err := d.ReadToken()
		return a, err
	}
	return nil, nil
}

// value is int64 for a number without fraction and exponent that fits, else float64.
func (n Number) value() any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// Int returns n as an integer; false if it has a fraction or an exponent or does not fit 64 bits.
func (n Number) Int() (int64, bool) {
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

// Float returns n as a finite number; false if it is out of range.
func (n Number) Float() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// AppendJSON appends v, one of the types of [Attributes] or of [Object], as JSON. Members of an Attributes are
// written in the order of their names, so equal documents have equal bytes.
func AppendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return AppendString(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case float64:
		return appendFloat(dst, v)
	case Number:
		return append(dst, v...)
	case Attributes:
		var buf [24]string
		keys := buf[:0]
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		dst = append(dst, '{')
		for i, k := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, k), ':')
			dst = AppendJSON(dst, v[k])
		}
		return append(dst, '}')
	case Object:
		dst = append(dst, '{')
		for i, f := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, f.Name), ':')
			dst = AppendJSON(dst, f.Value)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		return append(dst, ']')
	case []string:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, e)
		}
		return append(dst, ']')
	}
	// Only our own code builds documents: another type here is a programming error that tests must see.
	panic("scim: value of a type that no document holds")
}

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte {
	if plain(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		// The only error is invalid UTF-8, which AppendQuote has replaced by U+FFFD.
		return out
	}
	return out
}

// plain: s is ASCII that needs no escape, as most of a document is. Eight bytes are looked at together: the high bit of
// each is set if it is below a blank, equal to one of those that are escaped, or not ASCII.
func plain(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		quote, slash, del := v^'"'*ones, v^'\\'*ones, v^0x7f*ones
		if (v|(v-' '*ones)|(quote-ones)|(slash-ones)|(del-ones))&high != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendFloat writes the shortest form that reads back as the same number and, having a fraction or an exponent,
// as a decimal again.
func appendFloat(dst []byte, f float64) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !bytes.ContainsAny(dst[n:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}
