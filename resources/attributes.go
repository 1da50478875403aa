package resources

import (
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// trait sets a characteristic of an attribute that is not the default of RFC 7643 2.2.
type trait func(*schema.Attribute)

func attribute(name, description string, kind query.Kind, traits []trait) *schema.Attribute {
	a := &schema.Attribute{Name: name, Description: description, Kind: kind}
	for _, set := range traits {
		set(a)
	}
	return a
}

func text(name, description string, traits ...trait) *schema.Attribute {
	return attribute(name, description, query.String, traits)
}

func boolean(name, description string, traits ...trait) *schema.Attribute {
	return attribute(name, description, query.Boolean, traits)
}

func integer(name, description string, traits ...trait) *schema.Attribute {
	return attribute(name, description, query.Integer, traits)
}

func instant(name, description string, traits ...trait) *schema.Attribute {
	return attribute(name, description, query.DateTime, traits)
}

// identifier is a string that compares exactly: the id of a resource (RFC 7643 3.1) or of something outside.
func identifier(name, description string, traits ...trait) *schema.Attribute {
	return text(name, description, append(traits, exact)...)
}

// reference is the URI of a resource of one of the types. URIs compare exactly (RFC 7643 2.3.7).
func reference(name, description string, types []string, traits ...trait) *schema.Attribute {
	a := attribute(name, description, query.Reference, append(traits, exact))
	a.ReferenceTypes = types
	return a
}

// group is a complex attribute with the sub-attributes. Those of a readOnly one are readOnly themselves, so that
// /Schemas says for each what a write of it is answered with.
func group(name, description string, subs []*schema.Attribute, traits ...trait) *schema.Attribute {
	a := attribute(name, description, query.Complex, traits)
	a.Sub = subs
	for _, s := range subs {
		if a.Mutability == schema.ReadOnly {
			s.Mutability = schema.ReadOnly
		}
	}
	return a
}

func multi(a *schema.Attribute)     { a.Multi = true }
func required(a *schema.Attribute)  { a.Required = true }
func exact(a *schema.Attribute)     { a.CaseExact = true }
func unique(a *schema.Attribute)    { a.Uniqueness = schema.UniqueServer }
func readOnly(a *schema.Attribute)  { a.Mutability = schema.ReadOnly }
func immutable(a *schema.Attribute) { a.Mutability = schema.Immutable }
func always(a *schema.Attribute)    { a.Returned = schema.ReturnedAlways }
func computed(a *schema.Attribute)  { a.Mutability, a.Computed = schema.ReadOnly, true }
func onRequest(a *schema.Attribute) { a.Returned = schema.ReturnedRequest }

func canonical(values ...string) trait {
	return func(a *schema.Attribute) { a.CanonicalValues = values }
}

// subs is a list of sub-attributes.
func subs(list ...*schema.Attribute) []*schema.Attribute { return list }

// link are the sub-attributes by which one resource names another: the id or key, its URI, its name for people.
func link(value *schema.Attribute, types ...string) []*schema.Attribute {
	return []*schema.Attribute{
		value,
		reference("$ref", "URI of the resource.", types),
		text("display", "Name of the resource, for people."),
	}
}

// personName are the sub-attributes of a person's name, as in the User schema (RFC 7643 4.1.1).
func personName() []*schema.Attribute {
	return subs(
		text("formatted", "The full name, formatted for display."),
		text("givenName", "The given name, or first name."),
		text("familyName", "The family name, or last name."),
	)
}
