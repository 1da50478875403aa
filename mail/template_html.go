package mail

import (
	"html"
	"slices"
	"strings"
)

// htmlFromText makes the source of an HTML template from that of a text: paragraphs, lists of lines that begin with a
// dash, and links. A line that holds nothing but a link, under a line that says what it is for, becomes a button. The
// source must have passed check.
func htmlFromText(source string, k Kind) string {
	urls := map[string]bool{}
	for _, v := range k.Variables() {
		urls[v.Name] = v.URL
	}
	var b strings.Builder
	var paragraph []string
	flush := func() {
		writeParagraph(&b, paragraph, urls)
		paragraph = nil
	}
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			flush()
		case isControl(line):
			flush()
			b.WriteString(line + "\n")
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return b.String()
}

func writeParagraph(b *strings.Builder, lines []string, urls map[string]bool) {
	const p = `<p style="margin:16px 0 0 0">`
	if len(lines) == 0 {
		return
	}
	if n := len(lines); n >= 2 && urls[onlyVariable(lines[n-1])] {
		writeParagraph(b, lines[:n-2], urls)
		label := htmlLine(strings.TrimSuffix(lines[n-2], ":"), nil)
		b.WriteString(p + `<a href="` + lines[n-1] + `" style="display:inline-block;padding:10px 20px;background:#0b57d0;` +
			`color:#ffffff;text-decoration:none;border-radius:4px">` + label + "</a></p>\n")
		return
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "- ") }) {
		b.WriteString(`<ul style="margin:16px 0 0 0;padding:0 0 0 20px">`)
		for _, l := range lines {
			b.WriteString("<li>" + htmlLine(l[2:], urls) + "</li>")
		}
		b.WriteString("</ul>\n")
		return
	}
	b.WriteString(p)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("<br>\n")
		}
		b.WriteString(htmlLine(l, urls))
	}
	b.WriteString("</p>\n")
}

// htmlLine escapes what is text and makes variables that are URLs links; with urls nil it leaves them alone.
func htmlLine(line string, urls map[string]bool) string {
	var b strings.Builder
	for text, action := range actions(line) {
		b.WriteString(html.EscapeString(text))
		if urls[onlyVariable(action)] {
			b.WriteString(`<a href="` + action + `" style="color:#0b57d0">` + action + `</a>`)
		} else {
			b.WriteString(action)
		}
	}
	return b.String()
}

// actions yields the pieces of a source: text, and the action with its braces that follows it, "" at the end.
func actions(source string) func(func(text, action string) bool) {
	return func(yield func(text, action string) bool) {
		for {
			open := strings.Index(source, "{{")
			if open < 0 {
				yield(source, "")
				return
			}
			length := strings.Index(source[open:], "}}")
			if length < 0 {
				yield(source, "")
				return
			}
			if !yield(source[:open], source[open:open+length+2]) {
				return
			}
			source = source[open+length+2:]
		}
	}
}

// inner is what stands between an action's braces, without the signs that trim space.
func inner(action string) string {
	s := strings.TrimSuffix(strings.TrimPrefix(action, "{{"), "}}")
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, "- "), " -"))
}

// onlyVariable returns the name of the variable that an action shows, "" for any other text.
func onlyVariable(s string) string {
	if !strings.HasPrefix(s, "{{") || strings.Index(s, "}}") != len(s)-2 {
		return ""
	}
	name, ok := strings.CutPrefix(inner(s), ".")
	if !ok || strings.ContainsAny(name, " \t") {
		return ""
	}
	return name
}

// isControl reports whether a line consists of {{if}}, {{else}} and {{end}} only.
func isControl(line string) bool {
	found := false
	for text, action := range actions(line) {
		if strings.TrimSpace(text) != "" || action != "" && onlyVariable(action) != "" {
			return false
		}
		found = found || action != ""
	}
	return found
}
