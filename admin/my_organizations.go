package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
)

// MyOrganization is an organization that the person belongs to, or the token.
type MyOrganization struct {
	OrganizationRef
	OrganizationName string   `json:"organizationName"`
	User             string   `json:"user,omitempty" doc:"Id of the user that the person is there."`
	Name             string   `json:"name" doc:"That the person has there."`
	Active           bool     `json:"active" doc:"false for somebody whose access is cut."`
	Roles            []string `json:"roles" nullable:"false"`
}

type myOrganizationsOutput struct {
	Body struct {
		Items []MyOrganization `json:"items" nullable:"false"`
	}
}

func (a *API) myOrganizationEndpoints() {
	handle(a, operation{
		id: "list-my-organizations", method: http.MethodGet, path: "/me/organizations", tag: "Me", access: forKnown,
		summary: "The organizations that I belong to",
		detail:  "For people who belong to several, before they have chosen one. Whoever belongs to none gets an empty list.",
	}, a.listMyOrganizations)
	handle(a, operation{
		id: "leave", method: http.MethodPost, path: "/me/actions/leave", tag: "Me", summary: "Leave the organization", conditional: true,
		detail: "As an administrator would remove me: every statement of the removal effects must be acknowledged. The last owner cannot.",
	}, func(ctx context.Context, c *Call, in *leaveInput) (*struct{}, error) {
		return nil, a.Lifecycle.Leave(ctx, c.Subject, c.If, lifecycle.Removal{
			Acknowledge: in.Body.Acknowledge, EffectsVersion: in.Body.EffectsVersion,
		})
	})
}

type leaveInput struct {
	Body struct {
		Acknowledge    []string `json:"acknowledge" maxItems:"5000" nullable:"false" doc:"Ids of all statements of the removal effects."`
		EffectsVersion string   `json:"effectsVersion" maxLength:"64" doc:"Their version."`
	}
}

func (a *API) listMyOrganizations(ctx context.Context, c *Call, _ *struct{}) (*myOrganizationsOutput, error) {
	var list []lifecycle.MyOrganization
	var err error
	if c.Login != nil {
		list, err = a.Lifecycle.MyOrganizations(ctx, c.Login, c.Home)
	} else {
		var one *lifecycle.MyOrganization
		if one, err = a.Lifecycle.OrganizationOf(ctx, c.Subject); err == nil {
			list = append(list, *one)
		}
	}
	if err != nil {
		return nil, err
	}
	out := &myOrganizationsOutput{}
	out.Body.Items = make([]MyOrganization, len(list))
	for i, m := range list {
		out.Body.Items[i] = MyOrganization{OrganizationRef{string(m.Org.ID), m.Org.Slug}, m.Org.Name, m.User, m.Name, m.Active, m.Roles}
	}
	return out, nil
}
