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

// suite is the server that all tests of one binary share.
type suite struct {
	once sync.Once
	uri  string
	set  *Set
	err  error
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

func (s *suite) start() {
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
	if s.set, s.err = StartSet(ctx, binary, 1); s.err == nil {
		s.uri = s.set.URI()
	}
}

func (s *suite) stop() {
	if s.set != nil {
		s.set.Stop()
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
	s.once.Do(s.start)
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
	uri = URI(t)
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	name = "rollcall_test_" + hex.EncodeToString(random)
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
