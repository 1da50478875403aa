package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// Invite is the resource type of invitations to join the organization. The link's token is no attribute: the
// companion API shows it once. An address has at most one open invite, which is not uniqueness of the attribute:
// invites that ended keep theirs.
func Invite() *Definition {
	return &Definition{ResourceType: &schema.ResourceType{
		Name:        "Invite",
		Endpoint:    "/Invites",
		Description: "Invitation to join the organization",
		Access:      schema.AccessNamed,
		Schema: &schema.Schema{
			URN: scim.SchemaInvite, Name: "Invite", Description: "Invitation to join the organization",
			Attributes: append(inviteContent(), inviteState()...),
		},
		Indexed: []string{
			"email", "status", "expiresAt", "meta.created", "meta.lastModified", "acceptedUser.value", "inviter.value",
			"externalId", "roles.value", "occupation", "joinRequest", "name.familyName",
		},
	}}
}

// inviteContent is what whoever invites says. All of it but what is immutable can be changed while the invite is
// open.
func inviteContent() []*schema.Attribute {
	return []*schema.Attribute{
		text("email", "The invited address; required unless kind is 'link'.", immutable, always),
		text("kind", "'person' for one address, 'link' for a link that several people may use.", immutable, canonical("person", "link")),
		group("name", "The invited person's name, for the greeting and the first profile.", personName()),
		group("roles", "The roles that are given on acceptance; the organization's default role without any.", append(
			link(text("value", "Key of the role.", required), "Role"),
			boolean("primary", "Whether this is the main role."),
		), multi),
		text("occupation", "The occupation that is given on acceptance."),
		group("entitlements", "The modules and sub-accounts that are given on acceptance.", entitlementSubs(), multi),
		group("groups", "The groups that are joined on acceptance.", link(identifier("value", "Id of the group.", required), "Group"), multi),
		group("clients", "The clients that are assigned on acceptance.", link(identifier("value", "Id of the client.", required), "external"), multi, onRequest),
		group("profile", "What the profile of the new user is filled with; the invited person may change it.", subs(
			text("title", "The job title."),
			text("phoneNumber", "The phone number at work."),
			text("locale", "The person's locale, such as 'en-US'."),
			text("timezone", "The person's time zone, such as 'Europe/Berlin'."),
		)),
		instant("membershipExpiresAt", "When the membership that the invite leads to ends by itself."),
		text("message", "A personal message of at most 1000 characters, shown as plain text."),
		text("locale", "The language of the mail, such as 'en'."),
		text("delivery", "How the link reaches the invited person.", immutable, canonical("email", "link", "none")),
		instant("expiresAt", "Until when the invite can be accepted."),
		integer("maxUses", "How many people may use an invite of kind 'link'.", immutable),
	}
}

// inviteState is what became of the invite. Actions of the companion API change it.
func inviteState() []*schema.Attribute {
	return []*schema.Attribute{
		text("status", "What became of the invite.", readOnly, always,
			canonical("pending", "accepted", "declined", "revoked", "expired", "failed")),
		instant("sentAt", "When the invite was sent first.", readOnly),
		instant("lastSentAt", "When the invite was sent last.", readOnly),
		integer("sendCount", "How many times the invite was sent.", readOnly),
		instant("acceptedAt", "When the invite was accepted.", readOnly),
		instant("declinedAt", "When the invite was declined.", readOnly),
		instant("revokedAt", "When the invite was revoked.", readOnly),
		integer("uses", "How many people have used an invite of kind 'link'.", readOnly),
		group("mail", "What became of the last mail.", subs(
			text("state", "Where the mail is.", canonical("queued", "sending", "sent", "delivered", "deferred", "bouncedHard",
				"bouncedSoft", "complained", "autoReplied", "suppressed", "failed")),
			text("code", "The status code of the receiving mail server."),
			text("detail", "What the receiving mail server said."),
			instant("at", "When the state last changed."),
			boolean("autoReplied", "Whether an automatic reply came back."),
			text("suggestion", "The address that was probably meant."),
		), readOnly),
		group("inviter", "Who invited.", append(
			link(identifier("value", "Id of the user, client or application."), "User"),
			text("type", "What the inviter is.", canonical("user", "connection", "app", "operator")),
		), readOnly),
		group("acceptedUser", "The user that the invite led to.", link(identifier("value", "Id of the user."), "User"), readOnly),
		reference("joinRequest", "The join request that the invite answers.", []string{"JoinRequest"}, readOnly),
		reference("supersedes", "The invite that this one replaces.", []string{"Invite"}, readOnly),
		reference("supersededBy", "The invite that replaces this one.", []string{"Invite"}, readOnly),
		boolean("seatHeld", "Whether the invite holds a seat of the plan.", readOnly),
		text("reason", "Why the invite was revoked or failed.", readOnly),
	}
}

// entitlementSubs are the sub-attributes of an entitlement that is to be given.
func entitlementSubs() []*schema.Attribute {
	return append(
		link(text("value", "Key of the module or sub-account.", required), "Entitlement"),
		text("type", "What kind of entitlement it is.", canonical("module", "subAccount")),
	)
}
