package sqlite

import (
	"encoding/hex"
	"math"

	"rollcall/scim/query"
)

// value is an indexed value as SQLite keeps it, without the allocation of an interface.
type value struct {
	t valueType
	s string
	i int64
	f float64
}

type valueType uint8

const (
	isAbsent valueType = iota // the empty blob: sorts after all others
	isText
	isInt
	isReal
	isID // bound as ids are; only as a parameter
)

func text(s string) value   { return value{t: isText, s: s} }
func integer(i int64) value { return value{t: isInt, i: i} }
func id(s string) value     { return value{t: isID, s: s} }

// indexed is the stored form of a query value. Integers and reals compare exactly in SQLite, as in
// query.CompareValues; texts by bytes.
func indexed(v query.Value) value {
	switch v.Kind {
	case query.Boolean:
		if v.Bool {
			return integer(1)
		}
		return integer(0)
	case query.Integer, query.Decimal:
		if v.IsInt {
			return integer(v.Int)
		}
		// 3 and 3.0 are one value for SQLite and for us.
		if v.Dec == math.Trunc(v.Dec) && math.Abs(v.Dec) < 1<<62 {
			return integer(int64(v.Dec))
		}
		return value{t: isReal, f: v.Dec}
	}
	return text(v.Str)
}

// queryValue is the way back, for positions.
func queryValue(f *query.Field, v value) query.Value {
	q := query.Value{Kind: f.Kind}
	switch {
	case f.Kind == query.Boolean:
		q.Bool = v.i != 0
	case v.t == isInt:
		q.IsInt, q.Int = true, v.i
	case v.t == isReal:
		q.Dec = v.f
	default:
		q.Str = v.s
	}
	return q
}

// prefixEnd is the least string that is greater than every string with prefix p; false if there is none.
func prefixEnd(p string) (string, bool) {
	b := []byte(p)
	for len(b) > 0 {
		if last := len(b) - 1; b[last] < 0xff {
			b[last]++
			return string(b), true
		}
		b = b[:len(b)-1]
	}
	return "", false
}

// parseUUID reads the canonical form only (36 characters, lower case), so that text and bytes name one another.
func parseUUID(b *[16]byte, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	j := 0
	for i := range 36 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		var n byte
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			n = c - '0'
		case 'a' <= c && c <= 'f':
			n = c - 'a' + 10
		default:
			return false
		}
		if j&1 == 0 {
			b[j/2] = n << 4
		} else {
			b[j/2] |= n
		}
		j++
	}
	return true
}

func formatUUID(b *[16]byte) string {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
