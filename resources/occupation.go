package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// Occupation is the resource type of what people do in the organization.
func Occupation() *Definition {
	return &Definition{
		ResourceType: &schema.ResourceType{
			Name:        "Occupation",
			Endpoint:    "/Occupations",
			Description: "What people do in the organization",
			Access:      schema.AccessNamed,
			Schema: &schema.Schema{
				URN: scim.SchemaOccupation, Name: "Occupation", Description: "What people do in the organization",
				Attributes: []*schema.Attribute{
					text("value", "The key of the occupation, as the attribute of a user has it.", required, immutable, always, unique),
					text("display", "Name of the occupation, for people."),
					text("aliases", "Other spellings that mean the occupation; no two occupations share one.", multi),
					text("permissions", "What the occupation lets people do; a trailing '*' stands for all that begins so.", multi, exact),
					text("visibility", "The kinds of records and the fields of the directory that people of the occupation see.", multi, exact),
					text("modulesDefault", "Keys of the modules that come with the occupation.", multi),
					boolean("selfAssignable", "Whether people may choose the occupation themselves."),
					boolean("approvalNeeded", "Whether an administrator must approve that choice if it adds permissions."),
					boolean("active", "Whether the occupation can be given; one that is retired keeps its people."),
					integer("order", "Place in lists, lowest first."),
					text("description", "What the occupation is about."),
					reference("helpUrl", "Page that explains the occupation.", []string{"external"}),
					integer("userCount", "How many users have the occupation.", computed, onRequest),
				},
			},
			Indexed: []string{"display", "order", "externalId", "meta.lastModified"},
		},
		Label: catalogueLabel,
	}
}
