package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step of the database's layout.
type Migration struct {
	Version int64
	Name    string
	Applied bool
	sql     string
}

// loadMigrations returns all steps in order. They are numbered 1, 2, 3 ...; the database's user_version is the number
// of the last one applied.
func loadMigrations() ([]Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for i, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".sql")
		number, title, _ := strings.Cut(base, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n != int64(i)+1 {
			return nil, fmt.Errorf("sqlite: migration %s is out of order", base)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Version: n, Name: title, sql: string(text)})
	}
	return all, nil
}

// userVersion reads the number of the last migration applied.
func (c *conn) userVersion() (int64, error) {
	s := c.prep("PRAGMA user_version")
	n, _, err := s.one()
	return n, err
}

// migrate applies what is missing, each step in a transaction of its own with its number.
func (c *conn) migrate() error {
	all, err := loadMigrations()
	if err != nil {
		return err
	}
	have, err := c.userVersion()
	if err != nil {
		return translate(context.Background(), "read the layout version", err)
	}
	if have > int64(len(all)) {
		return fmt.Errorf("%w: its layout is version %d, this program knows %d", ErrNewer, have, len(all))
	}
	for _, m := range all[have:] {
		// A PRAGMA takes no parameter; the number is our own file's.
		script := m.sql + ";\nPRAGMA user_version=" + strconv.FormatInt(m.Version, 10)
		if err := c.inTransaction(func() error { return c.script(script) }); err != nil {
			return fmt.Errorf("sqlite: migration %d (%s): %w", m.Version, m.Name, err)
		}
	}
	return nil
}

// inTransaction runs f in a transaction that excludes other writers.
func (c *conn) inTransaction(f func() error) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil && !c.c.AutocommitEnabled() {
		if rerr := c.exec("ROLLBACK"); rerr != nil {
			return fmt.Errorf("%w (and roll back: %w)", err, rerr)
		}
	}
	return err
}

// MigrationStatus lists the steps of the layout and which of them the database in dir has. A database that does not
// exist has none. It needs no exclusive access.
func MigrationStatus(dir string) ([]Migration, error) {
	all, err := loadMigrations()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return all, nil
	}
	c, err := openConn(path, sqlite.OpenReadWrite, "PRAGMA query_only=ON;")
	if err != nil {
		return nil, translate(context.Background(), "open", err)
	}
	have, err := c.userVersion()
	if cerr := c.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, translate(context.Background(), "read the layout version", err)
	}
	if have > int64(len(all)) {
		return all, fmt.Errorf("%w: its layout is version %d, this program knows %d", ErrNewer, have, len(all))
	}
	for i := range all {
		all[i].Applied = all[i].Version <= have
	}
	return all, nil
}

// Migrate brings the database in dir to the newest layout, as Open does by itself. It refuses a directory that is
// being served.
func Migrate(dir string) (err error) {
	lock, err := lockFile(filepath.Join(dir, lockFileName))
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, lock.Close()) }()
	c, err := openConn(filepath.Join(dir, databaseFile), sqlite.OpenReadWrite|sqlite.OpenCreate, writerPragmas)
	if err != nil {
		return translate(context.Background(), "open", err)
	}
	return firstError(c.migrate(), c.close())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
