package storage

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
)

// Exporter is a Store that can be read out whole, page by page in an order of its own; what else moves is read by the
// methods that every store has. It is meant for a store that nobody writes to meanwhile.
type Exporter interface {
	// Secrets returns all keys of the database (see Store.Secret) by name.
	Secrets(ctx context.Context) (map[string][]byte, error)
	// ExportOrganizations returns every organization that the store has records, memberships or changes of, in no order:
	// those that ListOrganizations names and those that it does not, such as scim.SystemOrg. Some may have nothing.
	ExportOrganizations(ctx context.Context) ([]scim.OrgID, error)
	// ExportCounts returns how much there is of an organization.
	ExportCounts(ctx context.Context, org scim.OrgID) (ExportCounts, error)
	// ExportRecords returns up to limit records of a type that come after the one with the id given, the first ones
	// after "".
	ExportRecords(ctx context.Context, org scim.OrgID, t scim.TypeName, after string, limit int) ([]ExportedRecord, error)
	// ExportLinks returns up to limit memberships that come after the one given, the first ones after nil.
	ExportLinks(ctx context.Context, org scim.OrgID, after *Link, limit int) ([]Link, error)
}

// Importer is a Store that can take in what an Exporter gives out, so that nobody can tell the two stores apart
// afterwards [conformance: CopyKeepsEverything]. Each call is all or nothing, and repeating one that was done changes
// nothing: a copy that was interrupted is repeated from its beginning [CopyGoesOn]. Nothing is ever replaced: what is
// there already and differs is ErrExists, or *UniqueError for a unique key of another record [CopyReplacesNothing].
type Importer interface {
	// BeginImport marks the store: until EndImport it opens for imports only. It returns ErrExists if the store has an
	// organization and no mark.
	BeginImport(ctx context.Context) error
	// ImportSecret stores a key of the database.
	ImportSecret(ctx context.Context, name string, value []byte) error
	// ImportRecords stores records of one organization with all that Export says of them, and no change rows.
	ImportRecords(ctx context.Context, org scim.OrgID, list []ExportedRecord) error
	// ImportLinks stores memberships. It MUST come after all records of the organization: what has no record then is
	// a pending member.
	ImportLinks(ctx context.Context, org scim.OrgID, list []Link) error
	// ImportChanges stores changes, in ascending order, with their positions: a follower goes on with the position
	// that the other store gave it, and changes from now on come behind [CopyKeepsPositions].
	ImportChanges(ctx context.Context, org scim.OrgID, list []Change) error
	// EndImport takes the mark away.
	EndImport(ctx context.Context) error
}

// ExportedRecord is all of a record but its memberships.
type ExportedRecord struct {
	Record                   // with Secret
	Unique []query.UniqueKey // in no order
	Label  string
}

// Link is one membership, real or pending.
type Link struct {
	Group  string // id
	Member string // id
}

// ExportCounts says how much an organization has.
type ExportCounts struct{ Records, Links, Changes int64 }
