package storage

import "errors"

// The sentinels. Adapters wrap them; callers test with errors.Is.
var (
	ErrNotFound    = errors.New("storage: not found")
	ErrExists      = errors.New("storage: already exists")
	ErrContention  = errors.New("storage: too many concurrent changes of the same record")
	ErrUnavailable = errors.New("storage: unavailable") // disk full, read-only, database down: retry later
	// ErrTooExpensive: the answer would exceed what one request may compute, such as a page with more members
	// than MaxLoadedMembers.
	ErrTooExpensive = errors.New("storage: result too large")
	ErrClosed       = errors.New("storage: closed")
	// ErrUnfinished: the database is the target of a copy that did not come to its end, see Importer.
	ErrUnfinished = errors.New("storage: a copy into this database was interrupted: repeat it, and it goes on")
)

// UniqueError says that a unique key is taken by another resource of the type in the organization.
type UniqueError struct{ Attr string }

// Error names the attribute, never the value.
func (e *UniqueError) Error() string { return "storage: " + e.Attr + " is not unique" }

// ErrNotRun is the result of a Batch step that was not run because the batch ended before it.
var ErrNotRun = errors.New("storage: not run")
