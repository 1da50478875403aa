package resources

// TypeConflict is the type of what a provisioning client may not do before an administrator has decided.
const TypeConflict = "Conflict"

// Conflict is the type of what a provisioning client may not do before an administrator has decided.
func Conflict() *Definition {
	return internalType(TypeConflict,
		identifier("status", "open, or what was decided."),
		instant("openedAt", "When the client tried it first."),
		identifier("userId", "Id of the user that it is about."),
	)
}

// TypeConnection is the type of what administrators have decided about provisioning clients.
const TypeConnection = "Connection"

// Connection is the type of what administrators have decided about a provisioning client, which is one token or, when it
// was rotated, several. A client about which nobody has decided anything has no record.
func Connection() *Definition { return internalType(TypeConnection) }
