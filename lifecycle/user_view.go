package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
)

// userView works out what a person may do, when somebody asks for it.
type userView struct{ s *Service }

// Settle has nothing to do: what time changes of people is done by jobs, and compared wherever it matters.
func (userView) Settle(context.Context, scim.Caller, string) error { return nil }

// Compute puts the attributes that no document of a user holds in docs.
func (v userView) Compute(ctx context.Context, c scim.Caller, list []scim.Resource, docs []scim.Attributes) error {
	snap, err := v.s.snapshot(ctx, c.Org)
	if err != nil {
		return err
	}
	at, t := v.s.now(), v.s.registry.Type(typeUser)
	for i := range list {
		g := snap.Grant(FactsOf(docs[i], list[i].Groups, at), snap.settings.Plan)
		own, _ := docs[i][scim.SchemaRollcallUser].(scim.Attributes)
		ext := scim.CloneAttributes(own)
		if ext == nil {
			ext = scim.Attributes{}
		}
		put := func(name string, list []any) {
			if len(list) > 0 {
				ext[name] = list
			}
		}
		var permissions []any
		for _, p := range g.Effective() {
			permissions = append(permissions, p)
		}
		put("effectivePermissions", permissions)
		put("effectiveModules", moduleValues(g))
		put("subAccounts", subAccountValues(g))
		ext["profileCompleteness"] = completeness(docs[i])
		ext["accountType"], ext["status"] = g.AccountType(), statusOf(docs[i])
		docs[i][scim.SchemaRollcallUser] = ext
		t.SetSchemas(docs[i])
	}
	return nil
}

// The values of status.
const (
	statusActive      = "active"
	statusDeactivated = "deactivated"
)

func statusOf(doc scim.Attributes) string {
	if doc["active"] == false {
		return statusDeactivated
	}
	if pendingConsent(doc) {
		return statusPending
	}
	return statusActive
}

func moduleValues(g *Grant) []any {
	var list []any
	for _, m := range g.EffectiveModules() {
		level := "write"
		if m.Read {
			level = "read"
		}
		list = append(list, scim.Attributes{"value": m.Key, "display": m.Display, "level": level, "via": m.Sources[0].Via})
	}
	return list
}

func subAccountValues(g *Grant) []any {
	var list []any
	for _, a := range g.SubAccounts {
		list = append(list, scim.Attributes{
			"value": a.Key, "$ref": "../Entitlements/" + a.ID, "display": a.Display, "via": a.Sources[0].Via,
		})
	}
	return list
}

// completeness is how much of what people should tell about themselves is there, in percent.
func completeness(doc scim.Attributes) int64 {
	parts := profileParts(doc)
	filled := 0
	for _, p := range parts {
		if p.filled {
			filled++
		}
	}
	return int64(filled * 100 / len(parts))
}

// profilePart is something that people should tell about themselves.
type profilePart struct {
	name   string
	filled bool
}

// profileParts are all of them.
func profileParts(doc scim.Attributes) []profilePart {
	name, _ := doc["name"].(scim.Attributes)
	part := func(name string, v any) profilePart { return profilePart{name, v != nil && v != ""} }
	return []profilePart{
		part("givenName", name["givenName"]), part("familyName", name["familyName"]), part("email", doc["emails"]),
		part("phoneNumber", doc["phoneNumbers"]), part("photo", doc["photos"]), part("title", doc["title"]),
		part("occupation", extension(doc, "occupation")),
	}
}

// Rewrite says by stored attributes which users have a permission or a module, so that stores answer filters on them. What
// it does not know how to say stays: such a filter is answered by looking at each user.
func (v userView) Rewrite(ctx context.Context, c scim.Caller, e query.Expr) (query.Expr, error) {
	snap, err := v.s.snapshot(ctx, c.Org)
	if err != nil {
		return nil, err
	}
	r := rewriter{s: v.s, snap: snap, now: query.InstantKey(v.s.now())}
	return r.expr(e), nil
}

type rewriter struct {
	s    *Service
	snap *snapshot
	now  string // in query.InstantKey form
}

