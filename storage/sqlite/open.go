package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"rollcall/storage"
)

const (
	databaseFile = "rollcall.db"
	lockFileName = "rollcall.lock"
)

// The log is flushed at each commit: an acknowledged write survives the loss of power. It is cut back after a burst.
const writerPragmas = logPragmas + `PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-24576;`

const logPragmas = `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;`

const readerPragmas = `PRAGMA query_only=ON; PRAGMA cache_size=-4096;`

// busyTimeout is for locks that are held for an instant.
const busyTimeout = 5 * time.Second

// Options say where the store is and what it keeps.
type Options struct {
	Dir   string         // the data directory, made if it is not there; "" keeps everything in a temporary file
	Types []storage.Type // all types that the store will be asked about

	Observer Observer         // nil: none
	Now      func() time.Time // for the durations that the Observer is told; nil: they are zero
	Readers  int              // reading connections; 0: twice the processors, 4 to 16
	Queue    int              // writes of one organization that may wait; 0: 4096
	Import   bool             // the store is the target of a copy: one that has begun is opened, see storage.Importer
	Cache    int64            // bytes of the cache of records, 32 MiB or more; 0: DefaultCache; negative: none
}

// Event is one thing that the store did, for metrics.
type Event struct {
	Op     string // "insert", "get", ...; "commit" is one group commit
	Writes int    // of a commit: how many writes shared it
	Took   time.Duration
	Err    error
}

// Observer is told each event after it happened. It must be quick and safe for concurrent use.
type Observer func(Event)

// Store is a storage.Store in one SQLite database.
type Store struct {
	*catalog
	options Options
	path    string
	temp    string // directory to remove on Close
	lock    *os.File

	readers  chan *conn // idle connections; nil stands for one that is not open yet
	w        *writer
	log      *checkpointer
	tokens   tokenCache
	cache    *cache
	ids      idRanges
	closing  chan struct{}
	closed   atomic.Bool
	closeOne sync.Once
	closeErr error
}

var _ storage.Store = (*Store)(nil)

// Open opens the database in o.Dir or makes it, brings its layout up to date and, where the indexes of a type are
// not those that the database was built with, indexes the type anew.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cat, err := newCatalog(o.Types)
	if err != nil {
		return nil, err
	}
	if o.Readers <= 0 {
		o.Readers = min(max(2*runtime.GOMAXPROCS(0), 4), 16)
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	s := &Store{
		catalog: cat, options: o, readers: make(chan *conn, o.Readers), closing: make(chan struct{}),
		cache: newCache(o.Cache), ids: idRanges{orgs: make(map[int64]map[int64]*idRange)},
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rollcall-"); err != nil {
			return nil, fmt.Errorf("sqlite: make a temporary directory: %w", err)
		}
		s.temp = dir
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sqlite: make the data directory: %w", err)
	}
	if s.lock, err = lockFile(filepath.Join(dir, lockFileName)); err != nil {
		return nil, err
	}
	s.path = filepath.Join(dir, databaseFile)
	temporary := ""
	if s.temp != "" {
		temporary = "PRAGMA synchronous=OFF;" // nothing outlives the process anyway
	}
	c, err := openConn(s.path, sqlite.OpenReadWrite|sqlite.OpenCreate, writerPragmas+temporary)
	if err != nil {
		return nil, translate(ctx, "open", err)
	}
	c.c.SetBusyTimeout(busyTimeout)
	s.w = newWriter(s, c)
	for _, prepare := range []func() error{c.migrate, func() error { return s.refuseUnfinished(c) }, func() error { return s.loadCatalog(c) }, s.w.load, func() error { return s.loadNested(c) }} {
		if err := prepare(); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	if s.temp == "" {
		if err := syncDir(dir); err != nil {
			return nil, errors.Join(fmt.Errorf("sqlite: flush the data directory: %w", err), c.close())
		}
	}
	s.log, err = newCheckpointer(s, logPragmas+temporary)
	if err == nil {
		// What runs before checkpointed as it went.
		err = c.script("PRAGMA wal_autocheckpoint=0;")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	for range o.Readers {
		s.readers <- nil
	}
	s.tokens.init()
	go s.w.run()
	go s.log.run()
	return s, nil
}

// release gives back what Open took outside of the database.
func (s *Store) release() {
	s.cache.close()
	if s.lock != nil {
		_ = s.lock.Close()
	}
	if s.temp != "" {
		_ = os.RemoveAll(s.temp)
	}
}

// Close lets the writes that are queued finish, waits for readers and closes the database.
func (s *Store) Close() error {
	s.closeOne.Do(func() {
		s.closed.Store(true)
		close(s.closing)
		<-s.w.ended
		<-s.log.ended
		s.closeErr = s.log.c.close()
		for range s.options.Readers {
			if c := <-s.readers; c != nil {
				s.closeErr = errors.Join(s.closeErr, c.close())
			}
		}
		// The last connection to close checkpoints the log into the database.
		s.closeErr = errors.Join(s.closeErr, s.w.c.close())
		s.release()
	})
	return s.closeErr
}

// enter is what every method asks first.
func (s *Store) enter(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	return ctx.Err()
}

// reader takes a reading connection out of the pool.
func (s *Store) reader(ctx context.Context) (*conn, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	var c *conn
	select {
	case c = <-s.readers:
	default:
		select {
		case c = <-s.readers:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.closing:
			return nil, storage.ErrClosed
		}
	}
	if s.closed.Load() {
		s.readers <- c
		return nil, storage.ErrClosed
	}
	if c == nil {
		var err error
		if c, err = openConn(s.path, sqlite.OpenReadWrite, readerPragmas); err != nil {
			s.readers <- nil
			return nil, translate(ctx, "open a reader", err)
		}
		c.c.SetBusyTimeout(busyTimeout)
	}
	return c, nil
}

func (s *Store) putBack(c *conn) { s.readers <- c }

// snapshot runs f in one read transaction.
func (s *Store) snapshot(ctx context.Context, f func(*conn) error) error {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer s.putBack(c)
	return c.snapshot(f)
}

func (c *conn) snapshot(f func(*conn) error) (err error) {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	// Deferred, as a connection that kept its transaction after a panic would be of no use to anyone.
	defer func() {
		c.c.SetInterrupt(nil) // an interrupted connection refuses even what follows
		err = firstError(err, c.exec("ROLLBACK"))
	}()
	return f(c)
}

// observe reports an operation when it ends; use it deferred.
func (s *Store) observe(op string, err *error) func() {
	if s.options.Observer == nil {
		return func() {}
	}
	start := s.now()
	return func() { s.options.Observer(Event{Op: op, Took: s.now().Sub(start), Err: *err}) }
}

func (s *Store) now() time.Time {
	if s.options.Now == nil {
		return time.Time{}
	}
	return s.options.Now()
}

// Ready implements storage.Store. After a commit that failed it tries one, so that it turns true when the disk does.
func (s *Store) Ready(ctx context.Context) (err error) {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	q := c.prep("SELECT 1")
	_, _, err = q.one()
	s.putBack(c)
	if err != nil {
		return translate(ctx, "read", err)
	}
	if !s.w.failed.Load() {
		return nil
	}
	return s.w.do(ctx, "", 1, func(w *writer) error {
		q := w.c.prep("INSERT INTO secrets (name, value) VALUES ('.ready', x'') ON CONFLICT DO UPDATE SET value=x''")
		return q.exec()
	})
}
