package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
)

// Module is an entry of the applications' menus that people can be given.
type Module struct {
	ID          string `json:"id" format:"uuid"`
	Key         string `json:"key"`
	Display     string `json:"display"`
	Description string `json:"description"`
	HelpURL     string `json:"helpUrl"`
	MenuPath    string `json:"menuPath" doc:"Where it is in the menus."`
	AdminOnly   bool   `json:"adminOnly" doc:"Only administrators can be given it."`
	Feature     string `json:"feature" doc:"The feature of the plan that it needs."`
	Supported   bool   `json:"supported" doc:"It can be given."`
}

// SubAccount is a part of the organization that people can belong to.
type SubAccount struct {
	ID          string `json:"id" format:"uuid"`
	Key         string `json:"key"`
	Display     string `json:"display"`
	Description string `json:"description"`
	HelpURL     string `json:"helpUrl"`
	Parent      string `json:"parent" doc:"Key of the sub-account that it is a part of; empty at the top."`
	Supported   bool   `json:"supported" doc:"It can be given."`
}

// ModuleChange is a module as a client writes it; what is left out of a change stays.
type ModuleChange struct {
	Display     *string `json:"display,omitempty" maxLength:"200"`
	Description *string `json:"description,omitempty" maxLength:"2000"`
	HelpURL     *string `json:"helpUrl,omitempty" maxLength:"2000"`
	MenuPath    *string `json:"menuPath,omitempty" maxLength:"500"`
	AdminOnly   *bool   `json:"adminOnly,omitempty"`
	Feature     *string `json:"feature,omitempty" maxLength:"100"`
	Supported   *bool   `json:"supported,omitempty"`
}

// SubAccountChange is a sub-account as a client writes it; what is left out of a change stays.
type SubAccountChange struct {
	Display     *string `json:"display,omitempty" maxLength:"200"`
	Description *string `json:"description,omitempty" maxLength:"2000"`
	HelpURL     *string `json:"helpUrl,omitempty" maxLength:"2000"`
	Parent      *string `json:"parent,omitempty" maxLength:"100"`
	Supported   *bool   `json:"supported,omitempty"`
}

func showModule(e *lifecycle.Entitlement) Module {
	return Module{e.ID, e.Key, e.Display, e.Description, e.HelpURL, e.MenuPath, e.AdminOnly, e.Feature, e.Supported}
}

func showSubAccount(e *lifecycle.Entitlement) SubAccount {
	return SubAccount{e.ID, e.Key, e.Display, e.Description, e.HelpURL, e.Parent, e.Supported}
}

// on puts a change on a module.
func (c ModuleChange) on(e lifecycle.Entitlement) lifecycle.Entitlement {
	e.Display, e.Description, e.HelpURL = or(c.Display, e.Display), or(c.Description, e.Description), or(c.HelpURL, e.HelpURL)
	e.MenuPath, e.AdminOnly = or(c.MenuPath, e.MenuPath), or(c.AdminOnly, e.AdminOnly)
	e.Feature, e.Supported = or(c.Feature, e.Feature), or(c.Supported, e.Supported)
	return e
}

// on puts a change on a sub-account.
func (c SubAccountChange) on(e lifecycle.Entitlement) lifecycle.Entitlement {
	e.Display, e.Description, e.HelpURL = or(c.Display, e.Display), or(c.Description, e.Description), or(c.HelpURL, e.HelpURL)
	e.Parent, e.Supported = or(c.Parent, e.Parent), or(c.Supported, e.Supported)
	return e
}

// NewModule is a module that is to be made.
type NewModule struct {
	Key string `json:"key" minLength:"1" maxLength:"100" pattern:"^[^:]+$" doc:"What the entitlements of a user hold; it cannot be changed."`
	ModuleChange
}

// NewSubAccount is a sub-account that is to be made.
type NewSubAccount struct {
	Key string `json:"key" minLength:"1" maxLength:"100" pattern:"^[^:]+$" doc:"What the entitlements of a user hold; it cannot be changed."`
	SubAccountChange
}

func (n NewModule) key() string     { return n.Key }
func (n NewSubAccount) key() string { return n.Key }

// newEntitlement is what modules and sub-accounts are made with.
type newEntitlement interface {
	entitlementChange
	key() string
}

