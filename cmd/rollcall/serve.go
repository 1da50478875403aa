package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"rollcall/internal/control"
	"rollcall/metrics"
	"rollcall/scim/api"
	"rollcall/scim/filter"
)

// cursorKeyName is the name of the key under which cursors are encrypted, in the database.
const cursorKeyName = "cursor"

func (a *app) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server: SCIM 2.0 under /scim/v2, the companion API under /api/v1, /healthz and /readyz on --listen, metrics and profiles on
--ops-listen. The database is made in --data if it is not there; the first start makes an organization
"default" and prints its first token, once. With ROLLCALL_BOOTSTRAP_TOKEN set, that text is a token of
"default" and nothing is printed. With ROLLCALL_STORE set to the connection string of a MongoDB, everything
is kept there and nothing on this machine; any number of servers may share it.

SIGTERM and SIGINT stop the server gracefully, a second one at once. SIGHUP reads the certificate again.`,
		Example: `  rollcall serve
  rollcall serve --config /etc/rollcall.yaml
  ROLLCALL_STORE='mongodb://db1,db2,db3/rollcall?replicaSet=rs0' rollcall serve
  rollcall serve --listen :8443 --tls-cert cert.pem --tls-key key.pem --base-url https://scim.example.com`,
		Args: cobra.NoArgs,
	}
	load := bindFlags(cmd, a.env)
	printConfig := cmd.Flags().Bool("print-config", false, "print the configuration that is in force, without secrets, and end")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		if *printConfig {
			return a.printConfig(c)
		}
		return a.runServe(cmd.Context(), &c)
	}
	return cmd
}

func (a *app) config() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration that is in force, without secrets",
		Long: `Print the configuration that file, environment and flags make, as a file that --config reads. It is
checked as "serve" checks it; all that is wrong is listed. Secrets are not printed.`,
		Example: "  rollcall config > rollcall.yaml",
		Args:    cobra.NoArgs,
	}
	load := bindFlags(cmd, a.env)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		return a.printConfig(c)
	}
	return cmd
}

func (a *app) printConfig(c Config) error {
	text, err := c.Redacted()
	if err == nil {
		_, err = io.WriteString(a.stdout, text)
	}
	return err
}

// runServe puts everything together, serves, and takes it apart again in reverse order.
func (a *app) runServe(ctx context.Context, c *Config) (err error) {
	defer keepBallast()()
	log := newLogger(c, a.stderr)
	registry := prometheus.NewRegistry()
	b := buildInfo()
	m, err := metrics.New(registry, metrics.Options{
		PerOrganization: c.MetricsPerOrganization, Version: b.Version, Revision: b.Revision, GoVersion: b.Go,
	})
	if err != nil {
		return err
	}
	var cert *certificate
	if c.tls() {
		if cert, err = newCertificate(c.TLSCert, c.TLSKey, log, time.Now); err != nil {
			return fmt.Errorf("tls-cert, tls-key: %w", err)
		}
	}
	db, err := openDatabase(ctx, c, m)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, db.close())
		if err == nil {
			log.Info("stopped")
		}
	}()
	h := &health{ready: db.store.Ready, log: log}
	hs, err := buildHandlers(ctx, c, db, m, registry, h, log)
	if err != nil {
		return err
	}
	mails, err := newMailer(c, db, m, log)
	if err != nil {
		return err
	}
	l, err := listen(ctx, c, db.backend.directory())
	if err != nil {
		return err
	}
	first, err := bootstrap(ctx, c, db)
	if err != nil {
		l.close()
		return plain(err)
	}
	mails.start(ctx, l.bounces, log)
	defer func() { err = errors.Join(err, mails.stop(c.Timeouts.Shutdown)) }()
	defer startSweeper(ctx, db, log).stop()
	return newServer(c, log, h, cert, hs).run(ctx, l, func() error {
		if first != "" {
			if err := printFirstToken(a.stdout, scimURL(c, l.main.Addr()), first); err != nil {
				return err
			}
		}
		attrs := []any{
			"scim", scimURL(c, l.main.Addr()), "listen", l.main.Addr().String(), "database", db.backend.String(),
			"version", b.Version, "tls", c.tls(),
		}
		if l.ops != nil {
			attrs = append(attrs, "ops", l.ops.Addr().String())
		}
		if l.bounces != nil {
			attrs = append(attrs, "bounces", l.bounces.Addr().String())
		}
		log.Info("serving", attrs...)
		if c.AddrFile != "" {
			return l.writeAddresses(c.AddrFile)
		}
		return nil
	})
}

