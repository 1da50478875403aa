package sqlite

import (
	"context"
	"errors"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Within implements storage.Resources.
func (s *Store) Within(ctx context.Context, org scim.OrgID, step storage.Step) (err error) {
	defer s.observe("within", &err)()
	return s.w.do(ctx, org, 4, func(w *writer) error { return w.step(org, step) })
}

// step runs one step in a savepoint of its own.
func (w *writer) step(org scim.OrgID, step storage.Step) error {
	t := &tx{w: w, org: org}
	defer func() { t.ended = true }()
	return w.savepoint(func() error { return step(t) })
}

// tx is the writer as a step sees it.
type tx struct {
	w     *writer
	org   scim.OrgID
	ended bool
}

var errOtherOrg = errors.New("sqlite: a step reaches for another organization")

func (t *tx) enter(ctx context.Context, k storage.Key) (*resourceType, error) {
	switch {
	case t.ended:
		return nil, storage.ErrClosed
	case k.Org != t.org:
		return nil, errOtherOrg
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return t.w.s.typeOf(k)
}

func (t *tx) Insert(ctx context.Context, k storage.Key, at time.Time, e *storage.Edit) (*storage.Record, error) {
	if _, err := t.enter(ctx, k); err != nil {
		return nil, err
	}
	ins, err := t.w.s.prepared(k, at, e)
	if err != nil {
		return nil, err
	}
	if err := ins.run(t.w); err != nil {
		return nil, err
	}
	return ins.record(), nil
}

func (t *tx) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (*storage.Record, bool, error) {
	typ, err := t.enter(ctx, k)
	if err != nil {
		return nil, false, err
	}
	return t.w.update(typ, k, scim.Millis(at), fn)
}

func (t *tx) Delete(ctx context.Context, k storage.Key, at time.Time, fn storage.DeleteFunc) error {
	typ, err := t.enter(ctx, k)
	if err != nil {
		return err
	}
	return t.w.delete(typ, k, scim.Millis(at), fn)
}

func (t *tx) Get(ctx context.Context, k storage.Key, load query.Load) (*storage.Record, error) {
	typ, err := t.enter(ctx, k)
	if err != nil {
		return nil, err
	}
	rec, _, err := t.w.s.get(t.w.c, t.w.org(k.Org), typ, k, load)
	if err != nil {
		return nil, translate(ctx, "get", err)
	}
	return rec, nil
}
