//go:build unix

package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// newTestKeys returns a clock and a maker of keys in one organization.
func newTestKeys() (*testkit.Clock, func(scim.TypeName) storage.Key) {
	ids := testkit.NewIDs()
	return testkit.NewClock(), func(t scim.TypeName) storage.Key {
		return storage.Key{Org: benchOrg, Type: t, ID: ids.New()}
	}
}

// count returns how many users there are by the counter and by a walk.
func count(t *testing.T, s *sqlite.Store) (total, listed int) {
	t.Helper()
	page, err := s.Query(t.Context(), benchOrg, query.Query{Sources: []query.Source{{Type: "User"}}, Limit: 100000})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := s.Query(t.Context(), benchOrg, query.Query{Sources: []query.Source{{Type: "User"}}, Total: true})
	if err != nil {
		t.Fatal(err)
	}
	return bare.Total, len(page.Records)
}

func wantSound(t *testing.T, s *sqlite.Store) {
	t.Helper()
	problems, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("check: %s", p)
	}
}

// lockHelper makes the test's own program open a data directory and wait to be killed.
const lockHelper = "ROLLCALL_TEST_LOCK_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(lockHelper); dir != "" {
		s, err := sqlite.Open(context.Background(), sqlite.Options{Dir: dir, Types: benchTypes()})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("open")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = s.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), lockHelper+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, _ := stdout.Read(line)
	if string(line[:n]) != "open\n" {
		t.Fatalf("the other process says %q", line[:n])
	}
	for what, err := range map[string]error{
		"Open":    func() error { _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); return err }(),
		"Migrate": sqlite.Migrate(dir),
	} {
		if !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("%s beside another process: %v", what, err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	open(t, sqlite.Options{Dir: dir, Types: benchTypes()})
}

func TestMigrations(t *testing.T) {
	dir := t.TempDir()
	before, err := sqlite.MigrationStatus(dir)
	if err != nil || len(before) == 0 || before[0].Applied {
		t.Fatalf("status of nothing: %+v, %v", before, err)
	}
	if err := sqlite.Migrate(dir); err != nil {
		t.Fatal(err)
	}
	after, err := sqlite.MigrationStatus(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range after {
		if !m.Applied {
			t.Errorf("migration %d is not applied", m.Version)
		}
	}
	newer := fmt.Sprintf("PRAGMA user_version=%d", len(after)+1)
	if err := sqlite.ScriptFile(filepath.Join(dir, sqlite.DatabaseFile), newer); err != nil {
		t.Fatal(err)
	}
	_, statusErr := sqlite.MigrationStatus(dir)
	_, openErr := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	for what, err := range map[string]error{"status": statusErr, "open": openErr, "migrate": sqlite.Migrate(dir)} {
		if !errors.Is(err, sqlite.ErrNewer) {
			t.Errorf("%s of a newer database: %v", what, err)
		}
	}
}

// TestIndexesChange reopens a database with other indexes: each set must answer as if it had been there from the start.
func TestIndexesChange(t *testing.T) {
	dir := t.TempDir()
	with := func(change func([]query.Index) []query.Index) []storage.Type {
		types := benchTypes()
		types[0].Indexes = change(types[0].Indexes)
		return types
	}
	all := func(list []query.Index) []query.Index { return list }
	displayName := fieldOf(t, "User", "displayName")
	clock, key := newTestKeys()
	for round, types := range [][]storage.Type{
		with(func(list []query.Index) []query.Index { return list[:1] }),
		with(all),
		with(func(list []query.Index) []query.Index { // displayName becomes unique
			for i := range list {
				list[i].Unique = list[i].Unique || list[i].Field.Path == "displayName"
			}
			return list
		}),
		with(all),
		with(func(list []query.Index) []query.Index { return list[1:] }),
		with(all),
	} {
		s := open(t, sqlite.Options{Dir: dir, Types: types})
		if round < 2 {
			for i := range 50 {
				if _, err := s.Insert(t.Context(), key("User"), clock.Tick(), benchUser(round*50+i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		page, err := s.Query(t.Context(), benchOrg, query.Query{Limit: 10, Total: true, Sources: []query.Source{{
			Type: "User", Where: query.Compare{Field: displayName, Value: query.Value{Str: "user number 7"}},
		}}})
		if err != nil || len(page.Records) != 1 || page.Total != 1 {
			t.Errorf("round %d: %d records of %d, %v", round, len(page.Records), page.Total, err)
		}
		taken := benchUser(3)
		var unique *storage.UniqueError
		if _, err := s.Insert(t.Context(), key("User"), clock.Tick(), taken); !errors.As(err, &unique) {
			t.Errorf("round %d: a userName that is taken: %v", round, err)
		}
		wantSound(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIndexCannotBecomeUnique(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlite.Options{Dir: dir, Types: benchTypes()})
	clock, key := newTestKeys()
	for i := range 2 {
		e := benchUser(i)
		e.Doc["displayName"] = "The same"
		if _, err := s.Insert(t.Context(), key("User"), clock.Tick(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	types := benchTypes()
	for i := range types[0].Indexes {
		types[0].Indexes[i].Unique = true
	}
	var unique *storage.UniqueError
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Types: types}); !errors.As(err, &unique) || unique.Attr != "displayName" {
		t.Errorf("Open: %v", err)
	}
	open(t, sqlite.Options{Dir: dir, Types: benchTypes()}) // nothing was changed, nothing is held
}

// TestDiskTrouble lets writes fail as they do on a full and on a read-only disk.
func TestDiskTrouble(t *testing.T) {
	for name, c := range map[string]struct{ breaks, mends string }{
		"full":      {"PRAGMA max_page_count=1", "PRAGMA max_page_count=1000000"},
		"read-only": {"PRAGMA query_only=ON", "PRAGMA query_only=OFF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, sqlite.Options{Dir: t.TempDir(), Types: benchTypes()})
			clock, key := newTestKeys()
			var keys []storage.Key
			insert := func(i int) error {
				k := key("User")
				_, err := s.Insert(t.Context(), k, clock.Tick(), benchUser(i))
				if err == nil {
					keys = append(keys, k)
				}
				return err
			}
			for i := range 10 {
				if err := insert(i); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Direct(c.breaks); err != nil {
				t.Fatal(err)
			}
			failed := 0
			for i := 10; i < 200; i++ {
				if err := insert(i); errors.Is(err, storage.ErrUnavailable) {
					failed++
				} else if err != nil {
					t.Fatalf("insert on a broken disk: %v", err)
				}
			}
			if failed == 0 {
				t.Fatal("every write succeeded")
			}
			// The probe needs no new page, so that this kind of "full" lets it pass.
			if err := s.Ready(t.Context()); name != "full" && !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Ready on a broken disk: %v", err)
			}
			for _, err := range s.Batch(t.Context(), benchOrg, []storage.Step{func(tx storage.Tx) error {
				_, err := tx.Insert(t.Context(), key("User"), clock.Tick(), benchUser(500))
				return err
			}}, nil) {
				if !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("Batch on a broken disk: %v", err)
				}
			}
			for _, k := range keys {
				if _, err := s.Get(t.Context(), k, query.Load{Groups: true}); err != nil {
					t.Errorf("read on a broken disk: %v", err)
				}
			}
			if total, listed := count(t, s); total != len(keys) || listed != len(keys) {
				t.Errorf("%d acknowledged, %d counted, %d listed", len(keys), total, listed)
			}
			if err := s.Direct(c.mends); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready on a mended disk: %v", err)
			}
			if err := insert(1000); err != nil {
				t.Errorf("insert on a mended disk: %v", err)
			}
			wantSound(t, s)
		})
	}
}

// TestStepHidesTrouble: a step that ignores a write which failed half way must not commit the other half.
func TestStepHidesTrouble(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	clock, key := newTestKeys()
	kept, lost := key("User"), key("User")
	if _, err := s.Insert(t.Context(), kept, clock.Tick(), benchUser(1)); err != nil {
		t.Fatal(err)
	}
	// The change row is the last that a write stores.
	if err := s.Script(t.Context(), "CREATE TRIGGER trouble BEFORE INSERT ON changes BEGIN SELECT RAISE(ABORT, 'trouble'); END"); err != nil {
		t.Fatal(err)
	}
	err := s.Within(t.Context(), benchOrg, func(tx storage.Tx) error {
		if _, err := tx.Insert(t.Context(), lost, clock.Tick(), benchUser(2)); err == nil {
			t.Error("the insert succeeds")
		}
		return nil
	})
	if err == nil {
		t.Error("the step succeeds")
	}
	if _, err := s.Insert(t.Context(), lost, clock.Tick(), benchUser(2)); err == nil {
		t.Error("the insert without a step succeeds")
	}
	if err := s.Script(t.Context(), "DROP TRIGGER trouble"); err != nil {
		t.Fatal(err)
	}
	found, err := s.Exists(t.Context(), benchOrg, []string{kept.ID, lost.ID})
	if err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	wantSound(t, s)
}

func TestBackupWhileWriting(t *testing.T) {
	s := open(t, sqlite.Options{Dir: t.TempDir(), Types: benchTypes()})
	clock, key := newTestKeys()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	started := make(chan struct{})
	var writes sync.WaitGroup
	writes.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := s.Insert(t.Context(), key("User"), clock.Tick(), benchUser(i)); err != nil {
				t.Error(err)
				return
			}
			if i == 100 {
				close(started)
			}
		}
	})
	<-started
	dir := t.TempDir()
	dest := filepath.Join(dir, sqlite.DatabaseFile)
	if err := s.Backup(t.Context(), dest); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), dest); !errors.Is(err, storage.ErrExists) {
		t.Errorf("backup over a file: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(canceled, dest+".2"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled backup: %v", err)
	}
	if _, err := os.Stat(dest + ".2"); !os.IsNotExist(err) {
		t.Errorf("a canceled backup leaves its file: %v", err)
	}
	stop()
	writes.Wait()
	b := open(t, sqlite.Options{Dir: dir, Types: benchTypes()})
	wantSound(t, b)
	if total, listed := count(t, b); total != listed || total < 100 {
		t.Errorf("the copy counts %d users and lists %d", total, listed)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"index row gone", "DELETE FROM idx WHERE rid=2 AND value='user number 1'", "lacks its row of displayName"},
		{"index row wrong", "UPDATE idx SET value='x' WHERE rid=2 AND value='user number 1'", "lacks its row of displayName"},
		{"index row too many", "INSERT INTO idx SELECT attr, org, 'y', id, rid, 0 FROM idx WHERE rid=2 LIMIT 1", "rows, the records yield"},
		{"index row of nobody", "UPDATE idx SET rid=999 WHERE rid=2", "idx: a row names record 999"},
		{"unique row gone", "DELETE FROM uniq WHERE rid=2", "lacks its key"},
		{"key row gone", "DELETE FROM ids WHERE rid=2", "res: record 2 is not in ids"},
		{"record gone", "DELETE FROM res WHERE rid=2", "ids: a row names record 2"},
		{"counter", "UPDATE counts SET n=n+1", "counts: organization"},
		{"member type", "UPDATE members SET mtype=0", "not known by that type"},
		{"group gone", "UPDATE members SET grp='nobody'", "members of a group that is not there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, sqlite.Options{Types: benchTypes()})
			clock, key := newTestKeys()
			var users []string
			for i := range 3 {
				k := key("User")
				users = append(users, k.ID)
				if _, err := s.Insert(t.Context(), k, clock.Tick(), benchUser(i)); err != nil {
					t.Fatal(err)
				}
			}
			g := &storage.Edit{Doc: scim.Attributes{"displayName": "g"}, Members: storage.MemberDelta{Add: users}}
			if _, err := s.Insert(t.Context(), key("Group"), clock.Tick(), g); err != nil {
				t.Fatal(err)
			}
			wantSound(t, s)
			if err := s.Script(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			problems, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(problems, "\n"); !strings.Contains(got, c.want) {
				t.Errorf("check found %q, want %q", got, c.want)
			}
		})
	}
}

