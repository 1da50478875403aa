package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// Encryption says how a connection to the mail server is secured.
type Encryption string

// The ways.
const (
	StartTLS      Encryption = "starttls"      // by STARTTLS; a server that does not offer it is not used
	ImplicitTLS   Encryption = "tls"           // from the first byte (port 465)
	Opportunistic Encryption = "opportunistic" // by STARTTLS if it is offered
	NoEncryption  Encryption = "none"
)

// SMTPOptions say which mail server takes our messages.
type SMTPOptions struct {
	Host       string
	Port       int
	Encryption Encryption
	TLS        *tls.Config // nil: the system's certificates
	Username   string      // empty: no authentication
	Password   string
	Hello      string        // our name in EHLO; "localhost" if empty
	Timeout    time.Duration // for one message, from connecting to the reply; a minute if 0
	Identity   Identity
}

// How long and for how many messages a connection is kept.
const (
	idleConnection   = 10 * time.Second
	maxPerConnection = 100
	defaultTimeout   = time.Minute
)

// SMTP sends by a mail server (RFC 5321). Connections are kept for a moment and used again.
type SMTP struct {
	o SMTPOptions

	mu     sync.Mutex
	idle   []*connection
	closed bool
}

// NewSMTP checks the options; it does not connect.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	switch {
	case o.Host == "" || o.Port < 1 || o.Port > 65535:
		return nil, errors.New("mail: the mail server needs a host and a port from 1 to 65535")
	case !slices.Contains([]Encryption{StartTLS, ImplicitTLS, Opportunistic, NoEncryption}, o.Encryption):
		return nil, errors.New("mail: encryption must be starttls, tls, opportunistic or none")
	case o.Username != "" && o.Encryption == NoEncryption && !isLoopback(o.Host):
		return nil, errors.New("mail: a password is not sent without encryption")
	case o.Identity.From == (Address{}):
		return nil, errors.New("mail: the address that mails come from is missing")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Hello == "" {
		o.Hello = "localhost"
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = o.Host
	}
	o.TLS = config
	return &SMTP{o: o}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A connection is used by one Send at a time.
type connection struct {
	client *smtp.Client
	conn   net.Conn // the first one, under TLS
	sent   int
	timer  *time.Timer // closes it when it was idle for long
}

// Send hands the message over. The time that it takes is bounded by the timeout; a ctx that ends cuts it short, after
// which nobody knows whether the server has the message. If the connection breaks after the message was written and
// before the reply to it came, the result is Soft although the server may have taken it over: SMTP cannot tell.
func (s *SMTP) Send(ctx context.Context, e *Envelope, m *Message) Result {
	source, err := s.o.Identity.source(e, m)
	if err != nil {
		return Result{Class: Hard, Text: "the message cannot be written: " + err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return refusal(stageConnect, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	r, usable := c.transact(e, source)
	if !stop() || !usable {
		_ = c.conn.Close()
		return r
	}
	s.keep(c)
	return r
}

// transact is one mail transaction. usable says whether the connection can take another.
func (c *connection) transact(e *Envelope, source []byte) (r Result, usable bool) {
	fail := func(at stage, err error) (Result, bool) {
		r := refusal(at, err)
		return r, r.Code != 0 && r.Code != 421 && c.client.Reset() == nil
	}
	wide := !isASCII(e.To) || !isASCII(e.From)
	if ok, _ := c.client.Extension("SMTPUTF8"); wide && !ok {
		return Result{Class: Hard, Text: "the mail server takes no addresses in other scripts (SMTPUTF8)"}, true
	}
	c.client.SkipSMTPUTF8(!wide)
	c.sent++
	if err := c.client.Mail("<" + e.From + ">"); err != nil {
		return fail(stageFrom, err)
	}
	if err := c.client.Rcpt("<" + e.To + ">"); err != nil {
		return fail(stageRecipient, err)
	}
	w, err := c.client.Data()
	if err != nil {
		return fail(stageData, err)
	}
	if _, err := w.Write(source); err != nil {
		r := refusal(stageData, err)
		return r, false
	}
	if err := w.Close(); err != nil {
		return fail(stageData, err)
	}
	r = Result{Class: Sent, Code: 250}
	if reply, ok := w.(*smtp.DataCloser); ok {
		r.Status, r.Text = enhancedStatus(reply.ServerResponse()), oneLine(reply.ServerResponse())
	}
	return r, c.sent < maxPerConnection
}

// connect takes a connection that is idle and still works, or makes one.
func (s *SMTP) connect(ctx context.Context) (*connection, error) {
	for {
		s.mu.Lock()
		var c *connection
		if n := len(s.idle); n > 0 {
			c, s.idle = s.idle[n-1], s.idle[:n-1]
		}
		s.mu.Unlock()
		if c == nil {
			return s.dial(ctx)
		}
		if !c.timer.Stop() {
			continue // it is being closed
		}
		stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
		err := c.client.Noop()
		if stop() && err == nil {
			return c, nil
		}
		_ = c.conn.Close()
	}
}

func (s *SMTP) keep(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.conn.Close()
		return
	}
	c.timer = time.AfterFunc(idleConnection, func() {
		s.mu.Lock()
		s.idle = slices.DeleteFunc(s.idle, func(x *connection) bool { return x == c })
		s.mu.Unlock()
		_ = c.conn.Close()
	})
	s.idle = append(s.idle, c)
}

// Close closes the connections that are idle; those in use are closed when they are done.
func (s *SMTP) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		if c.timer.Stop() {
			_ = c.conn.Close()
		}
	}
	return nil
}

