package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"rollcall/storage"
)

var (
	// ErrLocked: another process serves the data directory.
	ErrLocked = errors.New("sqlite: the data directory is in use by another process")
	// ErrNewer: the database was written by a newer Rollcall.
	ErrNewer = errors.New("sqlite: the database was written by a newer version of Rollcall")
)

// translate turns an error of the driver into one of the contract. Errors that are none of the driver's pass. ctx is
// the one whose end may have interrupted the statement.
func translate(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultInterrupt:
		if ctx.Err() != nil {
			return ctx.Err()
		}
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultBusy,
		sqlite.ResultLocked, sqlite.ResultNoMem, sqlite.ResultPerm, sqlite.ResultProtocol, sqlite.ResultAuth:
		return fmt.Errorf("sqlite: %s: %w: %w", op, storage.ErrUnavailable, err)
	case sqlite.ResultOK, sqlite.ResultError:
		// ErrCode says ResultError for what is no error of the driver.
		return err
	}
	return fmt.Errorf("sqlite: %s: %w", op, err)
}
