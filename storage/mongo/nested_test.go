package mongo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// nestedStore has a user in a group in a group.
func nestedStore(t *testing.T, uri, name string) *Store {
	t.Helper()
	group := storage.Type{Name: "Group", Members: "members", Groups: "groups"}
	s, err := Open(t.Context(), Options{URI: uri, Database: name, Types: []storage.Type{testType(t).Type, group}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func nestedKey(typ scim.TypeName, n int) storage.Key {
	return storage.Key{Org: "o", Type: typ, ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", n)}
}

func nestedInsert(t *testing.T, s *Store, k storage.Key, members ...string) {
	t.Helper()
	e := &storage.Edit{
		Doc: scim.Attributes{"displayName": k.ID}, Label: k.ID, Members: storage.MemberDelta{Add: members},
		Change: storage.Change{Op: storage.OpCreate},
	}
	if _, err := s.Insert(t.Context(), k, time.Unix(1, 0), e); err != nil {
		t.Fatal(err)
	}
}

func groupIDs(t *testing.T, s *Store, k storage.Key) []string {
	t.Helper()
	list, err := s.Groups(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, g := range list {
		if g.Display != g.ID {
			t.Errorf("group %s is called %q", g.ID, g.Display)
		}
		ids = append(ids, g.ID)
	}
	return ids
}

// TestNestedMarksAreMade: a database from before there were marks gets them when it is opened, and one that lacks a
// mark is found by the check.
func TestNestedMarksAreMade(t *testing.T) {
	uri, name := mongotest.Database(t)
	s := nestedStore(t, uri, name)
	user, inner, outer := nestedKey("User", 1), nestedKey("Group", 2), nestedKey("Group", 3)
	nestedInsert(t, s, user)
	nestedInsert(t, s, inner, user.ID)
	nestedInsert(t, s, outer, inner.ID)
	want := []string{inner.ID, outer.ID}
	if got := groupIDs(t, s, user); !slices.Equal(got, want) {
		t.Fatalf("groups %v, want %v", got, want)
	}
	groups := s.db.Collection("groups")
	if _, err := groups.UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: nestedField, Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	problems, err := s.Check(t.Context())
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], inner.ID) {
		t.Errorf("the check finds %v, %v", problems, err)
	}
	spec := bson.D{{Key: "$pull", Value: bson.D{{Key: "spec", Value: "nested"}}}}
	if res, err := s.db.Collection(collSettings).UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "indexes/groups"}}, spec); err != nil || res.ModifiedCount != 1 {
		t.Fatalf("the database does not say that it has marks: %v", err)
	}
	again := nestedStore(t, uri, name)
	if got := groupIDs(t, again, user); !slices.Equal(got, want) {
		t.Errorf("groups %v after the database was opened again, want %v", got, want)
	}
	if problems, err := again.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the check finds %v, %v", problems, err)
	}
}

// TestNestedMarksStay: a group that is written while it becomes a member keeps its mark, and so does one that was
// named as a member before it was there.
func TestNestedMarksStay(t *testing.T) {
	uri, name := mongotest.Database(t)
	s := nestedStore(t, uri, name)
	user := nestedKey("User", 1)
	nestedInsert(t, s, user)
	const rounds = 2
	for i := range rounds {
		inner, outer := nestedKey("Group", 10+2*i), nestedKey("Group", 11+2*i)
		if i%2 == 0 { // the outer one comes first: its member is pending
			nestedInsert(t, s, outer, inner.ID)
			nestedInsert(t, s, inner, user.ID)
			continue
		}
		nestedInsert(t, s, inner, user.ID)
		nestedInsert(t, s, outer)
		// The inner one becomes a member while an update of it is under way.
		runs := 0
		_, _, err := s.Update(t.Context(), inner, time.Unix(2, 0), func(storage.Current) (*storage.Edit, error) {
			if runs++; runs == 1 {
				_, _, err := s.Update(t.Context(), outer, time.Unix(2, 0), func(storage.Current) (*storage.Edit, error) {
					return &storage.Edit{Members: storage.MemberDelta{Add: []string{inner.ID}}, Change: storage.Change{Op: storage.OpPatch}}, nil
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			}
			return &storage.Edit{Doc: scim.Attributes{"displayName": inner.ID, "n": "1"}, Label: inner.ID, Change: storage.Change{Op: storage.OpReplace}}, nil
		})
		if err != nil || runs != 2 {
			t.Errorf("Update: %v, after %d runs", err, runs)
		}
	}
	if got := groupIDs(t, s, user); len(got) != 2*rounds {
		t.Errorf("the user is in %d groups, want %d", len(got), 2*rounds)
	}
	rec, err := s.Get(t.Context(), user, query.Load{Groups: true})
	if err != nil || len(rec.Groups) != 2*rounds {
		t.Errorf("Get: %d groups, %v", len(rec.Groups), err)
	}
	if problems, err := s.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the check finds %v, %v", problems, err)
	}
	// Who is named as a member and is no resource is in no group.
	nestedInsert(t, s, nestedKey("Group", 90), nestedKey("User", 91).ID)
	if got := groupIDs(t, s, nestedKey("User", 91)); len(got) != 0 {
		t.Errorf("a pending member is in %v", got)
	}
}
