package main

import (
	"context"
	"fmt"

	"rollcall/metrics"
	"rollcall/storage"
	"rollcall/storage/transfer"
)

// backend is where the database is. Its two kinds, the embedded store and MongoDB, are all that is known of adapters
// here: what every command can do with a store it does through package storage.
type backend interface {
	// open opens the database, makes it if it is not there, brings its layout up to date and tells m, if there is
	// one, what it does.
	open(ctx context.Context, types []storage.Type, m *metrics.Metrics) (storage.Store, error)
	// openAlone opens the database for a copy, as its target or as its source. It fails if any other process has it.
	openAlone(ctx context.Context, types []storage.Type, target bool) (copyable, error)
	// layout lists the parts of the layout and which of them the database has. It changes nothing.
	layout(ctx context.Context, types []storage.Type) ([]layoutPart, error)
	// migrate brings the layout up to date.
	migrate(ctx context.Context, types []storage.Type) error
	// backup writes a copy of an open store's database.
	backup(ctx context.Context, s storage.Store, file string) error
	// String names the database for people; never by its connection string.
	String() string
	// missing is what to tell somebody who looks after a database that is not there.
	missing() error
	// directory is where a running server takes commands, as it alone may use the database; empty if the database
	// itself may be used beside servers.
	directory() string
	// held reports whether open failed because another process has the database.
	held(err error) bool
}

// copyable is a store that can be copied from and into.
type copyable interface {
	storage.Store
	transfer.Target
}

// layoutPart is a version of a layout, or a part of one.
type layoutPart struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// backend returns the one that the configuration names.
func (c *Config) backend() (backend, error) {
	uri, err := c.storeURI()
	if err != nil {
		return nil, fmt.Errorf("store-file: %w", err)
	}
	if uri == "" {
		return &embedded{dir: c.Data, cache: c.CacheSize}, nil
	}
	return &mongoDB{uri: uri}, nil
}

// requireDatabase keeps a mistyped name from becoming an empty database.
func requireDatabase(ctx context.Context, b backend, types []storage.Type) error {
	parts, err := b.layout(ctx, types)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Applied {
			return nil
		}
	}
	return b.missing()
}
