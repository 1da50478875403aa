//go:build unix

package sqlite_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestUpdatedRecordsAreKeptRight: what an update leaves in the cache shows its groups as they are after all that the
// same transaction did before and after it.
func TestUpdatedRecordsAreKeptRight(t *testing.T) {
	rename := func(l *lookups, k storage.Key, _ string) error {
		_, _, err := l.Update(t.Context(), k, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return groupEdit("renamed"), nil })
		return err
	}
	members := func(delta func(id string) storage.MemberDelta) func(l *lookups, k storage.Key, id string) error {
		return func(l *lookups, k storage.Key, id string) error {
			_, _, err := l.Update(t.Context(), k, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
				return &storage.Edit{Members: delta(id)}, nil
			})
			return err
		}
	}
	for _, c := range []struct {
		name   string
		change func(l *lookups, group storage.Key, user string) error
		want   []string // labels of the user's groups
	}{
		{"nothing else", nil, []string{"first"}},
		{"renamed", rename, []string{"renamed"}},
		{"left", members(func(id string) storage.MemberDelta { return storage.MemberDelta{Remove: []string{id}} }), nil},
	} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, before the update=%t", c.name, before), func(t *testing.T) {
				l := newLookups(t)
				a := l.insert(t, l.edit("a", "x"))
				g := storage.Key{Org: benchOrg, Type: "Group", ID: l.ids.New()}
				e := groupEdit("first")
				e.Members.Add = []string{a.ID}
				if _, err := l.Insert(t.Context(), g, l.clock.Tick(), e); err != nil {
					t.Fatal(err)
				}
				l.groupsAre(t, a, []string{"first"}) // keeps it
				jobs := []func() error{func() error {
					_, changed, err := l.Update(t.Context(), a, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return l.edit("a", "y"), nil })
					if err == nil && !changed {
						err = errors.New("nothing changed")
					}
					return err
				}}
				if c.change != nil {
					jobs = append(jobs, func() error { return c.change(l, g, a.ID) })
				}
				if before {
					slices.Reverse(jobs)
				}
				l.together(t, jobs...)
				l.groupsAre(t, a, c.want)
				l.groupsAre(t, a, c.want)
				l.want(t, "externalId", "y", a)
				wantSound(t, l.Store)
			})
		}
	}
}

// together runs writes in one transaction, in their order.
func (l *lookups) together(t *testing.T, jobs ...func() error) {
	t.Helper()
	var wg sync.WaitGroup
	release := make(chan struct{})
	inside := make(chan struct{})
	wg.Go(func() {
		err := l.Within(t.Context(), benchOrg, func(storage.Tx) error {
			close(inside)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	for i, job := range jobs {
		wg.Go(func() {
			if err := job(); err != nil {
				t.Error(err)
			}
		})
		for sqlite.QueuedWrites(l.Store) < i+1 {
			if t.Context().Err() != nil {
				t.Fatal("a write is not queued")
			}
		}
	}
	close(release)
	wg.Wait()
}

func (l *lookups) groupsAre(t *testing.T, k storage.Key, want []string) {
	t.Helper()
	rec, err := l.Get(t.Context(), k, query.Load{Groups: true})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := l.Groups(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	page, err := l.Query(t.Context(), benchOrg, query.Query{Sources: []query.Source{{Type: k.Type}}, Limit: 10, Load: query.Load{Groups: true}})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(page.Records, func(r storage.Record) bool { return r.ID == k.ID })
	if at < 0 {
		t.Fatal("the query does not find it")
	}
	for what, groups := range map[string][]storage.Membership{"get": rec.Groups, "groups": alone, "query": page.Records[at].Groups} {
		var got []string
		for _, g := range groups {
			got = append(got, g.Display)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: groups %q, want %q", what, got, want)
		}
	}
}

// TestUpdatesOfKeptRecords: an update that begins with the cache's state of a record is the same as one that reads it.
func TestUpdatesOfKeptRecords(t *testing.T) {
	l := newLookups(t)
	a := l.insert(t, l.edit("a", "x", "a@example.com"))
	b := l.insert(t, l.edit("b", "z"))
	for i := range 5 {
		l.groupsAre(t, a, nil)
		if i == 3 { // a secret is not in the cache, and must not be taken for none
			_, _, err := l.Update(t.Context(), a, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
				return &storage.Edit{Secret: scim.Attributes{"password": "hash"}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		rec, changed, err := l.Update(t.Context(), a, l.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
			r := cur.Record()
			if len(r.Groups) > 0 || (r.Secret["password"] == "hash") != (i >= 3) {
				t.Errorf("round %d: the callback sees groups %v and secrets %v", i, r.Groups, r.Secret)
			}
			return l.edit("a"+fmt.Sprint(i), fmt.Sprint("x", i), "a@example.com"), nil
		})
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		got, err := l.Get(t.Context(), a, query.Load{Groups: true, Secret: true})
		if err != nil || got.Version != rec.Version || string(got.Doc) != string(rec.Doc) || (got.Secret["password"] == "hash") != (i >= 3) {
			t.Fatalf("round %d: version %d is read after %d, %v", i, got.Version, rec.Version, err)
		}
		l.want(t, "externalId", fmt.Sprint("x", i), a)
		l.want(t, "userName", fmt.Sprint("a", i), a)
	}
	_, _, err := l.Update(t.Context(), a, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return l.edit("b", "q"), nil })
	if _, ok := errors.AsType[*storage.UniqueError](err); !ok {
		t.Fatalf("another's name is taken: %v", err)
	}
	l.want(t, "userName", "b", b)
	wantSound(t, l.Store)
}

// TestUpdateOfAKeptRecordLosesNothing: a write that comes between the cache's state and the update's own is seen.
func TestUpdateOfAKeptRecordLosesNothing(t *testing.T) {
	l := newLookups(t)
	a := l.insert(t, l.edit("a", "x"))
	l.groupsAre(t, a, nil)
	calls := 0
	rec, _, err := l.Update(t.Context(), a, l.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
		if calls++; calls == 1 {
			err := l.Within(t.Context(), benchOrg, func(tx storage.Tx) error {
				_, _, err := tx.Update(t.Context(), a, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return l.edit("a", "y"), nil })
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		doc, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		external, _ := doc["externalId"].(string)
		return l.edit("a", external+"z"), nil
	})
	if err != nil || rec.Version != 3 || calls < 2 {
		t.Fatalf("version %d after %d calls, %v", rec.Version, calls, err)
	}
	l.want(t, "externalId", "yz", a)
	err = l.Delete(t.Context(), a, l.clock.Tick(), func(storage.Current) (storage.Change, error) { return storage.Change{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = l.Update(t.Context(), a, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return l.edit("a", "x"), nil })
	if !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("the record is deleted: %v", err)
	}
	wantSound(t, l.Store)
}
