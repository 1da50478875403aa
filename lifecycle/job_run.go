package lifecycle

import (
	"context"
	"errors"
	"maps"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

const (
	jobPoll = 2 * time.Second // how often a process looks for jobs that others have started
	// jobLease is for how long a job is a process's without a sign of life: after it another one goes on.
	jobLease = time.Minute
	// jobSlice is how long one job is worked on before others have their turn.
	jobSlice = 5 * time.Second
	// progressParts is after how many parts the progress of a job is written down.
	progressParts = 10
	// maxTickets is how many jobs of all organizations one look finds.
	maxTickets = 1000
	// maxJobFailures is how often in a row a job may fail for reasons of ours.
	maxJobFailures = 10
)

// RunJobs works on the jobs of all organizations until ctx ends. Several processes may do it: each job is one process's
// at a time, and another's if that one dies. report is told what went wrong; it is tried again.
func (s *Service) RunJobs(ctx context.Context, report func(error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			worked, err := s.RunJobsOnce(ctx)
			if err != nil && ctx.Err() == nil {
				report(err)
			}
			if worked == 0 || err != nil {
				break
			}
		}
		timer.Reset(jobPoll)
	}
}

// RunJobsOnce gives every job that waits for work some time, and returns how many there were.
func (s *Service) RunJobsOnce(ctx context.Context) (worked int, err error) {
	list, err := find[ticket](ctx, s, scim.SystemOrg, resources.TypeJobTicket, nil, maxTickets)
	if err != nil {
		return 0, fail(typeJob, err)
	}
	var errs []error
	for _, t := range list {
		did, err := s.workOn(ctx, t)
		if did {
			worked++
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return worked, errors.Join(errs...)
}

// work is one process's turn at a job.
type work struct {
	*Service
	key   storage.Key
	lease string
	job   *Job // as it was when the turn began, with the progress since
	sub   Subject
	until time.Time // the turn ends

	options scim.Attributes // sealed
	kind    jobKind
}

// jobKind does the parts of one kind of job.
type jobKind interface {
	// part decides things of a part by decided, until none is left: then the wait is 0. A wait that is not says after
	// how long it is worth going on.
	part(ctx context.Context, p *openPart) (wait time.Duration, err error)
	// passed tells about a part that was decided before this turn.
	passed(p *openPart)
}

var errNotDue = errors.New("lifecycle: the job waits for something else")

// workOn gives one job its time, if it is due and nobody else's.
func (s *Service) workOn(ctx context.Context, t *record[ticket]) (did bool, err error) {
	k := jobKey(t.Value.Org, t.Value.Job)
	w, err := s.leaseJob(ctx, k)
	switch {
	case errors.Is(err, errNotDue):
		return false, nil
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, errDecided):
		return false, s.retire(ctx, t)
	case err != nil:
		return false, fail(typeJob, err)
	}
	wait, err := w.turn(ctx)
	if err != nil && isOver(ctx) { // the process ends: what was under way is done by another one
		wait, err = 0, nil
	}
	return true, w.rest(ctx, wait, fail(typeJob, err))
}

// leaseJob takes the lease of a job: errNotDue if it waits or is another process's, errDecided if there is nothing to do.
func (s *Service) leaseJob(ctx context.Context, k storage.Key) (*work, error) {
	w := &work{Service: s, key: k, lease: s.newID(), until: s.now().Add(jobSlice)}
	now := s.now()
	_, err := change(ctx, s, s.store, System(k.Org, "jobs").Caller, k, now, func(r *record[Job]) error {
		v := &r.Value
		switch {
		case !v.active():
			return errDecided
		case v.Due.After(now), v.Lease != "" && v.LeaseUntil.After(now):
			return errNotDue
		}
		v.Lease, v.LeaseUntil, v.Due = w.lease, at(now.Add(jobLease)), Instant{}
		job := *v
		job.Outcomes = maps.Clone(v.Outcomes)
		w.job, w.options = &job, r.Secret
		return nil
	})
	return w, err
}

// retire throws a ticket away that leads nowhere, unless the job was started again at the same moment.
func (s *Service) retire(ctx context.Context, t *record[ticket]) error {
	err := s.store.Delete(ctx, t.Key, s.now(), func(storage.Current) (storage.Change, error) {
		return storage.Change{Op: storage.OpDelete, Actor: System(scim.SystemOrg, "jobs").Actor}, nil
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	k := jobKey(t.Value.Org, t.Value.Job)
	r, err := load[Job](ctx, s.store, k)
	if err != nil || r == nil || !r.Value.active() {
		return err
	}
	return s.announce(ctx, k)
}

// turn does parts until the time is over or the job is at its end.
func (w *work) turn(ctx context.Context) (wait time.Duration, err error) {
	var kept jobSubject
	if err := w.openJSON(w.options, w.key, secretSubject, &kept); err != nil {
		return 0, err
	}
	if w.sub, err = w.subject(ctx, w.key.Org, w.key.ID, kept); err != nil {
		return 0, err
	}
	if w.kind, err = w.kindOf(ctx); err != nil {
		return 0, err
	}
	for n := 0; w.job.Next < w.job.Parts; n++ {
		if w.now().After(w.until) || isOver(ctx) {
			break
		}
		if n > 0 && n%progressParts == 0 {
			if err := w.progress(ctx, nil); err != nil {
				return 0, err
			}
		}
		if wait, err = w.one(ctx); err != nil || wait > 0 {
			return wait, err
		}
	}
	return 0, nil
}

// isOver reports whether the process is about to end.
func isOver(ctx context.Context) bool { return ctx.Err() != nil }

// one does the next part.
func (w *work) one(ctx context.Context) (time.Duration, error) {
	p, err := w.part(ctx, w.key, w.job.Next)
	if err != nil {
		return 0, err
	}
	if p.Value.Round == w.job.Round && p.Value.Left == 0 {
		w.kind.passed(p)
	} else {
		wait, err := w.kind.part(ctx, p)
		if err != nil || wait > 0 {
			return wait, err
		}
		if p, err = w.part(ctx, w.key, w.job.Next); err != nil {
			return 0, err
		}
	}
	if w.job.Outcomes == nil {
		w.job.Outcomes = map[string]int{}
	}
	for o, n := range p.Value.Outcomes {
		w.job.Outcomes[o] += n
		w.job.Done += n
	}
	w.job.Next++
	return 0, nil
}

func (w *work) kindOf(ctx context.Context) (jobKind, error) {
	if w.job.Kind == JobImport {
		return w.importing(ctx)
	}
	return w.changingMembers(ctx)
}

// progress writes down how far the job is, and keeps the lease.
func (w *work) progress(ctx context.Context, then func(*Job)) error {
	now := w.now()
	_, err := change(ctx, w.Service, w.store, System(w.key.Org, "jobs").Caller, w.key, now, func(r *record[Job]) error {
		v := &r.Value
		if v.Lease != w.lease || !v.active() {
			return errDecided
		}
		v.Next, v.Done, v.Outcomes, v.LeaseUntil, v.Failures = w.job.Next, w.job.Done, w.job.Outcomes, at(now.Add(jobLease)), 0
		if then != nil {
			then(v)
		}
		return nil
	})
	return err
}

// rest ends a turn: the job is done, waits, or is anybody's again.
func (w *work) rest(ctx context.Context, wait time.Duration, failed error) error {
	// What was worked out is written down also if the process is about to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	if errors.Is(failed, errDecided) { // cancelled, or another process's
		return nil
	}
	var known *scim.Error
	if errors.As(failed, &known) && known.RetryAfter == 0 && known.Status < 500 {
		return lostJob(w.progress(ctx, func(v *Job) {
			v.end(JobFailed, w.now())
			v.Code, v.Detail = known.Code, known.Detail
		}))
	}
	err := w.progress(ctx, func(v *Job) {
		switch {
		case known != nil && known.RetryAfter > 0: // a store that cannot be reached is no fault of the job
			wait = known.RetryAfter
		case failed != nil:
			if v.Failures = w.job.Failures + 1; v.Failures >= maxJobFailures {
				v.end(JobFailed, w.now())
				v.Code, v.Detail = "internal_error", "the job failed again and again; the operator finds the cause in the log"
				return
			}
			wait = jobPoll * time.Duration(v.Failures)
		case v.Next == v.Parts && v.State == JobPreviewing:
			v.State, v.Ended, v.Until = JobReady, at(w.now()), at(w.now().Add(keepUploads))
		case v.Next == v.Parts:
			v.end(JobDone, w.now())
		}
		v.Lease, v.LeaseUntil = "", Instant{}
		if wait > 0 {
			v.Due = at(w.now().Add(wait))
		}
	})
	return errors.Join(failed, lostJob(err))
}

// lostJob is nil for the error of a write to a job that is not this process's any more.
func lostJob(err error) error {
	if errors.Is(err, errDecided) || errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// keepPatience is how long a process that ends tries to write down how far it has come.
const keepPatience = 5 * time.Second

// SweepJobs tells the workers about jobs of an organization that they do not know of, and throws away those whose time is
// over. It returns how many it threw away.
func (s *Service) SweepJobs(ctx context.Context, org scim.OrgID) (int, error) {
	for _, state := range []string{JobPreviewing, JobRunning} {
		list, err := find[Job](ctx, s, org, typeJob, s.eq(typeJob, "state", state), dueAtOnce)
		if err != nil {
			return 0, fail(typeJob, err)
		}
		for _, r := range list {
			t, err := load[ticket](ctx, s.store, ticketKey(org, r.Key.ID))
			if err == nil && t == nil {
				err = s.announce(ctx, r.Key)
			}
			if err != nil {
				return 0, err
			}
		}
	}
	list, err := find[Job](ctx, s, org, typeJob, s.when(typeJob, "until", query.Le, s.now()), dueAtOnce)
	if err != nil {
		return 0, fail(typeJob, err)
	}
	for i, r := range list {
		if err := s.dropJob(ctx, r); err != nil {
			return i, fail(typeJob, err)
		}
	}
	return len(list), nil
}

// dropJob deletes a job, its parts first: what is left is found again.
func (s *Service) dropJob(ctx context.Context, r *record[Job]) error {
	by := storage.Change{Op: storage.OpDelete, Actor: System(r.Key.Org, "jobs").Actor}
	gone := func(k storage.Key) error {
		err := s.store.Delete(ctx, k, s.now(), func(storage.Current) (storage.Change, error) { return by, nil })
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	}
	for n := range r.Value.Parts {
		if err := gone(partKey(r.Key, n)); err != nil {
			return err
		}
	}
	return gone(r.Key)
}
