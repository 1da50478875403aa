package resources

import (
	"rollcall/scim"
	"rollcall/scim/schema"
)

// JoinRequest is the resource type of requests by people to be let into the organization. An address has at most
// one open request, which is not uniqueness of the attribute: requests that ended keep theirs.
func JoinRequest() *Definition {
	return &Definition{ResourceType: &schema.ResourceType{
		Name:        "JoinRequest",
		Endpoint:    "/JoinRequests",
		Description: "Request of a person to join the organization",
		Access:      schema.AccessNamed,
		Schema: &schema.Schema{
			URN: scim.SchemaJoinRequest, Name: "JoinRequest", Description: "Request of a person to join the organization",
			Attributes: append(joinRequestContent(), joinRequestState()...),
		},
		Indexed: []string{
			"email", "status", "expiresAt", "decidedAt", "verifiedAt", "meta.created", "meta.lastModified", "requester.value", "externalId",
		},
	}}
}

// joinRequestContent is what whoever asks says, once.
func joinRequestContent() []*schema.Attribute {
	return []*schema.Attribute{
		text("email", "The address of the person who asks; proved by a mailed code before anybody sees the request.", required, immutable, always),
		group("name", "The name of the person who asks.", personName(), immutable),
		text("message", "A message of at most 500 characters to whoever decides, shown as plain text.", immutable),
		text("occupationRequested", "The occupation that the person would like to have.", immutable),
		text("roleRequested", "The role that the person would like to have.", immutable),
		group("onBehalfOf", "The person for whom a member asks.", subs(
			text("value", "Address of the person."),
			text("display", "Name of the person."),
		), immutable),
	}
}

// joinRequestState is where the request came from and what became of it. Actions of the companion API change it.
func joinRequestState() []*schema.Attribute {
	return []*schema.Attribute{
		group("requester", "The user who asked, if they had signed in.", append(
			link(identifier("value", "Id of the user."), "User"),
			text("type", "What the requester is.", canonical("user", "app")),
		), readOnly),
		text("source", "Where the request was made.", readOnly, canonical("public", "domain", "appLink", "member")),
		text("status", "What became of the request.", readOnly, always,
			canonical("unverified", "pending", "approved", "declined", "withdrawn", "expired", "superseded")),
		group("decision", "Who decided, when and why.", subs(
			identifier("by", "Id of who decided."),
			text("display", "Name of who decided."),
			instant("at", "When it was decided."),
			text("reasonCode", "Why, in a word for machines."),
			text("note", "Why, in words for people."),
			boolean("visibleToRequester", "Whether the person who asked is told the note."),
		), readOnly),
		group("grant", "What the approval gave.", subs(
			text("roles", "Keys of the roles.", multi),
			text("occupation", "Key of the occupation."),
			text("entitlements", "The modules and sub-accounts, as 'module:key' and 'subAccount:key'.", multi),
			identifier("groups", "Ids of the groups.", multi),
			identifier("clients", "Ids of the clients.", multi),
		), readOnly),
		reference("result", "The user or the invite that the approval led to.", []string{"User", "Invite"}, readOnly),
		instant("expiresAt", "Until when the request can be decided.", readOnly),
		instant("verifiedAt", "When the person proved to receive mail at the address.", readOnly),
		instant("decidedAt", "When the request was decided.", readOnly),
		group("signals", "What helps to decide.", subs(
			boolean("domainMatch", "Whether the address is of a domain of the organization."),
			boolean("priorMember", "Whether the person was a member before."),
			integer("priorDecline", "How many requests of the address were declined."),
			boolean("disposable", "Whether the address is of a provider of throw-away addresses."),
			text("ipCountry", "The country that the request came from, as two letters."),
		), readOnly, onRequest),
	}
}
