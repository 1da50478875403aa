package sqlite

import (
	"context"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// The log is copied into the database by a connection of its own, beside the writer: in the middle of a commit, where
// SQLite would do it, all writers would wait for megabytes to reach the disk.
//
// A log that is written and read without a pause is never copied to its end, and only one that is begins anew. So when
// it has become long the writer copies the little that is left itself, between two commits, and waits a moment for
// those who read from it. That also bounds the log: if the disk keeps up badly, much is left, and writers wait for it.
const (
	checkpointAfter = 1000 // writes; some 8 MiB of log
	longLog         = 4096 // pages, 16 MiB
	readersWait     = 20 * time.Millisecond
	patientWait     = 500 * time.Millisecond // once the log is twice as long
)

type checkpointer struct {
	s     *Store
	c     *conn
	wake  chan struct{}
	rest  atomic.Int64 // pages of a log that the writer is to finish
	ended chan struct{}
}

func newCheckpointer(s *Store, pragmas string) (*checkpointer, error) {
	c, err := openConn(s.path, sqlite.OpenReadWrite, pragmas+"PRAGMA cache_size=-256;")
	if err != nil {
		return nil, translate(context.Background(), "open a connection for checkpoints", err)
	}
	return &checkpointer{s: s, c: c, wake: make(chan struct{}, 1), ended: make(chan struct{})}, nil
}

// due says that the log has grown.
func (k *checkpointer) due() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *checkpointer) run() {
	defer close(k.ended)
	for {
		select {
		case <-k.wake:
			k.copy()
		case <-k.s.closing:
			return
		}
	}
}

// copy copies what no reader needs any more, without waiting for anyone.
func (k *checkpointer) copy() {
	pages, left := k.s.checkpoint(k.c, "PRAGMA wal_checkpoint(PASSIVE)")
	if left > longLog/4 {
		pages, _ = k.s.checkpoint(k.c, "PRAGMA wal_checkpoint(PASSIVE)")
	}
	if pages > longLog {
		k.rest.Store(int64(pages))
	}
}

// checkpoint returns how long the log is and how many pages of it are left. After an error it is as long as before:
// the writes that follow ask again.
func (s *Store) checkpoint(c *conn, sql string) (pages, left int) {
	start := s.now()
	q := c.prep(sql)
	found, err := q.step()
	if err == nil && found {
		pages = int(q.colInt(1))
		left = pages - int(q.colInt(2))
		err = q.done()
	}
	if o := s.options.Observer; o != nil {
		o(Event{Op: "checkpoint", Took: s.now().Sub(start), Err: translate(context.Background(), "checkpoint", err)})
	}
	return pages, left
}

// checkpoint notes writes for the next checkpoint; the writer calls it between two commits.
func (w *writer) checkpoint(writes int) {
	w.logged += writes
	if pages := w.s.log.rest.Swap(0); pages > 0 {
		wait := readersWait
		if pages > 2*longLog {
			wait = patientWait
		}
		w.c.c.SetBusyTimeout(wait)
		w.s.checkpoint(w.c, "PRAGMA wal_checkpoint(RESTART)")
		w.c.c.SetBusyTimeout(busyTimeout)
	}
	if w.logged >= checkpointAfter {
		w.logged = 0
		w.s.log.due()
	}
}
