package conformance

import (
	"errors"
	"fmt"
	"sync"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func updateCases() []testCase {
	return []testCase{
		{name: "UpdateReturnsStored", run: testUpdateReturnsStored},
		{name: "UpdateNoChange", run: testUpdateNoChange},
		{name: "UpdateSecrets", extra: "Edit.Secret replaces secrets one by one and loads on request only", run: testUpdateSecrets},
		{name: "UpdateIsAtomic", run: testUpdateIsAtomic},
		{name: "UpdateRetriesFn", run: testUpdateRetriesFn},
		{name: "UpdateOfWhatIsGone", run: testUpdateOfWhatIsGone},
		{name: "HotRecord", run: testHotRecord},
	}
}

func testUpdateReturnsStored(e *env) {
	first := e.insert(typeUser, user("ada"))
	e.insert(typeGroup, group("staff", first.ID))
	var seen *storage.Record
	at := e.clock.Tick()
	rec, changed, err := e.store.Update(e.ctx(), first.Key, at, func(cur storage.Current) (*storage.Edit, error) {
		seen = cur.Record()
		return mapEdit(func(d scim.Attributes) { d["userName"], d["active"] = "ada.l", true }, change(storage.OpReplace))(cur)
	})
	if err != nil || !changed {
		e.Fatalf("Update: changed %v, %v", changed, err)
	}
	e.diff("the record that fn saw", first, seen)
	if rec.Version != 2 {
		e.Errorf("version %d, want 2", rec.Version)
	}
	e.sameInstant("Created", first.Created, rec.Created)
	e.sameInstant("Modified", at, rec.Modified)
	e.diff("Doc", `{"active":true,"schemas":["`+scim.SchemaUser+`"],"userName":"ada.l"}`, string(rec.Doc))
	if rec.Secret != nil || rec.Members != nil || rec.Groups != nil {
		e.Errorf("Update loads what it does not return: %+v", rec)
	}
	plain, err := e.store.Get(e.ctx(), first.Key, query.Load{})
	if err != nil {
		e.Fatalf("Get: %v", err)
	}
	e.diff("Get", rec, plain)

	// Indexes and labels follow the document.
	e.diff("the new name", []string{first.ID}, e.find(typeUser, eq(field(typeUser, "userName"), "ADA.L")))
	e.diff("the old name", nil, e.find(typeUser, eq(field(typeUser, "userName"), "ada")))
	groups := e.find(typeGroup, eq(field(typeGroup, "members.display"), "ada.l"))
	if len(groups) != 1 {
		e.Errorf("%d groups have the member under its new label, want 1", len(groups))
	}

	// Absent, or there under another type: fn is not asked.
	for _, k := range []storage.Key{e.key(typeUser), {Org: e.org, Type: typeGroup, ID: first.ID}} {
		_, _, err := e.store.Update(e.ctx(), k, e.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
			e.Error("fn called for a record that is not there")
			return nil, nil
		})
		e.wantErr("Update of nothing", err, storage.ErrNotFound)
	}
}

func testUpdateNoChange(e *env) {
	edit := user("ada")
	edit.Secret = scim.Attributes{"password": "hash"}
	u := e.insert(typeUser, edit)
	g := e.insert(typeGroup, group("staff", u.ID))
	for _, c := range []struct {
		name string
		key  storage.Key
		fn   storage.UpdateFunc
	}{
		{"nil Edit", u.Key, always(nil)},
		{"empty Edit", u.Key, always(&storage.Edit{Change: change(storage.OpPatch)})},
		{"same document", u.Key, mapDoc(func(scim.Attributes) {})},
		{"same secret", u.Key, always(&storage.Edit{Secret: scim.Attributes{"password": "hash"}, Change: change(storage.OpPatch)})},
		{"removing an absent secret", u.Key, always(&storage.Edit{Secret: scim.Attributes{"pin": nil}, Change: change(storage.OpPatch)})},
		{"adding a member that is there", g.Key, always(members(storage.MemberDelta{Add: []string{u.ID}}))},
		{"removing a member that is not there", g.Key, always(members(storage.MemberDelta{Remove: []string{e.ids.New()}}))},
		{"replacing the members by the same", g.Key, always(members(storage.MemberDelta{Replace: true, Add: []string{u.ID, u.ID}}))},
	} {
		e.unchanged(c.name, e.org, func() {
			before := e.get(c.key)
			rec, changed := e.update(c.key, c.fn)
			if changed {
				e.Errorf("%s: Update says that it changed something", c.name)
			}
			if rec == nil {
				e.Fatalf("%s: Update returned no record", c.name)
			}
			if rec.Version != before.Version || !rec.Modified.Equal(before.Modified) || string(rec.Doc) != string(before.Doc) {
				e.Errorf("%s: Update returned version %d of %v, want %d of %v", c.name, rec.Version, rec.Modified, before.Version, before.Modified)
			}
		})
	}
	failure := errors.New("refused by the caller")
	e.unchanged("an error from fn", e.org, func() {
		_, changed, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
			return &storage.Edit{Doc: scim.Attributes{}}, failure
		})
		e.wantErr("Update", err, failure)
		if changed {
			e.Error("Update says changed beside an error")
		}
	})
}

