package mongo_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/mongo"
)

func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

func user(name string) *storage.Edit {
	return &storage.Edit{
		Doc:    scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": name, "nickName": name + "y"},
		Unique: []query.UniqueKey{{Attr: "userName", Value: query.Fold(name)}}, Label: name,
		Change: storage.Change{Op: storage.OpCreate},
	}
}

// TestOpenTogether: several processes start on an empty database at once, and all serve it.
func TestOpenTogether(t *testing.T) {
	uri, name := mongotest.Database(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { openAt(t, uri, name, conformance.Types()) })
	}
	wg.Wait()
}

// TestRefuseNewer: a database of a newer Rollcall is left alone.
func TestRefuseNewer(t *testing.T) {
	uri, name := mongotest.Database(t)
	openAt(t, uri, name, conformance.Types())
	settings := mongotest.Connect(t, uri).Database(name).Collection("settings")
	res, err := settings.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "schema"}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "version", Value: int64(1)}}}})
	if err != nil || res.MatchedCount != 1 {
		t.Fatalf("the database has no layout version: %v", err)
	}
	if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name}); !errors.Is(err, mongo.ErrNewer) {
		t.Errorf("Open: %v, want ErrNewer", err)
	}
}

// TestNobodyThere: no server is an error that says so within the time that was given, and says no secret.
func TestNobodyThere(t *testing.T) {
	start := time.Now()
	_, err := mongo.Open(t.Context(), mongo.Options{URI: "mongodb://u:hunter2@127.0.0.1:1/", ServerSelection: 200 * time.Millisecond})
	if !errors.Is(err, storage.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open: %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v to see that", d)
	}
}

// TestTwoStores: what one process writes another sees at once, also the revocation of a token.
func TestTwoStores(t *testing.T) {
	uri, name := mongotest.Database(t)
	a, b := openAt(t, uri, name, conformance.Types()), openAt(t, uri, name, conformance.Types())
	org := storage.Organization{ID: "00000000-0000-7000-8000-0000000000aa", Slug: "acme", Name: "Acme", Created: at(0)}
	if err := a.InsertOrganization(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	token := storage.Token{ID: "00000000-0000-7000-8000-0000000000bb", Org: org.ID, Digest: [32]byte{1}, Created: at(0)}
	if err := a.InsertToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := b.TokenByDigest(t.Context(), token.Digest); err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeToken(t.Context(), org.ID, token.ID, at(1)); err != nil {
		t.Fatal(err)
	}
	if got, err := b.TokenByDigest(t.Context(), token.Digest); err != nil || got.Revoked.IsZero() {
		t.Errorf("the other process does not see the revocation: %+v, %v", got, err)
	}
	// Both write one record: every increment is there.
	k := storage.Key{Org: org.ID, Type: "User", ID: "00000000-0000-7000-8000-000000000001"}
	if _, err := a.Insert(t.Context(), k, at(2), user("ada")); err != nil {
		t.Fatal(err)
	}
	const each = 20
	var wg sync.WaitGroup
	for _, s := range []*mongo.Store{a, b} {
		wg.Go(func() {
			for range each {
				if _, _, err := s.Update(t.Context(), k, at(3), increment); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	rec, err := b.Get(t.Context(), k, query.Load{})
	if err != nil || rec.Version != 2*each+1 {
		t.Fatalf("version %v, %v", rec, err)
	}
	// Both followers see the same feed, whoever numbers it.
	var feeds [2][]storage.Change
	for i, s := range []*mongo.Store{a, b} {
		wg.Go(func() {
			list, err := s.Changes(t.Context(), org.ID, "", 1000)
			if err != nil {
				t.Errorf("Changes: %v", err)
			}
			feeds[i] = list
		})
	}
	wg.Wait()
	for i := range feeds {
		if len(feeds[i]) != 2*each+1 {
			t.Fatalf("feed %d has %d changes", i, len(feeds[i]))
		}
		for j, c := range feeds[i] {
			if c.Version != int64(j+1) || c.Position != feeds[0][j].Position {
				t.Errorf("feed %d, change %d: version %d at %s", i, j, c.Version, c.Position)
			}
		}
	}
}

func increment(cur storage.Current) (*storage.Edit, error) {
	doc, err := scim.DecodeAttributes(cur.Record().Doc)
	if err != nil {
		return nil, err
	}
	n, _ := doc["age"].(int64)
	doc["age"] = n + 1
	name, _ := doc["userName"].(string)
	return &storage.Edit{
		Doc: doc, Unique: []query.UniqueKey{{Attr: "userName", Value: query.Fold(name)}}, Change: storage.Change{Op: storage.OpPatch},
	}, nil
}

// TestObserver: operations and commands are told by name, and nothing of what they say.
func TestObserver(t *testing.T) {
	uri, name := mongotest.Database(t)
	var mu sync.Mutex
	seen := map[string]int{}
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: conformance.Types(), Observer: func(e mongo.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Command {
			seen["command "+e.Op]++
		} else {
			seen[e.Op]++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	k := storage.Key{Org: "o", Type: "User", ID: "00000000-0000-7000-8000-000000000001"}
	if _, err := s.Insert(t.Context(), k, at(0), user("ada")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, op := range []string{"insert", "command insert", "command update", "command commitTransaction"} {
		if seen[op] == 0 {
			t.Errorf("nothing is told of %q: %v", op, seen)
		}
	}
}
