package resources

import (
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
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
			Indexed: []string{"display", "order", "aliases", "externalId", "meta.lastModified"},
		},
		Default: func(doc *schema.Document) { giveDefault(doc.Attrs, "active", true) },
		Label:   catalogueLabel,
		Keys:    spellings,
	}
}

// spellings are the unique keys of an occupation: its key and each alias mean it and no other.
func spellings(doc scim.Attributes) []query.UniqueKey {
	list := []any{doc["value"]}
	aliases, _ := doc["aliases"].([]any)
	var keys []query.UniqueKey
	for _, v := range append(list, aliases...) {
		s, _ := v.(string)
		k := query.UniqueKey{Attr: "aliases", Value: query.Fold(s)}
		if s != "" && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}
