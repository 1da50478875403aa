package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"rollcall/mail"
	"rollcall/metrics"
)

// mailer is what sends mails and takes bounces while the server runs.
type mailer struct {
	worker   *mail.Worker
	sender   mail.Sender
	listener *mail.Listener // nil: bounces are not taken

	cancel context.CancelFunc
	ended  []chan struct{}
}

// newMailer prepares the mailer; start starts it.
func newMailer(c *Config, db *database, m *metrics.Metrics, log *slog.Logger) (*mailer, error) {
	sender, files, err := c.sender()
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	identity, err := c.Mail.identity()
	if err != nil {
		return nil, fmt.Errorf("mail-from: %w", err)
	}
	worker, err := mail.NewWorker(mail.WorkerOptions{
		Outbox: db.post, Sender: sender, Identity: identity, Now: time.Now, Logger: log, Metrics: m, Poll: time.Second,
		Lease: c.Mail.Timeout + 5*time.Minute,
	})
	if err != nil {
		return nil, err
	}
	x := &mailer{worker: worker, sender: sender}
	if c.Mail.BounceListen != "" {
		lmtp, _ := c.Mail.bounce()
		x.listener, err = mail.NewListener(mail.ListenerOptions{Identity: identity, Receiver: db.post, Logger: log, LMTP: lmtp})
		if err != nil {
			return nil, err
		}
	}
	m.WatchMail(func() time.Duration { return db.post.Waiting(time.Now()) })
	if files != "" {
		log.Info("no smtp-host: mails are written to files", "directory", files)
	}
	return x, nil
}

// start works until stop; ln, which may be nil, is where bounces are taken.
func (x *mailer) start(ctx context.Context, ln net.Listener, log *slog.Logger) {
	ctx, x.cancel = context.WithCancel(ctx)
	run := func(fn func()) {
		done := make(chan struct{})
		x.ended = append(x.ended, done)
		go func() {
			defer close(done)
			fn()
		}()
	}
	run(func() { x.worker.Run(ctx) })
	if x.listener != nil && ln != nil {
		run(func() {
			if err := x.listener.Serve(ln); err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "bounces are no longer taken", "error", err)
			}
		})
	}
}

// stop takes no more bounces, begins no more mails, and waits for those that are being sent.
func (x *mailer) stop(timeout time.Duration) error {
	var err error
	if x.cancel != nil {
		x.cancel()
	}
	if x.listener != nil {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		err = x.listener.Shutdown(ctx)
	}
	for _, done := range x.ended {
		<-done
	}
	if c, ok := x.sender.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (a *app) mail() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "Look after mail"}
	cmd.AddCommand(a.mailTest())
	return cmd
}

// mailTest sends a message the way the server would, to find out what is wrong with the settings.
func (a *app) mailTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a test message with the settings of the server",
		Long: `Send a test message with the settings that the server has: file, environment and flags as for "serve".
The server need not run. What the mail server answers is printed.`,
		Example: "  rollcall mail test you@example.com --config /etc/rollcall/rollcall.yaml",
		Args:    cobra.ExactArgs(1),
	}
	load := bindFlags(cmd, a.env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		to, err := mail.ParseAddress(args[0])
		if err != nil {
			return err
		}
		identity, err := c.Mail.identity()
		if err != nil {
			return err
		}
		sender, files, err := c.sender()
		if err != nil {
			return err
		}
		if c, ok := sender.(io.Closer); ok {
			defer c.Close()
		}
		m := mail.Message{
			Kind: "test", To: to.String(), Subject: "Test message from Rollcall", Date: time.Now(),
			Text: "This message was sent by \"rollcall mail test\". If you can read it, mail works.\n",
			HTML: "<p>This message was sent by <code>rollcall mail test</code>. If you can read it, mail works.</p>\n",
		}
		e := identity.Envelope(newID(), &m)
		return a.tellTest(&e, sender.Send(cmd.Context(), &e, &m), files)
	}
	return cmd
}

func (a *app) tellTest(e *mail.Envelope, r mail.Result, files string) error {
	reply := r.Text
	if r.Code != 0 {
		reply = fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	switch {
	case r.Class != mail.Sent && r.Err != nil && r.Code == 0:
		return fmt.Errorf("%s: %w", r.Text, r.Err)
	case r.Class != mail.Sent:
		return fmt.Errorf("the mail server refused the message: %s", reply)
	case files != "":
		_, err := fmt.Fprintf(a.stdout, "no smtp-host: the message is in %s/%s.eml\n", files, e.ID)
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "the mail server has taken the message: %s\nMessage-ID <%s>, return path <%s>\n", reply, e.MessageID, e.From)
	return err
}
