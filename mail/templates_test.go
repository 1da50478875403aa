package mail

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"
)

func newTemplates(tb testing.TB) *Templates {
	tb.Helper()
	t, err := NewTemplates()
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// TestBuiltInTemplates renders every message in every language with every variable and with only those that are
// required.
func TestBuiltInTemplates(t *testing.T) {
	ts := newTemplates(t)
	if len(Kinds()) != 14 {
		t.Fatalf("%d kinds", len(Kinds()))
	}
	subjects := map[string]Kind{}
	for _, l := range Locales() {
		for _, k := range Kinds() {
			if err := ts.Check(k, ts.Source(k, l)); err != nil {
				t.Errorf("%s/%s: %v", l, k, err)
			}
			full, err := ts.Preview(k, l, Override{})
			if err != nil {
				t.Fatalf("%s/%s: %v", l, k, err)
			}
			least, err := ts.Render(k, l, Override{}, Values{Organization: "Acme", Link: "https://acme.example/x", Code: "123456", Summary: "one"})
			if err != nil {
				t.Fatalf("%s/%s: %v", l, k, err)
			}
			for _, c := range []Content{full, least} {
				for part, s := range map[string]string{"subject": c.Subject, "text": c.Text, "html": c.HTML} {
					if s == "" || strings.Contains(s, "{{") || strings.Contains(s, "<no value>") || strings.Contains(s, "ZgotmplZ") {
						t.Errorf("%s/%s: %s is %q", l, k, part, s)
					}
				}
				if strings.Contains(c.Text, "\n\n\n") || strings.Contains(c.Text, "  ") || strings.Contains(c.Text, " \n") && !strings.Contains(c.Text, "-- \n") {
					t.Errorf("%s/%s: space is left in the text:\n%s", l, k, c.Text)
				}
				if strings.Contains(c.HTML, "<img") || strings.Contains(c.HTML, "<script") || strings.Contains(c.HTML, "url(") {
					t.Errorf("%s/%s: the HTML loads something", l, k)
				}
				balanced(t, c.HTML)
			}
			for _, v := range k.Variables() {
				if v.Name == "Link" && v.Required && (!strings.Contains(full.Text, "https://example.com/page#token") || !strings.Contains(full.HTML, `href="https://example.com/page#token"`)) {
					t.Errorf("%s/%s: the link is missing", l, k)
				}
				if v.Name == "Code" && (!strings.Contains(full.Text, "482913") || !strings.Contains(full.HTML, "482913")) {
					t.Errorf("%s/%s: the code is missing", l, k)
				}
			}
			if has := strings.Contains(full.Text, "https://example.com/no-more"); has != k.MayUnsubscribe() {
				t.Errorf("%s/%s: unsubscribe link %v", l, k, has)
			}
			if before, taken := subjects[full.Subject]; taken && before != k && k != KindJoinDeclined {
				t.Errorf("%s/%s: the subject is that of %s", l, k, before)
			}
			subjects[full.Subject] = k
		}
	}
}

// balanced fails if elements are not nested.
func balanced(t *testing.T, source string) {
	t.Helper()
	z := nethtml.NewTokenizer(strings.NewReader(source))
	var open []string
	for {
		switch z.Next() {
		case nethtml.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v in\n%s", open, source)
			}
			return
		case nethtml.StartTagToken:
			if name, _ := z.TagName(); string(name) != "meta" && string(name) != "br" {
				open = append(open, string(name))
			}
		case nethtml.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v in\n%s", name, open, source)
			}
			open = open[:len(open)-1]
		default:
		}
	}
}

