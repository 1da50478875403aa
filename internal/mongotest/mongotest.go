// Package mongotest gives tests a real MongoDB: the one that ROLLCALL_TEST_MONGODB_URI names, else a replica set of
// one member that it starts from a mongod on PATH (or from the binary that ROLLCALL_TEST_MONGOD names) and throws
// away. Nothing but a real server counts, so there is no fake here; without one the tests are skipped with one line,
// and fail if ROLLCALL_TEST_REQUIRE is mongodb. It is imported by tests only and knows nothing of what is stored.
package mongotest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The environment variables.
const (
	URIVariable     = "ROLLCALL_TEST_MONGODB_URI"
	MongodVariable  = "ROLLCALL_TEST_MONGOD"
	RequireVariable = "ROLLCALL_TEST_REQUIRE"
)

// errNone: there is nothing to test against.
var errNone = errors.New("no MongoDB to test against: set " + URIVariable + ", or have a mongod on PATH or in " + MongodVariable)

// perServer is how many databases are made on one server before the next ones get a new one. MongoDB keeps the files of
// databases that were dropped open for a while, some hundreds each, and dies when it may open no more.
const perServer = 25

// suite is the server that the tests of one binary share, one after the other if they need many databases.
type suite struct {
	mu      sync.Mutex
	started bool
	uri     string
	server  *server
	err     error
}

// server is one that the suite has started.
type server struct {
	set        *Set
	made, open int // databases
}

// Main runs the tests of a binary and stops the server that they started; call it from TestMain.
func Main(m *testing.M) int {
	defer shared().stop()
	return m.Run()
}

// shared returns the one suite of the process.
//
//nolint:gochecknoglobals // a test binary starts one server, however many tests it has
var shared = sync.OnceValue(func() *suite { return &suite{} })

// start finds or starts the first server, or starts the next one. The caller holds the lock.
func (s *suite) start() {
	s.started = true
	if s.uri = os.Getenv(URIVariable); s.uri != "" {
		return
	}
	binary, err := Mongod()
	if err != nil {
		s.err = err
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	set, err := StartSet(ctx, binary, 1)
	if s.err = err; err == nil {
		s.server, s.uri = &server{set: set}, set.URI()
	}
}

func (s *suite) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.set.Stop()
	}
}

// take counts a database that is made, on a new server if this one has had enough. The server is nil if it is not ours.
func (s *suite) take() (uri string, on *server, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.server; old != nil && old.made >= perServer {
		s.start()
		if s.err != nil {
			return "", nil, s.err
		}
		if old.open == 0 {
			old.set.Stop()
		}
	}
	if s.server != nil {
		s.server.made++
		s.server.open++
	}
	return s.uri, s.server, s.err
}

// drop counts a database that is gone, and stops its server if it was the last one there and new ones go to another.
func (s *suite) drop(on *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on == nil {
		return
	}
	if on.open--; on.open == 0 && on != s.server {
		on.set.Stop()
	}
}

// Mongod finds the server's binary.
func Mongod() (string, error) {
	name := os.Getenv(MongodVariable)
	if name == "" {
		name = "mongod"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNone
	}
	return path, nil
}

// URI returns a connection string of the binary's server, or skips the test.
func URI(t testing.TB) string {
	t.Helper()
	s := shared()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.start()
	}
	switch {
	case s.err == nil:
		return s.uri
	case errors.Is(s.err, errNone) && !Required():
		t.Skip(s.err)
	}
	t.Fatal(s.err)
	return ""
}

// Required reports whether a missing MongoDB is a failure.
func Required() bool {
	return slices.Contains(strings.Split(os.Getenv(RequireVariable), ","), "mongodb")
}

// Database returns a connection string and the name of a database that no other test uses. It is dropped at the end
// of the test.
func Database(t testing.TB) (uri, name string) {
	t.Helper()
	URI(t)
	uri, on, err := shared().take()
	if err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	name = "rollcall_test_" + hex.EncodeToString(random)
	t.Cleanup(func() { shared().drop(on) }) // after the connection below has ended
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		client := Connect(t, uri)
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Logf("drop the test's database: %v", err)
		}
	})
	return uri, name
}

// DatabaseURI is [Database] as one connection string, as an operator writes it.
func DatabaseURI(t testing.TB) string {
	t.Helper()
	uri, name := Database(t)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(URIVariable + " is no URL")
	}
	u.Path = "/" + name
	if q := u.Query(); u.User != nil && q.Get("authSource") == "" {
		q.Set("authSource", "admin") // which the path would else be taken for
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// Connect returns a client of the driver itself, for looking at what is stored.
func Connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal("connect to the test's MongoDB")
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.WithoutCancel(t.Context())); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
			t.Logf("disconnect: %v", err)
		}
	})
	return client
}

// Insert puts a document into a collection of the database that a connection string names.
func Insert(t testing.TB, uri, collection string, doc map[string]any) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal("the test's connection string is no URL")
	}
	if _, err := Connect(t, uri).Database(strings.TrimPrefix(u.Path, "/")).Collection(collection).InsertOne(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
}

// await polls until f is nil.
func await(ctx context.Context, what string, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("mongotest: %s: %w", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
