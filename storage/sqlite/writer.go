package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// The bounds of one group commit. Writes gather while the commit before them is flushed; these bounds keep a burst
// from making the first of it wait for the last.
const (
	maxBatchWeight = 512
	maxBatchTime   = 20 * time.Millisecond
	maxQueueWait   = 10 * time.Second
	// A Batch ends its turn after minSlice steps if another organization waits, and after maxSharedTime if one has
	// written within the last sharedFor commits: whoever has just written is likely to write again, and should not
	// find the writer in the middle of a large batch.
	minSlice      = 32
	maxSharedTime = 4 * time.Millisecond
	sharedFor     = 64
)

// writer owns the one connection that writes. Jobs run one after the other in the transaction of their batch and
// are answered after its COMMIT. A job checks everything that may refuse it before its first write, so most need no
// savepoint of their own; a step does (see step).
type writer struct {
	s      *Store
	c      *conn
	queue  *queue
	ended  chan struct{}
	failed atomic.Bool // the last commit failed

	seqs    map[int64]int64 // organization code -> last change
	pending map[int64]bool  // organization code -> whether it may have pending members
	rid     int64           // last row id given to a record
	counts  []count         // what the transaction adds to table counts
	marks   []*job          // scratch
	trip    trip            // the batch that runs
	shared  int             // for how many more batches the writer counts as shared
	before  scim.OrgID      // whose job was first in the batch before
	// depth of open savepoints. A write that failed half way spoils the step around it, whatever the step makes of
	// the error, or outside of any the whole transaction.
	depth   int
	spoiled error
	broken  error

	logged int // writes since the last checkpoint

	seed    maphash.Seed
	updates [4096]atomic.Int32 // see busy
}

type count struct{ org, typ, n int64 }

// job is one unit of a batch.
type job struct {
	org    scim.OrgID
	run    func(*writer) error
	weight int
	// settle, if there is one, is told what the commit made of the part that run did, and returns whether there is
	// more to run in another turn.
	settle func(error) bool
	begun  bool         // has had a turn
	next   *job         // behind it in its lane
	state  atomic.Int32 // jobQueued -> jobTaken, or jobQueued -> jobLeft by the caller whose context ended
	done   chan struct{}
	err    error
}

const (
	jobQueued = iota
	jobTaken
	jobLeft
)

func newWriter(s *Store, c *conn) *writer {
	return &writer{
		s: s, c: c, queue: newQueue(s.options.Queue), ended: make(chan struct{}),
		seed: maphash.MakeSeed(), seqs: make(map[int64]int64), pending: make(map[int64]bool),
	}
}

// load reads where the numbers of records go on.
func (w *writer) load() (err error) {
	q := w.c.prep("SELECT max(rid) FROM res")
	w.rid, _, err = q.one()
	return translate(context.Background(), "read the last record", err)
}

// do runs f in the writer, in the turn of org, and returns after the commit. If ctx ends while the job waits, nothing
// is written; once it runs, the result is waited for, since it may be committed.
func (w *writer) do(ctx context.Context, org scim.OrgID, weight int, f func(*writer) error) error {
	return w.await(ctx, &job{org: org, run: f, weight: weight})
}

func (w *writer) await(ctx context.Context, j *job) error {
	if err := w.s.enter(ctx); err != nil {
		return err
	}
	j.done = make(chan struct{})
	if err := w.queue.push(ctx, w.s.closing, j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobLeft) {
			return ctx.Err()
		}
	case <-w.ended:
		// The queue was closed for business between the check and the push.
		if j.state.CompareAndSwap(jobQueued, jobLeft) {
			return storage.ErrClosed
		}
	}
	<-j.done
	return j.err
}

func (w *writer) run() {
	defer close(w.ended)
	for {
		if j := w.queue.pop(anyJob); j != nil {
			w.batch(j)
			continue
		}
		select {
		case <-w.queue.wake:
		case <-w.s.closing:
			for j := w.queue.pop(anyJob); j != nil; j = w.queue.pop(anyJob) {
				w.batch(j)
			}
			return
		}
	}
}

