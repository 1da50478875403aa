package mail

import (
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind names a message that Rollcall writes. Its text is also the name of its templates and a label of metrics.
type Kind string

// The messages.
const (
	KindInvite          Kind = "invite"
	KindInviteReminder  Kind = "invite_reminder"
	KindInviteExpiring  Kind = "invite_expiring"
	KindWelcome         Kind = "welcome"
	KindJoinReceived    Kind = "join_received"
	KindJoinVerify      Kind = "join_verify"
	KindJoinApproved    Kind = "join_approved"
	KindJoinDeclined    Kind = "join_declined"
	KindRoleChanged     Kind = "role_changed"
	KindPasswordReset   Kind = "password_reset"
	KindPasswordChanged Kind = "password_changed"
	KindMailboxCode     Kind = "mailbox_code"
	KindAdminDigest     Kind = "admin_digest"
	KindAccessRevoked   Kind = "access_revoked"
)

// Kinds returns all messages, in the order in which they are listed to people.
func Kinds() []Kind {
	return []Kind{
		KindInvite, KindInviteReminder, KindInviteExpiring, KindWelcome, KindJoinReceived, KindJoinVerify, KindJoinApproved,
		KindJoinDeclined, KindRoleChanged, KindPasswordReset, KindPasswordChanged, KindMailboxCode, KindAdminDigest,
		KindAccessRevoked,
	}
}

// Values is what the templates of all messages may show. What a message has no use for is ignored; what is empty is
// left out by its template. Texts come from people and are neither trusted nor made into links: see [defuse].
type Values struct {
	Organization string // name of the organization
	Name         string // the recipient's name
	Actor        string // who invited, decided, changed
	Role         string // display name of the role
	Occupation   string // display name of the occupation
	Message      string // what the actor wrote, several lines
	Reason       string // of a refusal, several lines
	Summary      string // list of facts made by Rollcall with names in it, several lines
	Contact      string // whom to ask: a name, or a function
	Code         string // to type into a page

	Link        string // absolute http or https URL of the page to act on
	HelpLink    string // the same of a page to read
	Unsubscribe string // the same of a page to refuse further messages of this sort

	Expires time.Time // until when link or code work; shown in its own time zone
	When    time.Time // when it happened; shown in its own time zone
}

// Bounds of values, in characters, and of URLs, in bytes.
const (
	maxLine  = 200
	maxLines = 2000
	maxURL   = 2048
)

type varKind uint8

const (
	varLine  varKind = iota // one line of text
	varLines                // text of several lines
	varURL
	varTime
)

// Variable describes a variable that the template of a message may use.
type Variable struct {
	Name     string // as in {{.Name}}
	Meaning  string // one line for people, in English
	URL      bool   // it is a link: may be the target of <a href>
	Required bool   // a template without it would be of no use and is refused
}

// A variable is one row of the table of all variables.
type variable struct {
	name, meaning string
	kind          varKind
	text          func(*Values) string
	time          func(*Values) time.Time
}

func variables() []variable {
	return []variable{
		{name: "Organization", meaning: "name of the organization", text: func(v *Values) string { return v.Organization }},
		{name: "Name", meaning: "name of the recipient, may be empty", text: func(v *Values) string { return v.Name }},
		{name: "Actor", meaning: "who invited, decided or changed, may be empty", text: func(v *Values) string { return v.Actor }},
		{name: "Role", meaning: "the role, may be empty", text: func(v *Values) string { return v.Role }},
		{name: "Occupation", meaning: "the occupation, may be empty", text: func(v *Values) string { return v.Occupation }},
		{name: "Message", meaning: "what the actor wrote, may be empty", kind: varLines, text: func(v *Values) string { return v.Message }},
		{name: "Reason", meaning: "the reason given, may be empty", kind: varLines, text: func(v *Values) string { return v.Reason }},
		{name: "Summary", meaning: "list of facts, may be empty", kind: varLines, text: func(v *Values) string { return v.Summary }},
		{name: "Contact", meaning: "whom to ask, may be empty", text: func(v *Values) string { return v.Contact }},
		{name: "Code", meaning: "code to type", text: func(v *Values) string { return v.Code }},
		{name: "Link", meaning: "address of the page to act on", kind: varURL, text: func(v *Values) string { return v.Link }},
		{name: "HelpLink", meaning: "address of a page to read, may be empty", kind: varURL, text: func(v *Values) string { return v.HelpLink }},
		{name: "Unsubscribe", meaning: "address of the page to refuse such messages, may be empty", kind: varURL, text: func(v *Values) string { return v.Unsubscribe }},
		{name: "Expires", meaning: "until when link or code work, may be empty", kind: varTime, time: func(v *Values) time.Time { return v.Expires }},
		{name: "When", meaning: "when it happened, may be empty", kind: varTime, time: func(v *Values) time.Time { return v.When }},
	}
}

// uses says which variables a message has beside Organization and Name; those with ! are required.
func (k Kind) uses() []string {
	switch k {
	case KindInvite:
		return []string{"Link!", "Actor", "Role", "Occupation", "Message", "Expires", "Contact"}
	case KindInviteReminder, KindInviteExpiring:
		return []string{"Link!", "Actor", "Role", "Occupation", "Message", "Expires", "Contact", "Unsubscribe"}
	case KindWelcome:
		return []string{"Link!", "HelpLink", "Message", "Actor", "Role", "Occupation", "Contact", "Unsubscribe"}
	case KindJoinReceived:
		return []string{"Expires", "Contact"}
	case KindJoinVerify:
		return []string{"Code!", "Link", "Expires"}
	case KindJoinApproved:
		return []string{"Link!", "Actor", "Role", "Occupation", "Message", "Expires", "Contact"}
	case KindJoinDeclined:
		return []string{"Reason", "Contact"}
	case KindRoleChanged:
		return []string{"Actor", "Role", "Summary", "Link", "Contact"}
	case KindPasswordReset:
		return []string{"Link!", "Actor", "Expires", "Contact"}
	case KindPasswordChanged:
		return []string{"When", "Contact"}
	case KindMailboxCode:
		return []string{"Code!", "Expires"}
	case KindAdminDigest:
		return []string{"Summary!", "Link!"}
	case KindAccessRevoked:
		return []string{"When", "Reason", "Contact"}
	}
	return nil
}

// Known reports whether there is such a message.
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }

