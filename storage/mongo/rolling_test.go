package mongo_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/mongo"
)

var (
	userName = query.Field{Path: "userName", Steps: []string{"userName"}}
	nickName = query.Field{Path: "nickName", Steps: []string{"nickName"}}
)

// users is type User with userName and what is given indexed.
func users(more ...query.Index) []storage.Type {
	return []storage.Type{{Name: "User", Indexes: append([]query.Index{{Field: userName, Unique: true}}, more...)}}
}

func rollingKey(n int) storage.Key {
	return storage.Key{Org: "o", Type: "User", ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", n)}
}

func insertUser(t *testing.T, s *mongo.Store, n int, name string) {
	t.Helper()
	if _, err := s.Insert(t.Context(), rollingKey(n), at(n), user(name)); err != nil {
		t.Fatal(err)
	}
}

// nicks are the nickNames that a store finds, sorted by them, and whether it finds each by its value and by presence.
func nicks(t *testing.T, s *mongo.Store) []string {
	t.Helper()
	page, err := s.Query(t.Context(), "o", query.Query{
		Sources: []query.Source{{Type: "User", Where: query.Present{Field: nickName}, Sort: &nickName}}, Sorted: true, Limit: 100, Total: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range page.Records {
		doc, err := scim.DecodeAttributes(r.Doc)
		if err != nil {
			t.Fatal(err)
		}
		nick, _ := doc["nickName"].(string)
		list = append(list, nick)
		one, err := s.Query(t.Context(), "o", query.Query{
			Sources: []query.Source{{Type: "User", Where: query.Compare{Field: nickName, Value: query.Value{Str: nick}}}}, Limit: 10,
		})
		if err != nil || len(one.Records) != 1 {
			t.Errorf("nickName eq %q finds %d users, %v", nick, len(one.Records), err)
		}
	}
	if page.Total != len(list) || !slices.IsSorted(list) {
		t.Errorf("%d users, sorted %v", page.Total, list)
	}
	return list
}

func indexOfUsers(t *testing.T, uri, name string) (applied bool) {
	t.Helper()
	list, err := mongo.MigrationStatus(t.Context(), mongo.Options{URI: uri, Database: name, Types: users(query.Index{Field: nickName})})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(m mongo.Migration) bool { return m.Name == "indexes of users" })
	return list[i].Applied
}

// TestNewIndexBesideOlderProcess: a version that indexes one attribute more starts beside one that does not, finds whatever
// either writes, and uses the index when the other is gone.
func TestNewIndexBesideOlderProcess(t *testing.T) {
	uri, name := mongotest.Database(t)
	newer := users(query.Index{Field: nickName})
	old := openAt(t, uri, name, users())
	insertUser(t, old, 1, "ada")
	_, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: newer, Finish: true})
	if !errors.Is(err, mongo.ErrInUse) {
		t.Errorf("Open that is to finish, beside an older process: %v, want ErrInUse", err)
	}
	s, second := openAt(t, uri, name, newer), openAt(t, uri, name, newer)
	insertUser(t, old, 2, "cleo")
	insertUser(t, s, 3, "bob")
	if _, _, err := old.Update(t.Context(), rollingKey(3), at(4), increment); err != nil { // takes what is new out of the document
		t.Fatal(err)
	}
	want := []string{"aday", "boby", "cleoy"}
	both := func(when string, waits bool) {
		t.Helper()
		for i, s := range []*mongo.Store{s, second} {
			if got := nicks(t, s); !slices.Equal(got, want) {
				t.Errorf("%s, process %d finds %v, want %v", when, i, got, want)
			}
			if s.Waits() != waits {
				t.Errorf("%s, process %d waits: %t", when, i, s.Waits())
			}
		}
	}
	both("beside the older process", true)
	if err := s.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	both("after a look at the older process", true)
	if indexOfUsers(t, uri, name) {
		t.Error("the index counts as complete beside a process that does not write it")
	}
	if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: users()}); !errors.Is(err, mongo.ErrInUse) {
		t.Errorf("Open of an older process beside newer ones: %v, want ErrInUse", err)
	}
	if problems, err := s.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("Check: %v, %v", problems, err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*mongo.Store{s, second} {
		if err := s.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	both("without it", false)
	if !indexOfUsers(t, uri, name) {
		t.Error("the index does not count as complete")
	}
	n, err := mongotest.Connect(t, uri).Database(name).Collection("users").CountDocuments(t.Context(), bson.D{{Key: "_f.nickName", Value: bson.D{{Key: "$in", Value: want}}}})
	if err != nil || n != 3 {
		t.Errorf("%d documents have the new value, %v", n, err)
	}
	if problems, err := s.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("Check: %v, %v", problems, err)
	}
}

