package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"rollcall/scim"
)

// sweepEvery is how often what time has made due is done: people on leave come back, memberships end, profiles whose
// retention is over are destroyed. No rule waits for it.
const sweepEvery = time.Minute

// refusalsEvery is how often what was refused is written down.
const refusalsEvery = 5 * time.Second

// sweeper does in the background what time has made due, and works on jobs. Several processes may do it at once.
type sweeper struct {
	cancel      context.CancelFunc
	ended, jobs chan struct{}
}

// startSweeper works until stop.
func startSweeper(ctx context.Context, db *database, log *slog.Logger) *sweeper {
	ctx, cancel := context.WithCancel(ctx)
	s := &sweeper{cancel: cancel, ended: make(chan struct{}), jobs: make(chan struct{})}
	go func() {
		defer close(s.jobs)
		db.people.RunJobs(ctx, func(err error) {
			log.WarnContext(ctx, "a job was interrupted; it is tried again", "error", err)
		})
	}()
	go func() {
		defer close(s.ended)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		refusals := time.NewTicker(refusalsEvery)
		defer refusals.Stop()
		work := func() error { return sweep(ctx, db, log) }
		for {
			if err := work(); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "what time has made due was not all done; it is tried again", "error", err)
			}
			select {
			case <-tick.C:
				work = func() error { return sweep(ctx, db, log) }
			case <-refusals.C:
				work = func() error { return db.people.FlushRefusals(ctx) }
			case <-ctx.Done():
				closeRefusals(db, log)
				return
			}
		}
	}()
	return s
}

// closeRefusals writes down what was refused in the last minute, if the database takes it at once.
func closeRefusals(db *database, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), refusalsEvery)
	defer cancel()
	if err := db.people.CloseRefusals(ctx); err != nil {
		log.WarnContext(ctx, "the last refusals are not in the audit trail", "error", err)
	}
}

// sweep goes once through all organizations.
func sweep(ctx context.Context, db *database, log *slog.Logger) error {
	orgs, err := db.service.Organizations(ctx)
	if err != nil {
		return err
	}
	ids := []scim.OrgID{scim.SystemOrg}
	for _, o := range orgs {
		ids = append(ids, o.ID)
	}
	var errs []error
	for _, id := range ids {
		_, err1 := db.people.Sweep(ctx, id)
		var err2, err3, err4, err5 error
		if id != scim.SystemOrg {
			_, err2 = db.people.SweepArrivals(ctx, id)
			err3 = db.people.SweepMembers(ctx, id)
			_, err4 = db.people.SweepJobs(ctx, id)
			err5 = db.people.SweepDomains(ctx, id)
		}
		errs = append(errs, err1, err2, err3, err4, err5, seal(ctx, db, log, id))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// seal seals the audit trail of an organization, and says in the log how far: a log that is kept elsewhere shows later that
// the chain was not made anew.
func seal(ctx context.Context, db *database, log *slog.Logger, org scim.OrgID) error {
	before, made, err := db.people.SealDue(ctx, org)
	if made {
		log.InfoContext(ctx, "audit trail sealed", "org", string(org), "seal", before.Number, "hash", before.Hash)
	}
	return err
}

// stop waits for the sweep that is under way, and for the part of a job that is.
func (s *sweeper) stop() {
	s.cancel()
	<-s.ended
	<-s.jobs
}
