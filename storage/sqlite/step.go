package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// stepsPerJob is how many steps of a Batch share a turn of the writer; writes of others share the commit.
const stepsPerJob = 128

// Within implements storage.Resources.
func (s *Store) Within(ctx context.Context, org scim.OrgID, step storage.Step) (err error) {
	defer s.observe("within", &err)()
	return s.w.do(ctx, 4, func(w *writer) error { return w.step(ctx, org, step) })
}

// Batch implements storage.Resources.
func (s *Store) Batch(ctx context.Context, org scim.OrgID, steps []storage.Step, done func(int, error) bool) []error {
	var err error
	defer s.observe("batch", &err)()
	errs := make([]error, len(steps))
	stopped := false
	for start := 0; start < len(steps); start += stepsPerJob {
		end := min(start+stepsPerJob, len(steps))
		ran := start
		if !stopped && err == nil {
			err = s.w.do(ctx, end-start, func(w *writer) error {
				for ; ran < end && !stopped && ctx.Err() == nil; ran++ {
					errs[ran] = w.step(ctx, org, steps[ran])
					// What the step wrote stays, also if done panics: that only ends the batch.
					if perr := w.guard(func() error {
						stopped = done != nil && !done(ran, errs[ran])
						return nil
					}); perr != nil {
						stopped = true
					}
				}
				return nil
			})
			if err == nil && ran < end {
				err = ctx.Err()
			}
		}
		for i := start; i < end; i++ {
			switch {
			case i < ran && err != nil && errs[i] == nil && !isDone(err):
				errs[i] = err // the commit failed
			case i >= ran && err != nil:
				errs[i] = fmt.Errorf("%w: %w", storage.ErrNotRun, err)
			case i >= ran:
				errs[i] = storage.ErrNotRun
			}
		}
	}
	return errs
}

// isDone tells the end of a context from the failure of a commit.
func isDone(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// step runs one step in a savepoint of its own.
func (w *writer) step(ctx context.Context, org scim.OrgID, step storage.Step) error {
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
	ins, err := t.w.s.newInsert(k, at, e)
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
	rec, err := t.w.s.get(t.w.c, t.w.org(k.Org), typ, k, load)
	if err != nil {
		return nil, translate(ctx, "get", err)
	}
	return rec, nil
}
