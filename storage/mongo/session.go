package mongo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"rollcall/scim"
	"rollcall/storage"
)

const (
	firstPause = 2 * time.Millisecond
	longPause  = 150 * time.Millisecond
	// patience is how long a write sleeps in all before it gives up against others that are always faster. The
	// context of a request ends earlier, as a rule.
	patience = 20 * time.Second
	// abortWait is how long it is waited for the end of a transaction that failed. One whose server does not answer
	// ends by itself there.
	abortWait = time.Second
	// commitTries is how often a commit is sent whose answer was lost; the server does it once.
	commitTries = 5
)

// again runs f until it does not lose against other writers any more. The pauses grow and are random, so that those
// who collided do not collide again.
func again(ctx context.Context, f func() error) error {
	var slept time.Duration
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := f()
		switch {
		case !errors.Is(err, errTransient) && !errors.Is(err, errLost):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case slept > patience && errors.Is(err, storage.ErrUnavailable):
			return err
		case slept > patience:
			return fmt.Errorf("%w: %w", storage.ErrContention, err)
		}
		//nolint:gosec // when to try again is no secret
		d := pause/2 + time.Duration(rand.Int64N(int64(pause)))
		slept += d
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// txn is one transaction of the database.
type txn struct {
	s   *Store
	org scim.OrgID
	// look: check before writing whether something is in the way. A statement that the server refuses ends the
	// transaction; a step that goes on after a refusal must find its own still open. A single write saves the
	// look and learns from the refusal.
	look bool
	// optimistic: the inserts of steps gather in queued and are sent together, before anything else is read or
	// written. That one is refused shows only then: errOptimism, and the steps are run again with look.
	optimistic bool
	queued     []*insert
	wrote      bool
	failed     error // the first error of the driver: the transaction is dead whatever a step makes of it
	changes    []any // rows for the feed, written at the end
	// imported: the rows have their positions.
	imported bool
}

// fail notes and translates an error of the driver.
func (x *txn) fail(ctx context.Context, op string, err error) error {
	err = translate(ctx, op, err)
	if err != nil && x.failed == nil {
		x.failed = err
	}
	return err
}

// attempt runs f in one transaction and commits it. The error is errTransient if it may be run again.
func (s *Store) attempt(ctx context.Context, org scim.OrgID, look bool, f func(context.Context, *txn) error) error {
	if err := s.presence.mayWrite(ctx); err != nil {
		return err
	}
	sess, err := s.client.StartSession(options.Session().SetCausalConsistency(false))
	if err != nil {
		return translate(ctx, "start a session", err)
	}
	defer sess.EndSession(context.WithoutCancel(ctx))
	// The commit is acknowledged by a majority, with its journal: no failover loses it.
	err = sess.StartTransaction(options.Transaction().SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return translate(ctx, "start a transaction", err)
	}
	x := &txn{s: s, org: org, look: look}
	inside := mongo.NewSessionContext(ctx, sess)
	err = f(inside, x)
	if x.failed != nil && (err == nil || errors.Is(x.failed, errTransient)) {
		err = x.failed // whatever a step made of it
	}
	if err == nil {
		err = x.sendQueued(inside)
	}
	if err == nil {
		err = x.flush(inside)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		abort(ctx, sess)
		return err
	}
	// One that has only read is committed as well: it may have seen what no majority has yet, and what it found is
	// true when the commit is acknowledged.
	if err := s.commit(ctx, sess); err != nil {
		return err
	}
	if len(x.changes) > 0 && !x.imported {
		s.sequencer.wrote(org, len(x.changes))
	}
	return nil
}

// abort ends a transaction, also when the caller is gone.
func abort(ctx context.Context, sess *mongo.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWait)
	defer cancel()
	_ = sess.AbortTransaction(ctx)
}

// commit sends the commit until its answer is known or the caller's time is over. It does not stop when the caller goes
// away: the write may be done.
func (s *Store) commit(ctx context.Context, sess *mongo.Session) error {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), end)
		defer cancel()
	} else {
		ctx = context.WithoutCancel(ctx)
	}
	for try := 1; ; try++ {
		err := sess.CommitTransaction(ctx)
		if err == nil {
			return nil
		}
		var labeled mongo.LabeledError
		unknown := mongo.IsTimeout(err) || errors.As(err, &labeled) && labeled.HasErrorLabel("UnknownTransactionCommitResult")
		if !unknown || try == commitTries || ctx.Err() != nil {
			if unknown {
				return fmt.Errorf("mongo: commit: %w: the outcome is not known", storage.ErrUnavailable)
			}
			return translate(ctx, "commit", err)
		}
	}
}

// transact runs f in a transaction of its own, again if it loses against others.
func (s *Store) transact(ctx context.Context, org scim.OrgID, look bool, f func(context.Context, *txn) error) error {
	return again(ctx, func() error { return s.attempt(ctx, org, look, f) })
}

// snapshot runs f so that all of its reads see one state of the database. It may run f again, from a later state.
func (s *Store) snapshot(ctx context.Context, f func(context.Context) error) error {
	if mongo.SessionFromContext(ctx) != nil {
		return f(ctx) // inside a transaction, which is a snapshot
	}
	return again(ctx, func() error {
		err := s.fromSnapshot(ctx, f)
		var server mongo.ServerError
		// A state from before an index was made, or too long ago, cannot be read; the next one can.
		if errors.As(err, &server) && (server.HasErrorCode(codeSnapshotTooOld) || server.HasErrorCode(codeSnapshotUnavailable)) {
			return fmt.Errorf("%w: %w", errTransient, scrub("read a snapshot", server, err))
		}
		return err
	})
}

func (s *Store) fromSnapshot(ctx context.Context, f func(context.Context) error) error {
	sess, err := s.client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return translate(ctx, "start a session", err)
	}
	defer sess.EndSession(context.WithoutCancel(ctx))
	return f(mongo.NewSessionContext(ctx, sess))
}
