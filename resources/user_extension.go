package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// userExtension is what Rollcall knows of a person beside the standard schemas. What an identity provider is meant
// to write are plain strings, because Entra writes nothing else into custom extensions.
func userExtension() *schema.Schema {
	return &schema.Schema{
		URN: scim.SchemaRollcallUser, Name: "Rollcall User", Description: "Rollcall's attributes of a user",
		Attributes: []*schema.Attribute{
			text("occupation", "What the person does in the organization, such as 'Nurse' or 'Line manager': the key, the name or an alias of an Occupation."),
			text("accountType", "'admin' if one of the person's roles administers the organization, else 'affiliate'.",
				computed, onRequest, canonical("admin", "affiliate")),
			text("status", "Whether the person may sign in; 'active' of the User schema is what changes it.",
				computed, onRequest, canonical("active", "deactivated", "pendingConsent")),
			group("deactivation", "Why and until when the person is deactivated.", subs(
				instant("at", "When the person was deactivated.", readOnly),
				identifier("by", "Id of the user or client that deactivated the person.", readOnly),
				text("display", "Name of who deactivated the person.", readOnly),
				text("reason", "Why the person was deactivated.", canonical("leave", "terminated", "idp", "guard", "expired", "other")),
				instant("until", "When the person is activated again by itself."),
				text("note", "A note for administrators."),
			)),
			text("origin", "How the person came into the organization.",
				readOnly, canonical("scim", "invite", "joinRequest", "domain", "admin", "import")),
			group("managedBy", "The provisioning client that manages the person; absent if none does.", subs(
				identifier("value", "Id of the client."),
				text("display", "Name of the client."),
				text("policy", "Who may edit what the client has written.", canonical("strict", "claimed", "shared")),
			), readOnly),
			group("effectiveModules", "The modules that the person can open, computed from roles, occupation, groups and entitlements.", subs(
				text("value", "Key of the module."),
				text("display", "Name of the module."),
				text("level", "What the person may do there.", canonical("read", "write")),
				text("via", "What gives it.", canonical("role", "occupation", "direct", "group")),
			), multi, computed, onRequest),
			text("effectivePermissions", "The permissions that the person has, computed from roles, occupation, groups and entitlements.",
				multi, computed, onRequest, exact),
			group("subAccounts", "The sub-accounts that the person belongs to.", append(
				link(text("value", "Key of the sub-account."), "Entitlement"),
				text("via", "What gives it.", canonical("role", "occupation", "direct", "group")),
			), multi, computed, onRequest),
			group("clients", "The clients that are assigned to the person, as external customers that they look after.", append(
				link(identifier("value", "Id of the client."), "external"),
				text("relation", "What the person is to the client, such as 'owner'."),
			), multi, computed, onRequest),
			integer("clientCount", "How many clients are assigned to the person.", computed, onRequest),
			instant("expiresAt", "When the membership ends by itself."),
			boolean("emailVerified", "Whether the person has proved to receive mail at the primary address.", readOnly),
			instant("lastSignInAt", "When the person last signed in, as applications report it.", readOnly),
			instant("lastSeenByIdpAt", "When the managing client last read or wrote the person.", computed, onRequest),
			integer("profileCompleteness", "How much of the profile is filled in, in percent.", computed, onRequest),
		},
	}
}

// userExtensionSparse are the paths of the extension that lists are searched by. Many organizations use none of them,
// and their writes shall not pay for it.
func userExtensionSparse() []string {
	return under(scim.SchemaRollcallUser,
		"occupation", "origin", "managedBy.value", "expiresAt", "deactivation.until")
}

// userExtensionKept are attributes that administrators write: an identity provider, which replaces a person by what
// it knows, does not mean to take them away.
func userExtensionKept() []string { return under(scim.SchemaRollcallUser, "deactivation", "expiresAt") }

// under are the paths of attributes of an extension.
func under(urn string, names ...string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = urn + ":" + n
	}
	return list
}