// trip is what a batch carries, which says when it has to be committed.
type trip struct {
	weight    int
	org       scim.OrgID // of the first job
	mixed     bool       // there is a job of another organization
	slices    bool       // there is a part of a Batch
	full, due alarm
}

// batch runs first and what is queued behind it in one transaction.
func (w *writer) batch(first *job) {
	start := w.s.now()
	w.trip = trip{org: first.org}
	w.shared = max(0, w.shared-1)
	if first.org != w.before {
		w.shared, w.before = sharedFor, first.org
	}
	w.trip.full.set(maxBatchTime)
	w.trip.due.set(maxSharedTime)
	defer w.trip.full.t.Stop()
	defer w.trip.due.t.Stop()
	jobs := w.marks[:0]
	w.s.cache.begin()
	w.broken = translate(context.Background(), "begin", w.c.exec("BEGIN IMMEDIATE"))
	for j := first; j != nil; {
		if j.state.Load() == jobTaken || j.state.CompareAndSwap(jobQueued, jobTaken) {
			jobs = append(jobs, j)
			w.trip.weight += j.weight
			w.trip.mixed = w.trip.mixed || j.org != w.trip.org
			w.trip.slices = w.trip.slices || j.settle != nil
			if w.broken == nil {
				w.runJob(j)
			}
		}
		j = nil
		if w.trip.mixed {
			w.shared = sharedFor
		}
		if w.broken == nil && !w.enough() {
			j = w.queue.pop(w.trip.fits)
		}
	}
	err := w.finish()
	for _, j := range jobs {
		// A job that was refused keeps its reason: the commit changes nothing of it.
		if err != nil && j.err == nil {
			j.err = err
		}
		if j.settle != nil && j.settle(j.err) {
			w.queue.again(j)
			continue
		}
		close(j.done)
	}
	if o := w.s.options.Observer; o != nil {
		o(Event{Op: "commit", Writes: len(jobs), Took: w.s.now().Sub(start), Err: err})
	}
	clear(jobs)
	w.marks = jobs[:0]
	w.checkpoint(w.trip.weight)
}

// fits reports whether a job may be part of the batch. A part of a Batch does not join jobs of other organizations:
// they would wait for what is much larger than they are.
func (t *trip) fits(j *job) bool { return j.settle == nil || !t.mixed && t.org == j.org }

func anyJob(*job) bool { return true }

// enough reports whether the batch has to be committed before it takes another job.
func (w *writer) enough() bool {
	t := &w.trip
	return t.weight >= maxBatchWeight || t.full.off() || w.shared > 0 && t.slices && t.due.off()
}

// alarm is a timer that can be asked again and again whether it has gone off.
type alarm struct {
	t    *time.Timer
	rang bool
}

func (a *alarm) set(d time.Duration) { a.t, a.rang = time.NewTimer(d), false }

func (a *alarm) off() bool {
	if !a.rang {
		select {
		case <-a.t.C:
			a.rang = true
		default:
		}
	}
	return a.rang
}

// yields reports whether a Batch of org that has run n steps in its turn has to let others write.
func (w *writer) yields(org scim.OrgID, n int) bool {
	if w.broken != nil || w.trip.weight >= maxBatchWeight || w.trip.full.off() {
		return true
	}
	return n >= minSlice && (w.trip.mixed || w.queue.others(org) || w.shared > 0 && w.trip.due.off())
}

// runJob runs one job. A panic in a callback is the caller's error, not the writer's end.
func (w *writer) runJob(j *job) {
	mark := len(w.counts)
	j.err = w.guard(func() error { return j.run(w) })
	if j.err != nil {
		w.counts = w.counts[:mark]
	}
	w.lost()
}

func (w *writer) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlite: a callback panicked: %v", p)
		}
	}()
	return f()
}

// lost notices that SQLite has rolled the whole transaction back, as it does when the disk is full.
func (w *writer) lost() {
	if w.broken == nil && w.c.c.AutocommitEnabled() {
		w.broken = fmt.Errorf("sqlite: the transaction was rolled back: %w", storage.ErrUnavailable)
	}
}

