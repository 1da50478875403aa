package lifecycle

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// fixture is a service on a store of its own, with one organization.
type fixture struct {
	testing.TB
	*Service
	org   scim.OrgID
	clock *testkit.Clock
	admin Subject
	dns   *zone
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return fixtureOn(t, inMemory(t))
}

// inMemory opens an embedded store that lives as long as the test.
func inMemory(t testing.TB) func([]storage.Type) storage.Store {
	return func(types []storage.Type) storage.Store {
		store, err := sqlite.Open(t.Context(), sqlite.Options{Types: types})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
}

// fixtureOn is a fixture on a store that somebody else opens and closes.
func fixtureOn(t testing.TB, open func([]storage.Type) storage.Store) *fixture {
	t.Helper()
	reg, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	store := open(reg.StorageTypes())
	clock, ids := testkit.NewClock(), testkit.NewIDs()
	random, dns := &lockedRandom{r: rand.NewChaCha8([32]byte{1})}, &zone{texts: map[string]string{}}
	rs, err := resources.NewService(resources.Options{Store: store, Registry: reg, Now: clock.Now, NewID: ids.New, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rs.Close)
	s, err := New(t.Context(), Options{Store: store, Registry: reg, Resources: rs, Now: clock.Now, NewID: ids.New, Random: random, Domains: domains(), Resolver: dns})
	if err != nil {
		t.Fatal(err)
	}
	org, err := rs.CreateOrganization(t.Context(), "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, Service: s, org: org.ID, clock: clock, dns: dns}
	f.admin = Subject{
		Caller: scim.Caller{Org: org.ID, Actor: scim.Actor{Kind: "token", ID: "t", Name: "admin"}, RequestID: "r"},
		Kind:   KindOwner, Rank: RankOwner,
	}
	return f
}

// domains reads the lists once for all tests.
var domains = sync.OnceValue(func() *mail.Domains {
	d, err := mail.NewDomains("")
	if err != nil {
		panic(err)
	}
	return d
})

// lockedRandom is a seeded source for concurrent use.
type lockedRandom struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRandom) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

func wantCode(t testing.TB, what string, err error, status int, code string) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

func TestSettings(t *testing.T) {
	f := newFixture(t)
	v, version, err := f.Settings(t.Context(), f.org)
	if err != nil || version != 0 || v.Invite.TTL != 7*day {
		t.Fatalf("settings of a new organization: %+v, version %d, %v", v, version, err)
	}
	if err := v.check(); err != nil {
		t.Errorf("the defaults are out of range: %v", err)
	}
	set := func(version int64, ttl int) error {
		_, _, err := f.ChangeSettings(t.Context(), f.admin, version, func(v *Settings) error { v.Invite.TTL = ttl; return nil })
		return err
	}
	wantCode(t, "too short", set(0, 10), 400, "out_of_range")
	if err := set(0, 24*3600); err != nil {
		t.Fatal(err)
	}
	if v, version, _ = f.Settings(t.Context(), f.org); v.Invite.TTL != day || version != 1 {
		t.Errorf("after a change: %d seconds, version %d", v.Invite.TTL, version)
	}
	if err := set(7, 2*day); !errors.As(err, new(*scim.Error)) || !strings.HasPrefix(err.Error(), "412") {
		t.Errorf("stale version: %v", err)
	}
}

// TestGuardedStepsSeeEachOther: each of many steps looks whether there is room for one more and takes it.
func TestGuardedStepsSeeEachOther(t *testing.T) {
	f := newFixture(t)
	const room = 3
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken, refused := 0, 0
	for range 12 {
		wg.Go(func() {
			id := f.newID()
			err := f.guarded(t.Context(), f.admin.Caller, guardSeats, func() error {
				list, err := find[epoch](t.Context(), f.Service, f.org, resources.TypeEpoch, nil, 100)
				if err == nil && len(list) > room { // one of them counts the steps
					err = conflict("full", "no room")
				}
				return err
			}, func(tx storage.Tx) error {
				k := storage.Key{Org: f.org, Type: resources.TypeEpoch, ID: id}
				_, err := f.insert(context.Background(), tx, f.admin.Caller, k, f.now(), epoch{}, nil)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			var e *scim.Error
			switch {
			case err == nil:
				taken++
			case errors.As(err, &e) && e.Code == "full":
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken != room || refused != 12-room {
		t.Errorf("%d steps found room for %d, %d were refused", taken, room, refused)
	}
}

func TestLinkTokens(t *testing.T) {
	f := newFixture(t)
	text, digest, err := f.newLinkToken(prefixInvite)
	if err != nil || !strings.HasPrefix(text, prefixInvite) || strings.Contains(digest, text) {
		t.Fatalf("token %q, digest %q, %v", text, digest, err)
	}
	for name, tt := range map[string]struct {
		text, digest string
		want         bool
	}{
		"right": {text, digest, true}, "wrong": {text + "x", digest, false}, "no invite": {text, "", false},
		"empty": {"", f.linkDigest(""), false}, "too long": {strings.Repeat("x", 10_000), digest, false},
	} {
		if got := f.isLinkToken(tt.text, tt.digest); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	sealed, err := f.sealed([]byte("ann@example.com"), "a")
	if err != nil || strings.Contains(sealed, "ann") {
		t.Fatalf("sealed: %q, %v", sealed, err)
	}
	if got, err := f.opened(sealed, "a"); err != nil || string(got) != "ann@example.com" {
		t.Errorf("opened: %q, %v", got, err)
	}
	if _, err := f.opened(sealed, "b"); err == nil {
		t.Error("what was sealed for one record opened for another")
	}
}
