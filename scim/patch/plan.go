package patch

import (
	"rollcall/scim"
	"rollcall/scim/compat"
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
	Secret     scim.Attributes // returned=never attributes set by the plan, clear text; nil value un-assigns
	Members    MemberChange
	HasMembers bool // the plan has an operation on members
}

// MemberSource gives the present members of a group as canonical elements ({"value", "type", "display"}), for
// value filters that a plain look-up by id cannot answer. It is called at most once, and only then.
type MemberSource func() ([]scim.Attributes, error)

// Plan is a compiled PATCH request. It is read-only and may be applied many times, concurrently.
type Plan struct {
	rt *schema.ResourceType
}
