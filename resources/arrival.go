package resources

// The types of what lets people in.
const (
	TypeLogin = "Login" // a person at an identity provider, and who that is here
	TypeProof = "Proof" // a code that was mailed to an address, and what it is for
)

// Login is the type of the logins of people. In an organization it names the user that the login leads to; in
// scim.SystemOrg the organizations.
func Login() *Definition {
	return internalType(TypeLogin, identifier("user", "Id of the user."))
}

// Proof is the type of mailed codes.
func Proof() *Definition {
	return internalType(TypeProof, instant("until", "Until when the code works."))
}
