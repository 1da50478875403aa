package mail

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrTooManyRecipients: a list of recipients has more entries than allowed.
var ErrTooManyRecipients = errors.New("mail: too many recipients")

const (
	maxShownInput = 320 // bytes of an entry that Recipient.Input keeps
	maxName       = 200 // characters of a name
)

// Recipient is one entry of a list that somebody typed or pasted.
type Recipient struct {
	Input   string       // the entry without invisible characters, cut to 320 bytes
	Name    string       // the display name, "" if there is none
	Address Address      // set if Problem is ""
	Problem AddressError // why the entry is no address
}

// ParseRecipients reads a list of recipients as people write it: entries separated by comma, semicolon, line end or
// tab, each an address, `Name <address>`, `"Name, with comma" <address>`, `address (Name)` or a mailto: URL, with stray
// quotes, brackets and invisible characters. It returns one Recipient for each entry that is not empty, in the order
// of the input. Of a list with more than limit entries it returns ErrTooManyRecipients and nothing else.
//
// Two liberties: "Doe, Jane <jane@example.com>" is one entry with the name "Doe, Jane", and addresses that only space
// separates are entries of their own.
func ParseRecipients(text string, limit int) ([]Recipient, error) {
	var found []Recipient
	s := splitter{rest: visible(text)}
	for {
		piece, ok := s.next()
		if !ok {
			return found, nil
		}
		for _, entry := range splitRun(piece) {
			if entry = strings.TrimSpace(entry); entry == "" {
				continue
			}
			if len(found) == limit {
				return nil, ErrTooManyRecipients
			}
			found = append(found, parseRecipient(entry))
		}
	}
}

// visible drops what cannot be seen (format and control characters, such as zero-width space) and maps the wide forms
// of what an address list is made of.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case r == '\uff20':
			return '@'
		case r == '\uff0c' || r == '\u3001':
			return ','
		case r == '\uff1b':
			return ';'
		case r == '\uff1c':
			return '<'
		case r == '\uff1e':
			return '>'
		case unicode.Is(unicode.Zs, r):
			return ' '
		case r == utf8.RuneError || unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
}

// A splitter cuts a list at its delimiters. Its work is linear in the length of the list.
type splitter struct {
	rest  string
	ahead string // the piece after the one returned last, read already
	comma bool   // a comma stands between the two
	held  bool
}

func (s *splitter) next() (string, bool) {
	piece, comma, ok := s.take()
	if !ok || !comma || !isPlainName(piece) {
		return piece, ok
	}
	// "Doe, Jane <jane@example.com>": a name with a comma in it, without quotes.
	after, afterComma, ok := s.take()
	if !ok {
		return piece, true
	}
	if open := strings.IndexByte(after, '<'); open > 0 && isPlainName(after[:open]) {
		return strings.TrimSpace(piece) + ", " + strings.TrimSpace(after), true
	}
	s.ahead, s.comma, s.held = after, afterComma, true
	return piece, true
}

func (s *splitter) take() (piece string, comma, ok bool) {
	if s.held {
		s.held = false
		return s.ahead, s.comma, true
	}
	if s.rest == "" {
		return "", false, false
	}
	i := 0
	for i < len(s.rest) {
		switch c := s.rest[i]; c {
		case '"':
			i += quotedLen(s.rest[i:])
			continue
		case ',', ';', '\n', '\t':
			piece, s.rest = s.rest[:i], s.rest[i+1:]
			return piece, c == ',', true
		}
		i++
	}
	piece, s.rest = s.rest, ""
	return piece, false, true
}

// quotedLen is the length of the quoted string at the start of s, or 1 if it does not end on its line, or not within
// the length of a name: one quote that was forgotten must not swallow the list.
func quotedLen(s string) int {
	for i := 1; i < len(s) && i <= 4*maxName; i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return 1
		case '"':
			return i + 1
		}
	}
	return 1
}

func isPlainName(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxName {
		return false
	}
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.M) && !strings.ContainsRune(" .'’-", r) {
			return false
		}
	}
	return true
}

// splitRun takes entries apart that nothing but space separates: "a@x.org b@x.org" and "A <a@x.org> B <b@x.org>".
func splitRun(piece string) []string {
	if strings.Count(piece, "@") < 2 {
		return []string{piece}
	}
	var parts []string
	for {
		end := strings.IndexByte(piece, '>')
		if end < 0 || !strings.Contains(piece[:end], "@") || !strings.Contains(piece[end:], "@") {
			break
		}
		parts = append(parts, piece[:end+1])
		piece = piece[end+1:]
	}
	if strings.Contains(piece, "<") {
		return append(parts, piece)
	}
	words := strings.Fields(piece)
	for _, w := range words {
		if strings.Count(w, "@") != 1 {
			return append(parts, piece)
		}
	}
	return append(parts, words...)
}

// parseRecipient reads one entry.
func parseRecipient(entry string) Recipient {
	r := Recipient{Input: cut(entry, maxShownInput)}
	if len(entry) > 4*maxAddress+8*maxName {
		r.Problem = ErrTooLong
		return r
	}
	name, addr := nameAndAddress(entry)
	a, err := ParseAddress(bare(addr))
	if err != nil {
		if !errors.As(err, &r.Problem) {
			r.Problem = ErrExtraText
		}
		if n := strings.Count(addr, "@"); n > 1 || n == 1 && strings.ContainsAny(strings.TrimSpace(addr), " \"") {
			r.Problem = ErrExtraText
		}
		return r
	}
	r.Address = a
	if name = CleanName(unquote(name)); !strings.Contains(name, "@") {
		r.Name = name
	}
	return r
}

// nameAndAddress takes `Name <address>` and `address (Name)` apart.
func nameAndAddress(s string) (name, addr string) {
	open := strings.LastIndexByte(s, '<')
	if open >= 0 && strings.Contains(s[open:], "@") {
		addr = s[open+1:]
		if end := strings.IndexByte(addr, '>'); end >= 0 {
			addr = addr[:end] + strings.TrimLeft(addr[end:], "> ")
		}
		return s[:open], addr
	}
	trimmed := strings.TrimSpace(s)
	if open = strings.IndexByte(trimmed, '('); open > 0 && strings.HasSuffix(trimmed, ")") && strings.Contains(trimmed[:open], "@") {
		return trimmed[open+1 : len(trimmed)-1], trimmed[:open]
	}
	return "", s
}

// bare strips what people leave around an address: brackets, quotes, a dot at the end of a sentence, mailto:.
func bare(s string) string {
	const around = " <>()[]\"'“”„‘’«»‹›"
	s = strings.Trim(s, around)
	const scheme = "mailto:"
	if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		s, _, _ = strings.Cut(s[len(scheme):], "?")
		if plain, err := url.PathUnescape(s); err == nil {
			s = plain
		}
	}
	return strings.TrimRight(strings.Trim(s, around), ".:")
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' && s[len(s)-1] == '"' || s[0] == '\'' && s[len(s)-1] == '\'') {
		s = s[1 : len(s)-1]
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}

// CleanName makes a name fit for a header and a line of text: no line ends, control or invisible characters, single
// spaces, no quotes around it, 200 characters at most.
func CleanName(s string) string {
	s = strings.Join(strings.Fields(visible(s)), " ")
	s = strings.Trim(s, "\"<> ")
	if utf8.RuneCountInString(s) > maxName {
		s = strings.TrimSpace(string([]rune(s)[:maxName]))
	}
	return s
}

// cut shortens s to at most n bytes, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
