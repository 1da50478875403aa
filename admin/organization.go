package admin

import (
	"context"
	"net/http"
	"time"
)

// Organization is an organization as clients see it.
type Organization struct {
	ID      string    `json:"id" format:"uuid"`
	Slug    string    `json:"slug" doc:"Short name, for command lines and URLs."`
	Name    string    `json:"name" doc:"Name for people."`
	Created time.Time `json:"created"`
}

type organizationOutput struct{ Body Organization }

func (a *API) organizationEndpoints() {
	handle(a, operation{
		id: "get-organization", method: http.MethodGet, path: "/organization", tag: "Organization",
		summary: "The organization",
	}, a.getOrganization)
}

func (a *API) getOrganization(ctx context.Context, c *Call, _ *struct{}) (*organizationOutput, error) {
	o, err := a.Resources.Organization(ctx, string(c.Subject.Org))
	if err != nil {
		return nil, err
	}
	return &organizationOutput{Organization{string(o.ID), o.Slug, o.Name, o.Created}}, nil
}
