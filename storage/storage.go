package storage

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// Type is what a store needs to know of a resource type: names and indexes, derived from the resource type's
// definition. A store is opened with all types that it will be asked about.
type Type struct {
	Name    scim.TypeName
	Indexes []query.Index
	// Members is the name of the attribute that lists members ("members"), empty if resources of the type have
	// none; Groups that of the derived attribute of a member ("groups"), empty if it has none. In an Expr, fields
	// whose first step is one of these names ask about the relation: members.value, members.type,
	// members.display, groups.value, groups.type ("direct", "indirect"), groups.display.
	Members, Groups string
}

// Current is what an Update or Delete callback may look at.
type Current interface {
	// Record returns the stored record with Secret, without relations.
	Record() *Record
	// HasMembers reports which of ids are members now; it does not load the others.
	HasMembers(ids []string) (map[string]bool, error)
	// Members returns all members, ordered as in Record.Members; a group of 100,000 is loaded whole, so only a
	// caller that must look at each asks for it.
	Members() ([]Member, error)
}

// UpdateFunc computes what to store from the current record. It MUST be pure and may run more than once. A nil
// *Edit means "no change": nothing is written, the version stays. An error is returned as it is; nothing is
// written.
type UpdateFunc func(Current) (*Edit, error)

// DeleteFunc may refuse a deletion by an error; it gives the change row's Actor, Request and Values.
type DeleteFunc func(Current) (Change, error)

// Writer has the writes that a single call or a Step can do. Each is all or nothing, and the change row is part
// of it [conformance: WriteAppendsChange].
type Writer interface {
	// Insert stores a new record with version 1. It MUST return ErrExists if a record of any type in the
	// organization has the id, *UniqueError if a unique key is taken [InsertUnique]; of several concurrent
	// inserts with one key exactly one succeeds [UniqueRace]. Groups that hold the id as a pending member hold
	// it as a member from then on [PendingMemberBecomesReal].
	Insert(ctx context.Context, k Key, at time.Time, e *Edit) (*Record, error)
	// Update MUST call fn with the current record and store its Edit only if no other write came between
	// [UpdateIsAtomic, UpdateRetriesFn]: another record that came under the id of one that was deleted is none that fn has
	// seen [UpdateOfWhatIsGone]. It makes progress under any contention on one record [HotRecord].
	// A nil Edit, or one that changes neither document, secrets nor members, stores nothing and keeps version
	// and Modified [UpdateNoChange]. Member deltas cost what they change, not what the group holds
	// [MemberDelta]. The returned record is the state after the write, with Secret and relations not loaded
	// [UpdateReturnsStored]; changed says whether anything was stored.
	Update(ctx context.Context, k Key, at time.Time, fn UpdateFunc) (rec *Record, changed bool, err error)
	// Delete removes the record, its members, and its id from every group; each such group's version and
	// Modified are bumped with a change row of their own: an OpPatch by the same actor and request that names the
	// member removed [DeleteDropsMemberships]. The unique keys are free again [DeleteFreesUnique].
	Delete(ctx context.Context, k Key, at time.Time, fn DeleteFunc) error
}

// Preparer is a Store that can do the part of an Insert that needs no transaction ahead of the step it belongs to, in
// the caller's goroutine. Using it is never necessary.
type Preparer interface {
	// Prepare makes e ready for an Insert with the same k and at. The edit is the store's from then on, which may
	// let go of what it has taken over; only that Insert, in one Step or several runs of it, may use it.
	Prepare(k Key, at time.Time, e *Edit) error
}

// Memberships is a Store that can read the groups of a resource without the resource. Using it is never necessary.
type Memberships interface {
	// Groups returns what Get with Load.Groups has in Record.Groups; nothing if there is no such resource.
	Groups(ctx context.Context, k Key) ([]Membership, error)
}

// MemberLists is a Store that can read the members of a resource without the resource. Using it is never necessary.
type MemberLists interface {
	// Members returns what Get with Load.Members, and with load's bounds, has in Record.Members; nothing if there is no
	// such resource.
	Members(ctx context.Context, k Key, load query.Load) ([]Member, error)
}

// Checker is a Store that can verify its own database.
type Checker interface {
	// Check reads the whole database, whose store goes on serving, and returns what is wrong with it: by collection or
	// table, and no value of a document.
	Check(ctx context.Context) ([]string, error)
}

// Tx is the handle of one Step. It sees the step's own writes. It MUST not be used after the step returned.
type Tx interface {
	Writer
	// Get is Resources.Get inside the step.
	Get(ctx context.Context, k Key, load query.Load) (*Record, error)
}

// Step is a write of several records that happens whole or not at all. Like an UpdateFunc it may run more than
// once. It MUST use only the Tx it is given.
type Step func(Tx) error

