package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/admin"
	"rollcall/internal/control"
)

// The variables of the environment that say where commands find the companion API. The server has no use for them.
const (
	envServer    = envPrefix + "SERVER"
	envToken     = envPrefix + "TOKEN"
	envTokenFile = envPrefix + "TOKEN_FILE"
	envCACert    = envPrefix + "CACERT"
)

func remoteEnv() []string { return []string{envServer, envToken, envTokenFile, envCACert} }

// where are the flags that say which server is meant.
type where struct {
	server, tokenFile, cacert, org string
	plain                          bool
	load                           func() (Config, error) // of the database, without a server
}

// bindWhere gives cmd the flags.
func bindWhere(cmd *cobra.Command, env []string) *where {
	w := &where{}
	f := cmd.Flags()
	f.StringVar(&w.server, "server", "", "root of a server, such as https://id.example.com ("+envServer+"); without it the one that holds the data directory, or the database itself")
	f.StringVar(&w.tokenFile, "token-file", "", "file that holds the token for --server ("+envTokenFile+"; "+envToken+" holds the token itself)")
	f.StringVar(&w.cacert, "cacert", "", "PEM file of the authorities that may vouch for --server ("+envCACert+")")
	f.BoolVar(&w.plain, "plain-http", false, "send the token to --server without encryption")
	f.StringVar(&w.org, "org", "", "organization, by slug or id; without --server "+defaultOrg+" if empty")
	w.load = bindFlags(cmd, env, databaseKeys()...)
	return w
}

// lookup reads a variable of an environment.
func lookup(env []string, name string) string {
	for _, pair := range env {
		if n, v, _ := strings.Cut(pair, "="); n == name {
			return v
		}
	}
	return ""
}

// connect returns the API.
func (w *where) connect(ctx context.Context, a *app) (*remote, error) {
	for flag, name := range map[*string]string{&w.server: envServer, &w.cacert: envCACert} {
		if *flag == "" {
			*flag = lookup(a.env, name)
		}
	}
	if w.server != "" {
		return w.far(a.env)
	}
	c, err := w.load()
	if err != nil {
		return nil, err
	}
	dir, db, err := reach(ctx, &c, mustExist)
	if err != nil {
		return nil, err
	}
	r := &remote{root: "http://rollcall" + admin.DefaultBasePath, org: w.org}
	if db == nil {
		t := control.NewTransport(dir)
		r.http = &http.Client{Transport: t, Timeout: remoteTimeout}
		r.close = func() error { t.CloseIdleConnections(); return nil }
		return r, nil
	}
	api, err := a.inProcess(ctx, &c, db)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	r.http, r.close = &http.Client{Transport: inProcess{api.Local()}}, db.close
	r.work = func(ctx context.Context) error { _, err := db.people.RunJobsOnce(ctx); return err }
	return r, nil
}

// far is a server that is reached over the network, with a token.
func (w *where) far(env []string) (*remote, error) {
	u, err := url.Parse(w.server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{errors.New("--server: write it as https://id.example.com")}
	}
	if u.Scheme == "http" && !w.plain && !loopback(u.Hostname()) {
		return nil, usageError{errors.New("--server: http would send the token readable for everybody on the way; use https, or allow it by --plain-http")}
	}
	token, err := w.token(env)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if w.cacert != "" {
		pem, err := os.ReadFile(w.cacert)
		if err != nil {
			return nil, usageError{fmt.Errorf("--cacert: %w", err)}
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usageError{errors.New("--cacert: the file holds no certificate")}
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	root := strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(w.server, "/"), scimRoot), admin.DefaultBasePath)
	return &remote{
		root: root + admin.DefaultBasePath, token: token, org: w.org,
		http: &http.Client{
			Transport: t, Timeout: remoteTimeout,
			// A redirection would carry the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		close: func() error { t.CloseIdleConnections(); return nil },
	}, nil
}

func (w *where) token(env []string) (string, error) {
	file := w.tokenFile
	if file == "" {
		if text := lookup(env, envToken); text != "" {
			return text, nil
		}
		file = lookup(env, envTokenFile)
	}
	if file == "" {
		return "", usageError{errors.New("a server wants a token: --token-file FILE, " + envTokenFile + " or " + envToken + "; never on the command line")}
	}
	text, err := readSecret(file)
	if err != nil {
		return "", usageError{fmt.Errorf("--token-file: %w", err)}
	}
	return text, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// inProcess makes the API of a database that this process has open. Its log is errors only: whoever reads it typed the
// command.
func (a *app) inProcess(ctx context.Context, c *Config, db *database) (*admin.API, error) {
	key, err := cursorKey(ctx, db)
	if err != nil {
		return nil, err
	}
	m, err := quietMetrics()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return newCompanion(c, db, m, log, key, newShared(c))
}

// inProcess is a transport to a handler of this process.
type inProcess struct{ handler http.Handler }

// RoundTrip has the handler answer the request.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	a := &pipedAnswer{header: http.Header{}, body: w, ready: make(chan struct{})}
	in := req.Clone(req.Context())
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), ""
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		t.handler.ServeHTTP(a, in)
		a.WriteHeader(http.StatusOK)
		_ = w.Close()
	}()
	select {
	case <-a.ready:
	case <-req.Context().Done():
		_ = r.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: r, ContentLength: -1, Request: req,
	}, nil
}

// pipedAnswer is an answer that is read while it is written.
type pipedAnswer struct {
	header, sent http.Header
	status       int
	body         *io.PipeWriter
	ready        chan struct{}
}

// Header is the header to be sent.
func (a *pipedAnswer) Header() http.Header { return a.header }

// WriteHeader sends the header; the first one counts.
func (a *pipedAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
		close(a.ready)
	}
}

// Write adds to the body.
func (a *pipedAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
