package lifecycle

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
)

// Facts are what of a person decides what they may do.
type Facts struct {
	Active       bool // may sign in, and the membership has not ended
	Roles        []string
	Occupation   string
	Entitlements []Entitled
	Groups       []string // ids, direct and indirect
}

// Entitled is a module or sub-account that a person has been given.
type Entitled struct {
	Key  string
	Kind string // resources.EntitlementModule, EntitlementSubAccount; empty: whichever is called so
	Read bool   // to look only
	Only bool   // the sub-account without its parts
}

// Source is what gives somebody something: a role, an occupation, a group or an entitlement of their own.
type Source struct {
	Via     string `json:"via" enum:"role,occupation,direct,group"`
	Key     string `json:"key,omitempty" doc:"Key of the role or occupation"`
	Display string `json:"display,omitempty"`
	Group   string `json:"group,omitempty" doc:"Id of the group that gives the role or entitlement"`
}

// GrantedRole is a role that a person has.
type GrantedRole struct {
	*Role
	Sources []Source
}

// GrantedPermission is a permission that something gives. It is not effective if a role suppresses it.
type GrantedPermission struct {
	Value        string
	Sources      []Source
	SuppressedBy []string // keys of roles
}

// GrantedModule is a module that something gives. It is not effective if something cuts it.
type GrantedModule struct {
	*Entitlement
	Read    bool
	Sources []Source
	Cut     string // why it is not effective: admin_only, plan, not_supported
}

// GrantedSubAccount is a sub-account that a person belongs to.
type GrantedSubAccount struct {
	*Entitlement
	Sources []Source
}

// Unknown is a value that the catalogue does not know: it is kept as text and gives nothing.
type Unknown struct {
	Attribute string `json:"attribute" enum:"roles,occupation,entitlements"`
	Value     string `json:"value"`
}

// Grant is what a person may do, with the proof of each part.
type Grant struct {
	Active      bool // nothing is effective else
	Roles       []GrantedRole
	Occupation  *Occupation
	Permissions []GrantedPermission
	Modules     []GrantedModule
	SubAccounts []GrantedSubAccount
	Unknown     []Unknown

	suppressed map[string][]string // pattern -> keys of the roles
}

// FactsOf takes the facts from a user's document; groups are the ids of the person's groups.
func FactsOf(doc scim.Attributes, groups []scim.Membership, at time.Time) Facts {
	ext, _ := doc[scim.SchemaRollcallUser].(scim.Attributes)
	f := Facts{Active: doc["active"] != false && !pendingConsent(doc), Roles: values(doc["roles"])}
	if end, ok := ext["expiresAt"].(string); ok {
		if t, ok := query.ParseInstant(end); ok && !t.After(at) {
			f.Active = false
		}
	}
	f.Occupation, _ = ext["occupation"].(string)
	list, _ := doc["entitlements"].([]any)
	for _, v := range list {
		el, _ := v.(scim.Attributes)
		value, _ := el["value"].(string)
		kind, _ := el["type"].(string)
		if value != "" {
			f.Entitlements = append(f.Entitlements, parseEntitled(kind, value))
		}
	}
	for _, g := range groups {
		f.Groups = append(f.Groups, g.ID)
	}
	return f
}

