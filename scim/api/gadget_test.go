package api_test

import (
	"rollcall/resources"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

const (
	gadgetURN = "urn:example:params:scim:schemas:core:2.0:Gadget"
	lensURN   = "urn:example:params:scim:schemas:extension:lens:2.0:Gadget"
)

// gadget is a made-up resource type with an extension: what the edge does, it does to any type.
func gadget() *resources.Definition {
	return &resources.Definition{ResourceType: &schema.ResourceType{
		Name: "Gadget", Endpoint: "/Gadgets", Description: "Made up",
		Schema: &schema.Schema{URN: gadgetURN, Name: "Gadget", Description: "A thing", Attributes: []*schema.Attribute{
			{Name: "serial", Kind: query.String, Required: true, CaseExact: true, Uniqueness: schema.UniqueServer, Returned: schema.ReturnedAlways},
			{Name: "model", Kind: query.String, Mutability: schema.Immutable},
			{Name: "weight", Kind: query.Decimal},
			{Name: "count", Kind: query.Integer},
			{Name: "bought", Kind: query.DateTime},
			{Name: "notes", Kind: query.String, Returned: schema.ReturnedRequest},
			{Name: "pin", Kind: query.String, Mutability: schema.WriteOnly, Returned: schema.ReturnedNever},
			{Name: "parts", Kind: query.Complex, Multi: true, Sub: []*schema.Attribute{
				{Name: "value", Kind: query.String}, {Name: "type", Kind: query.String}, {Name: "primary", Kind: query.Boolean},
			}},
		}},
		Extensions: []schema.Extension{{Schema: &schema.Schema{URN: lensURN, Name: "Lens", Description: "A lens", Attributes: []*schema.Attribute{
			{Name: "focus", Kind: query.String}, {Name: "coating", Kind: query.String, Returned: schema.ReturnedRequest},
		}}}},
		Indexed: []string{"model"},
	}}
}
