package schema

import (
	model "github.com/elimity-com/scim/schema"

	"rollcall/scim/query"
)

// CoreUser returns the core User schema (RFC 7643 4.1) with the verified errata applied.
func CoreUser() *Schema {
	s := fromModel(model.CoreUserSchema())
	// Erratum 8471: groups.$ref names groups only. The id of a resource is case exact (RFC 7643 3.1), so is
	// whatever holds one.
	groups := s.Lookup("groups")
	groups.Lookup("$ref").ReferenceTypes = []string{"Group"}
	groups.Lookup("value").CaseExact = true
	return s
}

// CoreGroup returns the core Group schema (RFC 7643 4.2) with the verified errata applied.
func CoreGroup() *Schema {
	s := fromModel(model.CoreGroupSchema())
	members := s.Lookup("members")
	members.Lookup("value").CaseExact = true
	members.Lookup("value").Required = true // an element without a value would name nobody
	// Erratum 6011: members.display exists; the server derives it from the member.
	members.Lookup("display").Mutability = ReadOnly
	return s
}

// EnterpriseUser returns the enterprise extension (RFC 7643 4.3) with erratum 8472: manager.value is case exact.
func EnterpriseUser() *Schema {
	s := fromModel(model.ExtensionEnterpriseUser())
	s.Lookup("manager").Lookup("value").CaseExact = true
	return s
}

// commonAttributes are on every resource and in no schema's list (RFC 7643 3.1).
func commonAttributes() *Schema {
	s := &Schema{Name: "common"}
	for _, a := range model.CommonAttributes() {
		s.Attributes = append(s.Attributes, fromCore(a))
	}
	// URNs compare ignoring case (RFC 7644 3.10); schemas stays on every answer because clients need it.
	schemas := s.Lookup("schemas")
	schemas.CaseExact = false
	schemas.Returned = ReturnedAlways
	return s
}

func fromModel(m model.Schema) *Schema {
	s := &Schema{URN: m.ID, Name: m.Name.Value(), Description: m.Description.Value()}
	for _, a := range m.Attributes {
		s.Attributes = append(s.Attributes, fromCore(a))
	}
	return s
}

func fromCore(m model.CoreAttribute) *Attribute {
	a := &Attribute{
		Name:            m.Name(),
		Description:     m.Description(),
		Kind:            keyword[query.Kind](kindNames[:], m.AttributeType()),
		Multi:           m.MultiValued(),
		Required:        m.Required(),
		CaseExact:       m.CaseExact(),
		Mutability:      keyword[Mutability](mutabilityNames[:], m.Mutability()),
		Returned:        keyword[Returned](returnedNames[:], m.Returned()),
		Uniqueness:      keyword[Uniqueness](uniquenessNames[:], m.Uniqueness()),
		CanonicalValues: m.CanonicalValues(),
	}
	for _, t := range m.ReferenceTypes() {
		a.ReferenceTypes = append(a.ReferenceTypes, string(t))
	}
	for _, sub := range m.SubAttributes() {
		a.Sub = append(a.Sub, fromCore(sub))
	}
	return a
}

// keyword finds a keyword of the model in ours; the model knows no others.
func keyword[T ~uint8](names []string, name string) T {
	for i, n := range names {
		if n == name {
			return T(i)
		}
	}
	return 0
}
