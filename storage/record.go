package storage

import (
	"cmp"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// Key names a record.
type Key struct {
	Org  scim.OrgID
	Type scim.TypeName
	ID   string // canonical UUID text (36 characters, lower case); its byte order is the default order of lists
}

// Record is a stored resource.
type Record struct {
	Key
	Version           int64 // 1 on insert, +1 for each stored change
	Created, Modified time.Time
	// Doc is the canonical document (see scim.Attributes) as scim.AppendJSON writes it: a JSON object with
	// "schemas", without id, meta, relations and secrets. It is what goes on the wire.
	Doc []byte
	// Secret holds the attributes with returned=never; loaded on request only.
	Secret scim.Attributes
	// Members and Groups are loaded on request, ordered by (type, id) and (direct first, id).
	Members []Member
	Groups  []Membership
}

// Member is one member of a group, as it is read.
type Member = scim.Member

// Membership is one group that a resource belongs to, as it is read: each group from which a path of members leads
// to the resource, once. On a cycle of groups each thus belongs to itself as well [CyclicGroups].
type Membership = scim.Membership

// MemberDelta changes the members of a group. Adding one that is there and removing one that is not are no
// changes. With Replace set, Add is the whole new list and only the difference is written.
type MemberDelta struct {
	Replace     bool
	Add, Remove []string // member ids; Remove is applied first
}

// Edit is what one write stores.
type Edit struct {
	// Doc is the new canonical document; the store derives Record.Doc and index entries from it. Nil in an
	// Update keeps the stored one.
	Doc scim.Attributes
	// Secret replaces the stored secrets, one by one, by attribute name; a nil value removes one; names that are
	// absent keep theirs.
	Secret scim.Attributes
	// Unique is the complete set of the record's unique keys, among them that of each Index.Unique field that Doc has
	// a value for; ignored if Doc is nil.
	Unique  []query.UniqueKey
	Label   string // display text of the resource for member and group references; ignored if Doc is nil
	Members MemberDelta
	// Prepared is what a Preparer has left here for the Insert of this edit.
	Prepared any
	Change   Change // Actor, Request, Op and Values are the caller's; the store fills in the rest
}

// ValueChange is the old and new value of one attribute path; nil is "unassigned". Never a secret: for those the
// caller names the path with both values nil.
type ValueChange struct {
	Path     string
	Old, New any
}

// ChangeOp is what kind of write a change was.
type ChangeOp string

// The kinds of changes.
const (
	OpCreate  ChangeOp = "create"
	OpReplace ChangeOp = "replace"
	OpPatch   ChangeOp = "patch"
	OpDelete  ChangeOp = "delete"
)

// Change is one committed write, as history: the audit trail, the lineage of every value and the feed.
type Change struct {
	Position Position // set by the store
	Key      Key      // set by the store
	Version  int64    // the record's new version; for a delete the last it had. Set by the store
	At       time.Time
	Op       ChangeOp
	Actor    scim.Actor
	Request  string // request id
	Values   []ValueChange
	// MembersAdded and MembersRemoved are the members that the write really changed. Set by the store.
	MembersAdded, MembersRemoved []string
}

// Position is a place in the change feed of one organization. It is opaque text and may be stored; the empty
// position is the beginning. Positions are decimal numbers that rise with the feed, with gaps.
type Position string

// Compare is negative if p comes before q in the feed, 0 if they are the same place.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q))
}

// Page is the answer to a query.
type Page struct {
	Records []Record
	Total   int  // if Query.Total was set
	More    bool // there are matches after this page (before it, for Query.Before)
	// Sort holds each record's position in the query's order, for keyset cursors.
	Sort []query.Position
}

// MaxLoadedMembers is how many members one read loads in all before it fails with ErrTooExpensive.
const MaxLoadedMembers = 500_000
