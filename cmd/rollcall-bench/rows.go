package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// rowsFloor is what bare SQLite makes of the rows of users alone: no HTTP, no JSON, nothing looked up or checked, one
// goroutine. A server that keeps these rows cannot be faster.
type rowsFloor struct {
	Batch int     `json:"batch"` // users of one transaction
	Rate  float64 `json:"rate"`  // users a second
	CPU   float64 `json:"cpu"`   // microseconds of processor time a user
}

func (f rowsFloor) String() string {
	return fmt.Sprintf("bare SQLite writing the rows of users, %d a transaction: %.0f users/s, %.0f us of CPU a user", f.Batch, f.Rate, f.CPU)
}

// The batches are those of Bulk, and what gathers when 16 connections write.
func rowsBatches() []int { return []int{512, 8, 1} }

// rowsTables are the tables and keys of the server (storage/sqlite/migrations) that a new user has rows in.
const rowsTables = `
CREATE TABLE res (rid INTEGER PRIMARY KEY, org INTEGER NOT NULL, type INTEGER NOT NULL, id NOT NULL, version INTEGER NOT NULL,
  created INTEGER NOT NULL, modified INTEGER NOT NULL, keys BLOB, secret BLOB, doc BLOB NOT NULL);
CREATE TABLE ids (org INTEGER NOT NULL, type INTEGER NOT NULL, id NOT NULL, rid INTEGER NOT NULL, label TEXT NOT NULL,
  PRIMARY KEY (org, type, id)) WITHOUT ROWID;
CREATE TABLE uniq (attr INTEGER NOT NULL, org INTEGER NOT NULL, value NOT NULL, id NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY (attr, org, value)) WITHOUT ROWID;
CREATE TABLE idx (attr INTEGER NOT NULL, org INTEGER NOT NULL, value NOT NULL, id NOT NULL, rid INTEGER NOT NULL,
  first INTEGER NOT NULL, PRIMARY KEY (attr, org, value, id)) WITHOUT ROWID;
CREATE TABLE changes (seq INTEGER PRIMARY KEY, type INTEGER NOT NULL, id NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
  op TEXT NOT NULL, actor_kind TEXT NOT NULL, actor_id TEXT NOT NULL, actor_name TEXT NOT NULL, request TEXT NOT NULL,
  vals BLOB, added BLOB, removed BLOB);
CREATE INDEX changes_by_id ON changes (id);`

func measureRows(ctx context.Context, near string, d time.Duration) ([]rowsFloor, error) {
	dir, err := os.MkdirTemp(near, "rollcall-rows")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := sqlite.OpenConn(filepath.Join(dir, "rows.db"), sqlite.OpenReadWrite, sqlite.OpenCreate, sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := sqlitex.ExecuteScript(c, rowsTables, nil); err != nil {
		return nil, err
	}
	for _, q := range []string{"PRAGMA synchronous=FULL", "PRAGMA cache_size=-24576"} {
		if err := sqlitex.ExecuteTransient(c, q, nil); err != nil {
			return nil, err
		}
	}
	docs := make([][]byte, 64) // making them is not what is measured
	for i := range docs {
		docs[i] = []byte(userDoc(i, "r"))
	}
	index := rowsIndexSQL()
	var list []rowsFloor
	n := 0
	for _, batch := range rowsBatches() {
		begin, cpu, first := time.Now(), ownCPU(), n
		for time.Since(begin) < d && ctx.Err() == nil {
			if err := writeRows(c, index, docs, n, batch); err != nil {
				return nil, err
			}
			n += batch
		}
		users := float64(n - first)
		list = append(list, rowsFloor{batch, users / time.Since(begin).Seconds(), float64((ownCPU() - cpu).Microseconds()) / users})
	}
	return list, ctx.Err()
}

func writeRows(c *sqlite.Conn, index string, docs [][]byte, from, n int) (err error) {
	end, err := sqlitex.ImmediateTransaction(c)
	if err != nil {
		return err
	}
	defer end(&err)
	for i := from; i < from+n; i++ {
		if err := writeUserRows(c, index, i, docs[i%len(docs)]); err != nil {
			return err
		}
	}
	return nil
}

const rowsIndexed = 9 // rows of idx that a user of userDoc has

// rowsIndexSQL writes all of them; the first parameters are the id and the row's number.
func rowsIndexSQL() string {
	var sql strings.Builder
	sql.WriteString("INSERT INTO idx (org, id, rid, attr, value, first) VALUES ")
	for i := range rowsIndexed {
		if i > 0 {
			sql.WriteByte(',')
		}
		fmt.Fprintf(&sql, "(1, ?1, ?2, %d, ?%d, 1)", i, i+3)
	}
	return sql.String()
}

func writeUserRows(c *sqlite.Conn, index string, i int, doc []byte) error {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(i))
	name := fmt.Sprintf("r%07d@example.com", i)
	now := time.Now().UnixMilli()
	values := []any{id[:], i + 1}
	for k := range rowsIndexed {
		// Some are in the order of creation, some are not, some are all the same.
		switch k % 3 {
		case 0:
			values = append(values, name)
		case 1:
			values = append(values, fmt.Sprintf("%08x", uint32(i)*2654435761))
		default:
			values = append(values, "some value")
		}
	}
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO ids VALUES (1, 2, ?, ?, ?)", []any{id[:], i + 1, name}},
		{"INSERT INTO uniq VALUES (3, 1, ?, ?, ?)", []any{name, id[:], i + 1}},
		{"INSERT INTO res VALUES (?, 1, 2, ?, 1, ?, ?, ?, NULL, ?)", []any{i + 1, id[:], now, now, []byte(name), doc}},
		{index, values},
		{
			"INSERT INTO changes VALUES (?, 2, ?, 1, ?, 'create', 'token', '00000000-0000-7000-8000-0000000000ab', 'sync', '00000000-0000-7000-8000-0000000000ac', ?, NULL, NULL)",
			[]any{i + 1, id[:], now, doc},
		},
	} {
		if err := sqlitex.Execute(c, q.sql, &sqlitex.ExecOptions{Args: q.args}); err != nil {
			return err
		}
	}
	return nil
}
