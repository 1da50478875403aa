package mongo_test

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/mongo"
)

// TestRefuseStandalone: a server without transactions is refused, and told apart from one that is not there.
func TestRefuseStandalone(t *testing.T) {
	uri := mongotest.Standalone(t)
	if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Types: conformance.Types()}); !errors.Is(err, mongo.ErrStandalone) {
		t.Errorf("Open: %v, want ErrStandalone", err)
	}
	if _, err := mongo.MigrationStatus(t.Context(), mongo.Options{URI: uri, Types: conformance.Types()}); !errors.Is(err, mongo.ErrStandalone) {
		t.Errorf("MigrationStatus: %v, want ErrStandalone", err)
	}
}

// privileges are those that docs/mongodb.md gives to paste.
func privileges(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/mongodb.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)db\.createRole\(\{.*?privileges: \[\{resource: \{db: "rollcall", collection: ""\}, actions: \[(.*?)\]\}\]`).FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/mongodb.md has no createRole as this test knows it")
	}
	var actions []string
	for _, a := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(m[1], -1) {
		actions = append(actions, string(a[1]))
	}
	if len(actions) < 3 {
		t.Fatalf("docs/mongodb.md gives the actions %v", actions)
	}
	return actions
}

// TestAccessControl: who logs in wrongly, not at all, or may not do everything is refused at the start with a sentence
// that says which of these it is and what is missing, and shows nothing of the connection string. A user with exactly
// the documented privileges can do all that the store does.
func TestAccessControl(t *testing.T) {
	g := mongotest.StartGuarded(t)
	needed := privileges(t)
	of := func(db string, actions []string) mongotest.Privilege {
		return mongotest.Privilege{Database: db, Actions: actions}
	}
	const secret = "hunter2-of-the-test"
	user := func(name string, privileges ...mongotest.Privilege) *url.Userinfo {
		t.Helper()
		u := url.UserPassword(name, secret)
		g.CreateUser(t.Context(), u, privileges...)
		return u
	}
	right := user("right", of("rollcall", needed))
	open := func(u *url.Userinfo) (*mongo.Store, error) {
		return mongo.Open(t.Context(), mongo.Options{URI: g.URI(u, "rollcall"), Types: conformance.Types(), ServerSelection: 5 * time.Second})
	}
	refused := func(name string, u *url.Userinfo, words ...string) {
		t.Run(name, func(t *testing.T) {
			s, err := open(u)
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, mongo.ErrPrivileges) || errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("Open: %v, want ErrPrivileges", err)
			}
			for _, w := range words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("%q says too much", err)
			}
			if _, err := mongo.MigrationStatus(t.Context(), mongo.Options{URI: g.URI(u, "rollcall")}); !errors.Is(err, mongo.ErrPrivileges) {
				t.Errorf("MigrationStatus: %v, want ErrPrivileges", err)
			}
		})
	}
	refused("wrong password", url.UserPassword("right", secret+"x"), "refuses the login")
	refused("nobody of that name", url.UserPassword("nobody", secret), "refuses the login")
	refused("no login", nil, "asks for a login")
	refused("no privileges", user("none"), "find insert update")
	refused("another database", user("elsewhere", of("other", needed)), "find insert update")
	refused("reads only", user("reader", of("rollcall", []string{"find", "listIndexes"})), "insert update remove createCollection createIndex")
	for _, action := range needed {
		rest := slices.DeleteFunc(slices.Clone(needed), func(a string) bool { return a == action })
		refused("without "+action, user("without-"+action, of("rollcall", rest)), "["+action+"]", "database rollcall")
	}
	refused("one collection only", user("one", mongotest.Privilege{Database: "rollcall", Collection: "users", Actions: needed}), "find insert update")

	s, err := open(right)
	if err != nil {
		t.Fatalf("Open with the documented privileges: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	databases := 0
	empty := func(t testing.TB) storage.Store {
		t.Helper()
		databases++
		name := "rollcall_" + strconv.Itoa(databases)
		u := url.UserPassword(name, secret)
		g.CreateUser(t.Context(), u, of(name, needed)) // the same role in a database of the test's own
		s, err := mongo.Open(t.Context(), mongo.Options{URI: g.URI(u, name), Types: conformance.Types()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	// These write by every road, read everything, and look at the whole database at the end.
	conformance.RunCopy(t, empty, empty)
}
