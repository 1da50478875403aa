package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// Occupation is what people do in the organization.
type Occupation struct {
	ID             string   `json:"id" format:"uuid"`
	Key            string   `json:"key" doc:"What the occupation of a user holds."`
	Display        string   `json:"display" doc:"Name for people."`
	Description    string   `json:"description"`
	HelpURL        string   `json:"helpUrl"`
	Aliases        []string `json:"aliases" nullable:"false" doc:"Other spellings that mean it."`
	Permissions    []string `json:"permissions" nullable:"false"`
	Visibility     []string `json:"visibility" nullable:"false" doc:"Kinds of records and fields of the directory that its people see."`
	Modules        []string `json:"modules" nullable:"false" doc:"Keys of the modules that come with it."`
	SelfAssignable bool     `json:"selfAssignable" doc:"People may choose it themselves."`
	ApprovalNeeded bool     `json:"approvalNeeded" doc:"An administrator must approve that, if it brings permissions."`
	Active         bool     `json:"active" doc:"It can be given; a retired one keeps its people."`
	Order          int      `json:"order" doc:"Place in lists, lowest first."`
}

// OccupationChange is an occupation as a client writes it; what is left out of a change stays.
type OccupationChange struct {
	Display        *string   `json:"display,omitempty" maxLength:"200"`
	Description    *string   `json:"description,omitempty" maxLength:"2000"`
	HelpURL        *string   `json:"helpUrl,omitempty" maxLength:"2000"`
	Aliases        *[]string `json:"aliases,omitempty" maxItems:"100" nullable:"false"`
	Permissions    *[]string `json:"permissions,omitempty" maxItems:"1000" nullable:"false"`
	Visibility     *[]string `json:"visibility,omitempty" maxItems:"1000" nullable:"false"`
	Modules        *[]string `json:"modules,omitempty" maxItems:"1000" nullable:"false"`
	SelfAssignable *bool     `json:"selfAssignable,omitempty"`
	ApprovalNeeded *bool     `json:"approvalNeeded,omitempty"`
	Active         *bool     `json:"active,omitempty"`
	Order          *int      `json:"order,omitempty" minimum:"0" maximum:"1000000"`
}

func showOccupation(o *lifecycle.Occupation) Occupation {
	return Occupation{
		ID: o.ID, Key: o.Key, Display: o.Display, Description: o.Description, HelpURL: o.HelpURL, Aliases: none(o.Aliases),
		Permissions: none(o.Permissions), Visibility: none(o.Visibility), Modules: none(o.Modules),
		SelfAssignable: o.SelfAssignable, ApprovalNeeded: o.ApprovalNeeded, Active: o.Active, Order: o.Order,
	}
}

// on puts a change on an occupation.
func (c *OccupationChange) on(o lifecycle.Occupation) lifecycle.Occupation {
	o.Display, o.Description, o.HelpURL = or(c.Display, o.Display), or(c.Description, o.Description), or(c.HelpURL, o.HelpURL)
	o.Aliases, o.Permissions = or(c.Aliases, o.Aliases), or(c.Permissions, o.Permissions)
	o.Visibility, o.Modules = or(c.Visibility, o.Visibility), or(c.Modules, o.Modules)
	o.SelfAssignable, o.ApprovalNeeded = or(c.SelfAssignable, o.SelfAssignable), or(c.ApprovalNeeded, o.ApprovalNeeded)
	o.Active, o.Order = or(c.Active, o.Active), or(c.Order, o.Order)
	return o
}

