package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/metrics"
	"rollcall/storage"
	"rollcall/storage/mongo"
)

// mongoDB is a database that any number of processes share.
type mongoDB struct{ uri string }

var _ backend = (*mongoDB)(nil)

func (b *mongoDB) options(types []storage.Type) mongo.Options {
	return mongo.Options{URI: b.uri, Types: types}
}

func (b *mongoDB) open(ctx context.Context, types []storage.Type, m *metrics.Metrics) (storage.Store, error) {
	o := b.options(types)
	if m != nil {
		o.Now, o.Observer = time.Now, func(ev mongo.Event) {
			if ev.Command {
				m.StoreCommand(ev.Op, storeResult(ev.Err), ev.Took)
				return
			}
			m.StoreOperation(ev.Op, storeResult(ev.Err), ev.Took)
		}
	}
	s, err := mongo.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open the database in %s: %w", b, err)
	}
	return s, nil
}

func (b *mongoDB) openAlone(ctx context.Context, types []storage.Type, target bool) (copyable, error) {
	o := b.options(types)
	o.Import, o.Exclusive = target, true
	s, err := mongo.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open the database in %s: %w", b, err)
	}
	return s, nil
}

func (b *mongoDB) layout(ctx context.Context, types []storage.Type) ([]layoutPart, error) {
	list, err := mongo.MigrationStatus(ctx, b.options(types))
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", b, err)
	}
	parts := make([]layoutPart, len(list))
	for i, s := range list {
		parts[i] = layoutPart{s.Version, s.Name, s.Applied}
	}
	return parts, nil
}

func (b *mongoDB) migrate(ctx context.Context, types []storage.Type) error {
	o := b.options(types)
	o.Finish = true
	s, err := mongo.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("open the database in %s: %w", b, err)
	}
	return s.Close()
}

// errMongodump: copying a MongoDB database is what MongoDB's own tools do better.
var errMongodump = errors.New("a MongoDB database is not backed up by Rollcall: use mongodump --oplog, or snapshots of its disks (docs/operations.md)")

func (b *mongoDB) backup(context.Context, storage.Store, string) error { return errMongodump }

func (b *mongoDB) String() string { return "MongoDB" }

func (b *mongoDB) missing() error {
	return errors.New("there is no Rollcall database in the MongoDB that --store names: is the database's name in the connection string right?")
}

func (b *mongoDB) directory() string { return "" }

func (b *mongoDB) held(error) bool { return false }
