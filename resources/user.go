package resources

import (
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/schema"
)

// User is the resource type of people (RFC 7643 4.1).
func User() *Definition {
	return &Definition{
		ResourceType: &schema.ResourceType{
			Name:        "User",
			Endpoint:    "/Users",
			Description: "User Account",
			Schema:      schema.CoreUser(),
			Extensions:  []schema.Extension{{Schema: enterprise()}, {Schema: userExtension()}},
			Indexed: []string{
				"externalId", "emails.value", "displayName", "active", "meta.lastModified", "name.familyName",
			},
			Sparse: append([]string{"roles.value", "entitlements.value"}, userExtensionSparse()...),
			Groups: "groups",
			Keep:   append([]string{"active"}, userExtensionKept()...),
		},
		Default:   activeByDefault,
		Normalize: unpackRoles,
		Label:     userLabel,
		Revive:    wasDeactivated,
	}
}

// activeByDefault makes a new user active unless the client says otherwise, be it by null.
func activeByDefault(doc *schema.Document) {
	if _, given := doc.Attrs["active"]; !given && !slices.Contains(doc.Null, "active") {
		doc.Attrs["active"] = true
	}
}

// userLabel is the name that people know a user by.
func userLabel(doc scim.Attributes) string {
	if s, _ := doc["displayName"].(string); s != "" {
		return s
	}
	name, _ := doc["name"].(scim.Attributes)
	if s, _ := name["formatted"].(string); s != "" {
		return s
	}
	given, _ := name["givenName"].(string)
	family, _ := name["familyName"].(string)
	if s := strings.TrimSpace(given + " " + family); s != "" {
		return s
	}
	s, _ := doc["userName"].(string)
	return s
}

// wasDeactivated: Okta posts a person who comes back again instead of activating the user that it deactivated.
func wasDeactivated(old, next scim.Attributes) bool {
	return old["active"] == false && next["active"] == true
}

// unpackRoles stores a role that Entra's SingleAppRoleAssignment sends as JSON text in `value`,
// {"id":"06b0","value":"25","displayName":"Role1234"}, as the role that it describes.
func unpackRoles(p compat.Profile, doc scim.Attributes) []compat.Rule {
	roles, _ := doc["roles"].([]any)
	if !p.Has(compat.UnpackRoleJSON) || !slices.ContainsFunc(roles, func(r any) bool { return unpackRole(r) != nil }) {
		return nil
	}
	list := make([]any, len(roles))
	for i, r := range roles {
		list[i] = r
		if u := unpackRole(r); u != nil {
			list[i] = u
		}
	}
	doc["roles"] = schema.Dedupe(list)
	return []compat.Rule{compat.UnpackRoleJSON}
}

// unpackRole returns the role that the JSON text in r's value describes; nil if there is none.
func unpackRole(r any) scim.Attributes {
	role, _ := r.(scim.Attributes)
	text, _ := role["value"].(string)
	if !strings.HasPrefix(text, "{") {
		return nil
	}
	v, err := scim.ParseJSON([]byte(text), 1)
	o, ok := v.(scim.Object)
	if err != nil || !ok {
		return nil
	}
	value, _ := o.Get("value")
	s, _ := value.(string)
	if s == "" {
		return nil
	}
	out := scim.CloneAttributes(role)
	out["value"] = s
	if display, _ := o.Get("displayName"); display != nil {
		if d, ok := display.(string); ok && d != "" {
			out["display"] = d
		}
	}
	return out
}
