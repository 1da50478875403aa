package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rollcall/admin"
	"rollcall/internal/edge"
	"rollcall/metrics"
)

// shared is what all edges count with: a bound holds for SCIM and the companion API together.
type shared struct {
	gate  *edge.Gate
	rates *edge.Rates
}

func newShared(c *Config) shared {
	load := edge.Load{
		InFlight: c.Limits.InFlight, Waiting: c.Limits.Waiting, Wait: c.Timeouts.Wait, BodyMemory: c.Limits.BodyMemory,
	}
	return shared{
		gate:  edge.NewGate(load.Filled(max(c.Limits.BulkBody, c.Limits.Body))),
		rates: edge.NewRates(c.OrganizationRate, c.TokenRate),
	}
}

// newCompanion returns the companion API.
func newCompanion(c *Config, db *database, m *metrics.Metrics, log *slog.Logger, key []byte, s shared) (*admin.API, error) {
	people, err := c.people()
	if err != nil {
		return nil, fmt.Errorf("oidc-issuer: %w", err)
	}
	return admin.New(admin.Options{
		Resources: db.service, People: people, Lifecycle: db.people, Post: db.post, Auth: db.service, Metrics: m, Logger: log, Now: time.Now, NewID: newID,
		BaseURL: companionURL(c), Version: buildInfo().Version, TrustedProxies: c.TrustedProxies,
		Body: c.Limits.Body, Upload: c.Limits.BulkBody, Timeout: c.Timeouts.Request, Gate: s.gate, Rates: s.rates,
		Key: key, CursorTimeout: c.CursorTimeout,
	})
}

// companionURL is the root of the companion API beside the SCIM root that clients are told; empty if they are told none.
func companionURL(c *Config) string {
	u, err := url.Parse(c.BaseURL)
	if c.BaseURL == "" || err != nil {
		return ""
	}
	u.Path = admin.DefaultBasePath
	return u.String()
}

// The places of the operators' part of the companion API.
const (
	operatorOnListen = "listen"
	operatorOnOps    = "ops-listen"
	operatorOff      = "off"
)

// onListen is the companion API as the main address has it.
func onListen(c *Config, companion *admin.API) http.Handler {
	if c.OperatorAPI == operatorOnListen {
		return companion
	}
	return companion.WithoutOperator()
}

// onOps adds what the ops address has of it.
func onOps(c *Config, companion, ops http.Handler) http.Handler {
	if c.OperatorAPI != operatorOnOps {
		return ops
	}
	mux := http.NewServeMux()
	mux.Handle(admin.OperatorPath+"/", companion)
	mux.Handle("/", ops)
	return mux
}

// byPath hands requests to the companion API or to SCIM.
func byPath(scim, companion http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, admin.DefaultBasePath); ok && (rest == "" || rest[0] == '/') {
			companion.ServeHTTP(w, r)
			return
		}
		scim.ServeHTTP(w, r)
	})
}
