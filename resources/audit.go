package resources

// The types of the audit trail, which is the change feed itself.
const (
	TypeSeal    = "AuditSeal" // a stretch of the feed, sealed into a chain of hashes
	TypeRefusal = "Refusal"   // what somebody was not allowed; such a record lives no longer than its own step
)

// Seal is the type of the links of an organization's chain. What is needed to verify a stretch is a secret of the record.
func Seal() *Definition {
	return internalType(TypeSeal, integer("number", "Place in the chain, from 1."))
}

// Refusal is the type of what was refused.
func Refusal() *Definition { return internalType(TypeRefusal) }
