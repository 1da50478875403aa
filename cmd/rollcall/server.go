package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rollcall/internal/control"
)

// listeners are the addresses that a server takes, all of them before it makes its first token: an address that is
// taken must not cost the one sight of it.
type listeners struct {
	main, ops, control, bounces net.Listener // all but the first may be nil
}

// listen takes the addresses of c and, in dir, the control socket; no socket if dir is empty.
func listen(ctx context.Context, c *Config, dir string) (_ *listeners, err error) {
	l := &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	var n net.ListenConfig
	if l.main, err = n.Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if c.OpsListen != "" {
		if l.ops, err = n.Listen(ctx, "tcp", c.OpsListen); err != nil {
			return nil, fmt.Errorf("ops-listen: %w", err)
		}
	}
	if _, addr := c.Mail.bounce(); addr != "" {
		if l.bounces, err = n.Listen(ctx, "tcp", addr); err != nil {
			return nil, fmt.Errorf("bounce-listen: %w", err)
		}
	}
	if dir != "" {
		if l.control, err = control.Listen(dir); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *listeners) close() {
	for _, x := range []net.Listener{l.main, l.ops, l.control, l.bounces} {
		if x != nil {
			_ = x.Close()
		}
	}
}

// addresses is what --addr-file holds.
func (l *listeners) addresses() string {
	text := "listen=" + l.main.Addr().String() + "\n"
	if l.ops != nil {
		text += "ops-listen=" + l.ops.Addr().String() + "\n"
	}
	if l.bounces != nil {
		text += "bounce-listen=" + l.bounces.Addr().String() + "\n"
	}
	return text
}

// writeAddresses makes the file appear with its whole content.
func (l *listeners) writeAddresses(file string) error {
	temp := file + ".new"
	if err := os.WriteFile(temp, []byte(l.addresses()), 0o600); err != nil {
		return fmt.Errorf("addr-file: %w", err)
	}
	if err := os.Rename(temp, file); err != nil {
		return fmt.Errorf("addr-file: %w", err)
	}
	return nil
}

// readAddress returns one address out of an address file.
func readAddress(file, key string) (string, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && k == key {
			return v, nil
		}
	}
	return "", fmt.Errorf("%s has no %s", file, key)
}

// handlers are what is served where.
type handlers struct {
	main, ops, control http.Handler
}

// server is the running thing: up to three HTTP servers that start and stop together.
type server struct {
	config *Config
	log    *slog.Logger
	health *health
	cert   *certificate // nil: no TLS

	main, ops, control *http.Server
}

func newServer(c *Config, log *slog.Logger, h *health, cert *certificate, hs handlers) *server {
	logger := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	s := &server{config: c, log: log, health: h, cert: cert}
	s.main = &http.Server{
		Handler:           hs.main,
		ErrorLog:          logger,
		ReadHeaderTimeout: c.Timeouts.ReadHeader,
		ReadTimeout:       c.Timeouts.Read,
		WriteTimeout:      c.Timeouts.Write,
		IdleTimeout:       c.Timeouts.Idle,
		// net/http adds 4 KiB of its own.
		MaxHeaderBytes: int(c.Limits.Header),
	}
	if cert != nil {
		s.main.TLSConfig = cert.config()
	}
	// A profile takes as long as it was asked to, a backup as long as the database is large.
	s.ops = &http.Server{Handler: hs.ops, ErrorLog: logger, ReadHeaderTimeout: c.Timeouts.ReadHeader, WriteTimeout: 5 * time.Minute}
	s.control = &http.Server{Handler: hs.control, ErrorLog: logger, ReadHeaderTimeout: c.Timeouts.ReadHeader}
	return s
}

// run serves on l until ctx ends or a signal comes, then stops: it takes no new connections, lets requests finish
// for as long as the timeout says, and returns. ready is called once requests are answered.
func (s *server) run(ctx context.Context, l *listeners, ready func() error) error {
	ctx, stopSignals := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stopSignals()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	failed := make(chan error, 3)
	serve := func(srv *http.Server, l net.Listener, withTLS bool) {
		var err error
		if withTLS {
			err = srv.ServeTLS(l, "", "")
		} else {
			err = srv.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}
	go serve(s.main, l.main, s.cert != nil)
	if l.ops != nil {
		go serve(s.ops, l.ops, false)
	}
	if l.control != nil {
		go serve(s.control, l.control, false)
	}

	s.health.state.Store(serving)
	err := ready()
	for err == nil && ctx.Err() == nil {
		select {
		case <-hup:
			if s.cert != nil {
				s.cert.reload()
			}
		case err = <-failed:
		case <-ctx.Done():
		}
	}
	// From here on a second signal has its default effect: the process ends at once. What was acknowledged is
	// durable however it ends.
	stopSignals()
	return errors.Join(err, s.stop(context.WithoutCancel(ctx)))
}

func (s *server) stop(ctx context.Context) error {
	s.health.state.Store(draining)
	s.log.InfoContext(ctx, "stopping: requests in flight are finished", "timeout", s.config.Timeouts.Shutdown)
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeouts.Shutdown)
	defer cancel()
	var errs []error
	if err := s.main.Shutdown(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("requests were still running after %v and were cut off", s.config.Timeouts.Shutdown)
		}
		errs = append(errs, err, s.main.Close())
	}
	// The ops listener goes last, so that the drain can be watched. Its own requests hold up nothing.
	for _, srv := range []*http.Server{s.control, s.ops} {
		if srv.Shutdown(ctx) != nil {
			errs = append(errs, srv.Close())
		}
	}
	return errors.Join(errs...)
}