// TestCallbacks: a panic in a callback is an error of its caller, and others in the same commit are not touched.
func TestCallbacks(t *testing.T) {
	s := open(t, sqlite.Options{Types: benchTypes()})
	clock, key := newTestKeys()
	k := key("User")
	if _, err := s.Insert(t.Context(), k, clock.Tick(), benchUser(1)); err != nil {
		t.Fatal(err)
	}
	// Hold the writer until all of them wait, so that they share one commit.
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.InWriter(t.Context(), func() error { close(held); <-hold; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	other := key("User")
	all.Go(func() {
		if err := s.Within(t.Context(), benchOrg, func(storage.Tx) error { panic("step") }); err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("a step that panics: %v", err)
		}
	})
	all.Go(func() {
		err := s.Delete(t.Context(), k, clock.Tick(), func(storage.Current) (storage.Change, error) { panic("delete") })
		if err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("a deletion that panics: %v", err)
		}
	})
	all.Go(func() {
		if _, err := s.Insert(t.Context(), other, clock.Tick(), benchUser(2)); err != nil {
			t.Errorf("an insert beside panics: %v", err)
		}
	})
	for s.Queued() < 3 {
		time.Sleep(time.Millisecond)
	}
	// One that gives up while it waits writes nothing.
	short, cancel := context.WithCancel(t.Context())
	late := key("User")
	gaveUp := make(chan struct{})
	all.Go(func() {
		defer close(gaveUp)
		if _, err := s.Insert(short, late, clock.Tick(), benchUser(3)); !errors.Is(err, context.Canceled) {
			t.Errorf("an insert whose context ends while it waits: %v", err)
		}
	})
	for s.Queued() < 4 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-gaveUp
	close(hold)
	all.Wait()
	found, err := s.Exists(t.Context(), benchOrg, []string{k.ID, other.ID, late.ID})
	if err != nil || len(found) != 2 || found[late.ID] != "" {
		t.Errorf("found %v, %v", found, err)
	}
	wantSound(t, s)
}

