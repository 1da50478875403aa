package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// stepsPerTransaction is how many steps of a Batch share a transaction, and so the wait for its commit. Four times as
// many save a tenth of the processor time, and a step that is refused has as many others run again.
const stepsPerTransaction = 64

// Within implements storage.Resources.
func (s *Store) Within(ctx context.Context, org scim.OrgID, step storage.Step) (err error) {
	end, err := s.call(ctx, "within")
	if err != nil {
		return err
	}
	defer end(&err)
	return s.transact(ctx, org, true, func(ctx context.Context, x *txn) error { return x.step(ctx, step) })
}

// Batch implements storage.Resources. Steps share a transaction as long as they succeed. MongoDB has no savepoints:
// when a step fails that has written something already, the steps before it are run again without it.
func (s *Store) Batch(ctx context.Context, org scim.OrgID, steps []storage.Step, done func(int, error) bool) []error {
	errs := make([]error, len(steps))
	for i := range errs {
		errs[i] = storage.ErrNotRun
	}
	end, err := s.call(ctx, "batch")
	if err != nil {
		return notRun(errs, 0, err)
	}
	defer func() { end(&err) }()
	b := &batchRun{s: s, org: org, steps: steps, errs: errs, done: done}
	for next := 0; next < len(steps) && !b.stopped; {
		if err = ctx.Err(); err != nil {
			return notRun(errs, next, err)
		}
		from := next
		next, err = b.group(ctx, from, min(from+stepsPerTransaction, len(steps)))
		if err != nil {
			// The transaction failed, whatever the steps in it made of it.
			for i := from; i < next; i++ {
				errs[i] = err
			}
			return notRun(errs, next, err)
		}
	}
	return errs
}

func notRun(errs []error, from int, err error) []error {
	for i := from; i < len(errs); i++ {
		errs[i] = fmt.Errorf("%w: %w", storage.ErrNotRun, err)
	}
	return errs
}

type batchRun struct {
	s       *Store
	org     scim.OrgID
	steps   []storage.Step
	errs    []error
	done    func(int, error) bool
	told    int // steps that done was told of
	dirty   int // the step that errDirty is about
	stopped bool
}

// errOptimism: not every step succeeded, or not all should have run.
var errOptimism = errors.New("mongo: the steps have to be run one by one")

// sendQueued stores the inserts that were put off.
func (x *txn) sendQueued(ctx context.Context) error {
	list := x.queued
	if x.queued = nil; len(list) == 0 {
		return nil
	}
	err := x.insert(ctx, list)
	if errors.Is(x.failed, errRefused) {
		x.failed = errOptimism
		return errOptimism
	}
	return err
}

// errDirty: a step failed after it had written; its transaction is of no use.
var errDirty = errors.New("mongo: a step failed in the middle")

// group runs the steps from..to in one transaction and commits those that ran. It returns the first step that is
// still to be run.
func (b *batchRun) group(ctx context.Context, from, to int) (next int, err error) {
	optimistic := true
	dirty := -1 // the step that failed in the middle, known from an earlier try
	for {
		results := make([]error, to-from)
		next = from
		run := func(ctx context.Context, x *txn) error { return b.careful(ctx, x, from, to, dirty, &next, results) }
		if optimistic {
			run = func(ctx context.Context, x *txn) error {
				next = from
				return b.together(ctx, x, from, &to, &next)
			}
		}
		err := b.s.transact(ctx, b.org, !optimistic, run)
		switch {
		case errors.Is(err, errShorter):
			continue
		case errors.Is(err, errOptimism):
			optimistic = false
			continue
		case errors.Is(err, errDirty):
			dirty = b.dirty
			// Once more without it and what comes after it, which has not been told yet.
			to = dirty + 1
			continue
		case err != nil:
			return max(next, from), err
		}
		for i := from; i < next; i++ {
			if i != dirty {
				b.errs[i] = results[i-from]
			}
		}
		if dirty >= from && dirty < next {
			b.tell(dirty, b.errs[dirty])
		}
		return next, nil
	}
}

// errShorter: done ended the batch before its last step.
var errShorter = errors.New("mongo: fewer steps have to be run")

// together runs steps that will all succeed, as most do: what they insert is sent at once, and only then are they
// told of.
func (b *batchRun) together(ctx context.Context, x *txn, from int, to, next *int) error {
	x.optimistic = true
	for ; *next < *to; *next++ {
		if err := x.step(ctx, b.steps[*next]); err != nil || x.failed != nil {
			if x.failed != nil && !errors.Is(x.failed, errRefused) && !errors.Is(x.failed, errOptimism) {
				return x.failed // of the database
			}
			x.failed = errOptimism
			return errOptimism
		}
	}
	if err := x.sendQueued(ctx); err != nil {
		return err
	}
	for i := from; i < *to; i++ {
		if !b.tell(i, nil) && i+1 < *to {
			*to = i + 1
			return errShorter
		}
	}
	return nil
}

