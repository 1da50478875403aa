package mail

import (
	"bytes"
	"strings"
)

const (
	maxFields     = 100      // of one group
	maxFieldBytes = 4 << 10  // of one field
	maxGroups     = 1 + 1000 // the message's, and one for each recipient; ours have one
)

// readFields reads groups of header fields that empty lines separate (RFC 3464 2.1): names in lower case, folded lines
// joined, of several fields with one name the first. It takes what it can read.
func readFields(data []byte, limit int) []map[string]string {
	var groups []map[string]string
	fields, last := map[string]string{}, ""
	end := func() bool {
		if len(fields) > 0 {
			groups = append(groups, fields)
		}
		fields, last = map[string]string{}, ""
		return len(groups) >= limit
	}
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), "\r\n")
		switch name, value, ok := strings.Cut(text, ":"); {
		case strings.TrimSpace(text) == "":
			if end() {
				return groups
			}
		case text[0] == ' ' || text[0] == '\t':
			if last != "" && len(fields[last]) < maxFieldBytes {
				fields[last] += " " + strings.TrimSpace(text)
			}
		case ok && len(fields) < maxFields:
			last = strings.ToLower(strings.TrimSpace(name))
			if _, twice := fields[last]; twice {
				last = ""
			} else {
				fields[last] = cut(strings.TrimSpace(value), maxFieldBytes)
			}
		default:
			last = ""
		}
	}
	end()
	return groups
}

// readDeliveryStatus reads a message/delivery-status (RFC 3464 2). Our messages have one recipient; if a report has
// several, as after an alias, the worst decides.
func readDeliveryStatus(body []byte, rep *Report) {
	for _, g := range readFields(body, maxGroups) {
		action := strings.ToLower(g["action"])
		if action == "" {
			continue // the fields of the message
		}
		one := Report{Status: statusOf(g["status"]), Detail: oneLine(afterType(g["diagnostic-code"]))}
		if one.Status == "" {
			one.Status = enhancedStatus(one.Detail)
		}
		switch action {
		case "failed":
			one.Kind = ReportBounce
			one.Hard = strings.HasPrefix(one.Status, "5.")
			one.BadAddress = one.Hard && badAddress(stageRecipient, 0, one.Status)
		case "delayed":
			one.Kind = ReportDelayed
		case "delivered", "relayed", "expanded":
			one.Kind = ReportDelivered
		default:
			continue
		}
		one.Recipient = Fold(strings.Trim(afterType(g["original-recipient"]), "<> "))
		if one.Recipient == "" {
			one.Recipient = Fold(strings.Trim(afterType(g["final-recipient"]), "<> "))
		}
		if weight(&one) > weight(rep) {
			one.Send = rep.Send
			*rep = one
		}
	}
}

func weight(r *Report) int {
	switch {
	case r.Kind == ReportBounce && r.BadAddress:
		return 5
	case r.Kind == ReportBounce && r.Hard:
		return 4
	case r.Kind == ReportBounce:
		return 3
	case r.Kind == ReportDelayed:
		return 2
	case r.Kind == ReportDelivered:
		return 1
	}
	return 0
}

// afterType drops the type before a value: "rfc822; ada@example.com", "smtp; 550 5.1.1 unknown".
func afterType(s string) string {
	if _, value, ok := strings.Cut(s, ";"); ok {
		return strings.TrimSpace(value)
	}
	return s
}

// statusOf reads a Status field, after which some servers write a comment.
func statusOf(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return enhancedStatus(word)
}
