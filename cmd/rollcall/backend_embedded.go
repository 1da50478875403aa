package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/control"
	"rollcall/metrics"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// defaultCache is how many bytes of memory the embedded store takes for records that are ready to be read.
const defaultCache = sqlite.DefaultCache

// embedded is the store in a data directory. One process at a time has it.
type embedded struct {
	dir   string
	cache int64 // 0: none
}

var _ backend = (*embedded)(nil)

func (e *embedded) open(ctx context.Context, types []storage.Type, m *metrics.Metrics) (storage.Store, error) {
	o := sqlite.Options{Dir: e.dir, Types: types, Cache: e.cache}
	if e.cache == 0 {
		o.Cache = -1
	}
	if m != nil {
		o.Now, o.Observer = time.Now, func(ev sqlite.Event) {
			if ev.Op == "commit" {
				m.GroupCommit(ev.Writes, ev.Took)
			}
			m.StoreOperation(ev.Op, storeResult(ev.Err), ev.Took)
		}
	}
	s, err := sqlite.Open(ctx, o)
	if err != nil {
		return nil, e.explain(ctx, fmt.Errorf("open the database in %s: %w", e.dir, err))
	}
	return s, nil
}

func (e *embedded) openAlone(ctx context.Context, types []storage.Type, target bool) (copyable, error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: e.dir, Types: types, Cache: -1, Import: target})
	if err != nil {
		return nil, e.explain(ctx, fmt.Errorf("open the database in %s: %w", e.dir, err))
	}
	return s, nil
}

// heldError says who has the data directory.
type heldError struct{ text string }

func (e *heldError) Error() string { return e.text }

// explain says who holds the data directory, if that is what is wrong.
func (e *embedded) explain(ctx context.Context, err error) error {
	if !errors.Is(err, sqlite.ErrLocked) {
		return err
	}
	if control.Running(ctx, e.dir) {
		return &heldError{fmt.Sprintf("a running server holds the data directory %s: stop it first", e.dir)}
	}
	return &heldError{fmt.Sprintf("another process holds the data directory %s; only one may use it at a time", e.dir)}
}

func (e *embedded) held(err error) bool {
	_, yes := errors.AsType[*heldError](err)
	return yes
}

func (e *embedded) layout(context.Context, []storage.Type) ([]layoutPart, error) {
	steps, err := sqlite.MigrationStatus(e.dir)
	if err != nil {
		return nil, err
	}
	parts := make([]layoutPart, len(steps))
	for i, s := range steps {
		parts[i] = layoutPart{s.Version, s.Name, s.Applied}
	}
	return parts, nil
}

func (e *embedded) migrate(ctx context.Context, _ []storage.Type) error {
	return e.explain(ctx, sqlite.Migrate(e.dir))
}

func (e *embedded) backup(ctx context.Context, s storage.Store, file string) error {
	db, ok := s.(*sqlite.Store)
	if !ok {
		return fmt.Errorf("%T is not the embedded store", s)
	}
	return db.Backup(ctx, file)
}

func (e *embedded) String() string { return e.dir }

func (e *embedded) missing() error {
	return fmt.Errorf("there is no database in %s: name its directory with --data", e.dir)
}

func (e *embedded) directory() string { return e.dir }
