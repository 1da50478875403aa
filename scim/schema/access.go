package schema

import "rollcall/scim"

// Access says which scopes reach the resources of a type.
type Access uint8

// The kinds of access.
const (
	// AccessDirectory: "scim" reads and writes, "scim:read" reads; so do the scopes that name the type.
	AccessDirectory Access = iota
	// AccessCatalog: "scim" and "scim:read" read; only a scope that names the type writes. What clients look up and
	// administrators decide.
	AccessCatalog
	// AccessNamed: only a scope that names the type reaches it, so that clients which take what discovery offers
	// meet no surprises.
	AccessNamed
)

// Allows reports whether a token with these scopes may read, or write, resources of the type.
func (t *ResourceType) Allows(scopes []string, write bool) bool {
	switch {
	case t.Internal:
		return false
	case t.Access == AccessNamed, t.Access == AccessCatalog && write:
		return scim.Names(scopes, t.Endpoint, write)
	}
	return scim.Allows(scopes, t.Endpoint, write)
}
