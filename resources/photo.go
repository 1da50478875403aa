package resources

// TypePhoto is the type of pictures that people uploaded, one for each user.
const TypePhoto = "Photo"

// Photo is the type of pictures that people uploaded. The picture itself is a sealed secret.
func Photo() *Definition {
	return internalType(TypePhoto, identifier("user", "Id of the user."))
}
