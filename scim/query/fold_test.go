package query_test

import (
	"strings"
	"testing"
	"time"

	"rollcall/scim/query"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"lower ascii", "bjensen", "bjensen"},
		{"upper ascii", "BJensen@Example.COM", "bjensen@example.com"},
		{"umlaut", "ÄRGER", "ärger"},
		{"composed and decomposed", "e\u0301", "é"},
		{"decomposed capital", "A\u0308", "ä"},
		{"sharp s", "Straße", "STRASSE"},
		{"capital sharp s", "ẞ", "ss"},
		{"long s", "ſ", "S"},
		{"ligature", "ﬁsh", "FISH"},
		{"final sigma", "ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"full width", "ＡＢＣ", "abc"},
		{"iota subscript", "\u0345", "ι"},
		{"kelvin", "\u212a", "k"},
		{"spaces are kept", " a b ", " A B "},
		{"ascii after a letter that is not", "éABC", "Éabc"},
		{"no letters", "%_\\\"'", "%_\\\"'"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a, b := query.Fold(c.a), query.Fold(c.b); a != b {
				t.Errorf("Fold(%q) = %q, Fold(%q) = %q: they must be equal", c.a, a, c.b, b)
			}
		})
	}
	// What folding must not make equal: no locale, no accent, no trimming.
	for _, c := range [][2]string{{"i", "ı"}, {"İ", "i"}, {"e", "é"}, {"a", "a "}, {"o", "0"}, {"日本", "日本語"}, {"a", "а" /* Cyrillic */}} {
		if query.Fold(c[0]) == query.Fold(c[1]) {
			t.Errorf("Fold(%q) = Fold(%q) = %q", c[0], c[1], query.Fold(c[0]))
		}
	}
}

// FuzzFold: folding is a projection, so that a folded value may be folded again on any road.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "ABC", "Straße", "\u0345\u0399", "ﷺ", "İ", "\xff", "ᾼ", "ΐ", "a\u0345\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := query.Fold(s)
		if twice := query.Fold(once); twice != once {
			t.Errorf("Fold(%q) = %q, folded again %q", s, once, twice)
		}
		if isASCII(s) && once != strings.ToLower(s) {
			t.Errorf("Fold(%q) = %q", s, once)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func TestParseInstant(t *testing.T) {
	utc := func(y, mo, d, h, mi, s, ns int) time.Time {
		return time.Date(y, time.Month(mo), d, h, mi, s, ns, time.UTC)
	}
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"2011-05-13T04:42:34Z", utc(2011, 5, 13, 4, 42, 34, 0)},
		{"2011-05-13T04:42:34.1Z", utc(2011, 5, 13, 4, 42, 34, 100_000_000)},
		{"2011-05-13T04:42:34.123Z", utc(2011, 5, 13, 4, 42, 34, 123_000_000)},
		{"2011-05-13T04:42:34.123456789Z", utc(2011, 5, 13, 4, 42, 34, 123_456_789)},
		{"2011-05-13T04:42:34.1234567899Z", utc(2011, 5, 13, 4, 42, 34, 123_456_789)},
		{"2011-05-13T04:42:34+02:00", utc(2011, 5, 13, 2, 42, 34, 0)},
		{"2011-05-13T04:42:34.5-05:30", utc(2011, 5, 13, 10, 12, 34, 500_000_000)},
		{"2011-05-13T04:42:34", utc(2011, 5, 13, 4, 42, 34, 0)},
		{"2011-05-13T04:42:34.25", utc(2011, 5, 13, 4, 42, 34, 250_000_000)},
		{"2000-02-29T00:00:00Z", utc(2000, 2, 29, 0, 0, 0, 0)},
		{"0000-01-01T00:00:00Z", utc(0, 1, 1, 0, 0, 0, 0)},
		{"9999-12-31T23:59:59.999999999Z", utc(9999, 12, 31, 23, 59, 59, 999_999_999)},
	} {
		got, ok := query.ParseInstant(c.in)
		if !ok || !got.Equal(c.want) {
			t.Errorf("ParseInstant(%q) = %v, %v, want %v", c.in, got, ok, c.want)
		}
	}
	for _, in := range []string{
		"", "x", "2011-05-13", "04:42:34", "2011-05-13T04:42Z", "2011-5-13T04:42:34Z", "2011-05-13 04:42:34Z", "2011-02-29T00:00:00Z",
		"2011-13-01T00:00:00Z", "2011-05-13T24:00:01Z", "2011-05-13T04:42:34Z ", " 2011-05-13T04:42:34Z", "2011-05-13T04:42:34+2",
		"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "12011-05-13T04:42:34Z", "1305260554",
		"2011-05-13T4:42:34Z", "2011-05-13T04:42:34,5Z", "2011-05-13T04:42:34+25:00", "2011-05-13T04:42:60Z", "2011-05-13t04:42:34z",
	} {
		if got, ok := query.ParseInstant(in); ok {
			t.Errorf("ParseInstant(%q) = %v, want a refusal", in, got)
		}
	}
}

// TestInstantKey: the byte order of keys is the order of instants.
func TestInstantKey(t *testing.T) {
	texts := []string{
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000001Z",
		"1970-01-01T00:00:00.1Z", "2011-05-13T04:42:34+02:00", "2011-05-13T04:42:34Z", "2011-05-13T04:42:34-02:00", "9999-12-31T23:59:59Z",
	}
	prev := ""
	for _, s := range texts {
		at, ok := query.ParseInstant(s)
		if !ok {
			t.Fatalf("ParseInstant(%q) refused", s)
		}
		k := query.InstantKey(at)
		if k <= prev || len(k) != 30 {
			t.Errorf("InstantKey(%s) = %q after %q", s, k, prev)
		}
		prev = k
	}
}
