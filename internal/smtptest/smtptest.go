// Package smtptest runs a mail server for tests: a real one, on a socket, with STARTTLS or TLS by a certificate of its
// own, authentication, and replies that a test chooses. It is imported by tests only.
package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Stage is a place in a transaction where a test may choose the reply.
type Stage string

// The stages and what a Reply is told beside them.
const (
	Connect Stage = "connect" // nothing
	From    Stage = "from"    // the sender's address
	To      Stage = "to"      // the recipient's address
	Data    Stage = "data"    // the first recipient's address; the message was received
)

// ErrDrop as a reply closes the connection without one.
var ErrDrop = errors.New("smtptest: drop the connection")

// Options say what the server is like. The zero value takes everything, without encryption or authentication.
type Options struct {
	TLS                bool // from the first byte
	StartTLS           bool
	Username, Password string // if set, MAIL needs authentication, which needs no encryption
	Mechanisms         []string
	// Reply chooses the reply of a stage: nil accepts, a *smtp.SMTPError is sent, ErrDrop closes the connection.
	Reply func(at Stage, about string) error
	// Wait, if set, is called while a message is being received.
	Wait func()
}

// Message is one that the server took over.
type Message struct {
	From, To string
	Data     string
	TLS      bool
	User     string
}

// Server is a running mail server.
type Server struct {
	Host string
	Port int
	// Roots holds the certificate of the server, which is for Host; Certificate is its DER form.
	Roots       *x509.CertPool
	Certificate []byte

	o        Options
	mu       sync.Mutex
	messages []Message
	sessions int
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{o: o}
	cert, roots := certificate(t)
	s.Roots, s.Certificate = roots, cert.Certificate[0]
	server := smtp.NewServer(s)
	server.Domain = "mail.test"
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = true
	server.MaxMessageBytes = 1 << 20
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.ErrorLog = log.New(io.Discard, "", 0)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if o.StartTLS {
		server.TLSConfig = config
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	s.Host, s.Port = "127.0.0.1", addr.Port
	if o.TLS {
		ln = tls.NewListener(ln, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// Messages returns what was taken over so far.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Sessions returns how many connections there were; a connection that went over to TLS counts twice.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *Server) reply(at Stage, about string, c *smtp.Conn) error {
	if s.o.Reply == nil {
		return nil
	}
	err := s.o.Reply(at, about)
	if errors.Is(err, ErrDrop) {
		_ = c.Conn().Close()
	}
	return err
}

// NewSession is called by the SMTP library.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	s.sessions++
	s.mu.Unlock()
	if err := s.reply(Connect, "", c); err != nil {
		return nil, err
	}
	return &session{s: s, c: c}, nil
}

type session struct {
	s        *Server
	c        *smtp.Conn
	from, to string
	user     string
}

func (x *session) Reset()        { x.from, x.to = "", "" }
func (x *session) Logout() error { return nil }

// AuthMechanisms is called by the SMTP library.
func (x *session) AuthMechanisms() []string {
	if x.s.o.Username == "" {
		return nil
	}
	if x.s.o.Mechanisms != nil {
		return x.s.o.Mechanisms
	}
	return []string{sasl.Plain}
}

// Auth is called by the SMTP library.
func (x *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != x.s.o.Username || password != x.s.o.Password {
			return smtp.ErrAuthFailed
		}
		x.user = user
		return nil
	}
	if mech == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the old LOGIN mechanism: two questions.
type loginServer struct {
	check func(user, password string) error
	user  *string
	asked bool
}

func (l *loginServer) Next(answer []byte) (challenge []byte, done bool, err error) {
	switch {
	case !l.asked && answer == nil:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(answer)
		l.user, l.asked = &user, true
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(answer))
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if x.s.o.Username != "" && x.user == "" {
		return smtp.ErrAuthRequired
	}
	x.from = from
	return x.s.reply(From, from, x.c)
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = to
	return x.s.reply(To, to, x.c)
}

func (x *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if x.s.o.Wait != nil {
		x.s.o.Wait()
	}
	if err := x.s.reply(Data, x.to, x.c); err != nil {
		return err
	}
	_, encrypted := x.c.TLSConnectionState()
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.messages = append(x.s.messages, Message{From: x.from, To: x.to, Data: string(data), TLS: encrypted, User: x.user})
	return nil
}

// certificate makes a certificate for the server's address that is valid in any year a test may live in.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames: []string{"localhost", "mail.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}
