package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"rollcall/storage"
)

// Options say where the database is and what it keeps.
type Options struct {
	// URI is the connection string. It may hold a password, so no error and no event ever quotes it.
	URI string
	// Database is the name of the database; empty: the one that the URI names, else "rollcall".
	Database string
	Types    []storage.Type // all types that the store will be asked about

	Observer Observer // nil: none
	// Now is for the durations that the Observer is told, and for how long tokens are remembered; nil: durations are
	// zero, and tokens are not remembered.
	Now func() time.Time

	// Import opens the target of a copy: one that has begun is opened, see storage.Importer.
	Import bool
	// Finish refuses a database that processes of an older version still use, instead of waiting for their end before
	// all of its indexes are used.
	Finish bool
	// Exclusive refuses a database that another process has open, and keeps others from opening it.
	Exclusive bool

	// The URI's own options win over these (timeoutMS, serverSelectionTimeoutMS, maxPoolSize).
	Timeout         time.Duration // of one operation whose context has no deadline; 0: 10 s
	ServerSelection time.Duration // how long an operation waits for a primary; 0: 5 s
	MaxPoolSize     uint64        // connections to each server; 0: 100
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.ServerSelection <= 0 {
		o.ServerSelection = 5 * time.Second
	}
	if o.MaxPoolSize == 0 {
		o.MaxPoolSize = 100
	}
	return o
}

// Event is one thing that the store did, for metrics.
type Event struct {
	Op      string // "insert", "get", ...; of a command what the server calls it: "find", "commitTransaction"
	Command bool   // a command to the server, of which one operation may send several
	Took    time.Duration
	Err     error
}

// Observer is told each event after it happened. It must be quick and safe for concurrent use.
type Observer func(Event)

const (
	// heartbeat is how often the driver hears from each member at least.
	heartbeat = 2 * time.Second
	// connecting is how long a connection may take to be made.
	connecting = 3 * time.Second
)

// DefaultDatabase is the name of the database if neither the options nor the URI give one.
const DefaultDatabase = "rollcall"

// Store is a storage.Store in one MongoDB database.
type Store struct {
	reader // from the primary
	// clients is for what clients read: from the primary, so that a client that was told "201" finds its resource,
	// whichever process it asks next; or, if the URI has a read preference, from where that says, which may lag.
	clients reader
	options Options
	client  *mongo.Client
	routed  bool // through a mongos, which finds the shard by the shard key

	circuit    circuit
	queue      queue
	touched    touches
	remembered tokenMemory
	sequencer  sequencer
	presence   presence
	gate       gate

	closed   atomic.Bool
	closeOne sync.Once
	closeErr error
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Checker = (*Store)(nil)
)

// reader reads documents from the members of the replica set that db says.
type reader struct {
	*catalog
	db *mongo.Database
}

// errURI does not wrap the parser's error, which may quote the connection string.
var errURI = errors.New("mongo: the connection string cannot be parsed")

// Open connects to the database, refuses one that cannot serve, and makes the collections and indexes that are
// missing. It may run in several processes at once.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cat, err := newCatalog(o.Types)
	if err != nil {
		return nil, err
	}
	s := &Store{reader: reader{catalog: cat}, clients: reader{catalog: cat}, options: o.withDefaults()}
	if err := s.connect(); err != nil {
		return nil, err
	}
	s.remembered.clock = s.options.Now
	s.sequencer.init(s)
	defer func() {
		if err != nil {
			s.gate.stop()
			s.presence.end()
			_ = s.client.Disconnect(context.WithoutCancel(ctx))
		}
	}()
	// In a database of its own making the store waits for the indexes as long as they take; everything else is
	// bounded by the driver's timeout.
	if err := s.checkServer(ctx); err != nil {
		return nil, err
	}
	if _, err := s.schemaVersion(ctx); err != nil {
		return nil, err
	}
	if err := s.refuseUnfinished(ctx); err != nil {
		return nil, err
	}
	if err := s.presence.begin(ctx, s); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	s.awaitOlder()
	return s, nil
}

