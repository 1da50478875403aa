package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
)

const accessTag = "What people may do"

// Access is what a person may do, with what gives each part.
type Access struct {
	AccountType string       `json:"accountType" enum:"admin,affiliate"`
	Active      bool         `json:"active" doc:"Nothing is effective else."`
	Roles       []AccessPart `json:"roles" nullable:"false"`
	Occupation  string       `json:"occupation,omitempty" doc:"Key of the occupation, if the catalogue knows it."`
	Permissions []AccessPart `json:"permissions" nullable:"false"`
	Modules     []AccessPart `json:"modules" nullable:"false"`
	SubAccounts []AccessPart `json:"subAccounts" nullable:"false"`
	Unknown     []Unknown    `json:"unknown" nullable:"false" doc:"What clients have written and the catalogue does not know; it gives nothing."`
}

// AccessPart is one thing that a person has.
type AccessPart struct {
	Value     string   `json:"value"`
	Display   string   `json:"display,omitempty"`
	Level     string   `json:"level,omitempty" enum:"read,write"`
	Effective bool     `json:"effective"`
	Because   string   `json:"because,omitempty" doc:"Why it is not effective: suppressed, admin_only, plan, not_supported, deactivated."`
	Sources   []Source `json:"sources" nullable:"false"`
}

// Source is what gives somebody something.
type Source = lifecycle.Source

// Unknown is a value that the catalogue does not know.
type Unknown = lifecycle.Unknown

// UnknownUse is such a value and who has it.
type UnknownUse struct {
	Unknown
	Users []string `json:"users" nullable:"false" doc:"Ids of the people."`
}

func showAccess(g *lifecycle.Grant) Access {
	out := Access{
		AccountType: g.AccountType(), Active: g.Active, Roles: []AccessPart{}, Permissions: []AccessPart{}, Modules: []AccessPart{},
		SubAccounts: []AccessPart{}, Unknown: []Unknown{},
	}
	part := func(value, display, cut string, sources []Source) AccessPart {
		if cut == "" && !g.Active {
			cut = "deactivated"
		}
		return AccessPart{Value: value, Display: display, Effective: cut == "", Because: cut, Sources: sources}
	}
	for _, r := range g.Roles {
		out.Roles = append(out.Roles, part(r.Key, r.Display, "", r.Sources))
	}
	if g.Occupation != nil {
		out.Occupation = g.Occupation.Key
	}
	for _, p := range g.Permissions {
		cut := ""
		if len(p.SuppressedBy) > 0 {
			cut = "suppressed"
		}
		out.Permissions = append(out.Permissions, part(p.Value, "", cut, p.Sources))
	}
	for _, m := range g.Modules {
		p := part(m.Key, m.Display, m.Cut, m.Sources)
		if p.Level = "write"; m.Read {
			p.Level = "read"
		}
		out.Modules = append(out.Modules, p)
	}
	for _, s := range g.SubAccounts {
		out.SubAccounts = append(out.SubAccounts, part(s.Key, s.Display, "", s.Sources))
	}
	out.Unknown = append(out.Unknown, g.Unknown...)
	return out
}

func (a *API) accessEndpoints() {
	handle(a, operation{
		id: "get-member-grant", method: http.MethodGet, path: "/members/{id}/grant", tag: accessTag,
		summary: "What a person may do, and what gives it", scope: scim.ScopeAdminMembers,
	}, func(ctx context.Context, c *Call, in *IDPath) (*entry[Access], error) {
		p, err := a.Lifecycle.Person(ctx, c.Subject, in.ID)
		if err != nil {
			return nil, err
		}
		return &entry[Access]{tag(p.Version), showAccess(p.Grant)}, nil
	})
	handle(a, operation{
		id: "explain-access", method: http.MethodGet, path: "/members/{id}/explain", tag: accessTag,
		summary: "Why a person may do something, or may not", scope: scim.ScopeAdminMembers,
	}, a.explain)
	handle(a, operation{
		id: "preview-role", method: http.MethodPost, path: "/members/{id}/role-preview", tag: accessTag, readOnly: true,
		summary: "What a change of roles or occupation would do", scope: scim.ScopeAdminMembers,
	}, a.previewRole)
	handle(a, operation{
		id: "change-member-role", method: http.MethodPost, path: "/members/{id}/actions/change-role", tag: accessTag,
		summary: "Give a person roles", scope: scim.ScopeAdminMembers, conditional: true,
		detail: "The roles are all that the person has of their own from then on. What is lost must be named in `ackLosses`; a preview tells it.",
	}, a.changeMemberRole)
	handle(a, operation{
		id: "change-member-occupation", method: http.MethodPost, path: "/members/{id}/actions/change-occupation", tag: accessTag,
		summary: "Give a person an occupation", scope: scim.ScopeAdminMembers, conditional: true,
		detail: "People may change their own, if the organization and the occupation allow it. Where that needs an approval, the " +
			"answer holds the request and nothing has changed yet.",
	}, a.changeMemberOccupation)
	for _, kind := range []struct{ id, path, kind, what string }{
		{"set-member-modules", "modules", resources.EntitlementModule, "modules"},
		{"set-member-sub-accounts", "sub-accounts", resources.EntitlementSubAccount, "sub-accounts"},
	} {
		handle(a, operation{
			id: kind.id, method: http.MethodPut, path: "/members/{id}/" + kind.path, tag: accessTag,
			summary: "Give a person " + kind.what, scope: scim.ScopeAdminMembers, conditional: true,
			detail: "They are all that the person has of their own from then on; what roles, groups and the occupation give stays.",
		}, func(ctx context.Context, c *Call, in *entitleInput) (*consequencesOutput, error) {
			x, err := a.Lifecycle.ChangeEntitlements(ctx, c.Subject, in.ID, c.If, kind.kind, in.Body.Keys, in.Body.AckLosses)
			if err != nil {
				return nil, err
			}
			return &consequencesOutput{*x}, nil
		})
	}
}

