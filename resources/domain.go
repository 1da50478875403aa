package resources

// TypeDomain is the type of the domains that organizations have proved, or are about to.
const TypeDomain = "Domain"

// Domain is the type of domains. In an organization it holds the proof and what follows from it; in scim.SystemOrg which
// organization a domain belongs to.
func Domain() *Definition {
	return internalType(TypeDomain,
		identifier("domain", "The domain, in lower case and A-labels."),
		instant("recheckAt", "When the proof is looked at again."),
		boolean("contested", "Whether another organization has proved the domain, too."),
	)
}