func testUpdateSecrets(e *env) {
	edit := user("ada")
	edit.Secret = scim.Attributes{"password": "one", "pin": "1234"}
	u := e.insert(typeUser, edit)
	secret := func(s scim.Attributes) *storage.Record {
		rec, changed := e.update(u.Key, always(&storage.Edit{Secret: s, Change: change(storage.OpPatch)}))
		if !changed {
			e.Errorf("a new secret is no change")
		}
		return rec
	}
	rec := secret(scim.Attributes{"password": "two"})
	if rec.Version != 2 || string(rec.Doc) != string(u.Doc) {
		e.Errorf("a new secret: version %d with document %s, want 2 with the same document", rec.Version, rec.Doc)
	}
	e.diff("one secret replaced", scim.Attributes{"password": "two", "pin": "1234"}, e.get(u.Key).Secret)
	secret(scim.Attributes{"pin": nil})
	e.diff("one secret removed", scim.Attributes{"password": "two"}, e.get(u.Key).Secret)
	e.update(u.Key, func(cur storage.Current) (*storage.Edit, error) {
		e.diff("the secrets that fn sees", scim.Attributes{"password": "two"}, cur.Record().Secret)
		return nil, nil
	})
	e.update(u.Key, mapDoc(func(d scim.Attributes) { d["active"] = true }))
	e.diff("an edit of the document alone", scim.Attributes{"password": "two"}, e.get(u.Key).Secret)
	secret(scim.Attributes{"password": nil})
	if s := e.get(u.Key).Secret; len(s) != 0 {
		e.Errorf("all secrets removed, %d left", len(s))
	}
	// Secrets are in no document, so no filter can ask about them.
	page := e.query(query.Query{Sources: []query.Source{{Type: typeUser, Where: query.Present{Field: query.Field{Path: "pin", Steps: []string{"pin"}}}}}, Limit: 10})
	e.diff("users with a secret in the document", nil, recordIDs(page))
}

// testUpdateIsAtomic increments one counter from several goroutines: an increment that is computed from a state
// which another write has replaced is lost.
func testUpdateIsAtomic(e *env) {
	const writers, each = 8, 15
	u := e.insert(typeUser, user("counter"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				_, changed, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), increment)
				if err != nil || !changed {
					e.Errorf("Update: changed %v, %v", changed, err)
				}
			}
		})
	}
	wg.Wait()
	rec := e.get(u.Key)
	if age := e.doc(rec)["age"]; age != int64(writers*each) {
		e.Errorf("the counter is %v after %d increments", age, writers*each)
	}
	if rec.Version != writers*each+1 {
		e.Errorf("version %d after %d changes, want %d", rec.Version, writers*each, writers*each+1)
	}
	for i, c := range e.changesOf(u.Key) {
		if c.Version != int64(i+1) {
			e.Fatalf("change %d has version %d", i, c.Version)
		}
	}
}

func increment(cur storage.Current) (*storage.Edit, error) {
	return mapDoc(func(d scim.Attributes) {
		n, _ := d["age"].(int64)
		d["age"] = n + 1
	})(cur)
}

