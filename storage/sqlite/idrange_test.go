package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestIDsAreUniqueOverTypes: in whatever order ids come and go, a new record may not have that of another type, and
// everything that is there is found; also after steps that were taken back, and after a start.
func TestIDsAreUniqueOverTypes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlite.Options{Dir: dir, Types: benchTypes()})
	random, clock, ctx := rand.New(rand.NewPCG(1, 2)), testkit.NewClock(), t.Context()
	types := map[string]scim.TypeName{} // of each id that is there
	ids := []string{"text", "another text"}
	serial := 0
	edit := func(typ scim.TypeName) *storage.Edit {
		serial++
		if typ == "Group" {
			return groupEdit(fmt.Sprint(serial))
		}
		return personEdit(fmt.Sprint(serial), 1)
	}
	boom := errors.New("boom")
	for round := range 400 {
		if round%100 == 50 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, sqlite.Options{Dir: dir, Types: benchTypes()})
		}
		id := ids[random.IntN(len(ids))]
		if random.IntN(2) == 0 {
			id = fmt.Sprintf("%08x-0000-7000-8000-000000000000", random.Uint32())
			ids = append(ids, id)
		}
		k := storage.Key{Org: benchOrg, Type: []scim.TypeName{"User", "Group"}[random.IntN(2)], ID: id}
		_, there := types[id]
		switch random.IntN(4) {
		case 0:
			if typ, ok := types[id]; ok {
				k.Type = typ
				err := s.Delete(ctx, k, clock.Tick(), func(storage.Current) (storage.Change, error) { return storage.Change{}, nil })
				if err != nil {
					t.Fatal(err)
				}
				delete(types, id)
			}
		case 1:
			err := s.Within(ctx, benchOrg, func(tx storage.Tx) error {
				if _, err := tx.Insert(ctx, k, clock.Tick(), edit(k.Type)); err != nil {
					return err
				}
				return boom
			})
			if there != errors.Is(err, storage.ErrExists) || !there && !errors.Is(err, boom) {
				t.Fatalf("round %d: %v for id %s, which is there: %t", round, err, id, there)
			}
		default:
			_, err := s.Insert(ctx, k, clock.Tick(), edit(k.Type))
			if there != errors.Is(err, storage.ErrExists) || !there && err != nil {
				t.Fatalf("round %d: %v for id %s, which is there: %t", round, err, id, there)
			}
			if !there {
				types[id] = k.Type
			}
		}
		found, err := s.Exists(ctx, benchOrg, ids)
		if err != nil || len(found) != len(types) {
			t.Fatalf("round %d: %d of %d ids exist, %v", round, len(found), len(types), err)
		}
		for id, typ := range types {
			if found[id] != typ {
				t.Fatalf("round %d: id %s is of type %q, want %q", round, id, found[id], typ)
			}
		}
	}
}

// TestMembersOfManyTypes: members are listed by the name of their type, those pending first, whatever codes the types
// have.
func TestMembersOfManyTypes(t *testing.T) {
	types := benchTypes()
	for _, name := range []scim.TypeName{"Aardvark", "Zebra"} {
		types = append(types, storage.Type{Name: name})
	}
	s := open(t, sqlite.Options{Types: types})
	clock, key := newTestKeys()
	var want []storage.Member
	members := []string{key("User").ID}
	want = append(want, storage.Member{ID: members[0]})
	for _, typ := range []scim.TypeName{"Aardvark", "Group", "User", "Zebra"} {
		k := key(typ)
		e := &storage.Edit{Doc: scim.Attributes{"displayName": string(typ)}, Label: string(typ), Change: storage.Change{Op: storage.OpCreate}}
		if _, err := s.Insert(t.Context(), k, clock.Tick(), e); err != nil {
			t.Fatal(err)
		}
		members = append([]string{k.ID}, members...)
		want = append(want, storage.Member{ID: k.ID, Type: typ, Display: string(typ)})
	}
	e := groupEdit("all")
	e.Members.Add = members
	k := key("Group")
	if _, err := s.Insert(t.Context(), k, clock.Tick(), e); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 2, 5, 9} {
		rec, err := s.Get(t.Context(), k, query.Load{Members: true, MemberLimit: limit})
		if err != nil {
			t.Fatal(err)
		}
		some := want
		if limit > 0 {
			some = want[:min(limit, len(want))]
		}
		if fmt.Sprint(rec.Members) != fmt.Sprint(some) {
			t.Errorf("limit %d: %v, want %v", limit, rec.Members, some)
		}
	}
}
