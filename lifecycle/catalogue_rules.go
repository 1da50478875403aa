package lifecycle

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// catalogueCheck judges an entry of the catalogue by itself.
type catalogueCheck struct{}

// Prepare has nothing to prepare.
func (catalogueCheck) Prepare(context.Context, scim.Caller) (any, error) { return nil, nil } //nolint:nilnil // no state

// Bounds of the catalogue.
const (
	maxKey         = 100 // characters
	maxPermission  = 200
	maxPermissions = 1000
	maxRank        = 100
)

var permissionForm = regexp.MustCompile(`^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$`)

// Check is pure.
func (catalogueCheck) Check(w *resources.Write) error {
	if err := checkKey("value", w.Doc["value"], w.Key.Type == typeEntitlement); err != nil {
		return err
	}
	aliases, _ := w.Doc["aliases"].([]any)
	for _, a := range aliases {
		if err := checkKey("aliases", a, false); err != nil {
			return err
		}
	}
	own, _ := w.Doc[scim.SchemaRollcallRole].(scim.Attributes)
	prefix := scim.SchemaRollcallRole + ":"
	if rank, ok := own["rank"].(int64); ok && (rank < 0 || rank > maxRank) {
		return invalid(prefix+"rank", "out_of_range", "must be 0 to %d", maxRank)
	}
	if n, ok := own["maxAssignments"].(int64); ok && n < 0 {
		return invalid(prefix+"maxAssignments", "out_of_range", "must not be negative")
	}
	if kind, ok := w.Doc["type"].(string); w.Key.Type == typeEntitlement && ok &&
		kind != resources.EntitlementModule && kind != resources.EntitlementSubAccount {
		return invalid("type", "not_a_choice", "must be %s or %s", resources.EntitlementModule, resources.EntitlementSubAccount)
	}
	return firstError(
		checkPermissions(prefix+"permissions", own["permissions"]),
		checkPermissions(prefix+"suppresses", own["suppresses"]),
		checkPermissions("permissions", w.Doc["permissions"]),
	)
}

func checkKey(path string, v any, plain bool) error {
	s, _ := v.(string)
	if n := utf8.RuneCountInString(s); n == 0 || n > maxKey || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return invalid(path, "bad_key", "must have 1 to %d characters, none of them a control character, no blank at its ends", maxKey)
	}
	if plain && strings.Contains(s, ":") {
		return invalid(path, "bad_key", "must not contain a colon, which separates the kind and the level of an entitlement")
	}
	return nil
}

func checkPermissions(path string, v any) error {
	list, _ := v.([]any)
	if len(list) > maxPermissions {
		return invalid(path, "too_many", "has more than %d values", maxPermissions)
	}
	for _, p := range list {
		s, _ := p.(string)
		if len(s) > maxPermission || !permissionForm.MatchString(s) {
			return invalid(path, "bad_permission", "each is words with dots between them, such as forms.own.edit or forms.*, of at most %d characters", maxPermission)
		}
	}
	return nil
}

// catalogueRules are what a write of the catalogue means beside its own document: references fit, nothing that is in use
// goes away, and every process learns that the catalogue is another one.
type catalogueRules struct{ s *Service }

// Before looks at the catalogue and, for a delete, at who uses the entry.
func (r catalogueRules) Before(ctx context.Context, w *resources.Write) error {
	snap, err := r.s.fresh(ctx, w.Key.Org)
	if err != nil {
		return err
	}
	w.State = snap
	if w.Op != storage.OpDelete {
		return nil
	}
	rec, err := r.s.store.Get(ctx, w.Key, query.Load{})
	if err != nil {
		return fail(w.Key.Type, err)
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return err
	}
	return r.s.refuseDelete(ctx, snap, w.Key, doc)
}

// Within checks what the entry refers to, and counts the change.
func (r catalogueRules) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	snap, _ := w.State.(*snapshot)
	if w.Doc != nil {
		if err := fits(snap, w); err != nil {
			return err
		}
	}
	r.s.snapshots.forget(w.Key.Org)
	c := w.Caller
	c.Org = w.Key.Org
	return r.s.bumpCatalogue(ctx, tx, c, w.At)
}

// fits checks an entry against the rest of the catalogue.
func fits(snap *snapshot, w *resources.Write) error {
	switch w.Key.Type {
	case typeRole:
		return fitsRole(w)
	case typeEntitlement:
		return fitsEntitlement(snap, w)
	}
	return nil
}