// MayUnsubscribe reports whether people can refuse the message: those that nobody asked for and that nothing depends on.
func (k Kind) MayUnsubscribe() bool { return slices.Contains(k.uses(), "Unsubscribe") }

// Variables returns what the templates of a message may use.
func (k Kind) Variables() []Variable {
	own := k.uses()
	if own == nil {
		return nil
	}
	var found []Variable
	for _, v := range variables() {
		required := slices.Contains(own, v.name+"!")
		if required || slices.Contains(own, v.name) || v.name == "Organization" || v.name == "Name" {
			found = append(found, Variable{Name: v.name, Meaning: v.meaning, URL: v.kind == varURL, Required: required})
		}
	}
	return found
}

// fields are the data of one execution of a template: for text and subject, strings; for HTML, what escapes right.
type fields map[string]any

// form says where fields go.
type form uint8

const (
	formSubject form = iota
	formText
	formHTML
)

// fieldsOf makes the data of a template. Every variable of the table is there, so that a template that was accepted
// can always be executed.
func fieldsOf(v *Values, locale Locale, f form) (fields, error) {
	data := fields{}
	for _, row := range variables() {
		switch row.kind {
		case varTime:
			s := ""
			if t := row.time(v); !t.IsZero() {
				s = locale.FormatTime(t)
			}
			data[row.name] = s
		case varURL:
			s := row.text(v)
			if s != "" && !validURL(s) {
				return nil, &ValueError{Name: row.name}
			}
			data[row.name] = s
		case varLine:
			s := clip(CleanName(row.text(v)), maxLine)
			if f != formSubject && row.name != "Code" {
				s = defuse(s)
			}
			data[row.name] = s
		case varLines:
			s := defuse(clip(cleanLines(row.text(v)), maxLines))
			if f == formHTML {
				s = strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>")
				data[row.name] = template.HTML(s) //nolint:gosec // escaped in the line above, so that line ends become <br>
			} else {
				data[row.name] = s
			}
		}
	}
	return data, nil
}

// ValueError says that a value given to [Templates.Render] cannot be used: a link that is no absolute http or https
// URL. It is a mistake of the program.
type ValueError struct{ Name string }

func (e *ValueError) Error() string {
	return "mail: " + e.Name + " is no absolute http or https URL of at most 2048 bytes"
}

// Check returns a *ValueError if a link is none. Values that pass can be rendered by any template that passes its check.
func (v *Values) Check() error {
	for _, row := range variables() {
		if row.kind != varURL {
			continue
		}
		if s := row.text(v); s != "" && !validURL(s) {
			return &ValueError{Name: row.name}
		}
	}
	return nil
}

func validURL(s string) bool {
	if len(s) > maxURL || strings.ContainsAny(s, " \t\r\n\"<>\\") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// cleanLines keeps line ends and drops the rest of what [CleanName] drops; more than one empty line becomes one.
func cleanLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var lines []string
	blank := true
	for line := range strings.SplitSeq(visible(s), "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		lines = append(lines, line)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func clip(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes-1]) + "…"
}

// defuse keeps mail programs from making links of text that people wrote: a zero-width space after each sign that an
// address or a URL is recognized by. It looks the same, and a copy of the text is no link either.
func defuse(s string) string {
	if !strings.ContainsAny(s, ".:/@") {
		return s
	}
	const zeroWidthSpace = "\u200b"
	var b strings.Builder
	for i, r := range s {
		b.WriteRune(r)
		if strings.ContainsRune(".:/@", r) && i+1 < len(s) && s[i+1] != ' ' && s[i+1] != '\n' {
			b.WriteString(zeroWidthSpace)
		}
	}
	return b.String()
}
