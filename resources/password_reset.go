package resources

// TypePasswordReset is the type of open password resets, one for each user.
const TypePasswordReset = "PasswordReset"

// PasswordReset is the type of open password resets.
func PasswordReset() *Definition {
	return internalType(TypePasswordReset, instant("until", "When the record says nothing any more."))
}
