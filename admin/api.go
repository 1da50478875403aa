package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"rollcall/internal/edge"
	"rollcall/internal/seal"
	"rollcall/scim"
)

// API is the handler of everything under DefaultBasePath. It is read-only after New.
type API struct {
	Options
	cursors  *seal.Box
	engine   *gin.Engine
	huma     huma.API
	document document
}

// New returns the API.
func New(o Options) (*API, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &API{Options: o.filled()}
	var err error
	if a.cursors, err = seal.New(o.Key, "admin cursor"); err != nil {
		return nil, err
	}
	if err := a.route(); err != nil {
		return nil, err
	}
	a.endpoints()
	return a, a.publish()
}

// endpoints adds every endpoint. An endpoint is a file of its own with a function here.
func (a *API) endpoints() {
	a.documentEndpoints()
	a.organizationEndpoints()
	a.meEndpoints()
	a.operatorEndpoints()
	a.memberEndpoints()
	a.memberListEndpoint()
	a.profileEndpoints()
	a.photoEndpoints()
	a.myOrganizationEndpoints()
	a.passwordEndpoints()
	a.personExportEndpoints()
	a.mailEndpoints()
	a.mailTemplateEndpoints()
	a.appEndpoints()
	a.clientEndpoints()
	a.reassignEndpoint()
	a.transferEndpoints()
	a.transferStepEndpoints()
	a.roleEndpoints()
	a.occupationEndpoints()
	a.entitlementEndpoints()
	a.accessEndpoints()
	a.changeRequestEndpoints()
	a.settingsEndpoints()
	a.connectionEndpoints()
	a.conflictEndpoints()
	a.lineageEndpoint()
	a.domainEndpoints()
	a.inviteEndpoints()
	a.inviteActionEndpoints()
	a.inviteExportEndpoint()
	a.inviteImportEndpoints()
	a.memberBulkEndpoint()
	a.jobEndpoints()
	a.publicInviteEndpoints()
	a.joinRequestEndpoints()
	a.publicJoinEndpoints()
	a.auditEndpoints()
}

// route makes the router.
func (a *API) route() error {
	// Gin's mode is a variable of its package: without this it prints notices about itself to standard output.
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return err
	}
	refuse := func(err func(*gin.Context) *scim.Error) gin.HandlerFunc {
		return func(c *gin.Context) {
			exchangeOf(c.Request.Context()).fail(err(c))
			c.Writer.WriteHeaderNow() // else Gin adds its own words
		}
	}
	e.NoRoute(refuse(func(*gin.Context) *scim.Error {
		return &scim.Error{Status: http.StatusNotFound, Detail: "no such endpoint"}
	}))
	e.NoMethod(refuse(func(c *gin.Context) *scim.Error { // Gin has set Allow
		return &scim.Error{
			Status: http.StatusMethodNotAllowed,
			Detail: "the endpoint allows only " + c.Writer.Header().Get("Allow"),
		}
	}))
	a.engine = e
	a.huma = humagin.NewWithGroup(e, e.Group(DefaultBasePath), a.humaConfig())
	return nil
}

// ServeHTTP answers one request. What is the same for all of them happens here; the checks of an operation are its
// middleware.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.serve(w, r, false) }

func (a *API) serve(w http.ResponseWriter, r *http.Request, local bool) {
	x := &exchange{api: a, w: w, req: r, start: a.Now(), local: local}
	if !local {
		x.addr = edge.ClientAddr(r, a.TrustedProxies)
	}
	defer x.finish()
	x.identify()
	ctx := r.Context()
	if a.Timeout > 0 {
		d := edge.NewDeadline(ctx, x.start.Add(a.Timeout), a.Now)
		defer d.End()
		ctx = d
	}
	x.ctx = context.WithValue(ctx, exchangeKey{}, x)
	if err := x.enter(); err != nil {
		x.fail(err)
		return
	}
	a.engine.ServeHTTP(&x.answer, r.WithContext(x.ctx))
}