// careful runs steps of which some may fail.
func (b *batchRun) careful(ctx context.Context, x *txn, from, to, dirty int, next *int, results []error) error {
	clear(results)
	for *next = from; *next < to; *next++ {
		i := *next
		if i == dirty {
			continue
		}
		wrote := x.wrote
		x.wrote = false
		rows := len(x.changes)
		err := x.step(ctx, b.steps[i])
		if x.failed != nil {
			return x.failed
		}
		if err != nil && x.wrote {
			b.dirty, b.errs[i] = i, err
			return errDirty
		}
		x.wrote = x.wrote || wrote
		if err != nil {
			x.changes = x.changes[:rows]
		}
		results[i-from] = err
		if !b.tell(i, err) {
			*next++
			return nil
		}
	}
	return nil
}

// tell calls done once for each step.
func (b *batchRun) tell(i int, err error) bool {
	if i < b.told {
		return !b.stopped || i < b.told-1
	}
	b.told = i + 1
	if b.done != nil && !b.done(i, err) {
		b.stopped = true
	}
	return !b.stopped
}

// step runs one step.
func (x *txn) step(ctx context.Context, step storage.Step) error {
	t := &stepTx{x: x, sess: mongo.SessionFromContext(ctx)}
	defer func() { t.ended = true }()
	return step(t)
}

// stepTx is a transaction as a step sees it.
type stepTx struct {
	x     *txn
	sess  *mongo.Session
	ended bool
}

var errOtherOrg = errors.New("mongo: a step reaches for another organization")

// enter puts the transaction into the context that the step calls with, and sends what was put off.
func (t *stepTx) enter(ctx context.Context, k storage.Key) (context.Context, *resourceType, error) {
	switch {
	case t.ended:
		return nil, nil, storage.ErrClosed
	case k.Org != t.x.org:
		return nil, nil, errOtherOrg
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case t.x.failed != nil:
		return nil, nil, t.x.failed
	}
	typ, err := t.x.s.typeOf(k.Type)
	if err != nil {
		return nil, nil, err
	}
	ctx = mongo.NewSessionContext(ctx, t.sess)
	return ctx, typ, t.x.sendQueued(ctx)
}

func (t *stepTx) Insert(ctx context.Context, k storage.Key, at time.Time, e *storage.Edit) (*storage.Record, error) {
	if t.x.optimistic && !t.ended && t.x.failed == nil && k.Org == t.x.org && ctx.Err() == nil {
		ins, err := t.x.s.newInsert(k, at, e)
		if err != nil {
			return nil, err
		}
		t.x.queued = append(t.x.queued, ins)
		return ins.record(), nil
	}
	ctx, _, err := t.enter(ctx, k)
	if err != nil {
		return nil, err
	}
	ins, err := t.x.s.newInsert(k, at, e)
	if err != nil {
		return nil, err
	}
	if err := ins.run(ctx, t.x); err != nil {
		return nil, err
	}
	return ins.record(), nil
}

func (t *stepTx) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (*storage.Record, bool, error) {
	ctx, typ, err := t.enter(ctx, k)
	if err != nil {
		return nil, false, err
	}
	u, err := t.x.s.newUpdate(ctx, typ, k, scim.Millis(at), fn)
	if err != nil {
		return nil, false, t.note(err)
	}
	if !u.changes() {
		return u.old.bare(), false, nil
	}
	if err := u.run(ctx, t.x); err != nil {
		return nil, false, err
	}
	return u.record(), true, nil
}

func (t *stepTx) Delete(ctx context.Context, k storage.Key, at time.Time, fn storage.DeleteFunc) error {
	ctx, typ, err := t.enter(ctx, k)
	if err != nil {
		return err
	}
	d, err := t.x.s.newDeletion(ctx, typ, k, at, fn)
	if err != nil {
		return t.note(err)
	}
	return d.run(ctx, t.x)
}

func (t *stepTx) Get(ctx context.Context, k storage.Key, load query.Load) (*storage.Record, error) {
	ctx, typ, err := t.enter(ctx, k)
	if err != nil {
		return nil, err
	}
	rec, err := t.x.s.get(ctx, typ, k, load)
	if err != nil {
		return nil, t.note(translate(ctx, "get", err))
	}
	return rec, nil
}

// note remembers an error of the driver that a read met: the transaction is dead after it.
func (t *stepTx) note(err error) error {
	var server *serverError
	if t.x.failed == nil && (errors.Is(err, errTransient) || errors.Is(err, storage.ErrUnavailable) || errors.As(err, &server)) {
		t.x.failed = err
	}
	return err
}
