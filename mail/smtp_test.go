package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"rollcall/internal/smtptest"
)

func newSMTP(t *testing.T, s *smtptest.Server, change func(*SMTPOptions)) *SMTP {
	t.Helper()
	o := SMTPOptions{
		Host: s.Host, Port: s.Port, Encryption: NoEncryption, TLS: &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
		Identity: testIdentity(t), Timeout: 30 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	sender, err := NewSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() })
	return sender
}

func send(t *testing.T, s Sender, to string) Result {
	t.Helper()
	m := testMessage()
	m.To = to
	e := testIdentity(t).Envelope(sendID, &m)
	return s.Send(t.Context(), &e, &m)
}

func TestSMTPSends(t *testing.T) {
	for _, tc := range []struct {
		name   string
		server smtptest.Options
		client func(*SMTPOptions)
		tls    bool
	}{
		{"without encryption", smtptest.Options{}, nil, false},
		{"STARTTLS", smtptest.Options{StartTLS: true}, func(o *SMTPOptions) { o.Encryption = StartTLS }, true},
		{"opportunistic, offered", smtptest.Options{StartTLS: true}, func(o *SMTPOptions) { o.Encryption = Opportunistic }, true},
		{"opportunistic, not offered", smtptest.Options{}, func(o *SMTPOptions) { o.Encryption = Opportunistic }, false},
		{"TLS", smtptest.Options{TLS: true}, func(o *SMTPOptions) { o.Encryption = ImplicitTLS }, true},
		{
			"STARTTLS and PLAIN",
			smtptest.Options{StartTLS: true, Username: "u", Password: "p"},
			func(o *SMTPOptions) { o.Encryption, o.Username, o.Password = StartTLS, "u", "p" }, true,
		},
		{
			"TLS and LOGIN",
			smtptest.Options{TLS: true, Username: "u", Password: "p", Mechanisms: []string{"LOGIN"}},
			func(o *SMTPOptions) { o.Encryption, o.Username, o.Password = ImplicitTLS, "u", "p" }, true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := smtptest.Start(t, tc.server)
			sender := newSMTP(t, server, tc.client)
			if err := sender.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := send(t, sender, "ada@example.com"); r.Class != Sent || r.Code != 250 || r.Err != nil || r.BadAddress {
				t.Fatalf("%+v", r)
			}
			got := server.Messages()
			if len(got) != 1 || got[0].From != "b+"+sendID+"@bounce.id.example" || got[0].To != "ada@example.com" {
				t.Fatalf("%+v", got)
			}
			if got[0].TLS != tc.tls || got[0].User != tc.server.Username {
				t.Errorf("TLS %v, user %q", got[0].TLS, got[0].User)
			}
			_, body := parts(t, got[0].Data)
			if body["text/plain"] != testMessage().Text {
				t.Errorf("text %q", body["text/plain"])
			}
		})
	}
}

