// Package query is the typed form of a question to a store: an expression tree that knows the schema, an order, a
// page and what to load. It also holds the meaning of an expression, [Match], which every store must agree with.
// It knows no filter text, no schema and no database.
package query

import "rollcall/scim"

// Kind is the type of an attribute's values as far as comparing goes (RFC 7643 2.3).
type Kind uint8

// The kinds.
const (
	String Kind = iota
	Boolean
	Integer
	Decimal
	DateTime
	Binary
	Reference
	Complex
)

// Field is an attribute that an expression asks about.
type Field struct {
	// Path is the canonical attribute path: "emails.value", "meta.lastModified", "urn:..:User:manager.value".
	Path string
	// Steps are the names from the document's root, or from the element inside an [Any], down to the value. An
	// extension's URN is one step. Arrays on the way are walked through.
	Steps     []string
	Kind      Kind
	CaseExact bool // strings compare exactly; else both sides are folded
	Multi     bool // an array lies on the way
}

// Op is a comparison operator (RFC 7644 3.4.2.2 table 3).
type Op uint8

// The operators.
const (
	Eq Op = iota
	Ne
	Co
	Sw
	Ew
	Gt
	Ge
	Lt
	Le
)

var opNames = [...]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"}

// String returns the operator as a filter spells it.
func (o Op) String() string { return opNames[o] }

// Value is the right side of a comparison: typed by Kind and normalized, so that comparing is comparing the one
// member that the kind uses.
//
//	String, Binary, Reference: Str (folded unless the field is caseExact)
//	DateTime:                  Str in [InstantKey] form, whose byte order is the order of instants
//	Boolean:                   Bool
//	Integer, Decimal:          Int if IsInt, else Dec
type Value struct {
	Kind  Kind
	Str   string
	Bool  bool
	IsInt bool
	Int   int64
	Dec   float64
}

// Expr is a node of a filter. The nodes are And, Or, Not, Compare, Present, Any and Const.
//
//sumtype:decl
type Expr interface{ expr() }

// And is true if all of its terms are; the empty And is true.
type And []Expr

// Or is true if one of its terms is; the empty Or is false.
type Or []Expr

// Not is the plain complement.
type Not struct{ Expr Expr }

// Compare is true if any value of Field stands in relation Op to Value. On an absent attribute it is false,
// except Ne, which is true. Ne on a multi-valued attribute is true if any element differs.
type Compare struct {
	Field Field
	Op    Op
	Value Value
}

// Present is true if Field has a value that is not null, "", [] or {}.
type Present struct{ Field Field }

// Any is true if one element of the multi-valued complex Field satisfies Where, whose fields are relative to the
// element. A single-valued complex attribute counts as one element.
type Any struct {
	Field Field
	Where Expr
}

// Const is true or false whatever the resource.
type Const bool

func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (Compare) expr() {}
func (Present) expr() {}
func (Any) expr()     {}
func (Const) expr()   {}

// Source is one resource type that a query ranges over, with what it asks of that type.
type Source struct {
	Type  scim.TypeName
	Where Expr   // nil: every resource
	Sort  *Field // nil: the type has no such attribute, or no sort was asked
}

// Position is a place in a result's order: after (or before) the resource with this sort value and id.
type Position struct {
	Sorted bool  // a sort was asked
	Absent bool  // the resource has no value for it; absent is last ascending, first descending
	Value  Value // its sort value otherwise
	ID     string
}

// Query asks for one page of an organization's resources. The order is by the sort field (absent last when
// ascending, first when descending), then by id ascending; without a sort, by id alone.
type Query struct {
	Sources []Source
	Sorted  bool // a sort was asked: Sources name their Sort
	Desc    bool
	// Offset skips resources, Limit bounds the page: 0 returns none (for a bare total). At most one of Offset,
	// After, Before is set. A page Before is returned in the query's order as well.
	Offset int
	Limit  int
	After  *Position
	Before *Position
	Total  bool // count all matches, before paging
	Load   Load
}

// Load says what a read brings beside the document.
type Load struct {
	Members bool // the members of a group
	// MemberLimit, if not 0, loads at most so many members of each group, the first in order. A caller that
	// wants to know whether there are more than n asks for n+1.
	MemberLimit int
	// FewMembers says that the caller has no use for the members of a group that reaches MemberLimit, but that there
	// are so many: a store may then give as many empty ones, which saves it reading them.
	FewMembers bool
	Groups     bool // the groups of a member, direct and indirect
	Secret     bool // attributes with returned=never (password hash); only hooks ask for it
	Computed   bool // attributes that no document holds; a service adds them, stores ignore it
	// Asked are the paths of those that the answer carries. Attributes that are dear to work out are left out otherwise.
	Asked []string
	// Memory is room that the documents of a page may be put in, to its length: the caller has them only until it
	// uses it for something else. It may be too small or nil.
	Memory []byte
}

// Page is the answer to a Query, as a service hands it to the edge.
type Page struct {
	Resources []scim.Resource
	Total     int        // if Query.Total was set
	More      bool       // there are matches after the page; before it, for Query.Before
	Sort      []Position // of each resource, for cursors
}

// UniqueKey is one value that no two resources of a type share in an organization. Value is folded.
type UniqueKey struct {
	Attr  string // canonical path, for the error: "userName"
	Value string
}

// Index says that a store keeps an index of a field, so that eq, sw, pr, ranges and order on it are seeks.
type Index struct {
	Field  Field
	Unique bool // also a UniqueKey: no second index is needed
	// Sparse says that few resources have a value: a store need not keep an entry for those that have none, and
	// ordering by the field need not be a walk along the index.
	Sparse bool
}

// LocalName is the last step of the field.
func (f Field) LocalName() string { return f.Steps[len(f.Steps)-1] }
