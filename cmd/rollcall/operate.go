package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/control"
	"rollcall/resources"
)

// presence says whether a command may make the database that it finds missing.
type presence bool

const (
	mustExist presence = false
	mayCreate presence = true
)

// printer writes a result for people.
type printer func(io.Writer) error

// result is what came of an operation, as data and as text.
type result struct {
	data any
	text printer
}

// operation does one thing. It may return a result with an error that speaks about it, such as a failed check: then
// both are printed.
type operation func(cmd *cobra.Command, op control.Operator, args []string) (*result, error)

// operate makes cmd do an operation on the database, through the server that holds it or directly.
func (a *app) operate(cmd *cobra.Command, p presence, do operation) {
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	load := bindFlags(cmd, a.env, databaseKeys()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		c, err := load()
		if err != nil {
			return err
		}
		op, closeOp, err := connect(cmd.Context(), &c, p)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeOp()) }()
		res, err := do(cmd, op, args)
		switch {
		case res == nil:
			return err
		case *asJSON:
			return errors.Join(printJSON(a.stdout, res.data), err)
		default:
			return errors.Join(res.text(a.stdout), err)
		}
	}
}

// lockWait is how long a command waits for another one that has the database open.
const lockWait = 5 * time.Second

// databaseKeys are the settings that say which database is meant.
func databaseKeys() []string { return []string{"data", "store", "store-file"} }

// connect returns the way to the database: the server that holds it, if one does, else the database itself.
func connect(ctx context.Context, c *Config, p presence) (control.Operator, func() error, error) {
	dir, db, err := reach(ctx, c, p)
	switch {
	case err != nil:
		return nil, nil, err
	case db == nil:
		client := control.NewClient(dir)
		return client, client.Close, nil
	}
	return &operator{db: db}, db.close, nil
}

// reach finds the database: dir is the data directory of a running server that holds it, or else db is the database,
// opened by this process.
func reach(ctx context.Context, c *Config, p presence) (dir string, db *database, err error) {
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		return "", nil, err
	}
	b, err := c.backend()
	if err != nil {
		return "", nil, err
	}
	deadline := time.Now().Add(lockWait)
	for {
		if dir := b.directory(); dir != "" && control.Running(ctx, dir) {
			return dir, nil, nil
		}
		if p == mustExist {
			if err := requireDatabase(ctx, b, registry.StorageTypes()); err != nil {
				return "", nil, err
			}
		}
		db, err := openDatabase(ctx, c, nil)
		if err == nil {
			return "", db, nil
		}
		// A lock without a socket is another command, which will not be long, or a server about to listen.
		if !b.held(err) || time.Now().After(deadline) {
			return "", nil, err
		}
		select {
		case <-ctx.Done():
			return "", nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
