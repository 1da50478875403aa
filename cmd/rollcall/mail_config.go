package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rollcall/mail"
)

// MailConfig says how mails leave and how bounces come in.
type MailConfig struct {
	Host         string // of the mail server; "": mails are written to files
	Port         int
	Encryption   string
	Username     string
	Password     secret
	PasswordFile string
	CAFile       string // PEM certificates to trust beside those of the system
	Timeout      time.Duration

	From         string // `Name <address>`
	ReturnDomain string // of return paths; "": that of From
	Locale       string
	PublicURL    string // root of the pages that mailed links lead to
	BounceListen string // [lmtp:]host:port; "": bounces are not taken
	Disposable   string // file of domains in place of the built-in list
}

func defaultMail() MailConfig {
	return MailConfig{Port: 587, Encryption: string(mail.StartTLS), Timeout: time.Minute, Locale: string(mail.English)}
}

// mailSettings are the settings of mail.
func mailSettings(m *MailConfig) []setting {
	locales := make([]string, 0, len(mail.Locales()))
	for _, l := range mail.Locales() {
		locales = append(locales, string(l))
	}
	encryptions := []string{string(mail.StartTLS), string(mail.ImplicitTLS), string(mail.Opportunistic), string(mail.NoEncryption)}
	return []setting{
		{key: "smtp-host", help: "mail server that takes Rollcall's messages; if empty they are written to files in the data directory", value: stringValue{&m.Host}},
		{key: "smtp-port", help: "port of the mail server", value: intValue{&m.Port, 65535}},
		{key: "smtp-encryption", help: "how the connection to the mail server is secured", value: choiceValue{&m.Encryption, encryptions}},
		{key: "smtp-username", help: "name to authenticate at the mail server with; empty for none", value: stringValue{&m.Username}},
		{key: "smtp-password", help: "password for it", value: secretValue{&m.Password}, noFlag: true},
		{key: "smtp-password-file", help: "file that holds the password", value: stringValue{&m.PasswordFile}},
		{key: "smtp-ca-file", help: "PEM file of certificates to trust at the mail server, beside those of the system", value: stringValue{&m.CAFile}},
		{key: "smtp-timeout", help: "longest time to hand over one message", value: durationValue{&m.Timeout}},
		{key: "mail-from", help: "whom mails come from, such as \"Example Accounts <accounts@example.com>\"", value: stringValue{&m.From}},
		{key: "mail-return-domain", help: "domain that bounces come back to; if empty, that of mail-from", value: stringValue{&m.ReturnDomain}},
		{key: "mail-locale", help: "language of mails to people whose own is not known", value: choiceValue{&m.Locale, locales}},
		{key: "mail-public-url", help: "root of the pages that mailed links lead to, such as https://id.example.com", value: stringValue{&m.PublicURL}},
		{key: "bounce-listen", help: "address to take bounces on by SMTP, such as 127.0.0.1:2525, or by LMTP, such as lmtp:127.0.0.1:2424; empty for none", value: stringValue{&m.BounceListen}},
		{key: "disposable-domains-file", help: "list of disposable mail domains, one a line, in place of the one that is built in", value: stringValue{&m.Disposable}},
	}
}

// noMailFrom is the sender of mails that only go into files.
const noMailFrom = "Rollcall <rollcall@rollcall.invalid>"

// check finds what is wrong with the settings of mail.
func (m *MailConfig) check() []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if m.Host != "" && m.From == "" {
		add("mail-from: is needed with smtp-host")
	}
	if _, err := m.identity(); err != nil {
		add("mail-from, mail-return-domain: %w", err)
	}
	if m.Password != "" && m.PasswordFile != "" {
		add("smtp-password-file: give it or smtp-password, not both")
	}
	password, err := m.password()
	if err != nil {
		add("smtp-password-file: %w", err)
	}
	if (m.Username == "") != (password == "") && err == nil {
		add("smtp-username: is needed with smtp-password, and the other way round")
	}
	if _, err := m.tls(); err != nil {
		add("smtp-ca-file: %w", err)
	}
	if m.BounceListen != "" {
		if _, addr := m.bounce(); checkAddress(addr) != nil {
			add("bounce-listen: %w", checkAddress(addr))
		}
	}
	if m.PublicURL != "" && !strings.HasPrefix(m.PublicURL, "https://") && !strings.HasPrefix(m.PublicURL, "http://") {
		add("mail-public-url: must begin with https:// or http://")
	}
	if _, err := m.domains(); err != nil {
		add("disposable-domains-file: %w", err)
	}
	if m.Host != "" && len(problems) == 0 {
		if _, err := m.smtp(); err != nil {
			add("smtp-host: %w", err)
		}
	}
	return problems
}

func (m *MailConfig) identity() (mail.Identity, error) {
	from := m.From
	if from == "" {
		from = noMailFrom
	}
	return mail.ParseIdentity(from, m.ReturnDomain)
}

func (m *MailConfig) password() (string, error) {
	if m.PasswordFile == "" {
		return string(m.Password), nil
	}
	return readSecret(m.PasswordFile)
}

func (m *MailConfig) tls() (*tls.Config, error) {
	if m.CAFile == "" {
		return nil, nil //nolint:nilnil // the system's certificates
	}
	pem, err := os.ReadFile(m.CAFile)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file holds no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// bounce is how and where bounces are taken.
func (m *MailConfig) bounce() (lmtp bool, addr string) {
	if rest, ok := strings.CutPrefix(m.BounceListen, "lmtp:"); ok {
		return true, rest
	}
	return false, m.BounceListen
}

func (m *MailConfig) domains() (*mail.Domains, error) {
	if m.Disposable == "" {
		return mail.NewDomains("")
	}
	text, err := os.ReadFile(m.Disposable)
	if err != nil {
		return nil, err
	}
	return mail.NewDomains(string(text))
}

// smtp is the sender to the mail server.
func (m *MailConfig) smtp() (*mail.SMTP, error) {
	identity, err := m.identity()
	if err != nil {
		return nil, err
	}
	password, err := m.password()
	if err != nil {
		return nil, err
	}
	config, err := m.tls()
	if err != nil {
		return nil, err
	}
	return mail.NewSMTP(mail.SMTPOptions{
		Host: m.Host, Port: m.Port, Encryption: mail.Encryption(m.Encryption), TLS: config,
		Username: m.Username, Password: password, Hello: identity.From.Domain, Timeout: m.Timeout, Identity: identity,
	})
}

// sender is what mails leave by; files says where they go if there is no mail server.
func (c *Config) sender() (_ mail.Sender, files string, err error) {
	if c.Mail.Host != "" {
		s, err := c.Mail.smtp()
		return s, "", err
	}
	identity, err := c.Mail.identity()
	if err != nil {
		return nil, "", err
	}
	f := mail.NewFiles(filepath.Join(c.Data, "outbox"), identity)
	return f, f.Dir(), nil
}
