package mail

import (
	"mime"
	"strings"

	"github.com/emersion/go-message"
)

// isAutoReply recognizes what a mailbox answers by itself: by the header of RFC 3834 5, by those that were in use before
// it, and by the subjects of those that set none.
func isAutoReply(h message.Header) bool {
	auto, _, _ := strings.Cut(strings.ToLower(h.Get("Auto-Submitted")), ";")
	if auto = strings.TrimSpace(auto); auto != "" && auto != "no" {
		return !fromMailSystem(h) // whose bounces are generated, too
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-AutoReply-From", "X-Mail-Autoreply"} {
		if v := strings.ToLower(strings.TrimSpace(h.Get(name))); v != "" && v != "no" {
			return true
		}
	}
	switch strings.ToLower(strings.TrimSpace(h.Get("Precedence"))) {
	case "auto_reply", "auto-reply":
		return true
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil {
		subject = h.Get("Subject")
	}
	subject = strings.ToLower(strings.TrimSpace(subject))
	for _, start := range []string{
		"automatic reply:", "auto reply:", "autoreply:", "out of office", "out of the office", "automatische antwort:",
		"abwesenheitsnotiz", "abwesend:", "réponse automatique", "absence du bureau", "respuesta automática", "risposta automatica",
	} {
		if strings.HasPrefix(subject, start) {
			return true
		}
	}
	return false
}
