package mail

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// received is the receiver of a test.
type received struct {
	mu      sync.Mutex
	reports []Report
	err     error
}

func (r *received) Receive(_ context.Context, rep Report) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.reports = append(r.reports, rep)
	return nil
}

func (r *received) all() []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Report(nil), r.reports...)
}

func listen(t *testing.T, lmtp bool, life time.Duration) (*received, string) {
	t.Helper()
	r := &received{}
	l, err := NewListener(ListenerOptions{
		Identity: testIdentity(t), Receiver: r, LMTP: lmtp, Lifetime: life, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return r, ln.Addr().String()
}

func dialBounces(t *testing.T, addr string, lmtp bool) *smtp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	if lmtp {
		c = smtp.NewClientLMTP(conn)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func bounceFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "inbound", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\n", "\r\n")
}

func code(err error) int {
	if e, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return e.Code
	}
	return 0
}

func TestListener(t *testing.T) {
	const verp = "b+" + sendID + "@bounce.id.example"
	for _, lmtp := range []bool{false, true} {
		t.Run(map[bool]string{false: "SMTP", true: "LMTP"}[lmtp], func(t *testing.T) {
			r, addr := listen(t, lmtp, 0)
			c := dialBounces(t, addr, lmtp)
			for _, to := range []string{"ada@example.com", "postmaster@bounce.id.example", "b+x@bounce.id.example", "b+" + sendID + "@elsewhere.example"} {
				if err := c.Mail("", nil); err != nil {
					t.Fatal(err)
				}
				if err := c.Rcpt(to, nil); code(err) != 550 {
					t.Errorf("%s: %v, want 550", to, err)
				}
				if err := c.Reset(); err != nil {
					t.Fatal(err)
				}
			}
			deliver := func(to, data string) error {
				if err := c.Mail("", nil); err != nil {
					t.Fatal(err)
				}
				if err := c.Rcpt(to, nil); err != nil {
					t.Fatal(err)
				}
				w, err := c.Data()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(w, data); err != nil {
					return err
				}
				return w.Close()
			}
			if err := deliver(verp, bounceFile(t, "postfix-unknown.eml")); err != nil {
				t.Fatal(err)
			}
			if err := deliver("Accounts@ID.example", bounceFile(t, "exchange-ooo.eml")); err != nil {
				t.Fatal(err)
			}
			got := r.all()
			if len(got) != 2 || got[0].Kind != ReportBounce || got[0].Send != sendID || !got[0].BadAddress || got[1].Kind != ReportAutoReply || got[1].Send != sendID {
				t.Fatalf("%+v", got)
			}
			r.mu.Lock()
			r.err = errors.New("the store is away")
			r.mu.Unlock()
			if err := deliver(verp, bounceFile(t, "vague.eml")); code(err) != 451 {
				t.Errorf("while the receiver fails: %v, want 451", err)
			}
			r.mu.Lock()
			r.err = nil
			r.mu.Unlock()
			if err := deliver(verp, "\x00 no mail\r\n"); code(err) != 554 {
				t.Errorf("no mail: %v, want 554", err)
			}
			if err := deliver(verp, "Subject: x\r\n\r\n"+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20_000)); code(err) != 552 {
				t.Errorf("too large: %v, want 552", err)
			}
			if got := len(r.all()); got != 2 {
				t.Errorf("%d reports", got)
			}
		})
	}
}

// TestListenerClosesIdleConnections: a stranger who opens all connections and does nothing does not keep them.
func TestListenerClosesIdleConnections(t *testing.T) {
	_, addr := listen(t, false, 50*time.Millisecond)
	for range maxConnections + 1 { // the last one gets its turn when one of the others was closed
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		}
	}
}