func TestRenderInvite(t *testing.T) {
	ts := newTemplates(t)
	berlin := time.FixedZone("CET", 3600)
	v := Values{
		Organization: "Acme & Söhne", Name: "Ada", Actor: "Grace Hopper", Occupation: "Engineer", Role: "Manager",
		Message: "Hi Ada,\n\n\nsee <b>http://evil.example/x</b> or ask me@evil.example.\r\nGrace",
		Link:    "https://id.acme.example/join#inv_abc", Expires: time.Date(2026, time.March, 4, 5, 6, 7, 0, berlin),
	}
	got, err := ts.Render(KindInvite, English, Override{}, v)
	if err != nil {
		t.Fatal(err)
	}
	want := `Hello Ada,

Grace Hopper invites you to join Acme & Söhne as Engineer.

Grace Hopper writes:

Hi Ada,

see <b>http:~/~/~evil.~example/~x</~b> or ask me@~evil.~example.
Grace

Accept the invitation:
https://id.acme.example/join#inv_abc

The link works until 4 March 2026, 05:06 CET and only for you. Please do not pass it on.

If you do not know why you get this message, you need not do anything.

-- 
This message comes from Acme & Söhne and was sent by a program.
`
	if d := cmp.Diff(want, strings.ReplaceAll(got.Text, "\u200b", "~")); d != "" {
		t.Errorf("text, -want +got:\n%s", d)
	}
	if got.Subject != "Grace Hopper invites you to Acme & Söhne" {
		t.Errorf("subject %q", got.Subject)
	}
	for _, part := range []string{
		`<a href="https://id.acme.example/join#inv_abc"`, "Accept the invitation</a>", "Acme &amp; Söhne", "&lt;b&gt;http:\u200b/\u200b/\u200bevil.",
		"Hi Ada,<br><br>see", `<html lang="en">`,
	} {
		if !strings.Contains(got.HTML, part) {
			t.Errorf("HTML has no %q:\n%s", part, got.HTML)
		}
	}
	if n := strings.Count(got.HTML, "href="); n != 1 {
		t.Errorf("%d links in the HTML, want the one of the invitation", n)
	}
	german, err := ts.Render(KindInvite, German, Override{}, v)
	if err != nil || !strings.Contains(german.Text, "bis 4. März 2026, 05:06 Uhr (CET)") || german.Subject != "Grace Hopper lädt Sie zu Acme & Söhne ein" {
		t.Errorf("German: %v %q\n%s", err, german.Subject, german.Text)
	}
}

func TestUserTextCannotBreakOut(t *testing.T) {
	ts := newTemplates(t)
	evil := "Eve\r\nBcc: all@example.com\u2028\u202e\x00 <script>alert(1)</script> {{.Link}} \"><a href=https://evil.example>x</a>"
	v := Values{Organization: evil, Name: evil, Actor: evil, Role: evil, Occupation: evil, Message: evil, Contact: evil, Reason: evil, Summary: evil, Code: "1", Link: "https://acme.example/ok"}
	for _, l := range Locales() {
		for _, k := range Kinds() {
			c, err := ts.Render(k, l, Override{}, v)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(c.Subject, "\r\n\x00\u2028\u202e") || len([]rune(c.Subject)) > maxLine {
				t.Errorf("%s/%s: subject %q", l, k, c.Subject)
			}
			if strings.Contains(c.HTML, "<script") || strings.Contains(c.HTML, "<a href=https") || strings.Contains(c.HTML, "evil.example") {
				t.Errorf("%s/%s: text became HTML:\n%s", l, k, c.HTML)
			}
			if strings.Contains(c.Text, "evil.example") || strings.Contains(c.Text, "all@example.com") || strings.ContainsAny(c.Text, "\r\x00\u2028\u202e") {
				t.Errorf("%s/%s: text that a mail program would link:\n%s", l, k, c.Text)
			}
			balanced(t, c.HTML)
		}
	}
	for _, link := range []string{"javascript:alert(1)", "/relative", "https://", "ftp://x.example", "https://u:p@x.example/", "https://x.example/a b", "https://x.example/\r\nx"} {
		var wrong *ValueError
		if _, err := ts.Render(KindInvite, English, Override{}, Values{Link: link}); !errors.As(err, &wrong) || wrong.Name != "Link" {
			t.Errorf("link %q: error %v", link, err)
		}
	}
}

