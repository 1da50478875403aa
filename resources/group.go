package resources

import (
	"rollcall/scim/compat"
	"rollcall/scim/schema"
)

// Group is the resource type of groups (RFC 7643 4.2). A group may be a member of any group, itself included:
// refusing the short cycle while long ones arise anyway, by concurrent changes, would protect nobody. Whoever
// follows memberships visits each group once.
func Group() *Definition {
	return &Definition{
		ResourceType: &schema.ResourceType{
			Name:        "Group",
			Endpoint:    "/Groups",
			Description: "Group",
			Schema:      schema.CoreGroup(),
			Indexed:     []string{"displayName", "externalId", "meta.lastModified"},
			Members:     "members",
		},
		Unique: []UniqueRule{{Rule: compat.UniqueGroupName, Path: "displayName"}},
	}
}