// TestHotRecord lets many goroutines change one record at once: each must come through, once.
func TestHotRecord(t *testing.T) {
	var events sync.Map
	s := open(t, sqlite.Options{Types: benchTypes(), Observer: func(e sqlite.Event) { events.Store(e.Op, e.Writes) }})
	clock, key := newTestKeys()
	k := key("User")
	if _, err := s.Insert(t.Context(), k, clock.Tick(), benchUser(1)); err != nil {
		t.Fatal(err)
	}
	const writers, each = 64, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				_, changed, err := s.Update(t.Context(), k, clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
					doc, err := scim.DecodeAttributes(cur.Record().Doc)
					if err != nil {
						return nil, err
					}
					n, _ := doc["n"].(int64)
					doc["n"] = n + 1
					return &storage.Edit{Doc: doc, Unique: benchUser(1).Unique}, nil
				})
				if err != nil || !changed {
					t.Errorf("changed %t, %v", changed, err)
				}
			}
		})
	}
	all.Wait()
	rec, err := s.Get(t.Context(), k, query.Load{})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Appendf(nil, `"n":%d`, writers*each); rec.Version != writers*each+1 || !bytes.Contains(rec.Doc, want) {
		t.Errorf("version %d, document %s", rec.Version, rec.Doc)
	}
	for _, op := range []string{"insert", "update", "get", "commit"} {
		if _, ok := events.Load(op); !ok {
			t.Errorf("the observer was not told of %s", op)
		}
	}
	wantSound(t, s)
}