// entitlementChange is what modules and sub-accounts are written with.
type entitlementChange interface {
	on(e lifecycle.Entitlement) lifecycle.Entitlement
}

// entitlements are the endpoints of one kind of entitlements.
type entitlements[T any, N newEntitlement, C entitlementChange] struct {
	*API
	kind, path string
	show       func(*lifecycle.Entitlement) T
}

type createEntitlementInput[N any] struct{ Body N }

type changeEntitlementInput[C any] struct {
	IDPath
	Body C
}

func (a *API) entitlementEndpoints() {
	entitlementsOf(entitlements[Module, NewModule, ModuleChange]{a, resources.EntitlementModule, "/modules", showModule}, "module", "modules")
	entitlementsOf(entitlements[SubAccount, NewSubAccount, SubAccountChange]{a, resources.EntitlementSubAccount, "/sub-accounts", showSubAccount}, "sub-account", "sub-accounts")
}

func entitlementsOf[T any, N newEntitlement, C entitlementChange](e entitlements[T, N, C], one, many string) {
	handle(e.API, operation{
		id: "list-" + many, method: http.MethodGet, path: e.path, tag: catalogueTag, summary: "All " + many + ", by key",
	}, e.list)
	handle(e.API, operation{
		id: "get-" + one, method: http.MethodGet, path: e.path + "/{id}", tag: catalogueTag, summary: "A " + one,
	}, e.get)
	handle(e.API, operation{
		id: "create-" + one, method: http.MethodPost, path: e.path, tag: catalogueTag, summary: "Make a " + one,
		scope: scim.ScopeAdminCatalog, status: http.StatusCreated,
	}, e.create)
	handle(e.API, operation{
		id: "change-" + one, method: http.MethodPatch, path: e.path + "/{id}", tag: catalogueTag, summary: "Change a " + one,
		scope: scim.ScopeAdminCatalog, conditional: true,
	}, e.change)
	handle(e.API, operation{
		id: "delete-" + one, method: http.MethodDelete, path: e.path + "/{id}", tag: catalogueTag,
		summary: "Delete a " + one + " that nobody has", scope: scim.ScopeAdminCatalog, conditional: true,
	}, e.delete)
}

func (e entitlements[T, N, C]) list(ctx context.Context, c *Call, _ *struct{}) (*entries[T], error) {
	cat, err := e.Lifecycle.ReadCatalogue(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	return listed(cat.Entitlements(e.kind), e.show), nil
}

func (e entitlements[T, N, C]) find(ctx context.Context, c *Call, id string) (*lifecycle.Entitlement, error) {
	cat, err := e.Lifecycle.ReadCatalogue(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	if x := cat.EntitlementByID(id, e.kind); x != nil {
		return x, nil
	}
	return nil, scim.NotFound("Entitlement")
}

func (e entitlements[T, N, C]) get(ctx context.Context, c *Call, in *IDPath) (*entry[T], error) {
	x, err := e.find(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	return &entry[T]{tag(x.Version), e.show(x)}, nil
}

func (e entitlements[T, N, C]) create(ctx context.Context, c *Call, in *createEntitlementInput[N]) (*createdEntry[T], error) {
	fresh := lifecycle.Entitlement{Key: in.Body.key(), Kind: e.kind, Display: in.Body.key(), Supported: true}
	x, err := e.Lifecycle.SaveEntitlement(ctx, c.Subject, "", scim.Precondition{}, in.Body.on(fresh))
	if err != nil {
		return nil, err
	}
	return &createdEntry[T]{tag(x.Version), DefaultBasePath + e.path + "/" + x.ID, e.show(x)}, nil
}

func (e entitlements[T, N, C]) change(ctx context.Context, c *Call, in *changeEntitlementInput[C]) (*entry[T], error) {
	was, err := e.find(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	x, err := e.Lifecycle.SaveEntitlement(ctx, c.Subject, in.ID, c.ifStill(was.Version), in.Body.on(*was))
	if err != nil {
		return nil, err
	}
	return &entry[T]{tag(x.Version), e.show(x)}, nil
}

func (e entitlements[T, N, C]) delete(ctx context.Context, c *Call, in *IDPath) (*struct{}, error) {
	return nil, e.Lifecycle.DeleteEntry(ctx, c.Subject, "Entitlement", e.kind, in.ID, c.If)
}