type explainInput struct {
	IDPath
	Permission string `query:"permission" maxLength:"200" doc:"Ask about a permission ..."`
	Module     string `query:"module" maxLength:"100" doc:"... or about a module."`
}

type explainOutput struct {
	Body struct {
		Allowed bool     `json:"allowed"`
		Steps   []string `json:"steps" nullable:"false" doc:"The chain that leads there, one sentence a step."`
	}
}

func (a *API) explain(ctx context.Context, c *Call, in *explainInput) (*explainOutput, error) {
	e, err := a.Lifecycle.Explain(ctx, c.Subject, in.ID, in.Permission, in.Module)
	if err != nil {
		return nil, err
	}
	out := &explainOutput{}
	out.Body.Allowed, out.Body.Steps = e.Allowed, e.Steps
	return out, nil
}

type consequencesOutput struct{ Body Consequences }

type previewRoleInput struct {
	IDPath
	Body struct {
		Roles      *[]string `json:"roles,omitempty" maxItems:"100" nullable:"false" doc:"Keys of all roles that the person would have."`
		Occupation *string   `json:"occupation,omitempty" maxLength:"200" doc:"The occupation that the person would have; empty: none."`
	}
}

func (a *API) previewRole(ctx context.Context, c *Call, in *previewRoleInput) (*consequencesOutput, error) {
	x, err := a.Lifecycle.RolePreview(ctx, c.Subject, in.ID, in.Body.Roles, in.Body.Occupation)
	if err != nil {
		return nil, err
	}
	return &consequencesOutput{*x}, nil
}

type changeMemberRoleInput struct {
	IDPath
	Body struct {
		Roles     []string `json:"roles" maxItems:"100" nullable:"false" doc:"Keys of all roles that the person is to have."`
		Primary   string   `json:"primary,omitempty" maxLength:"100" doc:"Key of the main one; the highest if empty."`
		AckLosses []string `json:"ackLosses,omitempty" maxItems:"1000" nullable:"false" doc:"What the person is known to lose."`
	}
}

func (a *API) changeMemberRole(ctx context.Context, c *Call, in *changeMemberRoleInput) (*consequencesOutput, error) {
	x, err := a.Lifecycle.ChangeRole(ctx, c.Subject, in.ID, c.If, lifecycle.RoleChange{
		Roles: in.Body.Roles, Primary: in.Body.Primary, AckLosses: in.Body.AckLosses,
	})
	if err != nil {
		return nil, err
	}
	return &consequencesOutput{*x}, nil
}

// OccupationBody is what an occupation is changed with.
type OccupationBody struct {
	Occupation string   `json:"occupation" maxLength:"200" doc:"Key, name or alias; empty: none."`
	AckLosses  []string `json:"ackLosses,omitempty" maxItems:"1000" nullable:"false" doc:"What the person is known to lose."`
}

type changeMemberOccupationInput struct {
	IDPath
	Body OccupationBody
}

type occupationChangeOutput struct {
	Body struct {
		Consequences
		// No doc of its own: a description beside a reference hides what is referred to from some readers of the document.
		Request *ChangeRequest `json:"request,omitempty"`
	}
}

func (a *API) changeMemberOccupation(ctx context.Context, c *Call, in *changeMemberOccupationInput) (*occupationChangeOutput, error) {
	return a.setOccupation(ctx, c, in.ID, &in.Body)
}

func (a *API) setOccupation(ctx context.Context, c *Call, user string, b *OccupationBody) (*occupationChangeOutput, error) {
	x, r, err := a.Lifecycle.ChangeOccupation(ctx, c.Subject, user, c.If, b.Occupation, b.AckLosses)
	if err != nil {
		return nil, err
	}
	out := &occupationChangeOutput{}
	out.Body.Consequences = *x
	if r != nil {
		shown := showChangeRequest(*r)
		out.Body.Request = &shown
	}
	return out, nil
}

type entitleInput struct {
	IDPath
	Body struct {
		Keys      []string `json:"keys" maxItems:"1000" nullable:"false" doc:"With :read for a module to look at only, with :only for a sub-account without its parts."`
		AckLosses []string `json:"ackLosses,omitempty" maxItems:"1000" nullable:"false" doc:"What the person is known to lose."`
	}
}

// ChangeRequest is what a person would like to have changed of themselves.
type ChangeRequest struct {
	ID        string     `json:"id" format:"uuid"`
	User      string     `json:"user" doc:"Id of the person."`
	UserName  string     `json:"userName" doc:"Name of the person."`
	Attribute string     `json:"attribute" enum:"occupation"`
	Value     string     `json:"value"`
	Display   string     `json:"display,omitempty"`
	Gains     []string   `json:"gains" nullable:"false" doc:"What the person would be able to do."`
	Status    string     `json:"status" enum:"pending,approved,declined"`
	Created   time.Time  `json:"created"`
	Decided   *time.Time `json:"decided,omitempty"`
	DecidedBy string     `json:"decidedBy,omitempty"`
	Note      string     `json:"note,omitempty"`
}

func showChangeRequest(r lifecycle.ChangeRequest) ChangeRequest {
	return ChangeRequest{
		ID: r.ID, User: r.User, UserName: r.UserName, Attribute: r.Attribute, Value: r.Value, Display: r.Display,
		Gains: none(r.Gains), Status: r.Status, Created: r.At, Decided: r.DecidedAt, DecidedBy: r.DecidedBy, Note: r.Note,
	}
}
