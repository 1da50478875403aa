package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) changeRequestEndpoints() {
	handle(a, operation{
		id: "list-change-requests", method: http.MethodGet, path: "/change-requests", tag: accessTag,
		summary: "What people ask to have changed of themselves, undecided, the oldest first", scope: scim.ScopeAdminMembers,
	}, func(ctx context.Context, c *Call, _ *struct{}) (*entries[ChangeRequest], error) {
		list, err := a.Lifecycle.ChangeRequests(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		return listed(list, showChangeRequest), nil
	})
	for _, d := range []struct {
		verb    string
		approve bool
	}{{"approve", true}, {"decline", false}} {
		handle(a, operation{
			id: d.verb + "-change-request", method: http.MethodPost, path: "/change-requests/{id}/actions/" + d.verb, tag: accessTag,
			summary: "Decide a change request: " + d.verb, scope: scim.ScopeAdminMembers,
		}, func(ctx context.Context, c *Call, in *decideInput) (*entry[ChangeRequest], error) {
			r, err := a.Lifecycle.DecideChange(ctx, c.Subject, in.ID, d.approve, in.Body.Note)
			if err != nil {
				return nil, err
			}
			return &entry[ChangeRequest]{tag(r.Version), showChangeRequest(*r)}, nil
		})
	}
	handle(a, operation{
		id: "change-my-occupation", method: http.MethodPost, path: "/me/actions/change-occupation", tag: "Me",
		summary: "Choose my occupation", conditional: true,
	}, func(ctx context.Context, c *Call, in *myOccupationInput) (*occupationChangeOutput, error) {
		if c.Subject.User == "" {
			return nil, &scim.Error{Status: http.StatusForbidden, Code: "not_a_person", Detail: "a token has no occupation"}
		}
		return a.setOccupation(ctx, c, c.Subject.User, &in.Body)
	})
	handle(a, operation{
		id: "list-unknown-values", method: http.MethodGet, path: "/unknown-values", tag: catalogueTag,
		summary: "Roles, occupations and entitlements that clients have written and the catalogue does not know",
	}, a.unknownValues)
	handle(a, operation{
		id: "list-group-grants", method: http.MethodGet, path: "/group-grants", tag: catalogueTag, summary: "What groups give to their members",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*entries[GroupGrant], error) {
		list, err := a.Lifecycle.GroupGrants(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		return listed(list, showGroupGrant), nil
	})
	handle(a, operation{
		id: "set-group-grant", method: http.MethodPut, path: "/groups/{id}/grant", tag: catalogueTag,
		summary: "Say what the members of a group get", scope: scim.ScopeAdminCatalog,
		detail: "It works with every identity provider, whoever puts people into the group. Nothing at all takes it away.",
	}, a.setGroupGrant)
}

type decideInput struct {
	IDPath
	Body struct {
		Note string `json:"note,omitempty" maxLength:"500" doc:"For the person who asked."`
	}
}

type myOccupationInput struct{ Body OccupationBody }

type unknownValuesOutput struct {
	Body struct {
		Items []UnknownUse `json:"items" nullable:"false"`
		More  bool         `json:"more" doc:"There are people who were not looked at."`
	}
}

func (a *API) unknownValues(ctx context.Context, c *Call, _ *struct{}) (*unknownValuesOutput, error) {
	list, more, err := a.Lifecycle.UnknownValues(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	out := &unknownValuesOutput{}
	out.Body.Items, out.Body.More = make([]UnknownUse, len(list)), more
	for i, u := range list {
		out.Body.Items[i] = UnknownUse{u.Unknown, u.Users}
	}
	return out, nil
}

// GroupGrant is what the members of a group get.
type GroupGrant struct {
	Group        string   `json:"group" format:"uuid"`
	Roles        []string `json:"roles" nullable:"false" doc:"Keys of roles."`
	Occupation   string   `json:"occupation" doc:"For people who have none of their own."`
	Entitlements []string `json:"entitlements" nullable:"false" doc:"As module:key, module:key:read, subAccount:key, subAccount:key:only."`
}

func showGroupGrant(g lifecycle.GroupGrant) GroupGrant {
	return GroupGrant{g.Group, none(g.Roles), g.Occupation, none(g.Entitlements)}
}

type groupGrantInput struct {
	IDPath
	Body struct {
		Roles        []string `json:"roles,omitempty" maxItems:"100" nullable:"false"`
		Occupation   string   `json:"occupation,omitempty" maxLength:"200"`
		Entitlements []string `json:"entitlements,omitempty" maxItems:"1000" nullable:"false"`
	}
}

type groupGrantOutput struct{ Body GroupGrant }

func (a *API) setGroupGrant(ctx context.Context, c *Call, in *groupGrantInput) (*groupGrantOutput, error) {
	g, err := a.Lifecycle.SetGroupGrant(ctx, c.Subject, in.ID, lifecycle.GroupGrant{
		Roles: in.Body.Roles, Occupation: in.Body.Occupation, Entitlements: in.Body.Entitlements,
	})
	if err != nil {
		return nil, err
	}
	return &groupGrantOutput{showGroupGrant(*g)}, nil
}
