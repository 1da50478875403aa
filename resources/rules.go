package resources

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// Write is one write on its way to the store, as hooks see it.
type Write struct {
	Caller scim.Caller
	Key    storage.Key
	At     time.Time
	Op     storage.ChangeOp
	// Fixed says that the id of a create is known to others already: other operations of a Bulk request may refer to it.
	Fixed bool
	// Old is the stored document, nil for a create. It is read-only.
	Old scim.Attributes
	// Doc is what is about to be stored, nil for a delete. Hooks may set its attributes; they must not change values in
	// place, which other documents may share: they put new ones.
	Doc scim.Attributes
	// Secret is what the write stores beside the document, by name; see storage.Edit. Hooks may add to it what no
	// answer may carry.
	Secret scim.Attributes
	// Stored are the secrets that the record has, and Null what the body of a replacement takes away by null or [] (see
	// schema.Document). A Checker sees them; they are read-only.
	Stored scim.Attributes
	Null   []string
	// Prepared is what the type's Checker prepared for the request; State is what Before left for Within.
	Prepared, State any
	// Alone is set by Before if this write means nothing beside its own document: it then needs no step, and Within does
	// not run.
	Alone bool
}

// Checker judges and completes what a write is about to store. It costs writes nothing but what it does itself: there is
// no step of several records, and no other record can be looked at.
type Checker interface {
	// Prepare is called once for a request, outside of any transaction, and may read the store. What it returns is
	// what the request's writes have as Prepared.
	Prepare(ctx context.Context, c scim.Caller) (any, error)
	// Check may set attributes of w.Doc and refuse the write. It is pure and may run more than once.
	Check(w *Write) error
}

// Rules are what a write means beside its own document. The write becomes a step of its own, which may hold more
// records than the one that the client names.
type Rules interface {
	// Before runs once, outside of any transaction: it may read the store, refuse, and leave State for Within. Old is
	// nil in it, and Doc too but for a create, whose Key.ID it may set unless it is Fixed.
	Before(ctx context.Context, w *Write) error
	// Within runs in the step, before the write itself. It uses only tx, may read and write other records by it, set
	// attributes of w.Doc and refuse. It may run more than once.
	Within(ctx context.Context, tx storage.Tx, w *Write) error
}

// View serves what no document holds: states that time changes, and attributes that are worked out when they are read.
type View interface {
	// Settle writes down what time alone has changed since, for the resource called id, or for the whole organization
	// if id is empty. It is called before resources of the type are read.
	Settle(ctx context.Context, c scim.Caller, id string) error
	// Compute puts the computed attributes in docs, which belong to the resources of list.
	Compute(ctx context.Context, c scim.Caller, list []scim.Resource, docs []scim.Attributes) error
}
