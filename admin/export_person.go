package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

type personExportOutput struct {
	Disposition string `header:"Content-Disposition"`
	Body        lifecycle.PersonExport
}

func exportAnswer(x *lifecycle.PersonExport, err error) (*personExportOutput, error) {
	if err != nil {
		return nil, err
	}
	return &personExportOutput{`attachment; filename="person-` + x.ID + `.json"`, *x}, nil
}

func (a *API) personExportEndpoints() {
	const detail = "The profile, what gives access, logins, invites, requests, mails and the history. Each list has at most 500 entries; `more` names those that are longer."
	handle(a, operation{
		id: "export-me", method: http.MethodGet, path: "/me/export", tag: "Me", summary: "Everything that is stored of me", detail: detail,
	}, func(ctx context.Context, c *Call, _ *struct{}) (*personExportOutput, error) {
		return exportAnswer(a.Lifecycle.ExportPerson(ctx, c.Subject, c.Subject.User))
	})
	handle(a, operation{
		id: "export-member", method: http.MethodGet, path: "/members/{id}/export", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Everything that is stored of a member", detail: detail,
	}, func(ctx context.Context, c *Call, in *MemberPath) (*personExportOutput, error) {
		return exportAnswer(a.Lifecycle.ExportPerson(ctx, c.Subject, in.ID))
	})
}