// values are the values of a multi-valued complex attribute.
func values(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		el, _ := e.(scim.Attributes)
		if s, _ := el["value"].(string); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// parseEntitled reads an entitlement's value: "pricing", "pricing:read", "emea:only", or with its kind before it, as
// "module:pricing", for clients that write no type.
func parseEntitled(kind, value string) Entitled {
	e := Entitled{Key: value}
	switch query.Fold(kind) {
	case query.Fold(resources.EntitlementModule):
		e.Kind = resources.EntitlementModule
	case query.Fold(resources.EntitlementSubAccount):
		e.Kind = resources.EntitlementSubAccount
	}
	if before, after, ok := strings.Cut(e.Key, ":"); ok {
		switch query.Fold(before) {
		case query.Fold(resources.EntitlementModule):
			e.Kind, e.Key = resources.EntitlementModule, after
		case query.Fold(resources.EntitlementSubAccount):
			e.Kind, e.Key = resources.EntitlementSubAccount, after
		}
	}
	if key, ok := strings.CutSuffix(e.Key, ":read"); ok {
		e.Key, e.Read = key, true
	}
	if key, ok := strings.CutSuffix(e.Key, ":only"); ok {
		e.Key, e.Only = key, true
	}
	return e
}

// Grant works out what a person may do: what roles, occupation, groups and entitlements of their own give, without what
// roles suppress, within what the plan has. It is pure.
func (c *Catalogue) Grant(f Facts, plan Plan) *Grant {
	g := &granting{
		c: c, roles: map[*Role]*GrantedRole{}, permissions: map[string]*GrantedPermission{},
		modules: map[*Entitlement]*GrantedModule{}, subAccounts: map[*Entitlement]*GrantedSubAccount{},
	}
	out := &Grant{Active: f.Active, suppressed: map[string][]string{}}
	g.out = out
	for _, key := range f.Roles {
		g.role(key, Source{Via: "role"})
	}
	if f.Occupation != "" {
		if o := c.Occupation(f.Occupation); o != nil {
			out.Occupation = o
		} else {
			g.unknown("occupation", f.Occupation)
		}
	}
	for _, e := range f.Entitlements {
		g.entitlement(e, Source{Via: "direct"})
	}
	for _, id := range f.Groups {
		g.group(id)
	}
	if o := out.Occupation; o != nil {
		src := Source{Via: "occupation", Key: o.Key, Display: o.Display}
		g.gives(o.Permissions, o.Modules, src)
	}
	g.finish(plan)
	return out
}

// granting is a grant that is being worked out.
type granting struct {
	c           *Catalogue
	out         *Grant
	roles       map[*Role]*GrantedRole
	permissions map[string]*GrantedPermission
	modules     map[*Entitlement]*GrantedModule
	subAccounts map[*Entitlement]*GrantedSubAccount
}

func (g *granting) unknown(attribute, value string) {
	u := Unknown{attribute, value}
	if !slices.Contains(g.out.Unknown, u) {
		g.out.Unknown = append(g.out.Unknown, u)
	}
}

func (g *granting) role(key string, src Source) {
	r := g.c.Role(key)
	if r == nil {
		g.unknown("roles", key)
		return
	}
	src.Key, src.Display = r.Key, r.Display
	if g.roles[r] == nil {
		g.roles[r] = &GrantedRole{Role: r}
	}
	g.roles[r].Sources = append(g.roles[r].Sources, src)
	g.gives(r.Permissions, r.Modules, src)
}

func (g *granting) group(id string) {
	m := g.c.groups[id]
	if m == nil {
		return
	}
	for _, key := range m.Roles {
		g.role(key, Source{Via: "role", Group: id})
	}
	for _, text := range m.Entitlements {
		g.entitlement(parseEntitled("", text), Source{Via: "group", Group: id})
	}
	// An occupation of the person's own goes before one that a group gives.
	if o := g.c.Occupation(m.Occupation); m.Occupation != "" && o != nil && g.out.Occupation == nil {
		g.out.Occupation = o
	}
}

func (g *granting) gives(permissions, modules []string, src Source) {
	for _, p := range permissions {
		if g.permissions[p] == nil {
			g.permissions[p] = &GrantedPermission{Value: p}
		}
		g.permissions[p].Sources = append(g.permissions[p].Sources, src)
	}
	for _, key := range modules {
		if key == "*" {
			for _, e := range g.c.entitlements {
				if e.Kind == resources.EntitlementModule {
					g.module(e, false, src)
				}
			}
			continue
		}
		m := parseEntitled(resources.EntitlementModule, key)
		if e := g.c.Entitlement(m.Key); e != nil && e.Kind == resources.EntitlementModule {
			g.module(e, m.Read, src)
		}
	}
}

func (g *granting) entitlement(d Entitled, src Source) {
	e := g.c.Entitlement(d.Key)
	switch {
	case e == nil, d.Kind != "" && d.Kind != e.Kind:
		g.unknown("entitlements", d.Key)
	case e.Kind == resources.EntitlementModule:
		g.module(e, d.Read, src)
	default:
		g.subAccount(e, !d.Only, src, 0)
	}
}

func (g *granting) module(e *Entitlement, read bool, src Source) {
	m := g.modules[e]
	if m == nil {
		m = &GrantedModule{Entitlement: e, Read: read}
		g.modules[e] = m
	}
	m.Read = m.Read && read // to write includes to read
	m.Sources = append(m.Sources, src)
}

// maxSubAccountDepth ends the walk of a tree that has become a circle by two changes at once.
const maxSubAccountDepth = 32

func (g *granting) subAccount(e *Entitlement, parts bool, src Source, depth int) {
	s := g.subAccounts[e]
	if s == nil {
		s = &GrantedSubAccount{Entitlement: e}
		g.subAccounts[e] = s
	}
	if !slices.Contains(s.Sources, src) {
		s.Sources = append(s.Sources, src)
	}
	if !parts || depth == maxSubAccountDepth {
		return
	}
	for _, child := range g.c.children[query.Fold(e.Key)] {
		g.subAccount(child, true, src, depth+1)
	}
}

// finish takes away what roles suppress and what the plan has not, and puts everything in order.
func (g *granting) finish(plan Plan) {
	out := g.out
	admin := false
	for _, r := range g.roles {
		out.Roles = append(out.Roles, *r)
		admin = admin || r.OrgAdmin
		for _, p := range r.Suppresses {
			out.suppressed[p] = append(out.suppressed[p], r.Key)
		}
	}
	slices.SortFunc(out.Roles, func(a, b GrantedRole) int { return cmp.Or(cmp.Compare(b.Rank, a.Rank), strings.Compare(a.Key, b.Key)) })
	for _, by := range out.suppressed {
		slices.Sort(by)
	}
	for _, v := range slices.Sorted(maps.Keys(g.permissions)) {
		p := *g.permissions[v]
		p.SuppressedBy = out.suppressing(v)
		out.Permissions = append(out.Permissions, p)
	}
	for _, m := range g.modules {
		switch {
		case !m.Supported:
			m.Cut = "not_supported"
		case m.AdminOnly && !admin:
			m.Cut = "admin_only"
		case m.Feature != "" && !plan.Has(m.Feature):
			m.Cut = "plan"
		}
		out.Modules = append(out.Modules, *m)
	}
	slices.SortFunc(out.Modules, func(a, b GrantedModule) int { return strings.Compare(a.Key, b.Key) })
	for _, s := range g.subAccounts {
		out.SubAccounts = append(out.SubAccounts, *s)
	}
	slices.SortFunc(out.SubAccounts, func(a, b GrantedSubAccount) int { return strings.Compare(a.Key, b.Key) })
}

// suppressing are the roles that take the permission away.
func (g *Grant) suppressing(permission string) []string {
	var by []string
	for pattern, roles := range g.suppressed {
		if covers(pattern, permission) {
			by = append(by, roles...)
		}
	}
	slices.Sort(by)
	return slices.Compact(by)
}

// covers reports whether a permission, which may end in ".*" itself, is among those that pattern stands for.
func covers(pattern, permission string) bool {
	if pattern == "*" || pattern == permission {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasSuffix(prefix, ".") && strings.HasPrefix(permission, prefix)
}

// Has reports whether the person may do it.
func (g *Grant) Has(permission string) bool {
	return g.Active && len(g.suppressing(permission)) == 0 &&
		slices.ContainsFunc(g.Permissions, func(p GrantedPermission) bool { return covers(p.Value, permission) })
}

// Effective are the permissions that the person has, in order.
func (g *Grant) Effective() []string {
	var list []string
	for _, p := range g.Permissions {
		if g.Active && len(p.SuppressedBy) == 0 {
			list = append(list, p.Value)
		}
	}
	return list
}

// EffectiveModules are the modules that the person can open, in order.
func (g *Grant) EffectiveModules() []GrantedModule {
	var list []GrantedModule
	for _, m := range g.Modules {
		if g.Active && m.Cut == "" {
			list = append(list, m)
		}
	}
	return list
}

// OrgAdmin reports whether one of the roles administers the organization.
func (g *Grant) OrgAdmin() bool {
	return slices.ContainsFunc(g.Roles, func(r GrantedRole) bool { return r.OrgAdmin })
}

// Rank is that of the highest role; 0 without any.
func (g *Grant) Rank() int {
	if len(g.Roles) == 0 {
		return 0
	}
	return g.Roles[0].Rank
}

// AccountType is "admin" if a role administers the organization, else "affiliate".
func (g *Grant) AccountType() string {
	if g.OrgAdmin() {
		return accountAdmin
	}
	return accountAffiliate
}

const (
	accountAdmin     = "admin"
	accountAffiliate = "affiliate"
)
