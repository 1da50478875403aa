package schema

import (
	"strings"

	"rollcall/scim/query"
)

// Mutability says when a client may set an attribute (RFC 7643 2.2).
type Mutability uint8

// The mutabilities; the zero value is the RFC's default.
const (
	ReadWrite Mutability = iota
	ReadOnly
	Immutable
	WriteOnly
)

var mutabilityNames = [...]string{"readWrite", "readOnly", "immutable", "writeOnly"}

// String returns the keyword of /Schemas.
func (m Mutability) String() string { return mutabilityNames[m] }

// Returned says when an answer carries an attribute (RFC 7643 2.2).
type Returned uint8

// The kinds of returned; the zero value is the RFC's default.
const (
	ReturnedDefault Returned = iota
	ReturnedAlways
	ReturnedNever
	ReturnedRequest
)

var returnedNames = [...]string{"default", "always", "never", "request"}

// String returns the keyword of /Schemas.
func (r Returned) String() string { return returnedNames[r] }

// Uniqueness says over what an attribute's values are unique (RFC 7643 2.2).
type Uniqueness uint8

// The kinds of uniqueness; the zero value is the RFC's default.
const (
	UniqueNone Uniqueness = iota
	UniqueServer
	UniqueGlobal
)

var uniquenessNames = [...]string{"none", "server", "global"}

// String returns the keyword of /Schemas.
func (u Uniqueness) String() string { return uniquenessNames[u] }

var kindNames = [...]string{
	query.String: "string", query.Boolean: "boolean", query.Integer: "integer", query.Decimal: "decimal",
	query.DateTime: "dateTime", query.Binary: "binary", query.Reference: "reference", query.Complex: "complex",
}

// Attribute is one attribute or sub-attribute. It is read-only once its schema is part of a [Registry].
type Attribute struct {
	Name        string // canonical spelling
	Description string
	Kind        query.Kind
	Multi       bool
	Required    bool
	CaseExact   bool
	Mutability  Mutability
	Returned    Returned
	Uniqueness  Uniqueness
	// CanonicalValues are suggestions, not an enumeration (RFC 7643 2.3.1).
	CanonicalValues []string
	ReferenceTypes  []string
	// Computed attributes are in no stored document: whoever serves the type works them out when they are read. They
	// are top-level and read-only.
	Computed bool
	Sub      []*Attribute // of a complex attribute; never complex themselves

	full string // path in the type that it was first registered with
}

// under is path, sep and the attribute's name, as errors need it: the text is there already where path is the usual one,
// since to build one for each value that is fine would be most of a decoder's garbage.
func (a *Attribute) under(path, sep string) string {
	n := len(path)
	if len(a.full) == n+len(sep)+len(a.Name) && a.full[:n] == path && a.full[n:n+len(sep)] == sep {
		return a.full
	}
	return path + sep + a.Name
}

// setPaths notes the paths of a schema's attributes; prefix is that of an extension's.
func setPaths(list []*Attribute, prefix string) {
	for _, a := range list {
		if a.full == "" {
			a.full = prefix + a.Name
			setPaths(a.Sub, a.full+".")
		}
	}
}

// Lookup returns the sub-attribute called name, ignoring case; nil if there is none.
func (a *Attribute) Lookup(name string) *Attribute { return lookup(a.Sub, name) }

// Readable reports whether an answer may ever carry the attribute.
func (a *Attribute) Readable() bool { return a.Returned != ReturnedNever }

// lookup is a linear search: the lists are short, and comparing lengths first beats hashing a folded name.
func lookup(list []*Attribute, name string) *Attribute {
	for _, a := range list {
		if len(a.Name) == len(name) && strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// Schema is a named list of attributes (RFC 7643 7).
type Schema struct {
	URN         string
	Name        string
	Description string
	Attributes  []*Attribute
}

// Lookup returns the attribute called name, ignoring case; nil if there is none.
func (s *Schema) Lookup(name string) *Attribute { return lookup(s.Attributes, name) }

// Extension is a schema that a resource type adds to its core schema.
type Extension struct {
	*Schema
	Required bool
}
