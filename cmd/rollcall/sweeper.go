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
		for {
			if err := sweep(ctx, db); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "what time has made due was not all done; it is tried again", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s
}

// sweep goes once through all organizations.
func sweep(ctx context.Context, db *database) error {
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
		errs = append(errs, err1, err2, err3, err4, err5)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// stop waits for the sweep that is under way, and for the part of a job that is.
func (s *sweeper) stop() {
	s.cancel()
	<-s.ended
	<-s.jobs
}
