package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// durableFloor is how many rows of 1 KB a bare SQLite loop commits a second, one by one, with the server's pragmas:
// the physical cost of a durable write on this machine.
func durableFloor(ctx context.Context, near string) (rate float64, err error) {
	dir, err := os.MkdirTemp(near, "rollcall-floor")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	c, err := sqlite.OpenConn(filepath.Join(dir, "floor.db"), sqlite.OpenReadWrite, sqlite.OpenCreate, sqlite.OpenWAL)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for _, q := range []string{"PRAGMA synchronous=FULL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"} {
		if err := sqlitex.ExecuteTransient(c, q, nil); err != nil {
			return 0, err
		}
	}
	stmt, err := c.Prepare("INSERT INTO t(body) VALUES(?)")
	if err != nil {
		return 0, err
	}
	body := bytes.Repeat([]byte("x"), 1024)
	start := time.Now()
	n := 0
	for ; time.Since(start) < 2*time.Second && ctx.Err() == nil; n++ {
		stmt.BindBytes(1, body)
		if _, err := stmt.Step(); err != nil {
			return 0, err
		}
		if err := stmt.Reset(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), ctx.Err()
}
