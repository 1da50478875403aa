package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"rollcall/internal/edge"
	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/schema"
)

// Limits bound what one request may ask for. A zero field means its default.
type Limits struct {
	Body            int64 // bytes of a request body; Bulk has its own
	BulkBody        int64
	Depth           int // nesting of JSON; a Bulk operation's data may be as deep as a body of its own
	Filter          filter.Limits
	DefaultCount    int // resources of a page, if the client names no count
	MaxCount        int
	PatchOperations int
	BulkOperations  int
	Values          int // values of one multi-valued attribute, members aside
}

// DefaultLimits are the bounds of a server that is told nothing else.
func DefaultLimits() Limits {
	return Limits{
		Body: 1 << 20, BulkBody: 16 << 20, Depth: 32, Filter: filter.DefaultLimits(),
		DefaultCount: 100, MaxCount: 1000, PatchOperations: 1000, BulkOperations: 1000, Values: 500,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		have *int
		want int
	}{
		{&l.Depth, d.Depth},
		{&l.Filter.Length, d.Filter.Length},
		{&l.Filter.Depth, d.Filter.Depth},
		{&l.Filter.Terms, d.Filter.Terms},
		{&l.MaxCount, d.MaxCount},
		{&l.DefaultCount, d.DefaultCount},
		{&l.PatchOperations, d.PatchOperations},
		{&l.BulkOperations, d.BulkOperations},
		{&l.Values, d.Values},
	} {
		if *f.have <= 0 {
			*f.have = f.want
		}
	}
	if l.Body <= 0 {
		l.Body = d.Body
	}
	if l.BulkBody <= 0 {
		l.BulkBody = d.BulkBody
	}
	l.DefaultCount = min(l.DefaultCount, l.MaxCount)
	return l
}

// Load bounds what all requests together take; see [edge.Load].
type Load = edge.Load

// DefaultLoad is for a server that is told nothing else.
func DefaultLoad() Load { return edge.DefaultLoad() }

// Rate is how much somebody may do; see [edge.Rate].
type Rate = edge.Rate

// Options are what the edge is made of. Service, Auth, Registry, Logger, Now, NewID and CursorKey are required.
type Options struct {
	Service  Service
	Auth     Authenticator
	Registry *schema.Registry
	Metrics  Metrics // nil counts nothing
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string // request ids
	// Denied, if not nil, is told of what a token was not allowed: an action such as "PATCH User", the type and id that the
	// request names, and the error. It must not block.
	Denied func(c scim.Caller, action, typ, id string, err error)

	// BasePath is where the edge is mounted; empty is DefaultBasePath.
	BasePath string
	// BaseURL is the SCIM root as clients see it, "https://id.example.com/scim/v2". Empty derives it from each
	// request's Host, and from X-Forwarded-Proto and X-Forwarded-Host where a trusted proxy sent it.
	BaseURL        string
	TrustedProxies []netip.Prefix

	Limits  Limits
	Timeout time.Duration // of one request; 0: none
	Load    Load
	// OrganizationRate and TokenRate bound what each organization and each token may do.
	OrganizationRate, TokenRate Rate
	// Gate and Rates are those that other edges of the process count with; nil: the edge has its own, of Load and of
	// the two rates.
	Gate  *edge.Gate
	Rates *edge.Rates

	// CursorKey, 32 bytes, is the same for every process that serves the same clients.
	CursorKey     []byte
	CursorTimeout time.Duration // how long a cursor is good for; 0: DefaultCursorTimeout

	DocumentationURI string // for ServiceProviderConfig; empty leaves it out
}

// Defaults of Options.
const (
	DefaultBasePath      = "/scim/v2"
	DefaultCursorTimeout = time.Hour
)

// check reports everything that is wrong with the options at once.
func (o *Options) check() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	require(o.Service != nil, "Service is missing")
	require(o.Auth != nil, "Auth is missing")
	require(o.Registry != nil, "Registry is missing")
	require(o.Logger != nil, "Logger is missing")
	require(o.Now != nil, "Now is missing")
	require(o.NewID != nil, "NewID is missing")
	require(len(o.CursorKey) == 32, "CursorKey must have 32 bytes")
	require(o.OrganizationRate.Valid() && o.TokenRate.Valid(), "a rate must have operations a second and a burst above zero")
	if o.BaseURL != "" {
		u, err := url.Parse(o.BaseURL)
		require(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "",
			"BaseURL must be an absolute http or https URL without query")
	}
	if o.Registry != nil {
		for _, t := range o.Registry.Types() {
			name := strings.TrimPrefix(t.Endpoint, "/")
			require(name != "" && !strings.ContainsAny(name, "/%?#"), fmt.Sprintf("endpoint of %s must be one path segment", t.Name))
			require(reserved(name) == unknown, fmt.Sprintf("endpoint of %s is reserved", t.Name))
		}
	}
	return errors.Join(errs...)
}
