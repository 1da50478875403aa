package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// rollcallExtension is what Rollcall knows of a person beside the standard schemas. Its attributes are plain strings
// because Entra writes nothing else into custom extensions.
func rollcallExtension() *schema.Schema {
	return &schema.Schema{
		URN:         scim.SchemaRollcallUser,
		Name:        "Rollcall User",
		Description: "Rollcall's attributes of a user",
		Attributes: []*schema.Attribute{{
			Name:        "occupation",
			Description: "What the person does in the organization, such as 'Nurse' or 'Line manager'.",
		}},
	}
}