func buildHandlers(ctx context.Context, c *Config, db *database, m *metrics.Metrics, reg *prometheus.Registry, h *health, log *slog.Logger) (handlers, error) {
	key, err := cursorKey(ctx, db)
	if err != nil {
		return handlers{}, err
	}
	shared := newShared(c)
	edge, err := api.New(api.Options{
		Service: db.service, Auth: db.service, Registry: db.registry.Registry, Metrics: m, Logger: log,
		Now: time.Now, NewID: newID, Denied: db.people.Deny,
		BasePath: scimRoot, BaseURL: c.BaseURL, TrustedProxies: c.TrustedProxies,
		Limits: api.Limits{
			Body: c.Limits.Body, BulkBody: c.Limits.BulkBody, Depth: c.Limits.JSONDepth,
			Filter:       filter.Limits{Length: int(c.Limits.FilterLength), Depth: c.Limits.FilterDepth, Terms: c.Limits.FilterTerms},
			DefaultCount: c.Limits.DefaultCount, MaxCount: c.Limits.Count,
			PatchOperations: c.Limits.PatchOperations, BulkOperations: c.Limits.BulkOperations, Values: c.Limits.Values,
		},
		Gate: shared.gate, Rates: shared.rates, Timeout: c.Timeouts.Request,
		CursorKey: key, CursorTimeout: c.CursorTimeout,
	})
	if err != nil {
		return handlers{}, err
	}
	companion, err := newCompanion(c, db, m, log, key, shared)
	if err != nil {
		return handlers{}, err
	}
	return handlers{
		main:    m.InFlight(h.wrap(spareProcessors(byPath(edge, onListen(c, companion))))),
		ops:     onOps(c, companion, opsHandler(h, reg, c.Pprof)),
		control: byPath(logControl(log, control.NewHandler(&operator{db: db})), companion.Local()),
	}, nil
}

// cursorKey is the key that all processes on the database encrypt cursors with.
func cursorKey(ctx context.Context, db *database) ([]byte, error) {
	key, err := db.store.Secret(ctx, cursorKeyName, func(b []byte) error {
		_, err := rand.Read(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the cursor key: %w", err)
	}
	return key, nil
}

// spareProcessors wraps next in a [spare], unless the operator chose the number of processors.
func spareProcessors(next http.Handler) http.Handler {
	if os.Getenv("GOMAXPROCS") != "" {
		return next
	}
	s := &spare{
		raise:  func() { runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0)) },
		lower:  runtime.SetDefaultGOMAXPROCS,
		linger: time.Second,
	}
	return s.wrap(next)
}

// logControl leaves a trace of what is done through the control socket.
func logControl(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "control", "operation", r.URL.Path)
		next.ServeHTTP(w, r)
	})
}

// bootstrap makes sure that somebody can get in: by the token that the configuration names, or by one made now, on
// the first start only. It returns the text of the latter.
func bootstrap(ctx context.Context, c *Config, db *database) (string, error) {
	chosen, err := c.bootstrapToken()
	if err != nil {
		return "", err
	}
	if chosen != "" {
		return "", db.service.EnsureBootstrap(ctx, chosen)
	}
	return db.service.FirstStart(ctx)
}

// scimURL is the SCIM root for somebody on this machine, or the one that clients are told.
func scimURL(c *Config, addr net.Addr) string {
	if c.BaseURL != "" {
		return c.BaseURL
	}
	scheme := "http"
	if c.tls() {
		scheme = "https"
	}
	return scheme + "://" + reachable(addr.String()) + scimRoot
}

// reachable turns an address to listen on into one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// printFirstToken is what a person sees at the first start. The commands work as they are pasted.
func printFirstToken(w io.Writer, root, token string) error {
	insecure := ""
	if strings.HasPrefix(root, "https:") {
		insecure = " --cacert CERT.pem"
	}
	_, err := fmt.Fprintf(w, `Rollcall serves SCIM 2.0 on %[1]s

This is the first start. Organization "default" has its first token, which is shown only now:

  %[2]s

Create a user:

  curl%[3]s -sS %[1]s/Users -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/scim+json' -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com","name":{"givenName":"Ada","familyName":"Lovelace"},"active":true}'

List the users:

  curl%[3]s -sS %[1]s/Users -H 'Authorization: Bearer %[2]s'

`, root, token, insecure)
	return err
}