// finish commits, or rolls back what cannot be committed.
func (w *writer) finish() error {
	err := w.broken
	if err == nil {
		err = translate(context.Background(), "count", errors.Join(w.flushCodes(), w.flushCounts()))
	}
	if err == nil {
		err = translate(context.Background(), "commit", w.c.exec("COMMIT"))
	}
	if err != nil && !w.c.c.AutocommitEnabled() {
		err = errors.Join(err, w.c.exec("ROLLBACK"))
	}
	w.counts = w.counts[:0]
	w.depth = 0
	w.s.cache.end()
	w.s.orgs.end(err == nil)
	w.s.attrs.end(err == nil)
	w.failed.Store(err != nil)
	return err
}

// write is how a job writes: an error in the middle of writes, outside of any savepoint, spoils the transaction.
func (w *writer) write(f func() error) error {
	err := f()
	if err == nil {
		return nil
	}
	err = translate(context.Background(), "write", err)
	if w.depth > 0 {
		w.spoiled = err
	} else if w.broken == nil {
		w.broken = err
	}
	w.lost()
	return err
}

// savepoint runs f whole or not at all.
func (w *writer) savepoint(f func() error) error {
	if err := w.c.exec("SAVEPOINT step"); err != nil {
		return w.write(func() error { return err })
	}
	w.depth++
	mark := len(w.counts)
	w.spoiled = nil
	err := firstError(w.guard(f), w.spoiled)
	w.depth--
	if w.lost(); w.broken != nil {
		return errors.Join(err, w.broken)
	}
	if err != nil {
		w.counts = w.counts[:mark]
		if rerr := w.write(func() error { return w.c.exec("ROLLBACK TO step") }); rerr != nil {
			return rerr
		}
	}
	if rerr := w.write(func() error { return w.c.exec("RELEASE step") }); rerr != nil {
		return rerr
	}
	return err
}

// count notes n more records of a type.
func (w *writer) count(org, typ, n int64) {
	if last := len(w.counts) - 1; w.depth == 0 && last >= 0 && w.counts[last].org == org && w.counts[last].typ == typ {
		w.counts[last].n += n
		return
	}
	w.counts = append(w.counts, count{org, typ, n})
}

func (w *writer) flushCounts() error {
	sums := make(map[[2]int64]int64, 4)
	for _, c := range w.counts {
		sums[[2]int64{c.org, c.typ}] += c.n
	}
	for k, n := range sums {
		if n == 0 {
			continue
		}
		s := w.c.prep("INSERT INTO counts (org, type, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n=n+excluded.n")
		if err := s.int(k[0]).int(k[1]).int(n).exec(); err != nil {
			return err
		}
	}
	return nil
}

// flushCodes stores the codes that the transaction handed out. It is done last, as a savepoint that is rolled back
// takes its rows with it but not the knowledge of the jobs that came after.
func (w *writer) flushCodes() error {
	for id, n := range w.s.orgs.fresh {
		s := w.c.prep("INSERT INTO orgs (code, id) VALUES (?, ?)")
		if err := s.int(n).text(string(id)).exec(); err != nil {
			return err
		}
	}
	for k, n := range w.s.attrs.fresh {
		s := w.c.prep("INSERT INTO attrs (code, type, path, spec) VALUES (?, ?, ?, '')")
		if err := s.int(n).int(k.typ).text(k.path).exec(); err != nil {
			return err
		}
	}
	return nil
}

// org returns the organization's code, a new one for an organization that has nothing yet.
func (w *writer) org(id scim.OrgID) int64 { return w.s.orgs.assign(id) }

// uniqueAttr returns the code of a unique key.
func (w *writer) uniqueAttr(t *resourceType, path string) int64 {
	for _, a := range t.attrs {
		if a.field().Path == path {
			return a.code
		}
	}
	return w.s.attrs.assign(attrKey{t.code, path})
}
