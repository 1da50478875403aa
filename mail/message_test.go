package mail

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	stdmail "net/mail"
	"strings"
	"testing"
	"time"
)

const sendID = "01930000-0000-7000-8000-000000000001"

func testIdentity(tb testing.TB) Identity {
	tb.Helper()
	id, err := ParseIdentity("Acme Accounts <accounts@id.example>", "bounce.id.example")
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func testMessage() Message {
	return Message{
		Kind: KindInvite, To: "Ada@example.com", ToName: "Ada Lovelace", Subject: "Grüße",
		Text: "Hello\n.\nwith a line of one dot and a long one: " + strings.Repeat("x", 200) + "\n", HTML: "<p>Hello</p>",
		Date: time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestParseIdentity(t *testing.T) {
	id := testIdentity(t)
	if id.From.String() != "accounts@id.example" || id.Name != "Acme Accounts" || id.ReturnDomain != "bounce.id.example" {
		t.Errorf("%+v", id)
	}
	if id, err := ParseIdentity("a@ID.example", ""); err != nil || id.ReturnDomain != "id.example" {
		t.Errorf("%+v, %v", id, err)
	}
	for _, bad := range []string{"", "nobody", "a@b.example, c@d.example", "a@localhost"} {
		if _, err := ParseIdentity(bad, ""); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if _, err := ParseIdentity("a@b.example", "no domain"); err == nil {
		t.Error("a return domain that is none passes")
	}
}

func TestEnvelope(t *testing.T) {
	id, m := testIdentity(t), testMessage()
	e := id.Envelope(sendID, &m)
	if e.From != "b+"+sendID+"@bounce.id.example" || e.To != "Ada@example.com" || e.MessageID != sendID+"@id.example" {
		t.Errorf("%+v", e)
	}
	if _, err := ParseAddress(e.From); err != nil {
		t.Errorf("the return path is no address: %v", err)
	}
	for path, want := range map[string]string{
		e.From: sendID, "<" + e.From + ">": sendID, strings.ToUpper(e.From): sendID,
		"b+" + sendID + "@other.example": "", "b+x@bounce.id.example": "", "c+" + sendID + "@bounce.id.example": "", "": "",
		"b+" + sendID + "x@bounce.id.example": "", "b+" + strings.ReplaceAll(sendID, "-", "0") + "@bounce.id.example": "",
	} {
		if got, ok := id.SendOf(path); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", path, got, ok)
		}
	}
}

func parts(t *testing.T, source string) (stdmail.Header, map[string]string) {
	t.Helper()
	msg, err := stdmail.ReadMessage(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	found := map[string]string{}
	r := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return msg.Header, found
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		found[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

func TestWriteMessage(t *testing.T) {
	id, m := testIdentity(t), testMessage()
	m.FromName, m.ReplyTo, m.Unsubscribe = "Böse\r\nBcc: x@evil.example", "help@acme.example", "https://id.example/no?t=opt_x"
	e := id.Envelope(sendID, &m)
	var one, two bytes.Buffer
	for _, b := range []*bytes.Buffer{&one, &two} {
		if err := id.WriteMessage(b, &e, &m); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() {
		t.Error("two attempts differ")
	}
	h, body := parts(t, one.String())
	dec := new(mime.WordDecoder)
	for name, want := range map[string]string{
		"To": `"Ada Lovelace" <Ada@example.com>`, "Reply-To": "<help@acme.example>", "Subject": "Grüße",
		"Message-Id": "<" + sendID + "@id.example>", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
		"Date": "Fri, 02 Jan 2026 03:04:05 +0000", "Bcc": "", "List-Unsubscribe": "", "User-Agent": "", "X-Mailer": "",
	} {
		got, err := dec.DecodeHeader(h.Get(name))
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	from, err := h.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Address != "accounts@id.example" || from[0].Name != "Böse Bcc: x@evil.example" {
		t.Errorf("From: %v, %v", from, err)
	}
	if body["text/plain"] != m.Text || body["text/html"] != m.HTML {
		t.Errorf("parts: %q", body)
	}
	for line := range strings.Lines(one.String()) {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}

	m.Kind = KindWelcome
	one.Reset()
	if err := id.WriteMessage(&one, &e, &m); err != nil {
		t.Fatal(err)
	}
	if h, _ = parts(t, one.String()); h.Get("List-Unsubscribe") != "<https://id.example/no?t=opt_x>" {
		t.Errorf("List-Unsubscribe %q", h.Get("List-Unsubscribe"))
	}
	for _, spoil := range []func(*Message){
		func(m *Message) { m.To = "no address" },
		func(m *Message) { m.To = "a@b.example\r\nBcc: c@d.example" },
		func(m *Message) { m.ReplyTo = "no address" },
		func(m *Message) { m.Unsubscribe = "https://x.example/\r\nBcc:c@d.example" },
	} {
		bad := m
		spoil(&bad)
		if err := id.WriteMessage(io.Discard, &e, &bad); err == nil {
			t.Errorf("%+v is written", bad)
		}
	}
}
