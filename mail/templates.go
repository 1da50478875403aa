package mail

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// The parts of a template.
const (
	partSubject = "subject"
	partText    = "text"
	partHTML    = "html"
)

// Override is what an organization puts in place of a message's own template; an empty part keeps the built-in one.
// HTML is what stands between the head and the foot of the mail; it needs a Text beside it, since some people see only
// that. A Text alone gives the HTML part too.
type Override struct{ Subject, Text, HTML string }

// Content is a message as it is shown.
type Content struct{ Subject, Text, HTML string }

// Templates holds the messages in all languages. It is made once and may be used concurrently.
type Templates struct {
	sources map[Locale]map[Kind]Override // Subject and Text; HTML follows from Text
	footers map[Locale]string
	layout  string
}

// NewTemplates reads the templates that come with the program.
func NewTemplates() (*Templates, error) {
	t := &Templates{sources: map[Locale]map[Kind]Override{}, footers: map[Locale]string{}}
	layout, err := templateFiles.ReadFile("templates/layout.html")
	if err != nil {
		return nil, err
	}
	t.layout = string(layout)
	for _, l := range Locales() {
		t.sources[l] = map[Kind]Override{}
		footer, err := templateFiles.ReadFile("templates/" + string(l) + "/footer.txt")
		if err != nil {
			return nil, err
		}
		t.footers[l] = string(footer)
		for _, k := range Kinds() {
			file, err := templateFiles.ReadFile("templates/" + string(l) + "/" + string(k) + ".txt")
			if err != nil {
				return nil, err
			}
			head, body, ok := strings.Cut(string(file), "\n\n")
			subject, has := strings.CutPrefix(head, "Subject: ")
			if !ok || !has {
				return nil, fmt.Errorf("template %s/%s begins with no subject", l, k)
			}
			t.sources[l][k] = Override{Subject: subject, Text: body}
		}
	}
	return t, nil
}

// Source returns the built-in subject and text of a message, as a start for an organization's own.
func (t *Templates) Source(k Kind, locale Locale) Override { return t.sources[locale][k] }

// Check returns a *TemplateError if o cannot take the place of a message's template: a part is no template, uses a
// variable that the message does not have, lacks one without which it would be of no use, or has HTML that a mail must
// not have. What passes can be rendered with any values.
func (t *Templates) Check(k Kind, o Override) error {
	if !k.Known() {
		return &TemplateError{Part: partSubject, Reason: "there is no such message"}
	}
	if strings.ContainsAny(o.Subject, "\r\n") {
		return &TemplateError{Part: partSubject, Reason: "must be one line"}
	}
	if o.HTML != "" && o.Text == "" {
		return &TemplateError{Part: partText, Reason: "must be given beside html: some people see only the text"}
	}
	for part, source := range map[string]string{partSubject: o.Subject, partText: o.Text, partHTML: o.HTML} {
		if source == "" {
			continue
		}
		shown, err := check(part, source, k)
		if err != nil {
			return err
		}
		if part == partSubject {
			continue
		}
		for _, v := range k.Variables() {
			if v.Required && shown[v.Name] == 0 {
				return &TemplateError{Part: part, Reason: "must show {{." + v.Name + "}}: without it the message is of no use"}
			}
		}
	}
	if o.HTML != "" {
		if err := checkHTML(o.HTML, k); err != nil {
			return err
		}
	}
	// What the parsers accept may still not render: html/template refuses what it cannot escape. Both branches of every
	// {{if}} are part of what it looks at, so one try tells.
	_, err := t.Preview(k, English, o)
	return err
}