func (a *API) occupationEndpoints() {
	handle(a, operation{
		id: "list-occupations", method: http.MethodGet, path: "/occupations", tag: catalogueTag, summary: "All occupations, in their order",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*entries[Occupation], error) {
		cat, err := a.Lifecycle.ReadCatalogue(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		return listed(cat.Occupations(), showOccupation), nil
	})
	handle(a, operation{
		id: "get-occupation", method: http.MethodGet, path: "/occupations/{id}", tag: catalogueTag, summary: "An occupation",
	}, func(ctx context.Context, c *Call, in *IDPath) (*entry[Occupation], error) {
		o, err := a.occupation(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		return &entry[Occupation]{tag(o.Version), showOccupation(o)}, nil
	})
	handle(a, operation{
		id: "create-occupation", method: http.MethodPost, path: "/occupations", tag: catalogueTag, summary: "Make an occupation",
		scope: scim.ScopeAdminCatalog, status: http.StatusCreated,
	}, a.createOccupation)
	handle(a, operation{
		id: "change-occupation", method: http.MethodPatch, path: "/occupations/{id}", tag: catalogueTag, summary: "Change an occupation",
		detail: "With `active: false` it is retired: its people keep it, nobody gets it any more.",
		scope:  scim.ScopeAdminCatalog, conditional: true,
	}, a.changeOccupation)
	handle(a, operation{
		id: "delete-occupation", method: http.MethodDelete, path: "/occupations/{id}", tag: catalogueTag,
		summary: "Delete an occupation that nobody has", scope: scim.ScopeAdminCatalog, conditional: true,
	}, func(ctx context.Context, c *Call, in *IDPath) (*struct{}, error) {
		return nil, a.Lifecycle.DeleteEntry(ctx, c.Subject, "Occupation", "", in.ID, c.If)
	})
	handle(a, operation{
		id: "replace-occupation", method: http.MethodPost, path: "/occupations/{id}/actions/replace", tag: catalogueTag,
		summary: "Retire an occupation and give its people another",
		detail:  "A job with one outcome for each of up to 50000 people; the same call again goes on. What a connection has the say over stays.",
		scope:   scim.ScopeAdminCatalog, status: http.StatusAccepted,
	}, a.replaceOccupation)
}

func (a *API) occupation(ctx context.Context, c *Call, id string) (*lifecycle.Occupation, error) {
	cat, err := a.Lifecycle.ReadCatalogue(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	if o := cat.OccupationByID(id); o != nil {
		return o, nil
	}
	return nil, scim.NotFound("Occupation")
}

type createOccupationInput struct {
	Body struct {
		Key string `json:"key" minLength:"1" maxLength:"100" doc:"What the occupation of a user holds; it cannot be changed."`
		OccupationChange
	}
}

func (a *API) createOccupation(ctx context.Context, c *Call, in *createOccupationInput) (*createdEntry[Occupation], error) {
	fresh := lifecycle.Occupation{Key: in.Body.Key, Display: in.Body.Key, Active: true}
	o, err := a.Lifecycle.SaveOccupation(ctx, c.Subject, "", scim.Precondition{}, in.Body.on(fresh))
	if err != nil {
		return nil, err
	}
	return &createdEntry[Occupation]{tag(o.Version), DefaultBasePath + "/occupations/" + o.ID, showOccupation(o)}, nil
}

type changeOccupationInput struct {
	IDPath
	Body OccupationChange
}

func (a *API) changeOccupation(ctx context.Context, c *Call, in *changeOccupationInput) (*entry[Occupation], error) {
	was, err := a.occupation(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	o, err := a.Lifecycle.SaveOccupation(ctx, c.Subject, in.ID, c.ifStill(was.Version), in.Body.on(*was))
	if err != nil {
		return nil, err
	}
	return &entry[Occupation]{tag(o.Version), showOccupation(o)}, nil
}

type replaceOccupationInput struct {
	IDPath
	Body struct {
		By     string `json:"by" minLength:"1" maxLength:"200" doc:"Key, name or alias of the occupation that people get."`
		DryRun bool   `json:"dryRun,omitempty" doc:"Says what would become of each, and does nothing."`
	}
}

func (a *API) replaceOccupation(ctx context.Context, c *Call, in *replaceOccupationInput) (*startedJobOutput, error) {
	return startedJob(a.Lifecycle.ReplaceOccupation(ctx, c.Subject, in.ID, in.Body.By, in.Body.DryRun))
}
