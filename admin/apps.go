package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const appsTag = "Applications"

func (a *API) appEndpoints() {
	handle(a, operation{
		id: "list-apps", method: http.MethodGet, path: "/apps", tag: appsTag, summary: "The applications that use the directory",
		scope: scim.ScopeAdminMembers,
	}, a.listApps)
	handle(a, operation{
		id: "put-app", method: http.MethodPut, path: "/apps/{key}", tag: appsTag, summary: "Say what happens in an application when people leave",
		detail: "Replaces what the application said before. Its effects become statements that administrators acknowledge before they remove somebody.",
		scope:  scim.ScopeAdminClients, apps: true,
	}, a.putApp)
}

type appsOutput struct {
	Body struct {
		Items []lifecycle.App `json:"items" nullable:"false"`
	}
}

func (a *API) listApps(ctx context.Context, c *Call, _ *struct{}) (*appsOutput, error) {
	list, err := a.Lifecycle.Apps(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	out := &appsOutput{}
	out.Body.Items = list
	return out, nil
}

type putAppInput struct {
	Key  string `path:"key" minLength:"1" maxLength:"50" pattern:"^[a-z0-9.-]+$"`
	Body struct {
		Display string             `json:"display" minLength:"1" maxLength:"100"`
		Effects []lifecycle.Effect `json:"effects" maxItems:"20" nullable:"false"`

		WorkTypes []lifecycle.WorkType `json:"workTypes,omitempty" maxItems:"20" nullable:"false" doc:"What of a person's work the application can hand over."`
	}
}

type appOutput struct{ Body lifecycle.App }

func (a *API) putApp(ctx context.Context, c *Call, in *putAppInput) (*appOutput, error) {
	app := lifecycle.App{Key: in.Key, Display: in.Body.Display, Effects: in.Body.Effects, WorkTypes: in.Body.WorkTypes}
	if err := a.Lifecycle.PutApp(ctx, c.Subject, app); err != nil {
		return nil, err
	}
	return &appOutput{app}, nil
}
