package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"rollcall/internal/edge"
	"rollcall/internal/idtoken"
	"rollcall/internal/seal"
	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
)

// DefaultBasePath is where the API is mounted.
const DefaultBasePath = "/api/v1"

// Defaults of Options.
const (
	defaultBody          = 1 << 20
	defaultUpload        = 16 << 20
	defaultDepth         = 32
	defaultCursorTimeout = time.Hour
)

// Options are what the API is made of. Resources, Lifecycle, Post, Auth, Logger, Now, NewID and Key are required.
type Options struct {
	Resources *resources.Service
	Lifecycle *lifecycle.Service
	Post      *lifecycle.Post
	Auth      Authenticator
	People    *idtoken.Verifier // nil: nobody but tokens gets in
	Metrics   Metrics           // nil counts nothing
	Logger    *slog.Logger
	Now       func() time.Time
	NewID     func() string // request ids

	// BaseURL is the root of the API as clients see it, for the OpenAPI document; empty is DefaultBasePath, which
	// is right wherever the document was read from.
	BaseURL        string
	Version        string // of the program
	TrustedProxies []netip.Prefix

	Body    int64         // most bytes of a request's body, where an operation says nothing else; 0: 1 MiB
	Upload  int64         // most bytes of a file that is uploaded; 0: 16 MiB
	Timeout time.Duration // of one request; 0: none
	Gate    *edge.Gate    // nil: one of its own
	Rates   *edge.Rates   // nil: no bound

	// Key, 32 bytes, is the same for every process that serves the same clients: cursors are sealed with it.
	Key           []byte
	CursorTimeout time.Duration // how long a cursor is good for; 0: an hour
}

// Authenticator resolves Rollcall's tokens. It returns a *scim.AuthError for one that is unknown, expired or revoked.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*scim.Client, error)
}

// Metrics counts what the API sees. Implementations must be safe for concurrent use.
type Metrics interface {
	// AdminRequest counts one answered request; operation is the operationId, "" for none.
	AdminRequest(org, operation string, status int, d time.Duration)
	// AuthFailure counts one refused credential; reason is missing, unknown, expired, revoked, scope, or for people
	// issuer, invalid or stranger.
	AuthFailure(reason string)
	// Panic counts one recovered panic.
	Panic()
	// Rejection counts one request that was refused for load or rate.
	Rejection(reason string)
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) AdminRequest(string, string, int, time.Duration) {}
func (noMetrics) AuthFailure(string)                              {}
func (noMetrics) Panic()                                          {}
func (noMetrics) Rejection(string)                                {}

// check reports everything that is wrong with the options at once.
func (o *Options) check() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("admin: "+what))
		}
	}
	require(o.Resources != nil, "Resources is missing")
	require(o.Lifecycle != nil, "Lifecycle is missing")
	require(o.Post != nil, "Post is missing")
	require(o.Auth != nil, "Auth is missing")
	require(o.Logger != nil, "Logger is missing")
	require(o.Now != nil, "Now is missing")
	require(o.NewID != nil, "NewID is missing")
	require(len(o.Key) == seal.KeySize, fmt.Sprintf("Key must have %d bytes", seal.KeySize))
	return errors.Join(errs...)
}

// filled returns o with its defaults.
func (o Options) filled() Options {
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.BaseURL == "" {
		o.BaseURL = DefaultBasePath
	}
	if o.Body <= 0 {
		o.Body = defaultBody
	}
	if o.Upload <= 0 {
		o.Upload = defaultUpload
	}
	if o.CursorTimeout <= 0 {
		o.CursorTimeout = defaultCursorTimeout
	}
	if o.Gate == nil {
		o.Gate = edge.NewGate(edge.Load{}.Filled(max(o.Body, o.Upload)))
	}
	return o
}
