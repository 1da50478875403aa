package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"rollcall/storage"
)

var (
	// ErrNewer: the database was written by a newer Rollcall.
	ErrNewer = errors.New("mongo: the database was written by a newer version of Rollcall")
	// ErrStandalone: the server has no transactions.
	ErrStandalone = errors.New("mongo: the server is a standalone one: Rollcall needs a replica set (of one member at least) or a sharded cluster, because it writes in transactions")
	// ErrTooOld: the server is of a version that lacks what the store needs.
	ErrTooOld = errors.New("mongo: the server is too old: Rollcall needs MongoDB 5.0 or newer")
	// ErrPrivileges: the database user may not do what the store does.
	ErrPrivileges = errors.New("mongo: the database user lacks privileges")
)

// errTransient: the transaction was aborted by a conflict or a lost connection and may be run again.
var errTransient = errors.New("mongo: the transaction has to be run again")

// errLost: another write came between reading a record and storing its edit.
var errLost = errors.New("mongo: lost a race")

// serverError is what remains of an error of the server: its numbers. The server's own text may quote the values of
// a document, which neither a log nor an answer may show.
type serverError struct {
	op    string
	codes []int
	name  string
}

func (e *serverError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mongo: %s: server error", e.op)
	for _, c := range e.codes {
		fmt.Fprintf(&b, " %d", c)
	}
	if e.name != "" {
		b.WriteString(" " + e.name)
	}
	return b.String()
}

// The server's codes that the store tells apart.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeIndexConflict        = 85 // IndexOptionsConflict
	codeIndexKeyConflict     = 86 // IndexKeySpecsConflict
	codeWriteConflict        = 112
	codeSnapshotTooOld       = 239
	codeSnapshotUnavailable  = 246
)

// unavailableCodes: the server is there but cannot serve this now. A login that it refuses after it took one at the
// start is among them: somebody is changing the password.
var unavailableCodes = [...]int{
	codeAuthenticationFailed,
	6, 7, 50, 64, 89, 91, 100, 189, 202, 262, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436, 14031,
}

// translate turns an error of the driver into one of the contract. Errors that are none of the driver's pass.
func translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	var server mongo.ServerError
	isServer := errors.As(err, &server)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, mongo.ErrClientDisconnected):
		return storage.ErrClosed
	case isServer && (server.HasErrorLabel("TransientTransactionError") || server.HasErrorCode(codeWriteConflict)):
		return fmt.Errorf("%w: %w", errTransient, scrub(op, server, err))
	case mongo.IsTimeout(err), mongo.IsNetworkError(err):
		return fmt.Errorf("mongo: %s: %w: %s", op, storage.ErrUnavailable, networkKind(err))
	case isServer:
		clean := scrub(op, server, err)
		for _, c := range unavailableCodes {
			if server.HasErrorCode(c) {
				return fmt.Errorf("%w: %w", storage.ErrUnavailable, clean)
			}
		}
		return clean
	}
	return err
}

func networkKind(err error) string {
	if mongo.IsTimeout(err) {
		return "timeout"
	}
	return "connection lost"
}

// scrub keeps the numbers of a server's error.
func scrub(op string, server mongo.ServerError, err error) error {
	e := &serverError{op: op, codes: server.ErrorCodes()}
	if c, ok := errors.AsType[mongo.CommandError](err); ok {
		e.name = c.Name
	}
	if mongo.IsNetworkError(err) {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, e)
	}
	return e
}

// duplicateIndex returns which statement of a write met a value that is there already.
func duplicateIndex(err error) (int, bool) {
	if bulk, ok := errors.AsType[mongo.BulkWriteException](err); ok {
		for _, w := range bulk.WriteErrors {
			if w.Code == 11000 {
				return w.Index, true
			}
		}
		return 0, false
	}
	return 0, mongo.IsDuplicateKeyError(err)
}
