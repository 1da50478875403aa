package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const auditTag = "Audit"

func (a *API) auditEndpoints() {
	handle(a, operation{
		id: "list-audit", method: http.MethodGet, path: "/audit", tag: auditTag, scope: scim.ScopeAdminRead,
		summary: "What was done and what was refused, newest first",
		detail: "Members see what they did (`actor`) and what was done to them (`target`). A page may have fewer items than asked for, " +
			"even none, and a `next`: there is more as long as there is one. Refusals of the same kind within a minute are one item.",
	}, a.listAudit)
	handle(a, operation{
		id: "get-audit-checkpoint", method: http.MethodGet, path: "/audit/checkpoint", tag: auditTag, scope: scim.ScopeAdminRead,
		summary: "How far the audit trail is sealed",
		detail: "Everything up to now is sealed first. Kept elsewhere, the number and the hash show later that nothing before was " +
			"changed: `rollcall audit verify --expect NUMBER:HASH`.",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*checkpointOutput, error) {
		p, err := a.Lifecycle.Checkpoint(ctx, c.Subject)
		return &checkpointOutput{p}, err
	})
	a.auditExportEndpoint()
}

// AuditFilter is embedded by the input of what reads the audit trail.
type AuditFilter struct {
	Actor   string    `query:"actor" maxLength:"100" doc:"Id of who did it."`
	Action  string    `query:"action" maxLength:"100" doc:"Such as invite.accepted, or invite for all about invites."`
	Target  string    `query:"target" maxLength:"100" doc:"Id of what it was done to."`
	Outcome string    `query:"outcome" enum:"done,refused" doc:"Both if absent."`
	Code    string    `query:"code" maxLength:"100" doc:"Why it was refused."`
	Since   time.Time `query:"since" doc:"Not before."`
	Until   time.Time `query:"until" doc:"Before."`
}

func (f *AuditFilter) filter() lifecycle.AuditFilter {
	return lifecycle.AuditFilter{
		Actor: f.Actor, Action: f.Action, Target: f.Target, Outcome: f.Outcome, Code: f.Code, Since: f.Since, Until: f.Until,
	}
}

type auditInput struct {
	PageInput
	AuditFilter
}

type auditOutput struct {
	Body struct {
		Items []lifecycle.AuditEntry `json:"items" nullable:"false"`
		Next  string                 `json:"next,omitempty" doc:"Cursor of the next page."`
	}
}

type checkpointOutput struct{ Body lifecycle.Checkpoint }

func (a *API) listAudit(ctx context.Context, c *Call, in *auditInput) (*auditOutput, error) {
	of := fmt.Sprintf("audit %q", []any{in.Actor, in.Action, in.Target, in.Outcome, in.Code, in.Since, in.Until})
	before, err := openCursor[string](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	q := lifecycle.AuditPage{AuditFilter: in.filter(), Count: in.Count}
	if before != nil {
		q.Before = *before
	}
	list, next, err := a.Lifecycle.Audit(ctx, c.Subject, q)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{}
	if out.Body.Items = list; list == nil {
		out.Body.Items = []lifecycle.AuditEntry{}
	}
	if next != "" {
		out.Body.Next, err = sealCursor(a, c, of, next)
	}
	return out, err
}