// Check connects, secures the connection and authenticates, as a message would.
func (s *SMTP) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	s.keep(c)
	return nil
}

func (s *SMTP) dial(ctx context.Context) (*connection, error) {
	addr := net.JoinHostPort(s.o.Host, strconv.Itoa(s.o.Port))
	var conn net.Conn
	var err error
	if s.o.Encryption == ImplicitTLS {
		conn, err = (&tls.Dialer{Config: s.o.TLS}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, err := s.greet(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &connection{client: client, conn: conn}, nil
}

func (s *SMTP) greet(conn net.Conn) (*smtp.Client, error) {
	client, err := smtp.NewClient(conn, s.o.Host)
	if err != nil {
		return nil, err
	}
	if err := client.Hello(s.o.Hello); err != nil {
		return nil, err
	}
	secure := s.o.Encryption == ImplicitTLS
	if s.o.Encryption == StartTLS || s.o.Encryption == Opportunistic {
		offered, _ := client.Extension("STARTTLS")
		if !offered && s.o.Encryption == StartTLS {
			return nil, errors.New("the mail server does not offer STARTTLS")
		}
		if offered {
			if err := client.StartTLS(s.o.TLS); err != nil {
				return nil, fmt.Errorf("STARTTLS: %w", err)
			}
			secure = true
		}
	}
	if s.o.Username == "" {
		return client, nil
	}
	_, offered := client.Extension("AUTH")
	auth, err := s.auth(strings.Fields(strings.ToUpper(offered)), secure || isLoopback(s.o.Host))
	if err != nil {
		return nil, err
	}
	if err := client.Auth(auth); err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	return client, nil
}

// auth chooses the best mechanism that is offered. A password goes in clear through an encrypted connection only.
func (s *SMTP) auth(offered []string, secure bool) (smtp.Auth, error) {
	user, password := s.o.Username, s.o.Password
	has := func(name string) bool { return slices.Contains(offered, name) }
	switch {
	case has("SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(user, password), nil
	case has("SCRAM-SHA-1"):
		return smtp.ScramSHA1Auth(user, password), nil
	case has("PLAIN") && secure:
		return smtp.PlainAuth("", user, password, s.o.Host, true), nil
	case has("LOGIN") && secure:
		return smtp.LoginAuth(user, password, s.o.Host, true), nil
	case has("CRAM-MD5"):
		return smtp.CRAMMD5Auth(user, password), nil
	}
	return nil, errors.New("the mail server offers no way of authentication that can be used over this connection")
}
