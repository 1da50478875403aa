package patch

import (
	"slices"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Options are the bounds and relaxations of one request.
type Options struct {
	Session       *compat.Session
	MaxOperations int // 0: no bound
	MaxValues     int // values of one multi-valued attribute, members aside; 0: no bound
}

// MemberChange is what a plan does to a group's members: first Remove, then Add; with Replace, Add is the whole
// new list.
type MemberChange struct {
	Replace     bool
	Add, Remove []string
}

// Result is what applying a plan yields.
type Result struct {
	Doc        scim.Attributes // the new document; the one passed in, untouched, if Changed is false
	Changed    bool            // Doc differs from the document passed in
	Secret     scim.Attributes // as Plan.Secret
	Members    MemberChange
	HasMembers bool // the plan has an operation on members
	// Used are the relaxations whose use only the document decides. Those met while compiling are counted in the
	// session already.
	Used []compat.Rule
}

// MemberSource gives the present members of a group as canonical elements ({"value", "type", "display"}), for
// value filters that a plain look-up by id cannot answer. It is called at most once, and only then.
type MemberSource func() ([]scim.Attributes, error)

// Plan is a compiled PATCH request. It is read-only and may be applied many times, concurrently.
type Plan struct {
	rt        *schema.ResourceType
	ops       []operation
	secret    scim.Attributes
	wrote     []string
	maxValues int
}

type kind uint8

const (
	add kind = iota
	replace
	remove
)

// operation is one change of one target. A path-less operation has become one for each attribute that it names.
type operation struct {
	kind kind
	path schema.Path
	// where selects elements of the multi-valued attribute; nil for all of it.
	where query.Expr
	// value is canonical: of the target; with where and no sub-attribute, of one element. Nil un-assigns.
	value any
	// clear are the sub-attributes that an object value sets to null: merging un-assigns them.
	clear []string
	// listed are the elements that a remove with a value names; see compat.RemoveWithValue.
	listed []any
	// seed is the element that a where without a match creates, from the terms of its filter and the value; nil if
	// they do not describe an element.
	seed scim.Attributes
	// create allows replace to do so too; see compat.CreateOnReplace.
	create bool
	// members are the ids that an operation on the members relation names.
	members memberOperation
}

// MembersOnly reports whether the plan changes nothing but members: it needs no document.
func (p *Plan) MembersOnly() bool {
	for i := range p.ops {
		if !p.isMembers(p.ops[i].path) {
			return false
		}
	}
	return len(p.ops) > 0 && p.secret == nil
}

// Wrote are the canonical paths of the attributes that the client wrote, each once, for returned=request
// (RFC 7643 2.2).
func (p *Plan) Wrote() []string { return slices.Clone(p.wrote) }

// Secret are the returned=never attributes that the plan sets, in clear text; a nil value un-assigns. Nil if
// there are none. They depend on no document.
func (p *Plan) Secret() scim.Attributes { return scim.CloneAttributes(p.secret) }

func (p *Plan) isMembers(q schema.Path) bool { return isMembers(p.rt, q) }

func isMembers(rt *schema.ResourceType, q schema.Path) bool {
	return rt.Members != "" && q.Attr != nil && !q.Extension && !q.Common() && q.Attr.Name == rt.Members
}
