package resources

// The types of what the server does bit by bit.
const (
	TypeJob       = "Job"       // something that is done to many, with what became of it
	TypeJobPart   = "JobPart"   // some of what a job is about
	TypeJobTicket = "JobTicket" // in scim.SystemOrg: a job that is to be worked on
)

// Job is the type of jobs.
func Job() *Definition {
	return internalType(TypeJob,
		identifier("kind", "What is done."),
		identifier("state", "How far it is."),
		identifier("owner", "Id of who started it: a user or a token."),
		instant("until", "When it is thrown away."),
	)
}

// JobPart is the type of the parts of jobs. What they are about and what became of it is no attribute: it is sealed.
func JobPart() *Definition { return internalType(TypeJobPart) }

// JobTicket is the type of what tells workers about jobs of all organizations.
func JobTicket() *Definition { return internalType(TypeJobTicket) }
