package mail

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// Receiver takes what came back. An error means: not now; the sending server will try again.
type Receiver interface {
	Receive(ctx context.Context, r Report) error
}

// ListenerOptions are what a [Listener] works with.
type ListenerOptions struct {
	Identity Identity
	Receiver Receiver
	Logger   *slog.Logger
	LMTP     bool          // speak LMTP (RFC 2033) in place of SMTP
	Lifetime time.Duration // of a connection; 5 minutes if 0
}

// Bounds of the listener.
const (
	maxConnections     = 20
	maxBounceRcpts     = 10
	bounceTimeout      = time.Minute // for one command
	connectionLifetime = 5 * time.Minute
	receiveTimeout     = 30 * time.Second
)

// Listener takes bounces by SMTP or LMTP: the operator's mail server is told to hand it everything for the return
// domain. It takes mail to return paths of ours only, relays nothing, and keeps no mail.
type Listener struct {
	o      ListenerOptions
	server *smtp.Server
}

// NewListener makes a listener; [Listener.Serve] starts it.
func NewListener(o ListenerOptions) (*Listener, error) {
	if o.Receiver == nil || o.Logger == nil || o.Identity.ReturnDomain == "" {
		return nil, errors.New("mail: a listener needs an identity, a receiver and a logger")
	}
	if o.Lifetime <= 0 {
		o.Lifetime = connectionLifetime
	}
	l := &Listener{o: o}
	s := smtp.NewServer(l)
	s.Domain = o.Identity.ReturnDomain
	s.LMTP = o.LMTP
	s.MaxMessageBytes = MaxInbound
	s.MaxRecipients = maxBounceRcpts
	s.ReadTimeout, s.WriteTimeout = bounceTimeout, bounceTimeout
	s.EnableSMTPUTF8 = true
	s.ErrorLog = smtpLog{o.Logger}
	l.server = s
	return l, nil
}

// Serve takes connections from ln until Close; then it returns nil.
func (l *Listener) Serve(ln net.Listener) error {
	return l.server.Serve(netutil.LimitListener(mortal{ln, l.o.Lifetime}, maxConnections))
}

// Shutdown takes no more connections and waits for those that are open until ctx ends; then it closes them.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, l.server.Close())
	}
	return err
}

// mortal bounds how long a connection lives, so that twenty that do nothing shut nobody out for long.
type mortal struct {
	net.Listener
	life time.Duration
}

func (m mortal) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &mortalConn{Conn: c, timer: time.AfterFunc(m.life, func() { _ = c.Close() })}, nil
}

type mortalConn struct {
	net.Conn
	timer *time.Timer
}

func (c *mortalConn) Close() error {
	c.timer.Stop()
	return c.Conn.Close()
}

// NewSession begins a connection. It is called by the SMTP server.
func (l *Listener) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &inbound{l: l}, nil
}

// inbound is one connection.
type inbound struct {
	l    *Listener
	rcpt []string
}

func (s *inbound) Reset()        { s.rcpt = nil }
func (s *inbound) Logout() error { return nil }

func (s *inbound) Mail(string, *smtp.MailOptions) error { return nil }

func (s *inbound) Rcpt(to string, _ *smtp.RcptOptions) error {
	id := s.l.o.Identity
	_, ours := id.SendOf(to)
	if !ours && !strings.EqualFold(Fold(to), id.From.Key()) { // some answer the header's address
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox here"}
	}
	s.rcpt = append(s.rcpt, to)
	return nil
}

// Data reads the mail once and tells the receiver what it says, for each recipient.
func (s *inbound) Data(r io.Reader) error {
	ctx, cancel := context.WithTimeout(context.Background(), receiveTimeout)
	defer cancel()
	data, err := io.ReadAll(io.LimitReader(r, MaxInbound+1))
	if err != nil {
		return err // too large, or the connection broke
	}
	for _, to := range s.rcpt {
		rep, err := s.l.o.Identity.ReadReport(to, strings.NewReader(string(data)))
		if errors.Is(err, ErrInbound) {
			return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The message cannot be read"}
		}
		if err == nil {
			err = s.l.o.Receiver.Receive(ctx, rep)
		}
		if err != nil {
			s.l.o.Logger.WarnContext(ctx, "bounce not taken", "error", err)
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later"}
		}
		s.l.o.Logger.DebugContext(ctx, "bounce", "id", rep.Send, "kind", string(rep.Kind), "status", rep.Status)
	}
	return nil
}

// smtpLog takes what the SMTP server complains of: connections that broke, mostly. Its text may hold what a stranger
// sent, so only the fact is logged.
type smtpLog struct{ log *slog.Logger }

func (l smtpLog) Printf(string, ...any) { l.log.Debug("bounce listener: a connection ended badly") }
func (l smtpLog) Println(...any)        { l.Printf("") }
