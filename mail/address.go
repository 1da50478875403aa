package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Lengths of RFC 5321 4.5.3.1, in octets. A path is 256 with its angle brackets.
const (
	maxLocal   = 64
	maxDomain  = 253
	maxAddress = 254
	maxLabel   = 63
)

// AddressError is why a text is no address that a mail can be sent to: a stable code for programs. Its Error is a sentence
// for people that does not repeat the text.
type AddressError string

// What can be wrong with an address.
const (
	ErrEmpty     AddressError = "empty"
	ErrTooLong   AddressError = "too_long"
	ErrNoAt      AddressError = "no_at"
	ErrLocalPart AddressError = "local_part"
	ErrDomain    AddressError = "domain"
	ErrExtraText AddressError = "extra_text"
)

// Error says what is wrong, without the text.
func (p AddressError) Error() string {
	switch p {
	case ErrEmpty:
		return "the address is missing"
	case ErrTooLong:
		return "the address is too long: 64 characters before the @ and 254 in all are the most"
	case ErrNoAt:
		return "an address has one @ with a name before and a domain after it"
	case ErrLocalPart:
		return "what stands before the @ has a character or a dot where an address cannot have one"
	case ErrDomain:
		return "what stands after the @ is not the name of a domain"
	case ErrExtraText:
		return "there is more than one address, or text that belongs to none"
	}
	return "the address is not valid"
}

// Address is a mailbox. Local is kept as it was typed, apart from Unicode normalization; Domain is in lower case and
// made of A-labels.
type Address struct{ Local, Domain string }

// String returns local@domain.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// Key returns the text that is equal for two addresses of one mailbox: in practice no provider tells local parts apart
// by case, though RFC 5321 2.4 lets it. Tags after a plus and dots are kept: whether they matter is a policy of the
// provider, not a fact of mail.
func (a Address) Key() string { return foldLocal(a.Local) + "@" + a.Domain }

// Fold returns the Key of the address in text, or "" if it holds none.
func Fold(text string) string {
	a, err := ParseAddress(text)
	if err != nil {
		return ""
	}
	return a.Key()
}

func foldLocal(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	// Folding may undo the normalization (UAX 31, toNFKC_Casefold); twice is a fixpoint.
	for range 2 {
		s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	}
	return s
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ParseAddress reads one bare address, without a name or brackets around it; space around it is ignored. The error is a
// [AddressError]. Quoted local parts and address literals, which are legal and which no person has, are refused; local parts
// in other scripts (RFC 6531) are taken.
func ParseAddress(text string) (Address, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Address{}, ErrEmpty
	}
	if len(text) > 4*maxAddress { // a domain in Unicode may become shorter than it is, not by more than this
		return Address{}, ErrTooLong
	}
	at := strings.LastIndexByte(text, '@')
	if at <= 0 || at == len(text)-1 || strings.Count(text, "@") != 1 {
		return Address{}, ErrNoAt
	}
	local, err := parseLocal(text[:at])
	if err != nil {
		return Address{}, err
	}
	domain, err := ParseDomain(text[at+1:])
	if err != nil {
		return Address{}, err
	}
	if len(local)+1+len(domain) > maxAddress {
		return Address{}, ErrTooLong
	}
	return Address{Local: local, Domain: domain}, nil
}

// parseLocal accepts a dot-atom (RFC 5322 3.2.3) with letters, marks and digits of any script (RFC 6531 3.3).
func parseLocal(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", ErrLocalPart
	}
	s = norm.NFC.String(s)
	if len(s) > maxLocal {
		return "", ErrTooLong
	}
	dot := true
	for _, r := range s {
		switch {
		case r == '.':
			if dot {
				return "", ErrLocalPart
			}
			dot = true
			continue
		case r < utf8.RuneSelf:
			if !isAtomByte(byte(r)) {
				return "", ErrLocalPart
			}
		case !unicode.In(r, unicode.L, unicode.M, unicode.Nd):
			return "", ErrLocalPart
		}
		dot = false
	}
	if dot {
		return "", ErrLocalPart
	}
	return s, nil
}

func isAtomByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// ParseDomain reads the name of a domain as part of an address: two labels or more, the last one not a number. It
// returns it in lower case and A-labels (RFC 5890), without a dot at the end. The error is [ErrDomain].
func ParseDomain(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 4*maxAddress || !utf8.ValidString(text) {
		return "", ErrDomain
	}
	s, err := idna.Lookup.ToASCII(text)
	if err != nil {
		return "", ErrDomain
	}
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	if len(s) > maxDomain || !strings.Contains(s, ".") {
		return "", ErrDomain
	}
	// A-labels that do not name what they were made of are no domain.
	if again, err := idna.Lookup.ToASCII(s); err != nil || again != s {
		return "", ErrDomain
	}
	var last string
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return "", ErrDomain
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return "", ErrDomain
	}
	return s, nil
}

func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
