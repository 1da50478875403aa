package resources

// The types of what an organization has once.
const (
	TypeSettings = "Settings" // its decisions, plan and status
	TypeEpoch    = "Epoch"    // counts the steps whose rules look at many records
)

// Settings is the type of an organization's settings.
func Settings() *Definition { return internalType(TypeSettings) }

// Epoch is the type of the counters that guard rules about many records.
func Epoch() *Definition { return internalType(TypeEpoch) }
