package conformance

import (
	"errors"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func deleteCases() []testCase {
	return []testCase{
		{name: "DeleteDropsMemberships", run: testDeleteDropsMemberships},
		{name: "DeleteFreesUnique", run: testDeleteFreesUnique},
		{name: "DeleteRefused", extra: "a DeleteFunc sees the record and may refuse", run: testDeleteRefused},
	}
}

func testDeleteDropsMemberships(e *env) {
	u, v := e.insert(typeUser, user("u")), e.insert(typeUser, user("v"))
	a := e.insert(typeGroup, group("a", u.ID, v.ID))
	b := e.insert(typeGroup, group("b", u.ID))
	nested := e.insert(typeGroup, group("nested", a.ID))
	untouched := e.insert(typeGroup, group("untouched", v.ID))
	at := e.clock.Tick()
	if err := e.store.Delete(e.ctx(), u.Key, at, allow); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	e.gone(u.Key)
	for _, g := range []struct {
		before  *storage.Record
		members []string
		bumped  bool
	}{{a, []string{v.ID}, true}, {b, nil, true}, {nested, []string{a.ID}, false}, {untouched, []string{v.ID}, false}} {
		rec := e.get(g.before.Key)
		name := string(g.before.Doc)
		e.diff("members of "+name, g.members, memberIDs(rec))
		changes := e.changesOf(rec.Key)
		if !g.bumped {
			if rec.Version != 1 || !rec.Modified.Equal(g.before.Modified) || len(changes) != 1 {
				e.Errorf("%s: version %d and %d changes though it did not hold the member", name, rec.Version, len(changes))
			}
			continue
		}
		if rec.Version != 2 || len(changes) != 2 {
			e.Fatalf("%s: version %d and %d changes, want 2 and 2", name, rec.Version, len(changes))
		}
		e.sameInstant("Modified of "+name, at, rec.Modified)
		e.diff("document of "+name, string(g.before.Doc), string(rec.Doc))
		c := normal(changes[1])
		e.diff("change of "+name, storage.Change{
			Key: rec.Key, Version: 2, At: at, Op: storage.OpPatch, Actor: actor(),
			Request: change(storage.OpDelete).Request, MembersRemoved: []string{u.ID},
		}, c)
	}
	// A deleted group is in no group any more, and its own members are free of it.
	e.remove(a.Key)
	e.diff("members of the outer group", nil, memberIDs(e.get(nested.Key)))
	e.diff("groups of v", []storage.Membership{{ID: untouched.ID, Display: "untouched", Direct: true}}, e.get(v.Key).Groups)
	e.diff("groups that hold v", []string{untouched.ID}, e.find(typeGroup, eq(field(typeGroup, "members.value"), v.ID)))
	if c := e.changesOf(nested.Key); len(c) != 2 || c[1].Version != 2 {
		e.Errorf("the outer group has %d changes, want 2", len(c))
	}
	e.wantErr("Delete again", e.store.Delete(e.ctx(), a.Key, e.clock.Tick(), allow), storage.ErrNotFound)
	_, _, err := e.store.Update(e.ctx(), a.Key, e.clock.Tick(), always(members(storage.MemberDelta{Add: []string{v.ID}})))
	e.wantErr("Update of a deleted group", err, storage.ErrNotFound)
	e.diff("records left", []string{v.ID, b.ID, nested.ID, untouched.ID}, recordIDs(e.query(query.Query{
		Sources: []query.Source{{Type: typeUser}, {Type: typeGroup}}, Limit: 10,
	})))
	// A pending id that was removed with its resource is not pending again: adding it makes it so.
	if _, changed := e.update(b.Key, always(members(storage.MemberDelta{Add: []string{u.ID}}))); !changed {
		e.Errorf("adding a deleted id is no change")
	}
	e.diff("the id of a deleted member", []storage.Member{{ID: u.ID}}, e.get(b.Key).Members)
}

func testDeleteFreesUnique(e *env) {
	edit := user("Ada")
	edit.Secret = scim.Attributes{"password": "hash"}
	edit.Doc["externalId"] = "e-1"
	first := e.insert(typeUser, edit)
	e.remove(first.Key)
	for _, f := range []string{"userName", "externalId", "id"} {
		v := map[string]string{"userName": "ada", "externalId": "e-1", "id": first.ID}[f]
		e.diff("deleted users found by "+f, nil, e.find(typeUser, eq(field(typeUser, f), v)))
	}
	next := e.insert(typeUser, user("ada"))
	if next.Version != 1 {
		e.Errorf("version %d of a new record, want 1", next.Version)
	}
	if s := e.get(next.Key).Secret; len(s) != 0 {
		e.Errorf("a new record has %d secrets", len(s))
	}
	e.diff("users found by the name", []string{next.ID}, e.find(typeUser, eq(field(typeUser, "userName"), "ADA")))
	// In one step as well: the old record goes, the new one takes its key.
	last := e.key(typeUser)
	if err := e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
		if err := tx.Delete(e.ctx(), next.Key, e.clock.Now(), allow); err != nil {
			return err
		}
		_, err := tx.Insert(e.ctx(), last, e.clock.Now(), user("ada"))
		return err
	}); err != nil {
		e.Errorf("Delete and Insert in one step: %v", err)
	}
	e.diff("users found by the name", []string{last.ID}, e.find(typeUser, eq(field(typeUser, "userName"), "ADA")))
}

func testDeleteRefused(e *env) {
	edit := user("ada")
	edit.Secret = scim.Attributes{"password": "hash"}
	u := e.insert(typeUser, edit)
	refused := errors.New("refused by the caller")
	e.unchanged("a refused Delete", e.org, func() {
		err := e.store.Delete(e.ctx(), u.Key, e.clock.Tick(), func(cur storage.Current) (storage.Change, error) {
			want := *u
			want.Secret = edit.Secret
			e.diff("the record that the callback sees", &want, cur.Record())
			return change(storage.OpDelete), refused
		})
		e.wantErr("Delete", err, refused)
		for _, k := range []storage.Key{e.key(typeUser), {Org: e.org, Type: typeGroup, ID: u.ID}} {
			err := e.store.Delete(e.ctx(), k, e.clock.Tick(), func(storage.Current) (storage.Change, error) {
				e.Error("the callback is called for a record that is not there")
				return storage.Change{}, nil
			})
			e.wantErr("Delete of nothing", err, storage.ErrNotFound)
		}
	})
}
