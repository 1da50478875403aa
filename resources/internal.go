package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// internalType defines records that the server keeps for itself: the attributes are those that it searches by. The
// documents may hold more.
func internalType(name scim.TypeName, attributes ...*schema.Attribute) *Definition {
	t := &schema.ResourceType{
		Name: name, Internal: true,
		Schema: &schema.Schema{URN: "urn:rollcall:internal:" + string(name), Name: string(name), Attributes: attributes},
	}
	for _, a := range attributes {
		if a.Uniqueness == schema.UniqueNone {
			t.Indexed = append(t.Indexed, a.Name)
		}
	}
	return &Definition{ResourceType: t}
}
