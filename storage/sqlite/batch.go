package sqlite

import (
	"context"
	"fmt"

	"rollcall/scim"
	"rollcall/storage"
)

// sliced is a Batch. It is one job of the writer that may take several turns, each a part of a transaction: as many
// steps as fit if nobody else writes, few if other organizations wait.
type sliced struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call that it belongs to
	org   scim.OrgID
	steps []storage.Step
	done  func(int, error) bool
	errs  []error

	turn    int   // first step of the turn
	next    int   // first step that has not run
	stopped bool  // by done
	err     error // why the rest does not run
}

// Batch implements storage.Resources.
func (s *Store) Batch(ctx context.Context, org scim.OrgID, steps []storage.Step, done func(int, error) bool) []error {
	b := &sliced{ctx: ctx, org: org, steps: steps, done: done, errs: make([]error, len(steps))}
	defer s.observe("batch", &b.err)()
	if len(steps) == 0 {
		return b.errs
	}
	if err := s.w.await(ctx, &job{org: org, run: b.run, settle: b.settle}); err != nil && b.err == nil {
		b.err = err
	}
	for i := b.next; i < len(steps); i++ {
		b.errs[i] = storage.ErrNotRun
		if b.err != nil {
			b.errs[i] = fmt.Errorf("%w: %w", storage.ErrNotRun, b.err)
		}
	}
	return b.errs
}

// run takes a turn.
func (b *sliced) run(w *writer) error {
	for b.turn = b.next; b.more(); {
		if n := b.next - b.turn; n > 0 && w.yields(b.org, n) {
			break
		}
		if b.err = b.ctx.Err(); !b.more() {
			break
		}
		i := b.next
		b.errs[i] = w.step(b.org, b.steps[i])
		b.next++
		w.trip.weight++
		// What the step wrote stays, also if done panics: that only ends the batch.
		if err := w.guard(func() error {
			b.stopped = b.done != nil && !b.done(i, b.errs[i])
			return nil
		}); err != nil {
			b.stopped = true
		}
	}
	return nil
}

func (b *sliced) more() bool { return b.err == nil && !b.stopped && b.next < len(b.steps) }

// settle ends a turn. What a commit that failed took back, failed.
func (b *sliced) settle(err error) bool {
	if err != nil {
		for i := b.turn; i < b.next; i++ {
			if b.errs[i] == nil {
				b.errs[i] = err
			}
		}
		b.err = err
	}
	return b.more()
}
