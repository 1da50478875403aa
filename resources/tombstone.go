package resources

import (
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// TypeTombstone is the type of what is kept of people who were removed.
const TypeTombstone = "Tombstone"

// Tombstone is the type of what is kept of people who were removed: enough to find it when the same person is provisioned
// or invited again, by digests, and the rest sealed.
func Tombstone() *Definition {
	return internalType(TypeTombstone,
		identifier("user", "Id that the person had."),
		identifier("emails", "Digests of the person's addresses.", multi),
		identifier("externalId", "Digest of the id that the managing client knew the person by."),
		instant("purgeAt", "When the profile is destroyed."),
		&schema.Attribute{Name: "removedAt", Description: "When the person was removed.", Kind: query.DateTime},
	)
}