const (
	pathPermissions = scim.SchemaRollcallUser + ":effectivePermissions"
	pathModules     = scim.SchemaRollcallUser + ":effectiveModules"
	pathAccountType = scim.SchemaRollcallUser + ":accountType"
	pathStatus      = scim.SchemaRollcallUser + ":status"
)

func (r rewriter) expr(e query.Expr) query.Expr {
	switch e := e.(type) {
	case query.And:
		list := make(query.And, len(e))
		for i, x := range e {
			list[i] = r.expr(x)
		}
		return list
	case query.Or:
		list := make(query.Or, len(e))
		for i, x := range e {
			list[i] = r.expr(x)
		}
		return list
	case query.Not:
		return query.Not{Expr: r.expr(e.Expr)}
	case query.Present:
		if values, has := r.values(e.Field.Path); values != nil {
			return r.anyOf(values, has)
		}
	case query.Compare:
		values, has := r.values(e.Field.Path)
		if values == nil {
			return e
		}
		// Which of the values that there are compare so is decided as for any document.
		var hits []string
		for _, v := range values {
			one := query.Compare{Field: query.Field{Steps: []string{"v"}, Kind: e.Field.Kind, CaseExact: e.Field.CaseExact}, Op: e.Op, Value: e.Value}
			if query.Match(one, scim.Attributes{"v": v}) {
				hits = append(hits, v)
			}
		}
		x := r.anyOf(hits, has)
		if e.Op == query.Ne {
			x = query.Or{x, query.Not{Expr: r.anyOf(values, has)}} // no value at all differs too
		}
		return x
	case query.Any, query.Const, nil:
	}
	return e
}

func (r rewriter) anyOf(values []string, has func(string) query.Expr) query.Expr {
	list := query.Or{}
	for _, v := range values {
		list = append(list, has(v))
	}
	return list
}

// effective matches the users of x to whom anything is effective; see FactsOf.
func (r rewriter) effective(x query.Expr) query.Expr {
	ends := r.s.field(typeUser, scim.SchemaRollcallUser+":expiresAt")
	return query.And{
		x,
		query.Not{Expr: r.deactivated()},
		query.Not{Expr: r.pendingConsent()},
		query.Not{Expr: query.Compare{Field: ends, Op: query.Le, Value: query.Value{Kind: query.DateTime, Str: r.now}}},
	}
}

func (r rewriter) deactivated() query.Expr {
	return query.Compare{Field: r.s.field(typeUser, "active"), Op: query.Eq, Value: query.Value{Kind: query.Boolean}}
}

func (r rewriter) status(v string) query.Expr {
	switch v {
	case statusDeactivated:
		return r.deactivated()
	case statusPending:
		return query.And{r.pendingConsent(), query.Not{Expr: r.deactivated()}}
	}
	return query.And{query.Not{Expr: r.deactivated()}, query.Not{Expr: r.pendingConsent()}}
}

func (r rewriter) accountType(v string) query.Expr {
	admins := query.Or{}
	for _, x := range r.snap.Roles() {
		if x.OrgAdmin {
			admins = append(admins, r.s.hasRole(r.snap, x.Key))
		}
	}
	if v == accountAdmin {
		return admins
	}
	return query.Not{Expr: admins}
}

// values are those that the computed attribute at path can have, and which users have one; nil if the path is another.
func (r rewriter) values(path string) ([]string, func(string) query.Expr) {
	seen := map[string]bool{}
	list := []string{} // not nil: an empty catalogue has no values, which is an answer
	add := func(values ...string) {
		for _, v := range values {
			if !seen[v] {
				seen[v] = true
				list = append(list, v)
			}
		}
	}
	switch path {
	case pathPermissions:
		for _, x := range r.snap.Roles() {
			add(x.Permissions...)
		}
		for _, o := range r.snap.Occupations() {
			add(o.Permissions...)
		}
		return list, r.permission
	case pathModules, pathModules + ".value":
		for _, e := range r.snap.modules() {
			add(e.Key)
		}
		return list, r.module
	case pathAccountType:
		return []string{accountAdmin, accountAffiliate}, r.accountType
	case pathStatus:
		return []string{statusActive, statusDeactivated, statusPending}, r.status
	}
	return nil, nil
}