// connect makes the client, which looks for servers from then on.
func (s *Store) connect() error {
	o := &s.options
	parsed, err := connstring.Parse(o.URI)
	if err != nil {
		return errURI
	}
	if o.Database == "" {
		o.Database = parsed.Database
	}
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	client := s.clientOptions().SetMonitor(s.commandMonitor()).SetServerMonitor(
		&event.ServerMonitor{ServerDescriptionChanged: s.gate.changed, ServerClosed: s.gate.closed})
	s.gate.init(s.confirmOn)
	if s.client, err = mongo.Connect(client); err != nil {
		return errURI
	}
	s.reader.db = s.client.Database(o.Database, options.Database().SetReadPreference(readpref.Primary()))
	s.clients.db = s.client.Database(o.Database)
	s.options.Timeout = *client.Timeout
	return nil
}

// clientOptions are those of the URI, what it leaves open filled in. What the contract rests on is not up to the URI.
func (s *Store) clientOptions() *options.ClientOptions {
	o := options.Client().ApplyURI(s.options.URI)
	if o.AppName == nil {
		o.SetAppName("rollcall")
	}
	if o.Timeout == nil || *o.Timeout <= 0 {
		o.SetTimeout(s.options.Timeout)
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(s.options.ServerSelection)
	}
	if o.MaxPoolSize == nil {
		o.SetMaxPoolSize(s.options.MaxPoolSize)
	}
	if o.ConnectTimeout == nil {
		o.SetConnectTimeout(connecting)
	}
	if o.HeartbeatInterval == nil {
		// A member that is there and says nothing is given up after this and twice the connect timeout, and with it
		// what waits for its answer.
		o.SetHeartbeatInterval(heartbeat)
	}
	o.SetRetryWrites(true).SetRetryReads(true).
		// What is read was acknowledged by a majority.
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority())
	return o
}

// Close waits for the writes of the sequencer and closes the connections.
func (s *Store) Close() error {
	s.closeOne.Do(func() {
		s.closed.Store(true)
		s.gate.stop()
		s.sequencer.stop()
		s.presence.end()
		ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
		defer cancel()
		if err := s.client.Disconnect(ctx); err != nil {
			s.closeErr = fmt.Errorf("mongo: close: %w", err)
		}
	})
	return s.closeErr
}

// call is what every method begins with. end must be deferred with the method's error.
func (s *Store) call(ctx context.Context, op string) (end func(*error), err error) {
	if s.closed.Load() {
		return nil, storage.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	probe, err := s.circuit.allow()
	if err != nil {
		return nil, err
	}
	start := s.now()
	return func(err *error) {
		if *err != nil && s.closed.Load() && !errors.Is(*err, storage.ErrClosed) {
			*err = fmt.Errorf("%w: %w", storage.ErrClosed, *err)
		}
		s.circuit.report(probe, *err)
		if s.options.Observer != nil {
			s.options.Observer(Event{Op: op, Took: s.now().Sub(start), Err: *err})
		}
	}, nil
}

func (s *Store) now() time.Time {
	if s.options.Now == nil {
		return time.Time{}
	}
	return s.options.Now()
}

// readyWithin is how long a readiness probe waits; whoever asks wants an answer, not a long wait.
const readyWithin = 2 * time.Second

// Ready implements storage.Store: there is a primary, and it answers. It closes the circuit when it finds one.
func (s *Store) Ready(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	err := s.client.Ping(bounded, readpref.Primary())
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil && s.closed.Load():
		return storage.ErrClosed
	case err != nil:
		err = fmt.Errorf("mongo: no primary answers: %w", storage.ErrUnavailable)
	case s.presence.ended.Load():
		err = s.presence.mayWrite(bounded)
	}
	s.circuit.report(false, err)
	return err
}
