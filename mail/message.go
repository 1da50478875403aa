package mail

import (
	"bytes"
	"fmt"
	"io"
	stdmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is a rendered mail to one recipient.
type Message struct {
	Kind        Kind      `json:"kind"`
	To          string    `json:"to"` // an address as [ParseAddress] returns it
	ToName      string    `json:"toName,omitempty"`
	FromName    string    `json:"fromName,omitempty"` // shown as sender in place of the server's own name
	ReplyTo     string    `json:"replyTo,omitempty"`
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
	HTML        string    `json:"html"`
	Unsubscribe string    `json:"unsubscribe,omitempty"` // https URL
	Date        time.Time `json:"date"`                  // when it was written: the same for every attempt
}

// Identity is who the server is in mails.
type Identity struct {
	From         Address // of the header
	Name         string  // shown if a message names no sender
	ReturnDomain string  // where bounces go; From's domain if empty
}

// ParseIdentity reads `Name <address>` or a bare address; returnDomain may be empty.
func ParseIdentity(from, returnDomain string) (Identity, error) {
	list, err := ParseRecipients(from, 1)
	if err != nil || len(list) != 1 {
		return Identity{}, ErrExtraText
	}
	if list[0].Problem != "" {
		return Identity{}, list[0].Problem
	}
	id := Identity{From: list[0].Address, Name: list[0].Name, ReturnDomain: list[0].Address.Domain}
	if returnDomain != "" {
		if id.ReturnDomain, err = ParseDomain(returnDomain); err != nil {
			return Identity{}, err
		}
	}
	return id, nil
}

// Envelope is what the mail server sees: who sends, for errors to return to, and who receives. ID names the send; it is
// the same for every attempt, and so are the return path and the Message-ID that are made of it.
type Envelope struct {
	ID        string // canonical UUID text
	From, To  string
	MessageID string // without angle brackets
}

const returnPrefix = "b+"

// Envelope makes the envelope of a message: a return path of its own (VERP), so that a bounce names the send by the
// address that it comes to, whatever it says.
func (i Identity) Envelope(id string, m *Message) Envelope {
	return Envelope{ID: id, From: returnPrefix + id + "@" + i.ReturnDomain, To: m.To, MessageID: id + "@" + i.From.Domain}
}

// SendOf returns the id of the send that a return path was made for.
func (i Identity) SendOf(returnPath string) (id string, ok bool) {
	a, err := ParseAddress(strings.Trim(returnPath, "<> "))
	if err != nil || a.Domain != i.ReturnDomain {
		return "", false
	}
	local := strings.ToLower(a.Local)
	id, ok = strings.CutPrefix(local, returnPrefix)
	return id, ok && isUUID(id)
}

// sendOfMessageID returns the id of the send that a Message-ID was made for.
func (i Identity) sendOfMessageID(text string) (id string, ok bool) {
	id, domain, _ := strings.Cut(strings.Trim(text, "<> \t"), "@")
	return id, strings.EqualFold(domain, i.From.Domain) && isUUID(id)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') {
			return false
		} else if !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// WriteMessage writes a mail as RFC 5322 has it, text and HTML as alternatives. The same message and envelope give the
// same bytes.
func (i Identity) WriteMessage(w io.Writer, e *Envelope, m *Message) error {
	to, err := ParseAddress(m.To)
	if err != nil {
		return fmt.Errorf("recipient: %w", err)
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP),
		gomail.WithBoundary("part-"+e.ID))
	name := i.Name
	if m.FromName != "" {
		name = m.FromName
	}
	msg.FromMailAddress(&stdmail.Address{Name: CleanName(name), Address: i.From.String()})
	msg.ToMailAddress(&stdmail.Address{Name: CleanName(m.ToName), Address: to.String()})
	if m.ReplyTo != "" {
		reply, err := ParseAddress(m.ReplyTo)
		if err != nil {
			return fmt.Errorf("reply-to: %w", err)
		}
		msg.ReplyToMailAddress(&stdmail.Address{Address: reply.String()})
	}
	msg.Subject(strings.Join(strings.Fields(visible(m.Subject)), " "))
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(e.MessageID)
	// RFC 3834: nobody need answer; and what Exchange takes for that.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if m.Unsubscribe != "" && m.Kind.MayUnsubscribe() {
		if !validURL(m.Unsubscribe) {
			return &ValueError{Name: "Unsubscribe"}
		}
		// Preformatted, since an encoded word is no URL; what validURL accepts has neither space nor line end.
		msg.SetGenHeaderPreformatted(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	if _, err := msg.WriteTo(w); err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	return nil
}

// source is WriteMessage into memory: what cannot be written must not reach a server half.
func (i Identity) source(e *Envelope, m *Message) ([]byte, error) {
	var b bytes.Buffer
	if err := i.WriteMessage(&b, e, m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
