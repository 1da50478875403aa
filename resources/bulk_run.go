package resources

import (
	"context"
	"errors"
	"net/http"

	"rollcall/scim"
	"rollcall/storage"
)

// run runs the steps in one Batch and returns what became of each. An error of its own means that nothing can be
// said of single operations: the context is done, or the store is not there.
func (b *bulk) run(ctx context.Context, failOnErrors int) ([]error, error) {
	steps := make([]storage.Step, len(b.steps))
	for k := range steps {
		steps[k] = func(tx storage.Tx) error { return b.runStep(ctx, tx, k) }
	}
	failures := 0
	done := func(k int, err error) bool {
		for _, i := range b.steps[k].ops {
			if op := &b.ops[i]; op.failed != (err != nil) {
				op.failed = err != nil
				if op.failed {
					failures++
				} else {
					failures--
				}
			}
		}
		b.stopped = failOnErrors > 0 && failures >= failOnErrors
		return !b.stopped
	}
	errs := b.store.Batch(ctx, b.caller.Org, steps, done)
	if err := ctx.Err(); err != nil {
		// Steps may still be running in a store that gave up waiting: nothing of theirs may be read.
		return nil, err
	}
	down := len(errs) > 0
	for _, err := range errs {
		down = down && (errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrClosed))
	}
	if down {
		return nil, fail(b.caller, nil, errs[0])
	}
	return errs, nil
}

// runStep runs the operations of a step. The store may call it again.
func (b *bulk) runStep(ctx context.Context, tx storage.Tx, k int) error {
	step := &b.steps[k]
	// What is known to fail is found before anything of the step is written.
	for _, i := range step.ops {
		if err := b.refused(i); err != nil {
			step.culprit = i
			return err
		}
	}
	for _, i := range step.ops {
		if err := b.runOp(ctx, tx, &b.ops[i]); err != nil {
			step.culprit = i
			return err
		}
	}
	step.culprit = -1
	return nil
}

// refused returns why an operation cannot run: a fault of its own, or a failure of one that it refers to.
func (b *bulk) refused(i int) error {
	op := &b.ops[i]
	if op.err != nil {
		return op.err
	}
	for _, n := range op.needs {
		if need := &b.ops[n]; need.step != op.step && need.failed {
			return scim.Conflict("the operation with bulkId %q, which this one refers to, failed", clip(need.BulkID))
		}
	}
	return nil
}

func (b *bulk) runOp(ctx context.Context, tx storage.Tx, op *bulkOp) error {
	var (
		rec *storage.Record
		err error
	)
	switch op.Method {
	case http.MethodPost:
		rec, err = op.def.insertIn(ctx, tx, op.write, op.edit)
	case http.MethodDelete:
		return op.def.deleteIn(ctx, tx, op.write, op.remove)
	default:
		rec, err = op.def.updateIn(ctx, tx, op.write, op.update)
	}
	if err != nil {
		return err
	}
	op.version = rec.Version
	return nil
}

func (b *bulk) key(op *bulkOp) storage.Key {
	return storage.Key{Org: b.caller.Org, Type: op.def.Name, ID: op.id}
}
