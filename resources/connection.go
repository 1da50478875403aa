package resources

// TypeConnection is the type of what administrators have decided about provisioning clients.
const TypeConnection = "Connection"

// Connection is the type of what administrators have decided about a provisioning client, which is one token or, when it
// was rotated, several. A client about which nobody has decided anything has no record.
func Connection() *Definition { return internalType(TypeConnection) }
