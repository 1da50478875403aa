package mail

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
)

// Class is what became of an attempt to send.
type Class string

// The classes.
const (
	Sent Class = "sent" // the mail server has taken the message over
	Soft Class = "soft" // not now; another attempt may succeed
	Hard Class = "hard" // the mail server refuses the message for good
)

// maxReplyText bounds what is kept of a server's reply, in bytes.
const maxReplyText = 300

// Result is the outcome of one attempt.
type Result struct {
	Class Class
	// Code is the SMTP reply code that decided, 0 if there was no reply; Status the enhanced one ("5.1.1", RFC 3463), ""
	// if the server gives none.
	Code   int
	Status string
	// Text is the server's reply, without line ends and cut; or a sentence of ours. It may hold the address, so it is
	// for whoever may see the recipient and not for logs.
	Text string
	// BadAddress says that the refusal is about the address: it does not exist or is no longer used. Other refusals are
	// about the message, its sender or a policy, and say nothing about the address.
	BadAddress bool
	// Err is set if the mail server itself is the trouble: it cannot be reached, or refuses us. It holds nothing of
	// the message and is for the operator's log.
	Err error
}

// A Sender hands a message to something that delivers it. It may be used concurrently.
type Sender interface {
	Send(ctx context.Context, e *Envelope, m *Message) Result
}

// stage is how far a transaction came.
type stage uint8

const (
	stageConnect   stage = iota // up to authentication
	stageFrom                   // the server looks at who sends
	stageRecipient              // at who receives
	stageData                   // at the message
)

// refusal classifies a failure at a stage. Up to MAIL FROM nothing that the server says is about this message: even a
// 5xx there (wrong password, sender not allowed) is for the operator to mend, and the message waits.
func refusal(at stage, err error) Result {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		text := "the connection to the mail server broke"
		if at == stageConnect {
			text = "the mail server cannot be reached"
		}
		return Result{Class: Soft, Text: text, Err: err}
	}
	r := Result{Class: Soft, Code: reply.Code, Status: enhancedStatus(reply.Msg), Text: oneLine(reply.Msg)}
	switch {
	case at <= stageFrom:
		r.Err = err
	case reply.Code == 421: // the server closes the connection: about us, whatever the stage
		r.Err = fmt.Errorf("reply %d", reply.Code) // its text may hold the address
	case reply.Code >= 500 && reply.Code < 600:
		r.Class = Hard
		r.BadAddress = badAddress(at, reply.Code, r.Status)
	}
	return r
}

// badAddress tells refusals of the address from those of sender, message and policy. RFC 3463: x.1.x is about the
// address, x.2.1 a mailbox that is disabled; x.7.x is policy. Without an enhanced code, 550, 551 and 553 at RCPT are
// about the mailbox (RFC 5321 4.2.3).
func badAddress(at stage, code int, status string) bool {
	if status != "" {
		// 5.1.7 and 5.1.8 are about the sender's address.
		return strings.HasPrefix(status, "5.1.") && status != "5.1.7" && status != "5.1.8" || status == "5.2.1"
	}
	return at == stageRecipient && (code == 550 || code == 551 || code == 553)
}

// enhancedStatus finds the status code of RFC 3463 at the start of a reply, "" if there is none.
func enhancedStatus(reply string) string {
	return regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`).FindString(strings.TrimSpace(reply))
}

func oneLine(s string) string {
	return cut(strings.Join(strings.Fields(visible(s)), " "), maxReplyText)
}
