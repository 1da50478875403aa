package conformance

import (
	"slices"

	"rollcall/storage"
)

// testHistory compares the history of records, one of them deleted and made again, with what the feed says of them.
func testHistory(e *env) {
	u, other := e.insert(typeUser, user("u")), e.insert(typeUser, user("other"))
	for range 4 {
		e.update(u.Key, increment)
	}
	e.insert(typeGroup, group("g", u.ID, other.ID))
	e.remove(other.Key)
	again := e.insertAt(other.Key, user("other"))
	e.update(again.Key, increment)
	byKey := map[storage.Key][]storage.Change{}
	for _, c := range e.changes(e.org) {
		c.Position = ""
		byKey[c.Key] = append(byKey[c.Key], c)
	}
	for k, want := range byKey {
		slices.Reverse(want)
		got := e.history(k, 0, 100)
		e.diff("the history of "+string(k.Type)+" "+k.ID, want, got)
		for skip := range len(want) + 1 {
			e.diff("a part of it", want[skip:min(skip+2, len(want))], e.history(k, skip, 2))
		}
	}
	if len(byKey[u.Key]) != 5 || len(byKey[other.Key]) != 4 {
		e.Errorf("%d and %d changes, want 5 and 4", len(byKey[u.Key]), len(byKey[other.Key]))
	}
	elsewhere := u.Key
	elsewhere.Org = e.newOrg("elsewhere")
	if got := e.history(elsewhere, 0, 10); len(got) != 0 {
		e.Errorf("another organization sees %d changes", len(got))
	}
}

// history reads changes of a record without their positions, which a store may not know yet.
func (e *env) history(k storage.Key, skip, limit int) []storage.Change {
	e.Helper()
	list, err := e.store.History(e.ctx(), k, skip, limit)
	if err != nil {
		e.Fatalf("History: %v", err)
	}
	for i := range list {
		list[i].Position = ""
	}
	return list
}

// testRedact takes the values of one record out of the history, and nothing else.
func testRedact(e *env) {
	valued := func(name string) *storage.Edit {
		edit := user(name)
		edit.Change.Values = []storage.ValueChange{{Path: "password"}, {Path: "userName", New: name}, {Path: "emails", New: []any{name}}}
		return edit
	}
	u, other := e.insert(typeUser, valued("u")), e.insert(typeUser, valued("other"))
	e.update(u.Key, increment)
	e.update(other.Key, increment)
	e.remove(u.Key)
	want, kept := e.history(u.Key, 0, 10), e.history(other.Key, 0, 10)
	values := 0
	for i := range want {
		for j := range want[i].Values {
			v := &want[i].Values[j]
			if v.Old != nil || v.New != nil {
				values++
			}
			v.Old, v.New = nil, nil
		}
	}
	if values != 2 {
		e.Fatalf("the history has %d values to take out, want 2", values)
	}
	before := len(e.changes(e.org))
	for range 2 { // doing it again is no error
		if err := e.store.Redact(e.ctx(), u.Key); err != nil {
			e.Fatalf("Redact: %v", err)
		}
	}
	e.diff("the redacted history", want, e.history(u.Key, 0, 10))
	e.diff("the history of another record", kept, e.history(other.Key, 0, 10))
	if n := len(e.changes(e.org)); n != before {
		e.Errorf("the feed has %d changes, want %d", n, before)
	}
	elsewhere := other.Key
	elsewhere.Org = e.newOrg("elsewhere")
	if err := e.store.Redact(e.ctx(), elsewhere); err != nil {
		e.Fatalf("Redact: %v", err)
	}
	e.diff("the history of a record of the same id elsewhere", kept, e.history(other.Key, 0, 10))
}
