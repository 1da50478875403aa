package mail

import (
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// The HTML tokenizer must not see braces: each action becomes one character of the private use area.
const (
	markText = "\ue000" // a variable
	markLink = "\ue001" // a variable that is a URL
	markIf   = "\ue002"
	markElse = "\ue003"
	markEnd  = "\ue004"
	allMarks = markText + markLink + markIf + markElse + markEnd
)

// checkHTML holds the source of an HTML part, which has passed check, to what a mail needs: elements of text and
// tables, properly nested in every branch, and links. No script, no form, nothing that is loaded from elsewhere, so no
// image either: a picture that is fetched tells its server who reads the mail and when.
func checkHTML(source string, k Kind) error {
	if strings.ContainsAny(source, allMarks) {
		return &TemplateError{Part: partHTML, Reason: "has a character for private use"}
	}
	marked := markActions(source, k)
	c := htmlChecker{line: 1}
	for _, start := range []string{"<", "</", "<!"} {
		for _, mark := range allMarks {
			if strings.Contains(marked, start+string(mark)) {
				return c.fail("a tag cannot begin with a variable or a condition")
			}
		}
	}
	z := html.NewTokenizer(strings.NewReader(marked))
	for {
		kind := z.Next()
		raw := string(z.Raw())
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				return c.fail("is no HTML")
			}
			if len(c.open) > 0 {
				return c.fail("<" + c.open[len(c.open)-1] + "> is not closed")
			}
			return nil
		}
		if err := c.token(kind, z.Token(), raw); err != nil {
			return err
		}
		c.line += strings.Count(raw, "\n")
	}
}

func markActions(source string, k Kind) string {
	urls := map[string]bool{}
	for _, v := range k.Variables() {
		urls[v.Name] = v.URL
	}
	var b strings.Builder
	for text, action := range actions(source) {
		b.WriteString(text)
		word, _, _ := strings.Cut(inner(action), " ")
		name := onlyVariable(action)
		switch {
		case action == "" || strings.HasPrefix(word, "/*"):
		case word == "if":
			b.WriteString(markIf)
		case word == "else":
			b.WriteString(markElse)
		case word == "end":
			b.WriteString(markEnd)
		case urls[name]:
			b.WriteString(markLink)
		default:
			b.WriteString(markText)
		}
	}
	return b.String()
}

// htmlChecker walks over the tokens of a source. open holds the elements that are open, and markIf where a branch began.
type htmlChecker struct {
	open []string
	line int
}

func (c *htmlChecker) fail(reason string) error {
	return &TemplateError{Part: partHTML, Line: c.line, Reason: reason}
}

func (c *htmlChecker) token(kind html.TokenType, t html.Token, raw string) error {
	switch kind {
	case html.TextToken:
		return c.text(raw)
	case html.CommentToken, html.DoctypeToken:
		return c.fail("comments and declarations cannot be used")
	case html.EndTagToken:
		if len(c.open) == 0 || c.open[len(c.open)-1] != t.Data {
			return c.fail("</" + cut(t.Data, 20) + "> closes nothing that is open there: elements must be nested, also in {{if}}")
		}
		c.open = c.open[:len(c.open)-1]
	case html.StartTagToken, html.SelfClosingTagToken:
		if reason := checkElement(t); reason != "" {
			return c.fail(reason)
		}
		if t.Data == "br" || t.Data == "hr" {
			return nil
		}
		if kind == html.SelfClosingTagToken {
			return c.fail("<" + t.Data + "/> must be closed by a tag of its own")
		}
		c.open = append(c.open, t.Data)
	case html.ErrorToken:
	}
	return nil
}

// text follows the conditions: what a branch opens it must close.
func (c *htmlChecker) text(raw string) error {
	for _, r := range raw {
		switch string(r) {
		case markIf:
			c.open = append(c.open, markIf)
		case markElse, markEnd:
			if len(c.open) == 0 || c.open[len(c.open)-1] != markIf {
				return c.fail("an element that begins in a branch of {{if}} must end in it")
			}
			if string(r) == markEnd {
				c.open = c.open[:len(c.open)-1]
			}
		}
	}
	return nil
}

// checkElement returns what is wrong with a start tag.
func checkElement(t html.Token) string {
	switch t.Data {
	case "p", "br", "hr", "div", "span", "h1", "h2", "h3", "h4", "ul", "ol", "li", "strong", "em", "b", "i", "u", "small",
		"blockquote", "table", "thead", "tbody", "tr", "td", "th", "center", "pre", "code", "a":
	default:
		return "<" + cut(t.Data, 20) + "> cannot be used; elements of text, lists, tables and links can"
	}
	for _, a := range t.Attr {
		isLink := t.Data == "a" && a.Key == "href"
		switch {
		case isLink && a.Val == markLink:
		case strings.ContainsAny(a.Key+a.Val, allMarks):
			return "an attribute cannot hold a variable or a condition, except href a whole link: <a href=\"{{.Link}}\">"
		case isLink:
			lower := strings.ToLower(a.Val)
			if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "mailto:") {
				return "href must begin with https:// or mailto:, or be a variable that is a link"
			}
		case a.Key == "style":
			if strings.ContainsAny(a.Val, "(\\@<") || strings.Contains(a.Val, "/*") {
				return "style cannot hold functions, rules or comments"
			}
		case slices.Contains([]string{
			"align", "valign", "width", "height", "bgcolor", "border", "cellpadding", "cellspacing", "colspan", "rowspan",
			"dir", "lang", "role",
		}, a.Key):
		default:
			return "the attribute " + cut(a.Key, 20) + " cannot be used on <" + t.Data + ">"
		}
	}
	return ""
}
