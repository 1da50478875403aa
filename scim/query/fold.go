package query

import (
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps strings that a caseExact=false attribute must treat as equal onto one: Unicode NFKC and full case
// folding, which is what PRECIS UsernameCaseMapped does to a valid user name and what it leaves of any other
// string instead of refusing it (RFC 7644 5, RFC 8265). Stores index and compare its result by bytes.
func Fold(s string) string {
	ascii := true
	lower := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			ascii = false
			break
		}
		if 'A' <= c && c <= 'Z' {
			lower = false
		}
	}
	switch {
	case ascii && lower:
		return s
	case ascii:
		b := []byte(s)
		for i, c := range b {
			if 'A' <= c && c <= 'Z' {
				b[i] = c + 'a' - 'A'
			}
		}
		return string(b)
	}
	// Folding may undo the normalization and the other way round (U+0345, U+03B9): twice is a fixpoint (UAX 31,
	// toNFKC_Casefold).
	for range 2 {
		s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	}
	return s
}

// InstantKey is the fixed-width UTC text of an instant; its byte order is chronological for the years 0 to 9999.
func InstantKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// ParseInstant reads an xsd:dateTime with date and time: up to nine fraction digits, more are cut; an offset, Z or
// none, which means UTC (RFC 7643 2.3.5). The years are 0 to 9999.
func ParseInstant(s string) (time.Time, bool) {
	// time.Parse also takes an hour of one digit and a comma before the fraction.
	if len(s) < len("2006-01-02T15:04:05") || s[13] != ':' || strings.IndexByte(s, ',') >= 0 {
		return time.Time{}, false
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			if y := t.UTC().Year(); y < 0 || y > 9999 {
				return time.Time{}, false
			}
			return t, true
		}
	}
	return time.Time{}, false
}
