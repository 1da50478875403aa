package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"

	"rollcall/storage"
)

// Backup writes a copy of the database, as it is at one instant, to dest, which must not exist. Reads and writes go
// on meanwhile. The copy is a database of its own: put into a data directory under the name rollcall.db it is served.
func (s *Store) Backup(ctx context.Context, dest string) (err error) {
	defer s.observe("backup", &err)()
	// A reader's place, so that Close waits; not its connection, which is tuned for reads.
	place, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer s.putBack(place)
	// Exclusive creation is what refuses an existing file; SQLite writes into the empty one. It holds personal data.
	f, err := os.OpenFile(dest, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("sqlite: backup: %w: %s", storage.ErrExists, dest)
		}
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(dest)
		}
	}()
	if err := s.copyTo(ctx, dest); err != nil {
		_ = f.Close()
		return translate(ctx, "backup", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), syncDir(filepath.Dir(dest))); err != nil {
		return fmt.Errorf("sqlite: flush the backup: %w", err)
	}
	return nil
}

// copyTo runs on a connection of its own: a long copy must not take a reader out of the pool.
func (s *Store) copyTo(ctx context.Context, dest string) error {
	c, err := openConn(s.path, sqlite.OpenReadWrite, "PRAGMA cache_size=-4096;")
	if err != nil {
		return err
	}
	defer func() { _ = c.close() }()
	c.c.SetInterrupt(ctx.Done())
	defer c.c.SetInterrupt(nil)
	q := c.prep("VACUUM INTO ?")
	return q.text(dest).exec()
}