// testUpdateRetriesFn lets other writes come while fn has looked at the record already. A store that holds them off
// until fn is done is right as well; what counts is that fn's edit is based on the state it replaces.
func testUpdateRetriesFn(e *env) {
	u := e.insert(typeUser, user("ada"))
	var wg sync.WaitGroup
	started := make(chan struct{})
	calls := 0
	rec, changed, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
		edit, err := increment(cur)
		if calls++; calls == 1 {
			wg.Go(func() {
				close(started)
				if _, _, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), increment); err != nil {
					e.Errorf("the other Update: %v", err)
				}
			})
			<-started
		}
		return edit, err
	})
	if err != nil || !changed {
		e.Fatalf("Update: changed %v, %v", changed, err)
	}
	wg.Wait()
	if age := e.doc(e.get(u.Key))["age"]; age != int64(2) {
		e.Errorf("the counter is %v after two increments, fn ran %d times", age, calls)
	}
	if v := e.get(u.Key).Version; v != 3 || rec.Version < 2 {
		e.Errorf("version %d after two changes, want 3", v)
	}
	// What a run of fn that was thrown away did to its record is seen by nobody.
	if _, _, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
		r := cur.Record()
		for i := range r.Doc {
			r.Doc[i] = 'x'
		}
		return nil, nil
	}); err != nil {
		e.Errorf("Update without a change: %v", err)
	}
	e.doc(e.get(u.Key))
}

// testUpdateOfWhatIsGone: while fn looks at a record, that is deleted and another comes under its id, with the same version
// and at the same time. What fn makes of the first must not become the second, also where the first is in memory.
func testUpdateOfWhatIsGone(e *env) {
	u := e.insert(typeUser, user("ada"))
	if _, err := e.store.Get(e.ctx(), u.Key, query.Load{Groups: true}); err != nil {
		e.Fatalf("Get: %v", err)
	}
	var saw []any
	rec, changed, err := e.store.Update(e.ctx(), u.Key, e.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
		name := e.doc(cur.Record())["userName"]
		if saw = append(saw, name); len(saw) == 1 {
			err := e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
				if err := tx.Delete(e.ctx(), u.Key, u.Created, allow); err != nil {
					return err
				}
				return second(tx.Insert(e.ctx(), u.Key, u.Created, user("grace")))
			})
			if err != nil {
				e.Fatalf("another record under the id: %v", err)
			}
		}
		return mapDoc(func(d scim.Attributes) { d["nickName"] = name })(cur)
	})
	if err != nil || !changed {
		e.Fatalf("Update: changed %v, %v", changed, err)
	}
	e.diff("what fn saw", []any{"ada", "grace"}, saw)
	e.diff("Doc", `{"nickName":"grace","schemas":["`+scim.SchemaUser+`"],"userName":"grace"}`, string(rec.Doc))
	e.diff("Get", rec.Doc, e.get(u.Key).Doc)
	if rec.Version != 2 {
		e.Errorf("version %d, want 2", rec.Version)
	}
}

// testHotRecord writes to one group from many goroutines: every write is done, none gives up.
func testHotRecord(e *env) {
	const writers, each = 32, 20
	g := e.insert(typeGroup, group("hot"))
	ids := make([]string, writers*each)
	for i := range ids {
		ids[i] = e.ids.New()
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				fn := always(members(storage.MemberDelta{Add: ids[n : n+1]}))
				if i%4 == 3 {
					fn = mapDoc(func(d scim.Attributes) { d[fmt.Sprintf("note%d", n)] = "x" })
				}
				if _, changed, err := e.store.Update(e.ctx(), g.Key, e.clock.Tick(), fn); err != nil || !changed {
					e.Errorf("write %d: changed %v, %v", n, changed, err)
				}
			}
		})
	}
	wg.Wait()
	rec := e.get(g.Key)
	doc := e.doc(rec)
	var want []string
	for n, id := range ids {
		if n%each%4 == 3 {
			if doc[fmt.Sprintf("note%d", n)] != "x" {
				e.Errorf("the document edit %d is lost", n)
			}
		} else {
			want = append(want, id)
		}
	}
	e.diff("members", want, memberIDs(rec))
	if rec.Version != writers*each+1 {
		e.Errorf("version %d, want %d", rec.Version, writers*each+1)
	}
	changes := e.changesOf(g.Key)
	if len(changes) != writers*each+1 {
		e.Errorf("%d changes, want %d", len(changes), writers*each+1)
	}
	for i, c := range changes {
		if c.Version != int64(i+1) {
			e.Fatalf("change %d has version %d: versions are not consecutive", i, c.Version)
		}
	}
}
