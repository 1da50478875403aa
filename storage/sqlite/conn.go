package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
)

// conn is a connection with its prepared statements. The texts of the fixed statements are constants and stay
// prepared; those that the compiler makes are kept in a small ring, as a client decides how many there are.
type conn struct {
	c     *sqlite.Conn
	fixed map[string]*sqlite.Stmt
	made  map[string]*sqlite.Stmt
	ring  [64]string
	next  int
}

// pragmas for every connection. The sub-journals of savepoints and the trees of sorts stay in memory: they are
// small and a full disk must not break reads.
const connPragmas = `PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF; PRAGMA trusted_schema=OFF;`

func openConn(path string, flags sqlite.OpenFlags, pragmas string) (*conn, error) {
	c, err := sqlite.OpenConn(path, flags|sqlite.OpenPrivateCache)
	if err != nil {
		return nil, err
	}
	k := &conn{c: c, fixed: make(map[string]*sqlite.Stmt), made: make(map[string]*sqlite.Stmt)}
	if err := k.script(connPragmas + pragmas); err != nil {
		_ = c.Close()
		return nil, err
	}
	return k, nil
}

func (c *conn) close() error {
	for _, all := range []map[string]*sqlite.Stmt{c.fixed, c.made} {
		for _, s := range all {
			_ = s.Finalize()
		}
	}
	return c.c.Close()
}

// script runs statements without parameters, ignoring rows.
func (c *conn) script(sql string) error {
	for {
		sql = strings.TrimSpace(sql)
		if sql == "" {
			return nil
		}
		s, rest, err := c.c.PrepareTransient(sql)
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			more, err = s.Step()
		}
		if ferr := s.Finalize(); err == nil {
			err = ferr
		}
		if err != nil {
			return fmt.Errorf("run script: %w", err)
		}
		sql = sql[len(sql)-rest:]
	}
}

// prep returns the fixed statement sql, ready for its parameters in order; all of them have to be bound, as the last
// values stay.
func (c *conn) prep(sql string) stmt {
	s := c.fixed[sql]
	if s == nil {
		var err error
		if s, err = c.prepare(sql); err != nil {
			return stmt{err: err}
		}
		c.fixed[sql] = s
		return stmt{s: s}
	}
	return stmt{s: s, err: s.Reset()}
}

// prepMade is prep for a text that the compiler made.
func (c *conn) prepMade(sql string) stmt {
	if s := c.made[sql]; s != nil {
		return stmt{s: s, err: s.Reset()}
	}
	s, err := c.prepare(sql)
	if err != nil {
		return stmt{err: err}
	}
	if old := c.made[c.ring[c.next]]; old != nil {
		delete(c.made, c.ring[c.next])
		_ = old.Finalize()
	}
	c.ring[c.next] = sql
	c.next = (c.next + 1) % len(c.ring)
	c.made[sql] = s
	return stmt{s: s}
}

// prepare compiles a statement whose plan does not depend on the values of its parameters. SQLite looks at some of
// them (a LIMIT, a column compared with a small number), and then compiles the statement again for each execution,
// which costs several times the execution itself; a sign before the parameter keeps it from looking.
func (c *conn) prepare(sql string) (*sqlite.Stmt, error) {
	s, rest, err := c.c.PrepareTransient(strings.ReplaceAll(sql, "?", "+?"))
	if err != nil {
		return nil, err
	}
	if rest != 0 {
		return nil, errors.Join(errors.New("statement has trailing bytes"), s.Finalize())
	}
	return s, nil
}

// exec runs a fixed statement that has no parameters.
func (c *conn) exec(sql string) error {
	s := c.prep(sql)
	return s.exec()
}

// one returns the first column of the first row, 0 if there is none.
func (s *stmt) one() (n int64, found bool, err error) {
	found, err = s.step()
	if err != nil || !found {
		return 0, false, err
	}
	n = s.s.ColumnInt64(0)
	return n, true, s.done()
}

// stmt binds parameters from left to right and steps; the first error sticks.
type stmt struct {
	s   *sqlite.Stmt
	n   int
	err error
}

func (s *stmt) int(v int64) *stmt {
	s.n++
	if s.err == nil {
		s.s.BindInt64(s.n, v)
	}
	return s
}

func (s *stmt) text(v string) *stmt {
	s.n++
	if s.err == nil {
		s.s.BindText(s.n, v)
	}
	return s
}

// blob binds nil as NULL.
func (s *stmt) blob(v []byte) *stmt {
	s.n++
	switch {
	case s.err != nil:
	case v == nil:
		s.s.BindNull(s.n)
	default:
		s.s.BindBytes(s.n, v)
	}
	return s
}

// id binds an id: a canonical UUID as its 16 bytes, another text as it is.
func (s *stmt) id(id string) *stmt {
	var b [16]byte
	if parseUUID(&b, id) {
		return s.blob(b[:])
	}
	return s.text(id)
}

func (s *stmt) value(v value) *stmt {
	switch v.t {
	case isText:
		return s.text(v.s)
	case isInt:
		return s.int(v.i)
	case isID:
		return s.id(v.s)
	case isReal:
		s.n++
		if s.err == nil {
			s.s.BindFloat(s.n, v.f)
		}
		return s
	default:
		return s.blob([]byte{})
	}
}

func (s *stmt) values(vs []value) *stmt {
	for _, v := range vs {
		s.value(v)
	}
	return s
}

func (s *stmt) step() (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	return s.s.Step()
}

// done ends a statement that may have more rows: until then it holds its snapshot.
func (s *stmt) done() error {
	if s.err != nil {
		return s.err
	}
	return s.s.Reset()
}

// abandon ends a statement because of err, which it returns.
func (s *stmt) abandon(err error) error {
	_ = s.done()
	return err
}

// exec runs a statement that returns no rows.
func (s *stmt) exec() error {
	for {
		more, err := s.step()
		if err != nil || !more {
			return err
		}
	}
}

func (s *stmt) colInt(i int) int64   { return s.s.ColumnInt64(i) }
func (s *stmt) colText(i int) string { return s.s.ColumnText(i) }

// colBytes returns a copy, nil for NULL and for an empty blob.
func (s *stmt) colBytes(i int) []byte {
	n := s.s.ColumnLen(i)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	s.s.ColumnBytes(i, b)
	return b
}

func (s *stmt) isBlob(i int) bool { return s.s.ColumnType(i) == sqlite.TypeBlob }

func (s *stmt) colID(i int) string {
	if s.s.ColumnType(i) != sqlite.TypeBlob {
		return s.s.ColumnText(i)
	}
	var b [16]byte
	s.s.ColumnBytes(i, b[:])
	return formatUUID(&b)
}

func (s *stmt) colValue(i int) value {
	switch s.s.ColumnType(i) {
	case sqlite.TypeInteger:
		return value{t: isInt, i: s.s.ColumnInt64(i)}
	case sqlite.TypeFloat:
		return value{t: isReal, f: s.s.ColumnFloat(i)}
	case sqlite.TypeText:
		return value{t: isText, s: s.s.ColumnText(i)}
	default:
		return value{t: isAbsent}
	}
}
