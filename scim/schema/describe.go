package schema

import (
	"rollcall/scim"
	"rollcall/scim/query"
)

// Describe returns the Schema resource (RFC 7643 7) without meta: what is published is what is enforced.
func (s *Schema) Describe() scim.Object {
	attrs := make([]any, len(s.Attributes))
	for i, a := range s.Attributes {
		attrs[i] = a.describe()
	}
	return scim.Object{
		{Name: "schemas", Value: []string{scim.SchemaSchema}},
		{Name: "id", Value: s.URN},
		{Name: "name", Value: s.Name},
		{Name: "description", Value: s.Description},
		{Name: "attributes", Value: attrs},
	}
}

// describe writes every characteristic that applies to the attribute's type, and only those (RFC 7643 7; erratum
// 6004: complex attributes have neither caseExact nor uniqueness). No nulls, which Entra does not read.
func (a *Attribute) describe() scim.Object {
	o := scim.Object{
		{Name: "name", Value: a.Name},
		{Name: "type", Value: kindNames[a.Kind]},
	}
	if a.Kind == query.Complex {
		subs := make([]any, len(a.Sub))
		for i, s := range a.Sub {
			subs[i] = s.describe()
		}
		o = append(o, scim.Field{Name: "subAttributes", Value: subs})
	}
	o = append(o,
		scim.Field{Name: "multiValued", Value: a.Multi},
		scim.Field{Name: "description", Value: a.Description},
		scim.Field{Name: "required", Value: a.Required},
	)
	if len(a.CanonicalValues) > 0 {
		o = append(o, scim.Field{Name: "canonicalValues", Value: a.CanonicalValues})
	}
	if a.Kind != query.Complex && a.Kind != query.Boolean {
		o = append(o, scim.Field{Name: "caseExact", Value: a.CaseExact})
	}
	o = append(o,
		scim.Field{Name: "mutability", Value: a.Mutability.String()},
		scim.Field{Name: "returned", Value: a.Returned.String()},
	)
	if a.Kind != query.Complex && a.Kind != query.Boolean {
		o = append(o, scim.Field{Name: "uniqueness", Value: a.Uniqueness.String()})
	}
	if a.Kind == query.Reference {
		o = append(o, scim.Field{Name: "referenceTypes", Value: a.ReferenceTypes})
	}
	return o
}

// Describe returns the ResourceType resource (RFC 7643 6) without meta.
func (t *ResourceType) Describe() scim.Object {
	exts := make([]any, len(t.Extensions))
	for i, e := range t.Extensions {
		exts[i] = scim.Object{{Name: "schema", Value: e.URN}, {Name: "required", Value: e.Required}}
	}
	return scim.Object{
		{Name: "schemas", Value: []string{scim.SchemaResourceType}},
		{Name: "id", Value: string(t.Name)},
		{Name: "name", Value: string(t.Name)},
		{Name: "endpoint", Value: t.Endpoint},
		{Name: "description", Value: t.Description},
		{Name: "schema", Value: t.Schema.URN},
		{Name: "schemaExtensions", Value: exts},
	}
}
