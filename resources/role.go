package resources

import (
	"maps"

	"rollcall/scim"
	"rollcall/scim/schema"
)

// Role is the resource type of the roles that users can have, in the shape of draft-ietf-scim-roles-entitlements:
// clients learn from it which values `roles` of a user takes. In the draft `value` is readOnly because the provider
// makes the roles; here those who may write them make them too, so it is immutable.
func Role() *Definition {
	return &Definition{
		ResourceType: &schema.ResourceType{
			Name:        "Role",
			Endpoint:    "/Roles",
			Description: "Role that users can have",
			Access:      schema.AccessCatalog,
			Schema: &schema.Schema{
				URN: scim.SchemaRole, Name: "Role", Description: "Role that users can have",
				Attributes: assignable("role", "Role"),
			},
			Extensions: []schema.Extension{{Schema: roleExtension()}},
			Indexed:    []string{"display", "externalId", "meta.lastModified"},
		},
		Default: roleDefaults,
		Label:   catalogueLabel,
	}
}

// roleDefaults makes a new role one that can be given, of the rank of a member.
func roleDefaults(doc *schema.Document) {
	giveDefault(doc.Attrs, "type", "org")
	giveDefault(doc.Attrs, "supported", true)
	own := scim.Attributes{}
	if given, ok := doc.Attrs[scim.SchemaRollcallRole].(scim.Attributes); ok {
		own = maps.Clone(given)
	}
	giveDefault(own, "rank", int64(defaultRank))
	doc.Attrs[scim.SchemaRollcallRole] = own
}

// defaultRank is that of the built-in role member.
const defaultRank = 40

func giveDefault(doc scim.Attributes, name string, v any) {
	if _, given := doc[name]; !given {
		doc[name] = v
	}
}

// assignable are the attributes of the draft, for roles and entitlements alike. noun is what people call one.
func assignable(noun, typ string) []*schema.Attribute {
	return []*schema.Attribute{
		text("value", "The key of the "+noun+", as the attribute of a user has it.", required, immutable, always, unique),
		text("display", "Name of the "+noun+", for people."),
		text("type", "What kind of "+noun+" it is.", immutable),
		boolean("supported", "Whether the "+noun+" can be given to users."),
		boolean("limitedAssignmentsPermitted", "Whether only so many users can have the "+noun+".", computed),
		integer("totalAssignmentsPermitted", "How many users can have the "+noun+".", computed),
		integer("totalAssignmentsUsed", "How many users have the "+noun+".", computed),
		reference("contains", "What the "+noun+" contains.", []string{typ}, multi, computed),
		reference("containedBy", "What contains the "+noun+".", []string{typ}, multi, computed),
	}
}

func roleExtension() *schema.Schema {
	return &schema.Schema{
		URN: scim.SchemaRollcallRole, Name: "Rollcall Role", Description: "Rollcall's attributes of a role",
		Attributes: []*schema.Attribute{
			integer("rank", "How high the role is: people give roles up to their own rank, and edit people below it."),
			text("permissions", "What the role lets people do; a trailing '*' stands for all that begins so.", multi, exact),
			text("suppresses", "Permissions that people lose by the role, whatever else gives them.", multi, exact),
			text("modulesDefault", "Keys of the modules that come with the role.", multi),
			text("assignableBy", "Keys of the roles whose holders may give the role; without any, the rank alone decides.", multi),
			integer("maxAssignments", "How many users can have the role; without it, any number."),
			boolean("orgAdmin", "Whether the role makes the account an administrator's."),
			boolean("system", "Whether the role is built in and cannot be deleted.", readOnly),
			text("description", "What the role is for."),
			reference("helpUrl", "Page that explains the role.", []string{"external"}),
		},
	}
}

// catalogueLabel is the name that people know an entry of a catalogue by.
func catalogueLabel(doc scim.Attributes) string {
	if s, _ := doc["display"].(string); s != "" {
		return s
	}
	s, _ := doc["value"].(string)
	return s
}
