package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/internal/smtptest"
	"rollcall/lifecycle"
	"rollcall/mail"
	"rollcall/storage"
)

// queueMail puts letters of a new organization into the database in dir, which no server has open.
func queueMail(t *testing.T, dir, slug string, to ...string) {
	t.Helper()
	c := Defaults()
	c.Data = dir
	db, err := openDatabase(t.Context(), &c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.close(); err != nil {
			t.Fatal(err)
		}
	}()
	org, err := db.service.CreateOrganization(t.Context(), slug, "Acme")
	if err != nil {
		t.Fatal(err)
	}
	sub := lifecycle.System(org.ID, "test")
	for _, address := range to {
		err := db.store.Within(t.Context(), org.ID, func(tx storage.Tx) error {
			return db.post.Queue(t.Context(), tx, sub.Caller, time.Now(), lifecycle.Letter{
				Kind: mail.KindInvite, To: address, Values: mail.Values{Organization: "Acme", Link: "https://id.example/join#inv_x"},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestServeSendsMail: a server sends what waits by SMTP with STARTTLS and a password, takes the bounce to it, and says
// so in its metrics.
func TestServeSendsMail(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{StartTLS: true, Username: "rollcall", Password: "secret"})
	dir, temp := filepath.Join(t.TempDir(), "data"), t.TempDir()
	queueMail(t, dir, "acme", "ada@example.com")
	ca := filepath.Join(temp, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(temp, "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir, temp, "--smtp-host", server.Host, "--smtp-port", fmt.Sprint(server.Port), "--smtp-username", "rollcall",
		"--smtp-password-file", password, "--smtp-ca-file", ca, "--mail-from", "Acme Accounts <accounts@id.example>",
		"--bounce-listen", "127.0.0.1:0")
	bounces, err := await(func() (string, error) { return readAddress(filepath.Join(temp, addrFile), "bounce-listen") })
	if err != nil {
		t.Fatal(err)
	}
	ops, err := readAddress(filepath.Join(temp, addrFile), "ops-listen")
	if err != nil {
		t.Fatal(err)
	}
	got, err := await(func() (smtptest.Message, error) {
		if list := server.Messages(); len(list) == 1 {
			return list[0], nil
		}
		return smtptest.Message{}, fmt.Errorf("%d messages", len(server.Messages()))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.To != "ada@example.com" || !got.TLS || got.User != "rollcall" || !strings.Contains(got.Data, "From: \"Acme Accounts\" <accounts@id.example>") {
		t.Errorf("%+v", got)
	}
	wantMetrics(t, ops, `rollcall_mails_total{result="sent",template="invite"} 1`, "rollcall_mail_queue_age_seconds 0")

	report := "From: MAILER-DAEMON@mx.example.com\r\nTo: " + got.From + "\r\nSubject: Undelivered\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; ada@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
	if err := smtp.SendMail(bounces, nil, "", []string{got.From}, []byte(report)); err != nil {
		t.Fatal(err)
	}
	if err := smtp.SendMail(bounces, nil, "", []string{"ada@example.com"}, []byte(report)); err == nil {
		t.Error("the bounce listener relays")
	}
	p.signal(t, syscall.SIGTERM)
	if err := p.wait(t); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	if log := p.log.String(); strings.Contains(log, "ada@") || strings.Contains(log, "inv_x") || strings.Contains(log, "secret") {
		t.Errorf("the log says too much:\n%s", log)
	}
	// The address is known to be bad from now on, to every organization: nothing more is sent to it.
	queueMail(t, dir, "umbrella", "Ada@Example.com", "bob@example.com")
	launch(t, dir, t.TempDir(), "--smtp-host", server.Host, "--smtp-port", fmt.Sprint(server.Port), "--smtp-username", "rollcall",
		"--smtp-password-file", password, "--smtp-ca-file", ca, "--mail-from", "accounts@id.example")
	last, err := await(func() (smtptest.Message, error) {
		list := server.Messages()
		if len(list) < 2 {
			return smtptest.Message{}, fmt.Errorf("%d messages", len(list))
		}
		return list[1], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(server.Messages()); n != 2 || last.To != "bob@example.com" {
		t.Errorf("%d messages, the second to %s", n, last.To)
	}
}

func wantMetrics(t *testing.T, ops string, lines ...string) {
	t.Helper()
	_, err := await(func() (struct{}, error) {
		resp, err := http.Get("http://" + ops + "/metrics")
		if err != nil {
			return struct{}{}, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return struct{}{}, err
		}
		for _, l := range lines {
			if !strings.Contains(string(body), l+"\n") {
				return struct{}{}, fmt.Errorf("no line %s", l)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestServeWritesMailToFiles: without a mail server mails are files, and the server says where.
func TestServeWritesMailToFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	queueMail(t, dir, "acme", "ada@example.com")
	p := startServer(t, dir, "--log-level", "info")
	files, err := await(func() ([]string, error) {
		files, err := filepath.Glob(filepath.Join(dir, "outbox", "*.eml"))
		if err == nil && len(files) != 1 {
			err = fmt.Errorf("%d files", len(files))
		}
		return files, err
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(data), "https://id.example/join#inv_x") {
		t.Errorf("%v\n%s", err, data)
	}
	p.signal(t, syscall.SIGTERM)
	if err := p.wait(t); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	if log := p.log.String(); !strings.Contains(log, "no smtp-host: mails are written to files") || !strings.Contains(log, "outbox") {
		t.Errorf("the log does not say where mails are:\n%s", log)
	}
}

// TestMailTest: the command sends by the settings and tells what the mail server says.
func TestMailTest(t *testing.T) {
	server := smtptest.Start(t, smtptest.Options{Username: "u", Password: "p"})
	run := func(env []string, args ...string) (string, string, int) {
		var out, errs strings.Builder
		code := run(t.Context(), append([]string{"mail", "test"}, args...), env, strings.NewReader(""), &out, &errs)
		return out.String(), errs.String(), code
	}
	env := []string{
		"ROLLCALL_SMTP_HOST=" + server.Host, fmt.Sprintf("ROLLCALL_SMTP_PORT=%d", server.Port), "ROLLCALL_SMTP_ENCRYPTION=none",
		"ROLLCALL_MAIL_FROM=accounts@id.example",
	}
	good := append(env, "ROLLCALL_SMTP_USERNAME=u", "ROLLCALL_SMTP_PASSWORD=p")
	if out, errs, code := run(good, "ada@example.com"); code != 0 || !strings.Contains(out, "the mail server has taken the message: 250") || len(server.Messages()) != 1 {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if out, errs, code := run(append(env, "ROLLCALL_SMTP_USERNAME=u", "ROLLCALL_SMTP_PASSWORD=wrong"), "ada@example.com"); code == 0 || !strings.Contains(errs, "535") || strings.Contains(errs, "wrong") {
		t.Errorf("a wrong password: %d %s%s", code, out, errs)
	}
	if _, errs, code := run(good, "nobody"); code == 0 || !strings.Contains(errs, "an address has one @") {
		t.Errorf("no address: %d %s", code, errs)
	}
	dir := t.TempDir()
	if out, errs, code := run(nil, "ada@example.com", "--data", dir); code != 0 || !strings.Contains(out, filepath.Join(dir, "outbox")) {
		t.Errorf("without a mail server: %d %s%s", code, out, errs)
	}
}

func TestMailConfig(t *testing.T) {
	for _, tc := range []struct{ flags, problem string }{
		{"smtp-host=mail.example", "mail-from: is needed with smtp-host"},
		{"mail-from=nobody", "mail-from, mail-return-domain: an address has one @"},
		{"mail-from=a@b.example mail-return-domain=x", "mail-from, mail-return-domain: what stands after the @"},
		{"smtp-username=u", "smtp-username: is needed with smtp-password"},
		{"smtp-password-file=/nowhere/file", "smtp-password-file: open"},
		{"smtp-ca-file=/nowhere/file", "smtp-ca-file: open"},
		{"bounce-listen=lmtp:nowhere", "bounce-listen: \"nowhere\" is not an address"},
		{"mail-public-url=id.example.com", "mail-public-url: must begin with https://"},
		{"disposable-domains-file=/nowhere/file", "disposable-domains-file: open"},
		{"smtp-encryption=ssl", "smtp-encryption: must be one of starttls|tls|opportunistic|none"},
		{"mail-locale=fr", "mail-locale: must be one of en|de"},
	} {
		flags := map[string]string{}
		for pair := range strings.FieldsSeq(tc.flags) {
			k, v, _ := strings.Cut(pair, "=")
			flags[k] = v
		}
		if _, err := Load(Sources{Flags: flags}); err == nil || !strings.Contains(err.Error(), tc.problem) {
			t.Errorf("%s: %v, want %q", tc.flags, err, tc.problem)
		}
	}
	if _, err := Load(Sources{Flags: map[string]string{
		"smtp-host": "mail.example", "mail-from": "Acme <a@b.example>", "bounce-listen": "lmtp:127.0.0.1:2424", "mail-locale": "de",
		"mail-public-url": "https://id.example",
	}}); err != nil {
		t.Error(err)
	}
}
