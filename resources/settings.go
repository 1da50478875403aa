package resources

// The types of what an organization has once.
const (
	TypeSettings = "Settings" // its decisions, plan and status
	TypeEpoch    = "Epoch"    // counts the steps whose rules look at many records
	// TypeGroupGrant is what the members of a group get. It belongs to one group, but groups are the clients' own.
	TypeGroupGrant = "GroupGrant"
	// TypeChangeRequest is what people ask to have changed of themselves.
	TypeChangeRequest = "ChangeRequest"
)

// Settings is the type of an organization's settings.
func Settings() *Definition { return internalType(TypeSettings) }

// Epoch is the type of the counters that guard rules about many records.
func Epoch() *Definition { return internalType(TypeEpoch) }

// GroupGrant is the type of what the members of a group get.
func GroupGrant() *Definition {
	return internalType(TypeGroupGrant, text("group", "Id of the group.", exact), text("roles", "Keys of the roles.", multi))
}

// ChangeRequest is the type of what people ask to have changed of themselves.
func ChangeRequest() *Definition {
	return internalType(TypeChangeRequest, identifier("user", "Id of the user."), text("status", "pending, approved or declined."))
}
