package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

type auditExportInput struct {
	AuditFilter
	After string `query:"after" maxLength:"12" pattern:"^[0-9]*$" doc:"What the last line of an earlier export names: only what comes behind it."`
}

// auditEnd is the last line of an export.
type auditEnd struct {
	End   bool   `json:"end"`   // all was written; else the time of the request was over
	After string `json:"after"` // where the next export goes on
}

// errTimeIsOver ends an export whose request has lasted long enough.
var errTimeIsOver = errors.New("admin: the time of the export is over")

func (a *API) auditExportEndpoint() {
	download(a, operation{
		id: "export-audit", method: http.MethodGet, path: "/audit/actions/export", tag: auditTag, scope: scim.ScopeAdminRead,
		summary: "The audit trail as lines of JSON, oldest first",
		detail: "It is sent as it is read. The last line is `{\"end\":true,\"after\":\"POSITION\"}`; with `end` false the time of the " +
			"request was over, and another one with `after` goes on. An answer without that line was cut off.",
	}, "The entries, one a line.", []string{ndjsonType}, func(ctx context.Context, c *Call, in *auditExportInput) (*file, error) {
		return &file{ndjsonType, "audit.ndjson", func(w io.Writer) error { return a.writeAudit(ctx, c, in, w) }}, nil
	})
}

func (a *API) writeAudit(ctx context.Context, c *Call, in *auditExportInput, w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	end := auditEnd{End: true, After: in.After}
	err := a.Lifecycle.ExportAudit(ctx, c.Subject, in.filter(), in.After, func(e *lifecycle.AuditEntry) error {
		if until, ok := ctx.Deadline(); ok && until.Sub(a.Now()) < a.Timeout/8 {
			return errTimeIsOver
		}
		end.After = e.Position
		return lines.Encode(e)
	})
	if errors.Is(err, errTimeIsOver) {
		end.End, err = false, nil
	}
	if err != nil {
		return err
	}
	return lines.Encode(end)
}
