package scim

import "time"

// Member is one member of a group.
type Member struct {
	ID      string
	Type    TypeName // empty while pending: no resource has this id yet
	Display string   // the member's label now
}

// Membership is one group that a resource belongs to.
type Membership struct {
	ID      string // of the group
	Display string // the group's label now
	Direct  bool   // else through nested groups
}

// Resource is what a service hands to the edge: the canonical document in wire form and what is put around it.
type Resource struct {
	Type              TypeName
	ID                string
	Version           int64
	Created, Modified time.Time
	// Doc is a JSON object without id, meta, relations and secrets. It is read-only.
	Doc []byte
	// Members and Groups are filled if the caller asked for them.
	Members []Member
	Groups  []Membership
}