func reply(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

func TestSMTPRefusals(t *testing.T) {
	none := smtp.NoEnhancedCode
	for _, tc := range []struct {
		name string
		at   smtptest.Stage
		err  error
		want Result // Text is compared as a prefix
		ours bool   // Err is set
	}{
		{"greeting", smtptest.Connect, reply(554, none, "Go away"), Result{Class: Soft, Code: 554}, true},
		{"unreachable for a moment", smtptest.Connect, reply(421, none, "Busy"), Result{Class: Soft, Code: 421}, true},
		{"sender refused", smtptest.From, reply(553, smtp.EnhancedCode{5, 1, 8}, "Not you"), Result{Class: Soft, Code: 553, Status: "5.1.8", Text: "5.1.8 Not you"}, true},
		{"no such user", smtptest.To, reply(550, smtp.EnhancedCode{5, 1, 1}, "<ada@example.com>: unknown"), Result{Class: Hard, Code: 550, Status: "5.1.1", Text: "5.1.1 <ada@example.com>: unknown", BadAddress: true}, false},
		{"no such user, plain", smtptest.To, reply(550, none, "Unknown"), Result{Class: Hard, Code: 550, Text: "Unknown", BadAddress: true}, false},
		{"policy", smtptest.To, reply(550, smtp.EnhancedCode{5, 7, 1}, "Policy"), Result{Class: Hard, Code: 550, Status: "5.7.1", Text: "5.7.1 Policy"}, false},
		{"disabled", smtptest.To, reply(550, smtp.EnhancedCode{5, 2, 1}, "Disabled"), Result{Class: Hard, Code: 550, Status: "5.2.1", Text: "5.2.1 Disabled", BadAddress: true}, false},
		{"greylisted", smtptest.To, reply(450, smtp.EnhancedCode{4, 2, 0}, "Later"), Result{Class: Soft, Code: 450, Status: "4.2.0", Text: "4.2.0 Later"}, false},
		{"full", smtptest.To, reply(452, smtp.EnhancedCode{4, 2, 2}, "Full"), Result{Class: Soft, Code: 452, Status: "4.2.2", Text: "4.2.2 Full"}, false},
		{"closing", smtptest.To, reply(421, smtp.EnhancedCode{4, 3, 2}, "Bye"), Result{Class: Soft, Code: 421, Status: "4.3.2", Text: "4.3.2 Bye"}, true},
		{"spam", smtptest.Data, reply(554, smtp.EnhancedCode{5, 7, 1}, "Spam"), Result{Class: Hard, Code: 554, Status: "5.7.1", Text: "5.7.1 Spam"}, false},
		{"unknown after all", smtptest.Data, reply(550, smtp.EnhancedCode{5, 1, 1}, "Unknown"), Result{Class: Hard, Code: 550, Status: "5.1.1", Text: "5.1.1 Unknown", BadAddress: true}, false},
		{"refused, not the address", smtptest.Data, reply(550, none, "No"), Result{Class: Hard, Code: 550, Text: "No"}, false},
		{"disk full", smtptest.Data, reply(452, smtp.EnhancedCode{4, 3, 1}, "Disk"), Result{Class: Soft, Code: 452, Status: "4.3.1", Text: "4.3.1 Disk"}, false},
		{"dropped at RCPT", smtptest.To, smtptest.ErrDrop, Result{Class: Soft, Text: "the connection"}, true},
		{"dropped after DATA", smtptest.Data, smtptest.ErrDrop, Result{Class: Soft, Text: "the connection"}, true},
		{"long reply", smtptest.To, reply(550, none, strings.Repeat("ü", 150)+"\n"+strings.Repeat("ü", 150)), Result{Class: Hard, Code: 550, BadAddress: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var mu sync.Mutex
			broken := true
			server := smtptest.Start(t, smtptest.Options{Reply: func(at smtptest.Stage, _ string) error {
				mu.Lock()
				defer mu.Unlock()
				if at == tc.at && broken {
					return tc.err
				}
				return nil
			}})
			sender := newSMTP(t, server, nil)
			got := send(t, sender, "ada@example.com")
			if !strings.HasPrefix(got.Text, tc.want.Text) || len(got.Text) > maxReplyText || strings.ContainsAny(got.Text, "\r\n") {
				t.Errorf("text %q", got.Text)
			}
			if (got.Err != nil) != tc.ours {
				t.Errorf("Err %v", got.Err)
			}
			if got.Err != nil && strings.Contains(got.Err.Error(), "ada@") {
				t.Errorf("Err holds the address: %v", got.Err)
			}
			got.Text, got.Err, tc.want.Text = "", nil, ""
			if got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
			if n := len(server.Messages()); n != 0 {
				t.Errorf("%d messages taken", n)
			}
			// The sender is as good as new.
			mu.Lock()
			broken = false
			mu.Unlock()
			if r := send(t, sender, "bob@example.com"); r.Class != Sent || len(server.Messages()) != 1 {
				t.Errorf("afterwards: %+v, %d messages", r, len(server.Messages()))
			}
		})
	}
}

func TestSMTPServerInTrouble(t *testing.T) {
	password := smtptest.Options{StartTLS: true, Username: "u", Password: "p"}
	for _, tc := range []struct {
		name   string
		server smtptest.Options
		client func(*SMTPOptions)
	}{
		{"wrong password", password, func(o *SMTPOptions) { o.Encryption, o.Username, o.Password = StartTLS, "u", "wrong" }},
		{"no password", password, func(o *SMTPOptions) { o.Encryption = StartTLS }},
		{"no STARTTLS", smtptest.Options{}, func(o *SMTPOptions) { o.Encryption = StartTLS }},
		{"unknown certificate", smtptest.Options{StartTLS: true}, func(o *SMTPOptions) { o.Encryption, o.TLS = StartTLS, nil }},
		{"certificate of another", smtptest.Options{TLS: true}, func(o *SMTPOptions) { o.Encryption, o.TLS.ServerName = ImplicitTLS, "other.test" }},
		{"no mechanism", smtptest.Options{Username: "u", Password: "p", Mechanisms: []string{"NTLM"}}, func(o *SMTPOptions) { o.Encryption, o.Username, o.Password = Opportunistic, "u", "p" }},
		{"TLS to a plain server", smtptest.Options{Reply: func(smtptest.Stage, string) error { return smtptest.ErrDrop }}, func(o *SMTPOptions) { o.Encryption = ImplicitTLS }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := smtptest.Start(t, tc.server)
			sender := newSMTP(t, server, tc.client)
			r := send(t, sender, "ada@example.com")
			if r.Class != Soft || r.Err == nil || r.BadAddress {
				t.Errorf("%+v", r)
			}
			if n := len(server.Messages()); n != 0 {
				t.Errorf("%d messages taken", n)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		sender, err := NewSMTP(SMTPOptions{Host: "127.0.0.1", Port: port, Encryption: NoEncryption, Identity: testIdentity(t)})
		if err != nil {
			t.Fatal(err)
		}
		if r := send(t, sender, "ada@example.com"); r.Class != Soft || r.Err == nil || r.Text != "the mail server cannot be reached" {
			t.Errorf("%+v", r)
		}
		if sender.Check(t.Context()) == nil {
			t.Error("Check finds nothing wrong")
		}
	})
	t.Run("silent server", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		sender, err := NewSMTP(SMTPOptions{
			Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Encryption: NoEncryption, Identity: testIdentity(t), Timeout: 50 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := send(t, sender, "ada@example.com"); r.Class != Soft || r.Err == nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestSMTPKeepsConnections(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{})
	sender := newSMTP(t, server, nil)
	const messages = 250
	for i := range messages {
		if r := send(t, sender, fmt.Sprintf("u%d@example.com", i)); r.Class != Sent {
			t.Fatalf("%d: %+v", i, r)
		}
	}
	if n := server.Sessions(); n != 3 {
		t.Errorf("%d connections for %d messages of at most %d each", n, messages, maxPerConnection)
	}
	// A connection that the server closed meanwhile is noticed before anything is lost.
	for _, c := range sender.idle {
		_ = c.conn.Close()
	}
	if r := send(t, sender, "last@example.com"); r.Class != Sent || len(server.Messages()) != messages+1 {
		t.Errorf("%+v, %d messages", r, len(server.Messages()))
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if r := send(t, sender, "after@example.com"); r.Class != Sent {
		t.Errorf("after Close: %+v", r)
	}
	sender.mu.Lock()
	defer sender.mu.Unlock()
	if len(sender.idle) != 0 {
		t.Error("a closed sender keeps connections")
	}
}

func TestSMTPWithContextThatEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := smtptest.Start(t, smtptest.Options{Wait: cancel, Reply: func(at smtptest.Stage, _ string) error {
		if at == smtptest.Data {
			return smtptest.ErrDrop
		}
		return nil
	}})
	sender := newSMTP(t, server, nil)
	m := testMessage()
	e := testIdentity(t).Envelope(sendID, &m)
	if r := sender.Send(ctx, &e, &m); r.Class != Soft || r.Err == nil {
		t.Errorf("%+v", r)
	}
}

func TestSMTPUTF8(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{})
	sender := newSMTP(t, server, nil)
	if r := send(t, sender, "用户@example.com"); r.Class != Sent {
		t.Errorf("%+v", r)
	}
	if got := server.Messages(); len(got) != 1 || got[0].To != "用户@example.com" {
		t.Errorf("%+v", got)
	}
}

func TestSMTPOptions(t *testing.T) {
	good := SMTPOptions{Host: "mail.example", Port: 587, Encryption: StartTLS, Identity: testIdentity(t)}
	if _, err := NewSMTP(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*SMTPOptions){
		"host": func(o *SMTPOptions) { o.Host = "" }, "port": func(o *SMTPOptions) { o.Port = 0 },
		"encryption": func(o *SMTPOptions) { o.Encryption = "ssl" }, "from": func(o *SMTPOptions) { o.Identity = Identity{} },
		"password in clear": func(o *SMTPOptions) { o.Encryption, o.Username = NoEncryption, "u" },
	} {
		o := good
		spoil(&o)
		if _, err := NewSMTP(o); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "outbox")
	f := NewFiles(dir, testIdentity(t))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there before the first mail: %v", err)
	}
	for range 2 { // a second attempt writes the same file
		if r := send(t, f, "ada@example.com"); r.Class != Sent || r.Err != nil {
			t.Fatalf("%+v", r)
		}
	}
	entries, err := os.ReadDir(f.Dir())
	if err != nil || len(entries) != 1 || entries[0].Name() != sendID+".eml" {
		t.Fatalf("%v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	source, err := os.ReadFile(filepath.Join(dir, sendID+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	if h, body := parts(t, string(source)); h.Get("To") != `"Ada Lovelace" <ada@example.com>` || body["text/plain"] != testMessage().Text {
		t.Errorf("%v %q", h, body)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := send(t, f, "ada@example.com"); r.Class != Soft || r.Err == nil {
		t.Errorf("a file in the place of the directory: %+v", r)
	}
	m := testMessage()
	if r := f.Send(t.Context(), &Envelope{ID: "../x"}, &m); r.Class != Hard {
		t.Errorf("an id that is a path: %+v", r)
	}
}
