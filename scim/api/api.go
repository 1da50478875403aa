package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"rollcall/internal/edge"
	"rollcall/internal/seal"
	"rollcall/scim"
	"rollcall/scim/projection"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// api is the edge: read-only after New, but for its pools.
type api struct {
	service  Service
	auth     Authenticator
	registry *schema.Registry
	metrics  Metrics
	log      *slog.Logger
	now      func() time.Time
	newID    func() string
	denied   func(c scim.Caller, action, typ, id string, err error)

	basePath string
	baseURL  string
	proxies  []netip.Prefix
	limits   Limits
	timeout  time.Duration
	gate     *edge.Gate
	bulks    chan struct{} // a place for each Bulk request that is taken apart
	rates    *edge.Rates
	docURI   string

	cursors       *seal.Box
	cursorTimeout time.Duration

	types    []*endpointType
	groups   *endpointType    // the type whose resources have members: what a membership refers to
	exact    map[string]route // first path segment as registered
	folded   map[string]route // the same in lower case
	handlers [kinds]methods

	buffers sync.Pool // *[]byte, of answers
	pages   sync.Pool // *[]byte, of documents
	bodies  sync.Pool // *bytes.Buffer, of requests
	gzips   sync.Pool // *gzip.Writer
}

// endpointType is a resource type with what the edge derives from it once.
type endpointType struct {
	*schema.ResourceType
	selection    *projection.Selection // of a request that names nothing
	load         query.Load            // for that selection
	asksRequest  bool                  // the type has attributes with returned=request
	collection   string                // route texts, for logs
	item, search string
}

// New returns the handler of the SCIM root and everything below it.
func New(o Options) (http.Handler, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("scim/api: %w", err)
	}
	a := &api{
		service: o.Service, auth: o.Auth, registry: o.Registry, metrics: o.Metrics, log: o.Logger,
		now: o.Now, newID: o.NewID, denied: o.Denied,
		basePath: strings.TrimRight(o.BasePath, "/"), baseURL: strings.TrimRight(o.BaseURL, "/"),
		proxies: o.TrustedProxies, limits: o.Limits.withDefaults(), timeout: o.Timeout, docURI: o.DocumentationURI,
		cursorTimeout: o.CursorTimeout,
	}
	if o.BasePath == "" {
		a.basePath = DefaultBasePath
	}
	if a.cursorTimeout <= 0 {
		a.cursorTimeout = DefaultCursorTimeout
	}
	if a.metrics == nil {
		a.metrics = noMetrics{}
	}
	a.gate = o.Gate
	if a.gate == nil {
		a.gate = edge.NewGate(o.Load.Filled(max(a.limits.BulkBody, a.limits.Body)))
	}
	a.bulks = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	a.rates = o.Rates
	if a.rates == nil {
		a.rates = edge.NewRates(o.OrganizationRate, o.TokenRate)
	}
	if err := a.initCursors(o.CursorKey); err != nil {
		return nil, fmt.Errorf("scim/api: %w", err)
	}
	a.initRoutes()
	return a.engine()
}

// engine puts the edge on Gin. SCIM asks for more tolerance than Gin's tree has words for (any case of an endpoint,
// doubled slashes, URNs and ids percent-encoded, resource types that are data), so every path goes to one handler,
// whose own matcher is a map look-up.
func (a *api) engine() (http.Handler, error) {
	// Gin's mode is a variable of its package: without this it prints notices about itself to standard output.
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = false
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("scim/api: %w", err)
	}
	e.NoRoute(a.serve)
	return e, nil
}

// serve answers one request: the only way in. The order is that of the checks: load, route, credential, rate, method,
// media type, then the handler.
func (a *api) serve(c *gin.Context) {
	x := &exchange{api: a, w: c.Writer, req: c.Request, ctx: c.Request.Context(), start: a.now()}
	defer x.finish()
	x.identify()
	if a.timeout > 0 {
		d := edge.NewDeadline(x.ctx, x.start.Add(a.timeout), a.now)
		x.ctx = d
		defer d.End()
	}
	if err := x.handle(); err != nil {
		x.fail(err)
	}
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) Request(string, string, string, int, time.Duration) {}
func (noMetrics) Relaxation(string, string)                          {}
func (noMetrics) AuthFailure(string)                                 {}
func (noMetrics) Panic()                                             {}
func (noMetrics) Rejection(string)                                   {}
