package mongotest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A server that is started for one test, beside the one that all share.

// binary finds the mongod, or skips the test.
func binary(t testing.TB) string {
	t.Helper()
	path, err := Mongod()
	switch {
	case err == nil:
		return path
	case Required() && os.Getenv(URIVariable) == "":
		t.Fatal(err)
	}
	t.Skip("this needs a server of its own kind, and there is no mongod on PATH or in " + MongodVariable)
	return ""
}

// starting bounds the start of servers.
func starting(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), time.Minute)
}

// Standalone starts a server that is no replica set, for the time of a test, and returns its connection string.
func Standalone(t testing.TB) string {
	t.Helper()
	path := binary(t)
	m, err := startMember(path, filepath.Join(t.TempDir(), "0"), nil)
	t.Cleanup(func() {
		if m != nil {
			m.Kill()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := starting(t)
	defer cancel()
	if err := m.await(ctx); err != nil {
		t.Fatal(err)
	}
	return "mongodb://" + m.addr + "/"
}

// Guarded is a replica set of one member that asks for a login.
type Guarded struct {
	t    testing.TB
	set  *Set
	root *url.Userinfo
}

// StartGuarded starts one for the time of a test, with access control as a replica set has it: by a key file.
func StartGuarded(t testing.TB) *Guarded {
	t.Helper()
	path := binary(t)
	// The servers of a set know each other by it; that nobody else can read it is a condition.
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("b25seSBmb3IgdGhlIHRpbWUgb2YgYSB0ZXN0"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := starting(t)
	defer cancel()
	set, err := startSet(ctx, path, setName, 1, "--auth", "--keyFile", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Stop)
	g := &Guarded{t: t, set: set, root: url.UserPassword("root", "root-of-the-test")}
	// The first user can be made without a login, from the machine itself.
	g.createUser(ctx, g.set.members[0].run, g.root, bson.A{"root"})
	return g
}

func (g *Guarded) createUser(ctx context.Context, run func(context.Context, bson.D, any) error, u *url.Userinfo, roles bson.A) {
	g.t.Helper()
	password, _ := u.Password()
	err := run(ctx, bson.D{{Key: "createUser", Value: u.Username()}, {Key: "pwd", Value: password}, {Key: "roles", Value: roles}}, nil)
	if err != nil {
		g.t.Fatal(err)
	}
}

// asRoot sends a command to the database admin.
func (g *Guarded) asRoot(ctx context.Context, command bson.D, into any) error {
	res := Connect(g.t, g.URI(g.root, "")).Database("admin").RunCommand(ctx, command)
	if into == nil {
		return res.Err()
	}
	return res.Decode(into)
}

// Privilege is what somebody may do: in a database, or in one collection of it if that is not "".
type Privilege struct {
	Database, Collection string
	Actions              []string
}

// CreateUser makes a user who has one role, of the same name, with the privileges given.
func (g *Guarded) CreateUser(ctx context.Context, u *url.Userinfo, privileges ...Privilege) {
	g.t.Helper()
	list := bson.A{}
	for _, p := range privileges {
		list = append(list, bson.D{
			{Key: "resource", Value: bson.D{{Key: "db", Value: p.Database}, {Key: "collection", Value: p.Collection}}}, {Key: "actions", Value: p.Actions},
		})
	}
	role := bson.D{{Key: "createRole", Value: u.Username()}, {Key: "privileges", Value: list}, {Key: "roles", Value: bson.A{}}}
	if err := g.asRoot(ctx, role, nil); err != nil {
		g.t.Fatal(err)
	}
	g.createUser(ctx, g.asRoot, u, bson.A{u.Username()})
}

// URI is the connection string of a user, of nobody if u is nil, with a database.
func (g *Guarded) URI(u *url.Userinfo, database string) string {
	g.t.Helper()
	uri, err := url.Parse(g.set.URI())
	if err != nil {
		g.t.Fatal(errors.New("the test's connection string is no URL"))
	}
	uri.User, uri.Path = u, "/"+database
	if u != nil {
		q := uri.Query()
		q.Set("authSource", "admin")
		uri.RawQuery = q.Encode()
	}
	return uri.String()
}