// Resources keeps the resources of all organizations.
type Resources interface {
	Writer
	// Get returns a record or ErrNotFound.
	Get(ctx context.Context, k Key, load query.Load) (*Record, error)
	// Query returns one page. It MUST agree with query.Match on documents with "id", "meta" ("resourceType",
	// "created", "lastModified" in scim.TimeFormat, "version" as scim.ETag) and, where fields ask for them, the
	// relations put in [QueryAgreesWithMatch]; its order with query.SortValue [QueryOrder]. A total is exact.
	Query(ctx context.Context, org scim.OrgID, q query.Query) (Page, error)
	// Within runs one step. [StepIsAtomic]
	Within(ctx context.Context, org scim.OrgID, step Step) error
	// Batch runs steps in order, each atomic on its own; a later one sees what earlier ones wrote. Several may
	// share a commit: when Batch returns, every step whose error is nil is committed. done, if not nil, is
	// called after each step and ends the batch by returning false; a step that did not run gets ErrNotRun.
	// [BatchKeepsResults, BatchStops]
	Batch(ctx context.Context, org scim.OrgID, steps []Step, done func(i int, err error) bool) []error
	// Exists returns the type of each id that is a record of the organization.
	Exists(ctx context.Context, org scim.OrgID, ids []string) (map[string]scim.TypeName, error)
}

// Organization is a tenant.
type Organization struct {
	ID      scim.OrgID // canonical UUID text
	Slug    string     // unique, lower case: for people and command lines
	Name    string
	Created time.Time
}

// Organizations keeps the organizations.
type Organizations interface {
	// InsertOrganization returns ErrExists if id or slug is taken.
	InsertOrganization(ctx context.Context, o Organization) error
	// Organization finds one by id or by slug.
	Organization(ctx context.Context, idOrSlug string) (*Organization, error)
	// ListOrganizations returns all, by slug.
	ListOrganizations(ctx context.Context) ([]Organization, error)
}

// Token is a client's credential. The token's text is not stored, only its SHA-256.
type Token struct {
	ID       string // canonical UUID text
	Org      scim.OrgID
	Name     string
	Digest   [32]byte
	Scopes   []string
	Profile  string // compatibility profile
	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: not
	LastUsed time.Time // zero: never; kept to the minute or coarser
}

// Tokens keeps the tokens.
type Tokens interface {
	// InsertToken returns ErrExists if id or digest is taken, ErrNotFound if the organization does not exist.
	InsertToken(ctx context.Context, t Token) error
	// TokenByDigest returns the token, revoked or expired as it may be, or ErrNotFound.
	TokenByDigest(ctx context.Context, digest [32]byte) (*Token, error)
	// ListTokens returns an organization's tokens, oldest first.
	ListTokens(ctx context.Context, org scim.OrgID) ([]Token, error)
	// RevokeToken sets Revoked. After it returned, TokenByDigest MUST say so on every process [RevokeIsSeen].
	// Revoking twice keeps the first instant. ErrNotFound if the organization has no such token.
	RevokeToken(ctx context.Context, org scim.OrgID, id string, at time.Time) error
	// TouchToken moves LastUsed forward; it may lag and is not a change.
	TouchToken(ctx context.Context, org scim.OrgID, id string, at time.Time) error
}

// Changes is the feed of committed writes.
type Changes interface {
	// Changes returns up to limit changes of org after the position, in an order that keeps the commit order of
	// the changes of any one key. Following the returned changes' positions, a reader MUST see every committed
	// change exactly once, also with writers running [FeedMissesNothing].
	Changes(ctx context.Context, org scim.OrgID, after Position, limit int) ([]Change, error)
	// ChangesBefore returns up to limit changes of org before the position, newest first; before the empty position are
	// all that were committed when it was called. It is the feed read backwards [FeedBackwards].
	ChangesBefore(ctx context.Context, org scim.OrgID, before Position, limit int) ([]Change, error)
	// History returns the changes of one record, newest first, whether it is still there or not: up to limit after
	// skip. Their positions may be empty. [HistoryIsOfOneRecord]
	History(ctx context.Context, k Key, skip, limit int) ([]Change, error)
	// Redact takes the values out of the history of one record, which need not be there any more: of each change
	// remains who made it, when, how, and to which attributes. It is no change itself. [RedactKeepsNoValue]
	Redact(ctx context.Context, k Key) error
}

// Store is everything.
type Store interface {
	Resources
	Organizations
	Tokens
	Changes
	// Secret returns the database's key called name, 32 bytes, made from random on first use and the same for
	// every process from then on (cursor encryption).
	Secret(ctx context.Context, name string, random func([]byte) error) ([]byte, error)
	// Ready returns nil if reads and writes can be served.
	Ready(ctx context.Context) error
	Close() error
}
