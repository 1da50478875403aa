package lifecycle

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// Role is what people can have in an organization, with what it gives.
type Role struct {
	ID           string
	Version      int64
	Key          string
	Type         string // roleType, or an application's own word
	Display      string
	Description  string
	HelpURL      string
	Rank         int
	Permissions  []string // a trailing ".*", or "*" alone, stands for all that begins so
	Suppresses   []string // permissions that it takes away, whatever gives them
	Modules      []string // keys that come with it; "*" is every module
	AssignableBy []string // keys of the roles whose holders may give it; empty: the rank alone decides
	Max          int      // how many people can have it; 0: any number
	OrgAdmin     bool
	System       bool
	Supported    bool // it can be given
}

// Occupation is what people do in an organization, with what it gives.
type Occupation struct {
	ID             string
	Version        int64
	Key            string
	Display        string
	Description    string
	HelpURL        string
	Aliases        []string
	Permissions    []string
	Visibility     []string
	Modules        []string
	SelfAssignable bool
	ApprovalNeeded bool
	Active         bool
	Order          int
}

// Entitlement is a module or a sub-account.
type Entitlement struct {
	ID          string
	Version     int64
	Key         string
	Kind        string // resources.EntitlementModule, EntitlementSubAccount
	Display     string
	Description string
	HelpURL     string
	Supported   bool
	MenuPath    string
	AdminOnly   bool
	Feature     string // of the plan
	Parent      string // key of the sub-account that this one is a part of
}

// GroupGrant is what the members of a group get, which works with every identity provider.
type GroupGrant struct {
	Group        string   `json:"group"`
	Roles        []string `json:"roles,omitempty"`
	Occupation   string   `json:"occupation,omitempty"`
	Entitlements []string `json:"entitlements,omitempty"` // "module:key", "module:key:read", "subAccount:key"
}

// Catalogue is an organization's roles, occupations, modules, sub-accounts and group grants at one moment. It is
// read-only. Keys compare ignoring case, as the attributes do that hold them.
type Catalogue struct {
	roles        map[string]*Role
	occupations  map[string]*Occupation // by key, name and alias
	entitlements map[string]*Entitlement
	children     map[string][]*Entitlement // of a sub-account
	groups       map[string]*GroupGrant
}

func newCatalogue(roles []*Role, occupations []*Occupation, entitlements []*Entitlement, groups []*GroupGrant) *Catalogue {
	c := &Catalogue{
		roles: map[string]*Role{}, occupations: map[string]*Occupation{}, entitlements: map[string]*Entitlement{},
		children: map[string][]*Entitlement{}, groups: map[string]*GroupGrant{},
	}
	for _, r := range roles {
		c.roles[query.Fold(r.Key)] = r
	}
	// The key of one goes before an alias of another, and that before a name, which nothing keeps from being another's.
	for _, names := range []func(*Occupation) []string{
		func(o *Occupation) []string { return []string{o.Key} },
		func(o *Occupation) []string { return o.Aliases },
		func(o *Occupation) []string { return []string{o.Display} },
	} {
		for _, o := range occupations {
			for _, n := range names(o) {
				if _, taken := c.occupations[query.Fold(n)]; n != "" && !taken {
					c.occupations[query.Fold(n)] = o
				}
			}
		}
	}
	for _, e := range entitlements {
		c.entitlements[query.Fold(e.Key)] = e
		if e.Parent != "" {
			c.children[query.Fold(e.Parent)] = append(c.children[query.Fold(e.Parent)], e)
		}
	}
	for _, g := range groups {
		c.groups[g.Group] = g
	}
	return c
}

// Role returns the role called key, nil if there is none.
func (c *Catalogue) Role(key string) *Role { return c.roles[query.Fold(key)] }

// Occupation returns the occupation that text means by its key, its name or an alias; nil if it means none.
func (c *Catalogue) Occupation(text string) *Occupation { return c.occupations[query.Fold(text)] }

// Entitlement returns the module or sub-account called key, nil if there is none.
func (c *Catalogue) Entitlement(key string) *Entitlement { return c.entitlements[query.Fold(key)] }

// Roles returns all roles, the highest first.
func (c *Catalogue) Roles() []*Role {
	return slices.SortedFunc(maps.Values(c.roles), func(a, b *Role) int {
		return cmp.Or(cmp.Compare(b.Rank, a.Rank), strings.Compare(a.Key, b.Key))
	})
}

// Occupations returns all occupations in their order.
func (c *Catalogue) Occupations() []*Occupation {
	seen := map[*Occupation]bool{}
	for _, o := range c.occupations {
		seen[o] = true
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b *Occupation) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.Key, b.Key))
	})
}