func TestOverride(t *testing.T) {
	ts := newTemplates(t)
	text := "Hi {{.Name}},\n\n{{if .Message}}\n{{.Message}}\n{{else}}\nCome!\n{{end}}\n- one\n- two & three\n\nSee {{.Link}} now.\n\nJoin us:\n{{.Link}}\n"
	o := Override{Subject: "Join {{.Organization}}", Text: text}
	if err := ts.Check(KindInvite, o); err != nil {
		t.Fatal(err)
	}
	c, err := ts.Render(KindInvite, English, o, Values{Organization: "Acme", Name: "Ada", Link: "https://acme.example/x?a=1&b=2"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "Join Acme" || !strings.HasPrefix(c.Text, "Hi Ada,\n\nCome!\n\n- one\n- two & three\n\nSee https://acme.example/x?a=1&b=2 now.\n\nJoin us:\nhttps://acme.example/x") {
		t.Errorf("%q\n%s", c.Subject, c.Text)
	}
	for _, part := range []string{
		"<li>one</li><li>two &amp; three</li>", `<a href="https://acme.example/x?a=1&amp;b=2" style="color:#0b57d0">https://acme.example/x?a=1&amp;b=2</a> now.`,
		">Join us</a>", "This message comes from Acme",
	} {
		if !strings.Contains(c.HTML, part) {
			t.Errorf("HTML has no %q:\n%s", part, c.HTML)
		}
	}
	balanced(t, c.HTML)

	o.HTML = `<h1 style="color:#ff0000">Hi {{.Name}}</h1><p>{{if .Message}}{{.Message}}{{else}}Come!{{end}}<br><a href="{{.Link}}">Join</a> or <a href="https://acme.example/about">read</a></p>`
	if err := ts.Check(KindInvite, o); err != nil {
		t.Fatal(err)
	}
	if c, err = ts.Render(KindInvite, English, o, Values{Organization: "Acme", Name: "<Ada>", Message: "a\nb", Link: "https://acme.example/x"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.HTML, `<h1 style="color:#ff0000">Hi Ada</h1><p>a<br>b<br><a href="https://acme.example/x">Join</a>`) {
		t.Errorf("HTML:\n%s", c.HTML)
	}
	balanced(t, c.HTML)
}

func TestCheckRefuses(t *testing.T) {
	ts := newTemplates(t)
	const ok = "{{.Link}}"
	htmlOf := func(s string) Override { return Override{Text: ok, HTML: `<p><a href="{{.Link}}">x</a></p>` + s} }
	for _, tc := range []struct {
		name string
		o    Override
		part string
		line int
		says string
	}{
		{"unknown variable", Override{Text: ok + "\n{{.Password}}"}, "text", 2, "there is no variable Password here; there are Organization, Name, "},
		{"variable of another message", Override{Text: ok + "{{.Code}}"}, "text", 1, "no variable Code"},
		{"unknown variable in the subject", Override{Subject: "{{.X}}"}, "subject", 1, "no variable X"},
		{"no link", Override{Text: "Come!"}, "text", 0, "must show {{.Link}}"},
		{"link only asked about", Override{Text: "{{if .Link}}x{{end}}"}, "text", 0, "must show {{.Link}}"},
		{"brace", Override{Text: ok + "\n\n{{.Name"}, "text", 3, ""},
		{"end is missing", Override{Text: ok + "{{if .Name}}"}, "text", 1, ""},
		{"function", Override{Text: ok + `{{printf "%99999999d" 1}}`}, "text", 1, "only a variable"},
		{"pipe", Override{Text: ok + "{{.Name | html}}"}, "text", 1, "only a variable"},
		{"method", Override{Text: ok + "{{.Name.Foo}}"}, "text", 1, "only a variable"},
		{"dot", Override{Text: ok + "{{.}}"}, "text", 1, "only a variable"},
		{"range", Override{Text: ok + "{{range .Name}}{{end}}"}, "text", 1, "can be used"},
		{"with", Override{Text: ok + "{{with .Name}}{{end}}"}, "text", 1, "can be used"},
		{"define", Override{Text: ok + `{{define "x"}}{{end}}`}, "text", 0, "define"},
		{"template", Override{Text: ok + `{{template "html"}}`}, "text", 1, "can be used"},
		{"declaration", Override{Text: ok + "{{$x := .Name}}"}, "text", 1, "only a variable"},
		{"comparison", Override{Text: ok + `{{if eq .Name "x"}}{{end}}`}, "text", 1, "only a variable"},
		{"too deep", Override{Text: ok + strings.Repeat("{{if .Name}}", 11) + strings.Repeat("{{end}}", 11)}, "text", 1, "nested"},
		{"too often", Override{Text: ok + strings.Repeat("{{.Name}}", 101)}, "text", 0, "too often"},
		{"too many lines", Override{Text: ok + strings.Repeat("{{.Message}}", 5)}, "text", 0, "too often"},
		{"too long", Override{Text: ok + strings.Repeat("x", maxTemplate)}, "text", 0, "longer"},
		{"not UTF-8", Override{Text: ok + "\xff"}, "text", 0, "UTF-8"},
		{"two lines of subject", Override{Subject: "a\r\nBcc: x@example.com"}, "subject", 0, "one line"},
		{"long subject", Override{Subject: strings.Repeat("x", 501)}, "subject", 0, "longer"},
		{"html alone", Override{HTML: "<p>{{.Link}}</p>"}, "text", 0, "beside html"},
		{"html without the link", Override{Text: ok, HTML: "<p>x</p>"}, "html", 0, "must show {{.Link}}"},
		{"script", htmlOf("<script>1</script>"), "html", 1, "<script> cannot"},
		{"image", htmlOf(`\n<img src="https://t.example/p.gif">`), "html", 1, "<img> cannot"},
		{"form", htmlOf("<form></form>"), "html", 1, "<form> cannot"},
		{"handler", htmlOf(`<p onclick="x">y</p>`), "html", 1, "onclick"},
		{"scheme", htmlOf("\n\n" + `<a href="javascript:alert(1)">x</a>`), "html", 3, "href must begin"},
		{"plain http", htmlOf(`<a href="http://x.example">x</a>`), "html", 1, "href must begin"},
		{"variable in a URL", htmlOf(`<a href="https://t.example/?{{.Name}}">x</a>`), "html", 1, "cannot hold a variable"},
		{"text as a URL", htmlOf(`<a href="{{.Name}}">x</a>`), "html", 1, "cannot hold a variable"},
		{"branches of a URL", htmlOf(`<a href="{{if .Name}}java{{end}}script:x">x</a>`), "html", 1, "cannot hold a variable"},
		{"variable in a style", htmlOf(`<p style="color:{{.Name}}">x</p>`), "html", 1, "cannot hold a variable"},
		{"url in a style", htmlOf(`<p style="background:url(https://t.example)">x</p>`), "html", 1, "style cannot"},
		{"not closed", htmlOf(`<div style="display:none">`), "html", 1, "<div> is not closed"},
		{"closes the layout", htmlOf("</td></tr></table>"), "html", 1, "nested"},
		{"comment", htmlOf("<!--footer-->"), "html", 1, "comments"},
		{"variable as a tag", htmlOf("<{{.Name}}>"), "html", 1, "tag cannot begin"},
		{"tag in a branch", htmlOf("{{if .Name}}<b>{{end}}x</b>"), "html", 1, "must end in it"},
		{"tag over branches", htmlOf("{{if .Name}}<b>{{else}}x</b>{{end}}"), "html", 1, "must end in it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := ts.Check(KindInvite, tc.o)
			var te *TemplateError
			if !errors.As(err, &te) {
				t.Fatalf("error %v, want a *TemplateError", err)
			}
			if te.Part != tc.part || tc.line > 0 && te.Line != tc.line || !strings.Contains(te.Reason, tc.says) {
				t.Errorf("%+v, want part %s, line %d, %q", te, tc.part, tc.line, tc.says)
			}
		})
	}
	if err := ts.Check("nothing", Override{}); err == nil {
		t.Error("a message that does not exist passes")
	}
}

func FuzzCheckTemplate(f *testing.F) {
	ts := newTemplates(f)
	for _, k := range Kinds() {
		f.Add(ts.Source(k, English).Subject, ts.Source(k, German).Text, "")
	}
	f.Add("", "{{.Link}}", `<p><a href="{{.Link}}">x</a>{{if .Name}}<b>{{.Name}}</b>{{end}}</p>`)
	f.Fuzz(func(t *testing.T, subject, text, html string) {
		o := Override{Subject: subject, Text: text, HTML: html}
		if ts.Check(KindInvite, o) != nil {
			return
		}
		long := strings.Repeat("a.b ", 500)
		v := Values{Organization: long, Name: "N", Message: long, Link: "https://acme.example/x"}
		for _, v := range []Values{v, {}} {
			c, err := ts.Render(KindInvite, German, o, v)
			if err != nil {
				t.Fatalf("passes the check and does not render: %v", err)
			}
			if strings.ContainsAny(c.Subject, "\r\n") || strings.Contains(c.HTML, "<script") || len(c.Text)+len(c.HTML) > 1<<20 {
				t.Fatalf("subject %q, %d and %d bytes", c.Subject, len(c.Text), len(c.HTML))
			}
		}
	})
}