// fitsRole keeps the built-in roles what the rules take them for.
func fitsRole(w *resources.Write) error {
	was, _ := w.Old[scim.SchemaRollcallRole].(scim.Attributes)
	now, _ := w.Doc[scim.SchemaRollcallRole].(scim.Attributes)
	if was["system"] != true {
		return nil
	}
	fixed := []string{"rank", "orgAdmin"}
	if w.Old["value"] == RoleOwner {
		fixed = append(fixed, "permissions", "suppresses", "maxAssignments")
	}
	for _, name := range fixed {
		if !scim.Equal(was[name], now[name]) {
			e := scim.Mutability(scim.SchemaRollcallRole+":"+name, "is fixed in a built-in role")
			e.Code = "system_role"
			return e
		}
	}
	if w.Doc["supported"] == false {
		e := scim.Mutability("supported", "is fixed in a built-in role")
		e.Code = "system_role"
		return e
	}
	return nil
}

// fitsEntitlement keeps the sub-accounts a tree.
func fitsEntitlement(snap *snapshot, w *resources.Write) error {
	own, _ := w.Doc[scim.SchemaRollcallEntitlement].(scim.Attributes)
	parent, _ := own["parent"].(string)
	if parent == "" {
		return nil
	}
	path := scim.SchemaRollcallEntitlement + ":parent"
	if w.Doc["type"] != resources.EntitlementSubAccount {
		return invalid(path, "not_a_sub_account", "only sub-accounts are parts of another")
	}
	key, _ := w.Doc["value"].(string)
	for depth := 0; parent != ""; depth++ {
		e := snap.Entitlement(parent)
		switch {
		case query.Fold(parent) == query.Fold(key), depth == maxSubAccountDepth:
			return invalid(path, "circle", "would make the sub-account a part of itself, or more than %d deep", maxSubAccountDepth)
		case e == nil || e.Kind != resources.EntitlementSubAccount:
			return invalid(path, "unknown_sub_account", "is not the key of a sub-account")
		}
		parent = e.Parent
	}
	return nil
}

// refuseDelete says who still uses an entry of the catalogue.
func (s *Service) refuseDelete(ctx context.Context, snap *snapshot, k storage.Key, doc scim.Attributes) error {
	key, _ := doc["value"].(string)
	used := func(what string, n int, instead string) error {
		return conflict("in_use", "%s: %d; %s", what, n, instead)
	}
	switch k.Type {
	case typeRole:
		if own, _ := doc[scim.SchemaRollcallRole].(scim.Attributes); own["system"] == true {
			return conflict("system_role", "a built-in role cannot be deleted")
		}
		if query.Fold(snap.settings.Invite.DefaultRole) == query.Fold(key) {
			return conflict("in_use", "it is the role that invites give by default")
		}
		for _, g := range snap.groups {
			if slices.ContainsFunc(g.Roles, func(r string) bool { return query.Fold(r) == query.Fold(key) }) {
				return conflict("in_use", "a group gives the role to its members")
			}
		}
		open := query.And{s.eq("Invite", "roles.value", key), s.eq("Invite", "status", "pending")}
		if n, err := s.count(ctx, k.Org, "Invite", open); err != nil || n > 0 {
			return orError(err, used("open invites give the role", n, "change or revoke them first"))
		}
		n, err := s.count(ctx, k.Org, typeUser, s.eq(typeUser, "roles.value", key))
		if err != nil || n > 0 {
			return orError(err, used("people have the role", n, "give them another first"))
		}
	case typeOccupation:
		n, err := s.count(ctx, k.Org, typeUser, s.hasOccupation(snap.Occupation(key)))
		if err != nil || n > 0 {
			return orError(err, used("people have the occupation", n, "retire it, or replace it by another"))
		}
	case typeEntitlement:
		if len(snap.children[query.Fold(key)]) > 0 {
			return conflict("in_use", "the sub-account has parts")
		}
		n, err := s.count(ctx, k.Org, typeUser, s.hasEntitlement(key))
		if err != nil || n > 0 {
			return orError(err, used("people have it", n, "take it from them first"))
		}
	}
	return nil
}

func orError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// hasOccupation matches the users whose occupation means o, however it is spelled.
func (s *Service) hasOccupation(o *Occupation) query.Expr {
	if o == nil {
		return query.Const(false)
	}
	var some query.Or
	for _, text := range append([]string{o.Key, o.Display}, o.Aliases...) {
		some = append(some, s.eq(typeUser, scim.SchemaRollcallUser+":occupation", text))
	}
	return some
}

// hasEntitlement matches the users who have been given the module or sub-account themselves, at whatever level.
func (s *Service) hasEntitlement(key string) query.Expr {
	var some query.Or
	for _, prefix := range []string{"", resources.EntitlementModule + ":", resources.EntitlementSubAccount + ":"} {
		for _, suffix := range []string{"", ":read", ":only"} {
			some = append(some, s.eq(typeUser, "entitlements.value", prefix+key+suffix))
		}
	}
	return some
}

// count is how many resources of a type match.
func (s *Service) count(ctx context.Context, org scim.OrgID, t scim.TypeName, where query.Expr) (int, error) {
	page, err := s.store.Query(ctx, org, query.Query{Sources: []query.Source{{Type: t, Where: where}}, Total: true})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", t, fail(t, err))
	}
	return page.Total, nil
}