// Entitlements returns all modules or all sub-accounts, by key.
func (c *Catalogue) Entitlements(kind string) []*Entitlement {
	var list []*Entitlement
	for _, e := range c.entitlements {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *Entitlement) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// modules are all modules, by key.
func (c *Catalogue) modules() []*Entitlement { return c.Entitlements(resources.EntitlementModule) }

// roleDoc and the like are the documents of the resource types, as far as the rules look at them.
type roleDoc struct {
	Value     string  `json:"value"`
	Display   string  `json:"display,omitempty"`
	Type      string  `json:"type,omitempty"`
	Supported *bool   `json:"supported,omitempty"`
	Own       roleOwn `json:"urn:ietf:params:scim:schemas:extension:rollcall:2.0:Role,omitzero"`
}

type roleOwn struct {
	Rank           int      `json:"rank"`
	Permissions    []string `json:"permissions,omitempty"`
	Suppresses     []string `json:"suppresses,omitempty"`
	ModulesDefault []string `json:"modulesDefault,omitempty"`
	AssignableBy   []string `json:"assignableBy,omitempty"`
	MaxAssignments int      `json:"maxAssignments,omitempty"`
	OrgAdmin       bool     `json:"orgAdmin,omitempty"`
	System         bool     `json:"system,omitempty"`
	Description    string   `json:"description,omitempty"`
	HelpURL        string   `json:"helpUrl,omitempty"`
}

func roleOf(r *record[roleDoc]) *Role {
	v, x := r.Value, r.Value.Own
	return &Role{
		ID: r.Key.ID, Version: r.Version, Key: v.Value, Type: v.Type, Display: cmp.Or(v.Display, v.Value), Description: x.Description,
		HelpURL: x.HelpURL, Rank: x.Rank, Permissions: x.Permissions, Suppresses: x.Suppresses, Modules: x.ModulesDefault,
		AssignableBy: x.AssignableBy, Max: x.MaxAssignments, OrgAdmin: x.OrgAdmin, System: x.System,
		Supported: v.Supported == nil || *v.Supported,
	}
}

func (r *Role) doc() roleDoc {
	return roleDoc{
		Value: r.Key, Display: r.Display, Type: cmp.Or(r.Type, roleType), Supported: &r.Supported,
		Own: roleOwn{
			Rank: r.Rank, Permissions: r.Permissions, Suppresses: r.Suppresses, ModulesDefault: r.Modules,
			AssignableBy: r.AssignableBy, MaxAssignments: r.Max, OrgAdmin: r.OrgAdmin, System: r.System,
			Description: r.Description, HelpURL: r.HelpURL,
		},
	}
}

// roleType is the type of the roles that are about an organization; others are an application's own.
const roleType = "org"

type occupationDoc struct {
	Value          string   `json:"value"`
	Display        string   `json:"display,omitempty"`
	Aliases        []string `json:"aliases,omitempty"`
	Permissions    []string `json:"permissions,omitempty"`
	Visibility     []string `json:"visibility,omitempty"`
	ModulesDefault []string `json:"modulesDefault,omitempty"`
	SelfAssignable bool     `json:"selfAssignable"`
	ApprovalNeeded bool     `json:"approvalNeeded"`
	Active         *bool    `json:"active,omitempty"`
	Order          int      `json:"order"`
	Description    string   `json:"description,omitempty"`
	HelpURL        string   `json:"helpUrl,omitempty"`
}

func occupationOf(r *record[occupationDoc]) *Occupation {
	v := r.Value
	return &Occupation{
		ID: r.Key.ID, Version: r.Version, Key: v.Value, Display: cmp.Or(v.Display, v.Value), Description: v.Description,
		HelpURL: v.HelpURL, Aliases: v.Aliases, Permissions: v.Permissions, Visibility: v.Visibility,
		Modules: v.ModulesDefault, SelfAssignable: v.SelfAssignable, ApprovalNeeded: v.ApprovalNeeded,
		Active: v.Active == nil || *v.Active, Order: v.Order,
	}
}

func (o *Occupation) doc() occupationDoc {
	return occupationDoc{
		Value: o.Key, Display: o.Display, Aliases: o.Aliases, Permissions: o.Permissions, Visibility: o.Visibility,
		ModulesDefault: o.Modules, SelfAssignable: o.SelfAssignable, ApprovalNeeded: o.ApprovalNeeded,
		Active: &o.Active, Order: o.Order, Description: o.Description, HelpURL: o.HelpURL,
	}
}

type entitlementDoc struct {
	Value     string         `json:"value"`
	Display   string         `json:"display,omitempty"`
	Type      string         `json:"type,omitempty"`
	Supported *bool          `json:"supported,omitempty"`
	Own       entitlementOwn `json:"urn:ietf:params:scim:schemas:extension:rollcall:2.0:Entitlement,omitzero"`
}

type entitlementOwn struct {
	MenuPath    string `json:"menuPath,omitempty"`
	AdminOnly   bool   `json:"adminOnly,omitempty"`
	Feature     string `json:"feature,omitempty"`
	Parent      string `json:"parent,omitempty"`
	Description string `json:"description,omitempty"`
	HelpURL     string `json:"helpUrl,omitempty"`
}

func entitlementOf(r *record[entitlementDoc]) *Entitlement {
	v, x := r.Value, r.Value.Own
	return &Entitlement{
		ID: r.Key.ID, Version: r.Version, Key: v.Value, Kind: cmp.Or(v.Type, resources.EntitlementModule),
		Display: cmp.Or(v.Display, v.Value), Description: x.Description, HelpURL: x.HelpURL,
		Supported: v.Supported == nil || *v.Supported, MenuPath: x.MenuPath, AdminOnly: x.AdminOnly, Feature: x.Feature,
		Parent: x.Parent,
	}
}

func (e *Entitlement) doc() entitlementDoc {
	return entitlementDoc{
		Value: e.Key, Display: e.Display, Type: e.Kind, Supported: &e.Supported,
		Own: entitlementOwn{
			MenuPath: e.MenuPath, AdminOnly: e.AdminOnly, Feature: e.Feature, Parent: e.Parent,
			Description: e.Description, HelpURL: e.HelpURL,
		},
	}
}

// The types of the catalogue.
const (
	typeUser        scim.TypeName = "User"
	typeGroup       scim.TypeName = "Group"
	typeRole        scim.TypeName = "Role"
	typeOccupation  scim.TypeName = "Occupation"
	typeEntitlement scim.TypeName = "Entitlement"
)
