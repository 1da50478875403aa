package conformance

import (
	"errors"
	"fmt"
	"sync"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func insertCases() []testCase {
	return []testCase{
		{name: "WriteAppendsChange", run: testWriteAppendsChange},
		{name: "InsertReturnsStored", extra: "Insert answers what Get answers afterwards", run: testInsertReturnsStored},
		{name: "InsertUnique", run: testInsertUnique},
		{name: "UniqueRace", run: testUniqueRace},
		{name: "Exists", extra: "Exists answers for ids of any type in one call", run: testExists},
	}
}

func testWriteAppendsChange(e *env) {
	k := e.key(typeUser)
	edit := user("ada")
	edit.Secret = scim.Attributes{"password": "hash"}
	edit.Change.Values = []storage.ValueChange{
		{Path: "userName", New: "ada"},
		{Path: "emails", New: []any{scim.Attributes{"value": "ada@example.com", "primary": true}}},
		{Path: "age", New: int64(36)},
		{Path: "score", New: 1.5},
		{Path: "password"},
	}
	at := e.clock.Tick()
	if _, err := e.store.Insert(e.ctx(), k, at, edit); err != nil {
		e.Fatalf("Insert: %v", err)
	}
	want := []storage.Change{{
		Key: k, Version: 1, At: at, Op: storage.OpCreate, Actor: actor(),
		Request: edit.Change.Request, Values: edit.Change.Values,
	}}

	patch := change(storage.OpPatch)
	patch.Values = []storage.ValueChange{
		{Path: "userName", Old: "ada", New: "Ada"}, {Path: "age", Old: int64(36)}, {Path: "active", Old: true, New: false},
	}
	at = e.clock.Tick()
	if _, changed, err := e.store.Update(e.ctx(), k, at, mapEdit(func(d scim.Attributes) { d["userName"] = "Ada" }, patch)); err != nil || !changed {
		e.Fatalf("Update: changed %v, %v", changed, err)
	}
	want = append(want, storage.Change{
		Key: k, Version: 2, At: at, Op: storage.OpPatch, Actor: actor(),
		Request: patch.Request, Values: patch.Values,
	})

	del := change(storage.OpDelete)
	del.Actor = scim.Actor{Kind: "system", Name: "retention"}
	del.Values = []storage.ValueChange{{Path: "userName", Old: "Ada"}}
	at = e.clock.Tick()
	if err := e.store.Delete(e.ctx(), k, at, func(storage.Current) (storage.Change, error) { return del, nil }); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	want = append(want, storage.Change{
		Key: k, Version: 2, At: at, Op: storage.OpDelete, Actor: del.Actor,
		Request: del.Request, Values: del.Values,
	})

	got := e.changes(e.org)
	positions := map[storage.Position]bool{"": true}
	for i := range got {
		if positions[got[i].Position] {
			e.Errorf("change %d has the empty or another change's position", i)
		}
		positions[got[i].Position] = true
		got[i] = normal(got[i])
	}
	e.diff("the changes", want, got)

	// A write that fails leaves no change behind.
	refused := errors.New("refused")
	for what, err := range map[string]error{
		"Insert of a taken id": second(e.store.Insert(e.ctx(), e.insert(typeUser, user("eva")).Key, e.clock.Tick(), user("x"))),
		"Update refused by fn": third(e.store.Update(e.ctx(), e.insert(typeUser, user("tim")).Key, e.clock.Tick(),
			func(storage.Current) (*storage.Edit, error) { return nil, refused })),
		"Delete refused by fn": e.store.Delete(e.ctx(), e.insert(typeUser, user("kim")).Key, e.clock.Tick(),
			func(storage.Current) (storage.Change, error) { return storage.Change{}, refused }),
	} {
		if err == nil {
			e.Errorf("%s succeeded", what)
		}
	}
	if n := len(e.changes(e.org)); n != 6 {
		e.Errorf("the feed has %d changes after 3 more inserts and 3 failed writes, want 6", n)
	}
}

// mapEdit is mapDoc with the change row given.
func mapEdit(f func(scim.Attributes), c storage.Change) storage.UpdateFunc {
	return func(cur storage.Current) (*storage.Edit, error) {
		edit, err := mapDoc(f)(cur)
		if err == nil {
			edit.Change = c
		}
		return edit, err
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

func testInsertReturnsStored(e *env) {
	k := e.key(typeUser)
	edit := user("Ada")
	edit.Doc["emails"] = []any{scim.Attributes{"value": "ada@example.com", "type": "work"}}
	edit.Secret = scim.Attributes{"password": "hash"}
	at := e.clock.Tick()
	rec, err := e.store.Insert(e.ctx(), k, at, edit)
	if err != nil {
		e.Fatalf("Insert: %v", err)
	}
	if rec.Key != k || rec.Version != 1 {
		e.Errorf("inserted %v version %d, want %v version 1", rec.Key, rec.Version, k)
	}
	e.sameInstant("Created", at, rec.Created)
	e.sameInstant("Modified", at, rec.Modified)
	e.diff("Doc", string(scim.AppendJSON(nil, edit.Doc)), string(rec.Doc))

	plain, err := e.store.Get(e.ctx(), k, query.Load{})
	if err != nil {
		e.Fatalf("Get: %v", err)
	}
	if plain.Secret != nil || plain.Members != nil || plain.Groups != nil {
		e.Errorf("Get brings what was not asked for: %+v", plain)
	}
	e.diff("Get", rec, plain)
	e.diff("the secret", edit.Secret, e.get(k).Secret)

	// Insert with members answers the same way.
	g := group("staff", k.ID)
	rec = e.insert(typeGroup, g)
	e.diff("Doc of a group", string(scim.AppendJSON(nil, g.Doc)), string(rec.Doc))
	e.diff("members", []storage.Member{{ID: k.ID, Type: typeUser, Display: "Ada"}}, e.get(rec.Key).Members)
	e.gone(storage.Key{Org: e.org, Type: typeGroup, ID: k.ID})
	e.gone(e.key(typeUser))
}

func testInsertUnique(e *env) {
	ada := e.insert(typeUser, user("Ada"))
	other := e.newOrg("other")
	withGroup := group("g", ada.ID)
	withGroup.Unique = []query.UniqueKey{{Attr: "displayName", Value: "g"}, {Attr: "externalId", Value: "1"}}
	staff := e.insert(typeGroup, withGroup)
	e.unchanged("a refused insert", e.org, func() {
		_, err := e.store.Insert(e.ctx(), ada.Key, e.clock.Tick(), user("other name"))
		e.wantErr("Insert with a taken id", err, storage.ErrExists)
		_, err = e.store.Insert(e.ctx(), storage.Key{Org: e.org, Type: typeGroup, ID: ada.ID}, e.clock.Tick(), group("g"))
		e.wantErr("Insert with an id that another type has", err, storage.ErrExists)
		_, err = e.store.Insert(e.ctx(), e.key(typeUser), e.clock.Tick(), user("ADA"))
		e.wantUnique("Insert with a taken key", err, "userName")
		again := group("g2", ada.ID)
		again.Unique = []query.UniqueKey{{Attr: "displayName", Value: "g2"}, {Attr: "externalId", Value: "1"}}
		_, err = e.store.Insert(e.ctx(), e.key(typeGroup), e.clock.Tick(), again)
		e.wantUnique("Insert with the second of two keys taken", err, "externalId")
		e.diff("groups of a member", []storage.Membership{{ID: staff.ID, Display: "g", Direct: true}}, e.get(ada.Key).Groups)
	})
	// A key is one of its attribute, its type and its organization.
	named := thing(scim.Attributes{})
	named.Unique = []query.UniqueKey{{Attr: "userName", Value: "ada"}}
	e.insert(typeThing, named)
	e.insert(typeThing, thing(scim.Attributes{"serial": "ada"}))
	if _, err := e.store.Insert(e.ctx(), storage.Key{Org: other, Type: typeUser, ID: ada.ID}, e.clock.Tick(), user("Ada")); err != nil {
		e.Errorf("Insert of the same id and key in another organization: %v", err)
	}

	eva := e.insert(typeUser, user("Eva"))
	e.unchanged("a refused update", e.org, func() {
		_, _, err := e.store.Update(e.ctx(), eva.Key, e.clock.Tick(), mapDoc(func(d scim.Attributes) { d["userName"] = "ada" }))
		e.wantUnique("Update to a taken key", err, "userName")
	})
	// The record's own key is no obstacle, neither spelled anew nor kept while something else changes.
	e.update(eva.Key, mapDoc(func(d scim.Attributes) { d["userName"] = "EVA" }))
	e.update(eva.Key, mapDoc(func(d scim.Attributes) { d["active"] = true }))
	// A key that an update gives up is free, and one that a members-only edit does not name is kept.
	e.update(eva.Key, always(&storage.Edit{Secret: scim.Attributes{"password": "x"}, Change: change(storage.OpPatch)}))
	_, err := e.store.Insert(e.ctx(), e.key(typeUser), e.clock.Tick(), user("eva"))
	e.wantUnique("Insert with a key that an edit without document left alone", err, "userName")
	e.update(eva.Key, mapDoc(func(d scim.Attributes) { d["userName"] = "Evelyn" }))
	e.insert(typeUser, user("eva"))
}

func testUniqueRace(e *env) {
	const rounds, racers = 20, 8
	for round := range rounds {
		errs := make([]error, racers)
		keys := make([]storage.Key, racers)
		var wg sync.WaitGroup
		for i := range racers {
			keys[i] = e.key(typeUser)
			wg.Go(func() {
				_, errs[i] = e.store.Insert(e.ctx(), keys[i], e.clock.Tick(), user(fmt.Sprintf("user %d", round)))
			})
		}
		wg.Wait()
		winners := 0
		for i, err := range errs {
			if err == nil {
				winners++
				e.get(keys[i])
				continue
			}
			e.wantUnique("the loser of a race", err, "userName")
			e.gone(keys[i])
		}
		if winners != 1 {
			e.Fatalf("round %d: %d of %d inserts with one key succeeded, want 1", round, winners, racers)
		}
	}
	if n := len(e.changes(e.org)); n != rounds {
		e.Errorf("the feed has %d changes, want %d", n, rounds)
	}
	// The same for one id.
	k := e.key(typeUser)
	var wg sync.WaitGroup
	errs := make([]error, racers)
	for i := range racers {
		wg.Go(func() {
			_, errs[i] = e.store.Insert(e.ctx(), k, e.clock.Tick(), user(fmt.Sprintf("racer %d", i)))
		})
	}
	wg.Wait()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
		} else {
			e.wantErr("the loser of a race for an id", err, storage.ErrExists)
		}
	}
	if winners != 1 {
		e.Errorf("%d of %d inserts with one id succeeded, want 1", winners, racers)
	}
}

func testExists(e *env) {
	u, g, th := e.insert(typeUser, user("u")), e.insert(typeGroup, group("g", "00000000-0000-7000-8000-0000000000ff")), e.insert(typeThing, thing(scim.Attributes{}))
	dead := e.insert(typeUser, user("dead"))
	e.remove(dead.Key)
	got, err := e.store.Exists(e.ctx(), e.org, []string{
		u.ID, g.ID, th.ID, u.ID, dead.ID, "00000000-0000-7000-8000-0000000000ff", e.ids.New(), "", "not an id",
	})
	if err != nil {
		e.Fatalf("Exists: %v", err)
	}
	e.diff("Exists", map[string]scim.TypeName{u.ID: typeUser, g.ID: typeGroup, th.ID: typeThing}, got)
	for _, none := range [][]string{nil, {}, {dead.ID}} {
		if got, err := e.store.Exists(e.ctx(), e.org, none); err != nil || len(got) != 0 {
			e.Errorf("Exists of %d ids without a record = %v, %v", len(none), got, err)
		}
	}
	// More ids than a database takes as parameters of one statement.
	many := []string{u.ID}
	for range 40_000 {
		many = append(many, e.ids.New())
	}
	got, err = e.store.Exists(e.ctx(), e.org, append(many, g.ID))
	if err != nil {
		e.Fatalf("Exists of %d ids: %v", len(many), err)
	}
	e.diff("Exists of many", map[string]scim.TypeName{u.ID: typeUser, g.ID: typeGroup}, got)
}
