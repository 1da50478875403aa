package mail

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	domain := strings.Repeat(strings.Repeat("b", 60)+".", 3) + "example"
	for _, tc := range []struct {
		in, want, key string
		problem       AddressError
	}{
		{in: "ada@example.com", want: "ada@example.com", key: "ada@example.com"},
		{in: " Ada.Lovelace+x@EXAMPLE.Com. ", want: "Ada.Lovelace+x@example.com", key: "ada.lovelace+x@example.com"},
		{in: "o'hara!#$%&*=?^_`{|}~/@example.com", want: "o'hara!#$%&*=?^_`{|}~/@example.com", key: "o'hara!#$%&*=?^_`{|}~/@example.com"},
		{in: "info@Bücher.example", want: "info@xn--bcher-kva.example", key: "info@xn--bcher-kva.example"},
		{in: "info@bücher。example", want: "info@xn--bcher-kva.example", key: "info@xn--bcher-kva.example"},
		{in: "STRAẞE@example.com", want: "STRAẞE@example.com", key: "strasse@example.com"},
		{in: "u\u0308ber@example.com", want: "über@example.com", key: "über@example.com"},
		{in: long + "@example.com", want: long + "@example.com", key: long + "@example.com"},
		{in: "", problem: ErrEmpty},
		{in: "   ", problem: ErrEmpty},
		{in: "ada", problem: ErrNoAt},
		{in: "@example.com", problem: ErrNoAt},
		{in: "ada@", problem: ErrNoAt},
		{in: "a@b@example.com", problem: ErrNoAt},
		{in: "a" + long + "@example.com", problem: ErrTooLong},
		{in: long + "@" + domain, problem: ErrTooLong},
		{in: strings.Repeat("x", 2000) + "@example.com", problem: ErrTooLong},
		{in: ".ada@example.com", problem: ErrLocalPart},
		{in: "ada.@example.com", problem: ErrLocalPart},
		{in: "a..b@example.com", problem: ErrLocalPart},
		{in: "a b@example.com", problem: ErrLocalPart},
		{in: "a\r\nb@example.com", problem: ErrLocalPart},
		{in: "a,b@example.com", problem: ErrLocalPart},
		{in: `"a b"@example.com`, problem: ErrLocalPart},
		{in: "a\xff@example.com", problem: ErrLocalPart},
		{in: "a\u200bb@example.com", problem: ErrLocalPart},
		{in: "ada@exam\x8aple.com", problem: ErrDomain},
		{in: "ada@localhost", problem: ErrDomain},
		{in: "ada@[192.0.2.1]", problem: ErrDomain},
		{in: "ada@192.0.2.1", problem: ErrDomain},
		{in: "ada@-x.example", problem: ErrDomain},
		{in: "ada@x-.example", problem: ErrDomain},
		{in: "ada@exa mple.com", problem: ErrDomain},
		{in: "ada@example..com", problem: ErrDomain},
		{in: "ada@exam_ple.com", problem: ErrDomain},
		{in: "ada@" + strings.Repeat("b", 64) + ".com", problem: ErrDomain},
	} {
		a, err := ParseAddress(tc.in)
		if tc.problem != "" {
			if !errors.Is(err, tc.problem) {
				t.Errorf("%q: error %v, want %q", tc.in, err, string(tc.problem))
			}
			if Fold(tc.in) != "" {
				t.Errorf("%q: Fold is not empty", tc.in)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tc.in, err)
			continue
		}
		if a.String() != tc.want || a.Key() != tc.key {
			t.Errorf("%q: %q with key %q, want %q with %q", tc.in, a.String(), a.Key(), tc.want, tc.key)
		}
	}
}

func TestProblemsAreSentencesWithoutTheAddress(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range []AddressError{ErrEmpty, ErrTooLong, ErrNoAt, ErrLocalPart, ErrDomain, ErrExtraText} {
		if seen[p.Error()] || !strings.Contains(p.Error(), " ") {
			t.Errorf("%s: %q is no sentence of its own", string(p), p.Error())
		}
		seen[p.Error()] = true
	}
}
