package resources

// The types of what mail needs.
const (
	TypeMail         = "Mail"         // one message, waiting or sent
	TypeMailTemplate = "MailTemplate" // an organization's own text of a message
	TypeMailRoute    = "MailRoute"    // which organization a message is of, for what comes back
	TypeMailAddress  = "MailAddress"  // how bad an address is to send to, by a keyed hash, for all organizations
	TypeLimit        = "Limit"        // how much of something was used lately
)

// Mail is the type of messages. What they say is no attribute: it is sealed.
func Mail() *Definition {
	return internalType(TypeMail,
		instant("due", "When the next attempt is due, or the lease of the present one ends; absent when nothing is to be done."),
		instant("doneAt", "When nothing remained to be done."),
		identifier("state", "Where the message is."),
		identifier("about", "Id of the resource that the message is about."),
	)
}

// MailTemplate is the type of an organization's own messages.
func MailTemplate() *Definition { return internalType(TypeMailTemplate) }

// MailRoute is the type of the ways from a message to its organization.
func MailRoute() *Definition { return internalType(TypeMailRoute) }

// MailAddress is the type of what is known of addresses.
func MailAddress() *Definition { return internalType(TypeMailAddress) }

// Limit is the type of what was used of limits.
func Limit() *Definition {
	return internalType(TypeLimit, instant("until", "When the record says nothing any more."))
}