// permission matches the users to whom something gives exactly this permission and no role suppresses it.
func (r rewriter) permission(p string) query.Expr {
	given, taken := query.Or{}, query.Or{}
	for _, x := range r.snap.Roles() {
		for _, have := range x.Permissions {
			if have == p {
				given = append(given, r.s.hasRole(r.snap, x.Key))
			}
		}
		for _, pattern := range x.Suppresses {
			if covers(pattern, p) {
				taken = append(taken, r.s.hasRole(r.snap, x.Key))
			}
		}
	}
	for _, o := range r.snap.Occupations() {
		for _, have := range o.Permissions {
			if have == p {
				given = append(given, r.occupation(o))
			}
		}
	}
	return r.effective(query.And{given, query.Not{Expr: taken}})
}

// module matches the users to whom something gives the module and nothing cuts it.
func (r rewriter) module(key string) query.Expr {
	e := r.snap.Entitlement(key)
	if !e.Supported || e.Feature != "" && !r.snap.settings.Plan.Has(e.Feature) {
		return query.Const(false)
	}
	given := query.Or{r.directModule(e)}
	for _, x := range r.snap.Roles() {
		if opens(x.Modules, key) {
			given = append(given, r.s.hasRole(r.snap, x.Key))
		}
	}
	for _, o := range r.snap.Occupations() {
		if opens(o.Modules, key) {
			given = append(given, r.occupation(o))
		}
	}
	for id, g := range r.snap.groups {
		for _, text := range g.Entitlements {
			d := parseEntitled("", text)
			if r.snap.Entitlement(d.Key) == e && (d.Kind == "" || d.Kind == e.Kind) {
				given = append(given, r.s.eq(typeUser, "groups.value", id))
			}
		}
	}
	if e.AdminOnly {
		return r.effective(query.And{given, r.accountType(accountAdmin)})
	}
	return r.effective(given)
}

// directModule matches the users who have been given the module themselves. One whose type says sub-account has not.
func (r rewriter) directModule(e *Entitlement) query.Expr {
	list := r.s.field(typeUser, "entitlements")
	value := query.Field{Path: "value", Steps: []string{"value"}, Kind: query.String}
	kind := query.Field{Path: "type", Steps: []string{"type"}, Kind: query.String}
	is := func(f query.Field, text string) query.Expr {
		return query.Compare{Field: f, Op: query.Eq, Value: query.Value{Kind: query.String, Str: query.Fold(text)}}
	}
	some := query.Or{}
	for _, text := range []string{e.Key, e.Key + ":read"} {
		// The seek by value comes first; that the same element has no other type is asked of what it finds.
		some = append(some, query.And{
			r.s.eq(typeUser, "entitlements.value", text),
			query.Any{Field: list, Where: query.And{is(value, text), query.Not{Expr: is(kind, "subAccount")}}},
		}, r.s.eq(typeUser, "entitlements.value", e.Kind+":"+text))
	}
	return some
}

// occupation matches the users whose occupation is o: their own, or else that of a group of theirs.
func (r rewriter) occupation(o *Occupation) query.Expr {
	some := query.Or{r.s.hasOccupation(o)}
	known := query.Or{}
	for _, x := range r.snap.Occupations() {
		known = append(known, r.s.hasOccupation(x))
	}
	for id, g := range r.snap.groups {
		if g.Occupation != "" && r.snap.Occupation(g.Occupation) == o {
			some = append(some, query.And{query.Not{Expr: known}, r.s.eq(typeUser, "groups.value", id)})
		}
	}
	return some
}

// opens reports whether the keys of modules name this one.
func opens(keys []string, key string) bool {
	for _, k := range keys {
		if k == "*" || query.Fold(parseEntitled("", k).Key) == query.Fold(key) {
			return true
		}
	}
	return false
}