// Render writes a message. o must have passed Check. The error is a *ValueError, or a *TemplateError if o has not.
func (t *Templates) Render(k Kind, locale Locale, o Override, v Values) (Content, error) {
	own, ok := t.sources[locale][k]
	if !ok {
		return Content{}, fmt.Errorf("mail: there is no message %q in %q", string(k), string(locale))
	}
	if o.Subject == "" {
		o.Subject = own.Subject
	}
	if o.Text == "" {
		o.Text = own.Text
	}
	if o.HTML == "" {
		o.HTML = htmlFromText(o.Text, k)
	}
	if !k.MayUnsubscribe() {
		v.Unsubscribe = ""
	}
	var c Content
	var err error
	if c.Subject, err = t.text(partSubject, o.Subject, &v, locale, formSubject); err != nil {
		return Content{}, err
	}
	c.Subject = strings.TrimSpace(clip(strings.Join(strings.Fields(visible(c.Subject)), " "), maxLine))
	text, err := t.text(partText, o.Text, &v, locale, formText)
	if err != nil {
		return Content{}, err
	}
	footer, err := t.text(partText, t.footers[locale], &v, locale, formText)
	if err != nil {
		return Content{}, err
	}
	c.Text = tidy(text) + "\n\n-- \n" + tidy(footer) + "\n"
	c.HTML, err = t.html(o.HTML, &v, locale)
	return c, err
}

func (t *Templates) text(part, source string, v *Values, locale Locale, f form) (string, error) {
	data, err := fieldsOf(v, locale, f)
	if err != nil {
		return "", err
	}
	parsed, err := texttemplate.New(part).Option("missingkey=error").Parse(source)
	if err != nil {
		return "", syntaxError(part, err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, data); err != nil {
		return "", syntaxError(part, err)
	}
	return b.String(), nil
}

func (t *Templates) html(body string, v *Values, locale Locale) (string, error) {
	data, err := fieldsOf(v, locale, formHTML)
	if err != nil {
		return "", err
	}
	data["Lang"] = string(locale)
	// The footer's variables are those of the kinds that can be refused; the others have them empty.
	source := strings.Replace(t.layout, "<!--body-->", body, 1)
	source = strings.Replace(source, "<!--footer-->", htmlFromText(t.footers[locale], KindWelcome), 1)
	parsed, err := htmltemplate.New(partHTML).Option("missingkey=error").Parse(source)
	if err != nil {
		return "", syntaxError(partHTML, err)
	}
	var b strings.Builder
	if err := parsed.Execute(&b, data); err != nil {
		if escape, ok := errors.AsType[*htmltemplate.Error](err); ok {
			return "", &TemplateError{Part: partHTML, Reason: cut(escape.Description, 200)}
		}
		return "", syntaxError(partHTML, err)
	}
	return b.String(), nil
}

// Preview renders a message with made-up values, every variable set.
func (t *Templates) Preview(k Kind, locale Locale, o Override) (Content, error) {
	v := Values{
		Organization: "Example Corporation", Name: "Ada Lovelace", Actor: "Grace Hopper", Role: "Manager", Occupation: "Engineer",
		Message: "We look forward to working with you.\nSee you on Monday!", Reason: "We do not know each other yet.",
		Summary: "- 3 requests to join\n- 2 invitations that end within a day", Contact: "the help desk", Code: "482913",
		Link: "https://example.com/page#token", HelpLink: "https://example.com/first-steps", Unsubscribe: "https://example.com/no-more",
		Expires: time.Date(2026, time.January, 2, 15, 4, 0, 0, time.UTC), When: time.Date(2026, time.January, 1, 9, 30, 0, 0, time.UTC),
	}
	if locale == German {
		v.Organization, v.Contact = "Beispiel GmbH", "die Auskunft"
		v.Role, v.Occupation = "Leitung", "Technik"
		v.Message = "Wir freuen uns auf die Zusammenarbeit.\nBis Montag!"
		v.Reason = "Wir kennen einander noch nicht."
		v.Summary = "- 3 Anfragen\n- 2 Einladungen, die binnen eines Tages ablaufen"
	}
	return t.Render(k, locale, o, v)
}

// tidy drops what control lines of a template leave behind: space at the end of lines and empty lines in a row.
func tidy(s string) string {
	var lines []string
	blank := true
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		line = strings.TrimRight(line, " \t")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		lines = append(lines, line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
