package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// Role is a role of the organization.
type Role struct {
	ID     string `json:"id" format:"uuid"`
	Key    string `json:"key" doc:"What the roles of a user hold."`
	System bool   `json:"system" doc:"It is built in and cannot be deleted."`
	RoleContent
}

// RoleContent is what can be changed of a role.
type RoleContent struct {
	Display        string   `json:"display" maxLength:"200" doc:"Name for people."`
	Description    string   `json:"description" maxLength:"2000"`
	HelpURL        string   `json:"helpUrl" maxLength:"2000" doc:"Page that explains the role."`
	Rank           int      `json:"rank" minimum:"0" maximum:"100" doc:"People give roles up to their own rank, and edit people below it."`
	OrgAdmin       bool     `json:"orgAdmin" doc:"It makes the account an administrator's."`
	Permissions    []string `json:"permissions" nullable:"false" maxItems:"1000" doc:"A trailing .* stands for all that begins so."`
	Suppresses     []string `json:"suppresses" nullable:"false" maxItems:"1000" doc:"Permissions that people lose by the role, whatever gives them."`
	Modules        []string `json:"modules" nullable:"false" maxItems:"1000" doc:"Keys of the modules that come with it; * is all."`
	AssignableBy   []string `json:"assignableBy" nullable:"false" maxItems:"100" doc:"Keys of the roles whose holders may give it; empty: the rank decides."`
	MaxAssignments int      `json:"maxAssignments" minimum:"0" maximum:"10000000" doc:"How many people can have it; 0: any number."`
	Supported      bool     `json:"supported" doc:"It can be given."`
}

// RoleChange is a role as a client writes it; what is left out of a change stays, of a new role has its default.
type RoleChange struct {
	Display        *string   `json:"display,omitempty" maxLength:"200"`
	Description    *string   `json:"description,omitempty" maxLength:"2000"`
	HelpURL        *string   `json:"helpUrl,omitempty" maxLength:"2000"`
	Rank           *int      `json:"rank,omitempty" minimum:"0" maximum:"100"`
	OrgAdmin       *bool     `json:"orgAdmin,omitempty"`
	Permissions    *[]string `json:"permissions,omitempty" maxItems:"1000" nullable:"false"`
	Suppresses     *[]string `json:"suppresses,omitempty" maxItems:"1000" nullable:"false"`
	Modules        *[]string `json:"modules,omitempty" maxItems:"1000" nullable:"false"`
	AssignableBy   *[]string `json:"assignableBy,omitempty" maxItems:"100" nullable:"false"`
	MaxAssignments *int      `json:"maxAssignments,omitempty" minimum:"0" maximum:"10000000"`
	Supported      *bool     `json:"supported,omitempty"`
}

func showRole(r *lifecycle.Role) Role {
	return Role{ID: r.ID, Key: r.Key, System: r.System, RoleContent: RoleContent{
		Display: r.Display, Description: r.Description, HelpURL: r.HelpURL, Rank: r.Rank, OrgAdmin: r.OrgAdmin,
		Permissions: none(r.Permissions), Suppresses: none(r.Suppresses), Modules: none(r.Modules),
		AssignableBy: none(r.AssignableBy), MaxAssignments: r.Max, Supported: r.Supported,
	}}
}

// on puts a change on a role.
func (c *RoleChange) on(r lifecycle.Role) lifecycle.Role {
	r.Display, r.Description, r.HelpURL = or(c.Display, r.Display), or(c.Description, r.Description), or(c.HelpURL, r.HelpURL)
	r.Rank, r.OrgAdmin, r.Max, r.Supported = or(c.Rank, r.Rank), or(c.OrgAdmin, r.OrgAdmin), or(c.MaxAssignments, r.Max), or(c.Supported, r.Supported)
	r.Permissions, r.Suppresses = or(c.Permissions, r.Permissions), or(c.Suppresses, r.Suppresses)
	r.Modules, r.AssignableBy = or(c.Modules, r.Modules), or(c.AssignableBy, r.AssignableBy)
	return r
}

func (a *API) roleEndpoints() {
	handle(a, operation{
		id: "list-roles", method: http.MethodGet, path: "/roles", tag: catalogueTag, summary: "All roles, the highest first",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*entries[Role], error) {
		cat, err := a.Lifecycle.ReadCatalogue(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		return listed(cat.Roles(), showRole), nil
	})
	handle(a, operation{
		id: "get-role", method: http.MethodGet, path: "/roles/{id}", tag: catalogueTag, summary: "A role",
	}, func(ctx context.Context, c *Call, in *IDPath) (*entry[Role], error) {
		r, err := a.role(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		return &entry[Role]{tag(r.Version), showRole(r)}, nil
	})
	handle(a, operation{
		id: "create-role", method: http.MethodPost, path: "/roles", tag: catalogueTag, summary: "Make a role",
		scope: scim.ScopeAdminCatalog, status: http.StatusCreated,
	}, a.createRole)
	handle(a, operation{
		id: "change-role", method: http.MethodPatch, path: "/roles/{id}", tag: catalogueTag, summary: "Change a role",
		scope: scim.ScopeAdminCatalog, conditional: true,
	}, a.changeRole)
	handle(a, operation{
		id: "delete-role", method: http.MethodDelete, path: "/roles/{id}", tag: catalogueTag, summary: "Delete a role that nobody has",
		scope: scim.ScopeAdminCatalog, conditional: true,
	}, func(ctx context.Context, c *Call, in *IDPath) (*struct{}, error) {
		return nil, a.Lifecycle.DeleteEntry(ctx, c.Subject, "Role", "", in.ID, c.If)
	})
}

func (a *API) role(ctx context.Context, c *Call, id string) (*lifecycle.Role, error) {
	cat, err := a.Lifecycle.ReadCatalogue(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	if r := cat.RoleByID(id); r != nil {
		return r, nil
	}
	return nil, scim.NotFound("Role")
}

type createRoleInput struct {
	Body struct {
		Key string `json:"key" minLength:"1" maxLength:"100" doc:"What the roles of a user hold; it cannot be changed."`
		RoleChange
	}
}

func (a *API) createRole(ctx context.Context, c *Call, in *createRoleInput) (*createdEntry[Role], error) {
	fresh := lifecycle.Role{Key: in.Body.Key, Display: in.Body.Key, Rank: lifecycle.RankMember, Supported: true}
	r, err := a.Lifecycle.SaveRole(ctx, c.Subject, "", scim.Precondition{}, in.Body.on(fresh))
	if err != nil {
		return nil, err
	}
	return &createdEntry[Role]{tag(r.Version), DefaultBasePath + "/roles/" + r.ID, showRole(r)}, nil
}

type changeRoleInput struct {
	IDPath
	Body RoleChange
}

func (a *API) changeRole(ctx context.Context, c *Call, in *changeRoleInput) (*entry[Role], error) {
	was, err := a.role(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := a.Lifecycle.SaveRole(ctx, c.Subject, in.ID, c.ifStill(was.Version), in.Body.on(*was))
	if err != nil {
		return nil, err
	}
	return &entry[Role]{tag(r.Version), showRole(r)}, nil
}

// ifStill is the call's precondition; without one, that the thing has still the version that the change is based on.
func (c *Call) ifStill(version int64) scim.Precondition {
	if c.If.IfMatch != "" {
		return c.If
	}
	return scim.Precondition{IfMatch: scim.ETag(version)}
}
