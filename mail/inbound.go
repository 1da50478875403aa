package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // so that texts in other character sets can be read
)

// ReportKind is what a mail that came back tells.
type ReportKind string

// The kinds of reports.
const (
	ReportBounce    ReportKind = "bounce"    // the message was not delivered and will not be
	ReportDelayed   ReportKind = "delayed"   // it waits at some server, which goes on trying
	ReportDelivered ReportKind = "delivered" // a server says so; Rollcall does not ask for it
	ReportAutoReply ReportKind = "autoReply" // somebody's mailbox answers by itself (RFC 3834)
	ReportComplaint ReportKind = "complaint" // the recipient calls it unwanted (RFC 5965)
	ReportOther     ReportKind = "other"     // a person's answer, or what nobody can read
)

// Report is what a mail that came back tells about a send.
type Report struct {
	Kind ReportKind
	// Send is the id of the send that it is about, "" if it does not say.
	Send string
	// Recipient is the address that the report names, as its key (see [Address.Key]), "" if none. Reports can be forged
	// by whoever has received the message: whom it was sent to is what the send's own record says.
	Recipient string
	Hard      bool   // of a bounce: for good
	Status    string // enhanced status code of RFC 3463, "" if there is none
	// BadAddress says that the bounce is about the address, as in [Result].
	BadAddress bool
	Detail     string // what the server said, on one line, cut
}

// Bounds of a mail that comes back.
const (
	MaxInbound = 1 << 20 // bytes of a whole mail
	maxPart    = 64 << 10
	maxParts   = 20
)

// ErrInbound: a mail that came back cannot be read, or is larger than MaxInbound.
var ErrInbound = errors.New("mail: what came back is no mail that can be read")

// ReadReport reads a mail that came to returnPath: a delivery status notification (RFC 3464), a complaint (RFC 5965), an
// automatic reply, or a bounce in some form of its own.
func (i Identity) ReadReport(returnPath string, r io.Reader) (Report, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxInbound+1))
	if err != nil {
		return Report{}, fmt.Errorf("read a mail: %w", err)
	}
	if len(data) > MaxInbound {
		return Report{}, ErrInbound
	}
	e, err := message.Read(bytes.NewReader(data))
	if err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return Report{}, ErrInbound
	}
	send, _ := i.SendOf(returnPath)
	rep := i.report(e)
	if rep.Send == "" || send != "" {
		rep.Send = send
	}
	return rep, nil
}

func (i Identity) report(e *message.Entity) Report {
	rep := Report{Kind: ReportOther, Send: i.sendIn(e.Header)}
	kind, params, _ := e.Header.ContentType() // what cannot be read is text
	switch {
	case kind == "multipart/report" && strings.EqualFold(params["report-type"], "delivery-status"),
		kind == "multipart/report" && strings.EqualFold(params["report-type"], "feedback-report"):
		i.readParts(e, &rep)
	case isAutoReply(e.Header):
		rep.Kind = ReportAutoReply
	case looksLikeBounce(e.Header):
		i.readFreeBounce(e, &rep)
	}
	return rep
}

// readParts walks over the parts of a multipart/report.
func (i Identity) readParts(e *message.Entity, rep *Report) {
	parts := e.MultipartReader()
	if parts == nil {
		return
	}
	defer func() { _ = parts.Close() }()
	for range maxParts {
		part, err := parts.NextPart()
		if err != nil && (part == nil || !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err)) {
			return
		}
		body, err := io.ReadAll(io.LimitReader(part.Body, maxPart))
		if err != nil && len(body) == 0 {
			continue
		}
		kind, _, _ := part.Header.ContentType()
		switch kind {
		case "message/delivery-status", "message/global-delivery-status":
			readDeliveryStatus(body, rep)
		case "message/feedback-report":
			i.readFeedback(body, rep)
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if send, ok := i.sendOfOriginal(body); ok && rep.Send == "" {
				rep.Send = send
			}
		}
	}
}

// sendIn finds the send that a mail answers, by its In-Reply-To and References.
func (i Identity) sendIn(h message.Header) string {
	for _, name := range []string{"In-Reply-To", "References", "Original-Message-Id"} {
		for word := range strings.FieldsSeq(cut(h.Get(name), 8<<10)) {
			if send, ok := i.sendOfMessageID(word); ok {
				return send
			}
		}
	}
	return ""
}

// sendOfOriginal finds it in the headers of our message, which reports carry along.
func (i Identity) sendOfOriginal(headers []byte) (string, bool) {
	for _, fields := range readFields(headers, 1) {
		if send, ok := i.sendOfMessageID(fields["message-id"]); ok {
			return send, true
		}
	}
	return "", false
}

// readFeedback reads the fields of RFC 5965 3.
func (i Identity) readFeedback(body []byte, rep *Report) {
	for _, fields := range readFields(body, 1) {
		if strings.EqualFold(fields["feedback-type"], "not-spam") {
			continue
		}
		rep.Kind = ReportComplaint
		if send, ok := i.SendOf(fields["original-mail-from"]); ok {
			rep.Send = send
		}
		rep.Recipient = Fold(strings.Trim(fields["original-rcpt-to"], "<> "))
	}
}

// looksLikeBounce recognizes servers that report in a form of their own, as qmail does: from nobody or the mail system.
func looksLikeBounce(h message.Header) bool {
	return strings.TrimSpace(h.Get("Return-Path")) == "<>" || fromMailSystem(h)
}

func fromMailSystem(h message.Header) bool {
	from := strings.ToLower(h.Get("From"))
	return strings.Contains(from, "mailer-daemon@") || strings.Contains(from, "postmaster@") || h.Get("X-Failed-Recipients") != ""
}

// readFreeBounce takes a status code from the beginning of the text; without one the bounce is soft.
func (i Identity) readFreeBounce(e *message.Entity, rep *Report) {
	rep.Kind = ReportBounce
	rep.Recipient = Fold(e.Header.Get("X-Failed-Recipients"))
	body, _ := io.ReadAll(io.LimitReader(e.Body, maxPart)) // the beginning is enough
	text := string(body)
	if m := regexp.MustCompile(`\b([45]\d\d)[ -]#?([45]\.\d{1,3}\.\d{1,3})?\b[^\r\n]*`).FindStringSubmatch(text); m != nil {
		rep.Status, rep.Detail, rep.Hard = m[2], oneLine(m[0]), m[1][0] == '5'
		code := 0
		if m[1] == "550" || m[1] == "551" || m[1] == "553" {
			code = 550
		}
		rep.BadAddress = rep.Hard && badAddress(stageRecipient, code, rep.Status)
	} else if status := regexp.MustCompile(`\b[45]\.\d{1,3}\.\d{1,3}\b`).FindString(text); status != "" {
		rep.Status, rep.Hard = status, status[0] == '5'
		rep.BadAddress = rep.Hard && badAddress(stageRecipient, 0, status)
	}
	if rep.Send == "" {
		// Not by the text in lower case: that may be shorter or longer than the text.
		if at := regexp.MustCompile(`(?i)\nmessage-id:`).FindIndex(body); at != nil {
			rep.Send, _ = i.sendOfOriginal(body[at[0]+1:])
		}
	}
}