// TestOtherLayouts: what is more than an addition is refused beside a process that does not have it.
func TestOtherLayouts(t *testing.T) {
	uri, name := mongotest.Database(t)
	openAt(t, uri, name, users(query.Index{Field: nickName}))
	exact := nickName
	exact.CaseExact = true
	for what, types := range map[string][]storage.Type{
		"an attribute less":         users(),
		"an attribute otherwise":    users(query.Index{Field: exact}),
		"an attribute that is rare": users(query.Index{Field: nickName, Sparse: true}),
		"another unique attribute":  users(query.Index{Field: nickName}, query.Index{Field: query.Field{Path: "title", Steps: []string{"title"}}, Unique: true}),
		"the same, but unique":      users(query.Index{Field: nickName, Unique: true}),
		"no such type":              {{Name: "Group"}},
		"members":                   {{Name: "User", Indexes: users(query.Index{Field: nickName})[0].Indexes, Members: "members"}},
	} {
		if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types}); !errors.Is(err, mongo.ErrInUse) {
			t.Errorf("Open with %s: %v, want ErrInUse", what, err)
		}
	}
	s := openAt(t, uri, name, append(users(query.Index{Field: nickName}), storage.Type{Name: "Thing", Indexes: []query.Index{{Field: nickName}}}))
	if s.Waits() {
		t.Error("a type that only this process knows waits for the other")
	}
}

// TestNewIndexAlone: an index that a later start asks for finds the documents of before; one that was taken away and is
// asked for again does as well, also if its removal was cut off.
func TestNewIndexAlone(t *testing.T) {
	uri, name := mongotest.Database(t)
	newer := users(query.Index{Field: nickName})
	s := openAt(t, uri, name, users())
	insertUser(t, s, 1, "ada")
	for i, types := range [][]storage.Type{newer, users(), newer} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, uri, name, types)
		if got := nicks(t, s); !slices.Equal(got, []string{"aday"}) || s.Waits() {
			t.Errorf("start %d finds %v, waits: %t", i, got, s.Waits())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The older one is killed before it has written a document anew: what it has announced is enough.
	mongo.BreakReindex(t.Context(), t, mongo.Options{URI: uri, Database: name, Types: users()})
	if indexOfUsers(t, uri, name) {
		t.Error("an index counts as complete after a start that begins to take it away")
	}
}

// TestProcessThatWasGivenUp: one that was stopped for so long that another version started without it writes no more.
func TestProcessThatWasGivenUp(t *testing.T) {
	uri, name := mongotest.Database(t)
	var passed atomic.Int64
	now := func() time.Time { return at(0).Add(time.Duration(passed.Load())) }
	old, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: users(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = old.Close() })
	insertUser(t, old, 1, "ada")
	passed.Store(int64(time.Hour)) // alone, it goes on
	insertUser(t, old, 2, "bob")
	processes := mongotest.Connect(t, uri).Database(name).Collection("processes")
	hourAgo := bson.D{{Key: "$set", Value: bson.D{{Key: "seen", Value: time.Now().Add(-time.Hour)}}}}
	if _, err := processes.UpdateMany(t.Context(), bson.D{}, hourAgo); err != nil {
		t.Fatal(err)
	}
	newer := openAt(t, uri, name, users(query.Index{Field: nickName}))
	if newer.Waits() {
		t.Fatal("the newer process waits for one that has ended")
	}
	passed.Store(int64(2 * time.Hour))
	for range 2 {
		_, err := old.Insert(t.Context(), rollingKey(3), at(3), user("cleo"))
		if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, mongo.ErrInUse) {
			t.Errorf("Insert by a process that was given up: %v, want ErrUnavailable and ErrInUse", err)
		}
	}
	if err := old.Ready(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Ready of a process that was given up: %v, want ErrUnavailable", err)
	}
	if got := nicks(t, newer); !slices.Equal(got, []string{"aday", "boby"}) {
		t.Errorf("the newer process finds %v", got)
	}
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := old.Ready(t.Context()); err != nil {
		t.Errorf("Ready, alone again: %v", err)
	}
	insertUser(t, old, 3, "cleo")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if got := nicks(t, openAt(t, uri, name, users(query.Index{Field: nickName}))); !slices.Equal(got, []string{"aday", "boby", "cleoy"}) {
		t.Errorf("the next newer process finds %v", got)
	}
}
