package scim

// BulkOperation is one operation of a Bulk request (RFC 7644 3.7), its form checked, its data not yet.
type BulkOperation struct {
	Method  string // POST, PUT, PATCH or DELETE, upper case
	BulkID  string
	Version string // as If-Match
	Path    string // as sent: "/Users", "/Users/{id}", "/Groups/bulkId:ytrewq"
	Data    any    // raw JSON tree of ParseJSON; nil if absent
	// Err is a fault in the operation's own form, found while reading the message; the operation fails with it.
	Err error
}

// BulkResult is what became of one operation. Results are in the order of the request.
type BulkResult struct {
	Type     TypeName // resource type of the path, empty if the path names none
	ID       string   // of the resource; empty for a failed POST
	Version  int64    // after the operation; 0 if unknown or deleted
	Status   int      // 201, 200, 204; of an error see Err
	Err      error    // nil on success
	NotRun   bool     // the request ended before this operation because of failOnErrors: it has no result
	Resource *Resource
}
