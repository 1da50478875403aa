package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) inviteImportEndpoints() {
	handle(a, operation{
		id: "import-invites", method: http.MethodPost, path: "/invites/actions/import", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "Upload a file of people who are to be invited", status: http.StatusCreated, body: lifecycle.MaxImport,
		detail: "CSV in UTF-8, with comma, semicolon, tab or bar between the cells, up to 50000 rows and 16 MiB. The first row may name the " +
			"columns; which of them holds what is found out and in the answer. Nothing happens before the job is previewed and carried out.",
	}, func(ctx context.Context, c *Call, in *importInput) (*startedJobOutput, error) {
		return startedJob(a.Lifecycle.Import(ctx, c.Subject, in.RawBody))
	})
	handle(a, operation{
		id: "preview-import", method: http.MethodPost, path: "/jobs/{id}/actions/preview", tag: jobTag, scope: scim.ScopeAdminInvites,
		summary: "Work out what an import would do", status: http.StatusAccepted,
		detail: "The job is ready when all rows are worked out; they are listed as they are. It may be previewed again with other options.",
	}, func(ctx context.Context, c *Call, in *previewInput) (*jobOutput, error) {
		o := lifecycle.ImportOptions{Mapping: in.Body.Mapping, Common: in.Body.Common.invite(), OnDuplicate: in.Body.OnDuplicate}
		return jobAnswer(a.Lifecycle.PreviewImport(ctx, c.Subject, in.ID, o))
	})
}

type importInput struct {
	RawBody []byte `contentType:"text/csv"`
}

type previewInput struct {
	JobPath
	Body struct {
		Mapping     *Mapping    `json:"mapping,omitempty"`
		Common      *BulkCommon `json:"common,omitempty"`
		OnDuplicate string      `json:"onDuplicate,omitempty" enum:"skip,resend,replace" doc:"What an address with an open invite gets; the organization's setting if left out."`
	}
}
