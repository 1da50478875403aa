package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// The kinds of entitlements.
const (
	EntitlementModule     = "module"     // an entry of the applications' menus
	EntitlementSubAccount = "subAccount" // a part of the organization
)

// Entitlement is the resource type of the modules and sub-accounts that users can be given, in the shape of
// draft-ietf-scim-roles-entitlements: clients learn from it which values `entitlements` of a user takes.
func Entitlement() *Definition {
	return &Definition{
		ResourceType: &schema.ResourceType{
			Name:        "Entitlement",
			Endpoint:    "/Entitlements",
			Description: "Module or sub-account that users can be given",
			Access:      schema.AccessCatalog,
			Schema: &schema.Schema{
				URN: scim.SchemaEntitlement, Name: "Entitlement", Description: "Module or sub-account that users can be given",
				Attributes: assignable("entitlement", "Entitlement"),
			},
			Extensions: []schema.Extension{{Schema: entitlementExtension()}},
			Indexed:    []string{"display", "type", "externalId", "meta.lastModified"},
		},
		Default: func(doc *schema.Document) {
			giveDefault(doc.Attrs, "type", EntitlementModule)
			giveDefault(doc.Attrs, "supported", true)
		},
		Label: catalogueLabel,
	}
}

func entitlementExtension() *schema.Schema {
	return &schema.Schema{
		URN: scim.SchemaRollcallEntitlement, Name: "Rollcall Entitlement", Description: "Rollcall's attributes of an entitlement",
		Attributes: []*schema.Attribute{
			text("menuPath", "Where the module is in the menus.", exact),
			boolean("adminOnly", "Whether only administrators can be given the module."),
			text("feature", "The feature of the plan that the module needs.", exact),
			text("parent", "Key of the sub-account that this one is a part of."),
			text("description", "What the entitlement is for."),
			reference("helpUrl", "Page that explains the entitlement.", []string{"external"}),
		},
	}
}
