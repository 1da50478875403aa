package conformance

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// user is the edit of a small user with its unique key.
func user(name string) *storage.Edit {
	return &storage.Edit{
		Doc:    scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": name},
		Unique: []query.UniqueKey{{Attr: "userName", Value: query.Fold(name)}},
		Label:  name,
		Change: change(storage.OpCreate),
	}
}

// uniqueKeys returns the keys of the type's unique attributes that the document has a value for.
func uniqueKeys(t scim.TypeName, doc scim.Attributes) []query.UniqueKey {
	var keys []query.UniqueKey
	for _, a := range fieldsOf(t) {
		if v, ok := query.SortValue(a.Field, doc); a.unique && ok {
			keys = append(keys, query.UniqueKey{Attr: a.Path, Value: v.Str})
		}
	}
	return keys
}

// group is the edit of a group with members.
func group(name string, members ...string) *storage.Edit {
	return &storage.Edit{
		Doc:     scim.Attributes{"schemas": []any{scim.SchemaGroup}, "displayName": name},
		Label:   name,
		Members: storage.MemberDelta{Add: members},
		Change:  change(storage.OpCreate),
	}
}

// thing is the edit of a resource of the plain type, with doc's attributes beside the schemas.
func thing(doc scim.Attributes) *storage.Edit {
	d := scim.CloneAttributes(doc)
	d["schemas"] = []any{"urn:example:Thing"}
	return &storage.Edit{Doc: d, Unique: uniqueKeys(typeThing, d), Change: change(storage.OpCreate)}
}

// members is the edit that changes members only.
func members(d storage.MemberDelta) *storage.Edit {
	return &storage.Edit{Members: d, Change: change(storage.OpPatch)}
}

func actor() scim.Actor { return scim.Actor{Kind: "token", ID: "t-1", Name: "directory sync"} }

func change(op storage.ChangeOp) storage.Change {
	return storage.Change{Op: op, Actor: actor(), Request: "request-" + string(op)}
}

// key returns a key with a new id.
func (e *env) key(t scim.TypeName) storage.Key {
	return storage.Key{Org: e.org, Type: t, ID: e.ids.New()}
}

// insert stores a record under a new id.
func (e *env) insert(t scim.TypeName, edit *storage.Edit) *storage.Record {
	e.Helper()
	return e.insertAt(e.key(t), edit)
}

func (e *env) insertAt(k storage.Key, edit *storage.Edit) *storage.Record {
	e.Helper()
	rec, err := e.store.Insert(e.ctx(), k, e.clock.Tick(), edit)
	if err != nil {
		e.Fatalf("Insert(%s %s): %v", k.Type, k.ID, err)
	}
	return rec
}

// always returns an UpdateFunc that stores edit whatever the record is.
func always(edit *storage.Edit) storage.UpdateFunc {
	return func(storage.Current) (*storage.Edit, error) { return edit, nil }
}

// mapDoc returns an UpdateFunc that stores the document as f changed it.
func mapDoc(f func(scim.Attributes)) storage.UpdateFunc {
	return func(cur storage.Current) (*storage.Edit, error) {
		doc, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		f(doc)
		edit := &storage.Edit{Doc: doc, Unique: uniqueKeys(cur.Record().Type, doc), Change: change(storage.OpReplace)}
		edit.Label, _ = doc["userName"].(string)
		return edit, nil
	}
}

// update runs one Update that must succeed.
func (e *env) update(k storage.Key, fn storage.UpdateFunc) (*storage.Record, bool) {
	e.Helper()
	rec, changed, err := e.store.Update(e.ctx(), k, e.clock.Tick(), fn)
	if err != nil {
		e.Fatalf("Update(%s %s): %v", k.Type, k.ID, err)
	}
	return rec, changed
}

// remove deletes a record.
func (e *env) remove(k storage.Key) {
	e.Helper()
	err := e.store.Delete(e.ctx(), k, e.clock.Tick(), allow)
	if err != nil {
		e.Fatalf("Delete(%s %s): %v", k.Type, k.ID, err)
	}
}

// allow is the DeleteFunc that refuses nothing.
func allow(storage.Current) (storage.Change, error) { return change(storage.OpDelete), nil }

// everything loads all that a read can bring.
var everything = query.Load{Members: true, Groups: true, Secret: true}

// get reads a record whole.
func (e *env) get(k storage.Key) *storage.Record {
	e.Helper()
	rec, err := e.store.Get(e.ctx(), k, everything)
	if err != nil {
		e.Fatalf("Get(%s %s): %v", k.Type, k.ID, err)
	}
	if s, ok := e.store.(storage.Memberships); ok {
		groups, err := s.Groups(e.ctx(), k)
		if err != nil {
			e.Fatalf("Groups(%s %s): %v", k.Type, k.ID, err)
		}
		e.diff(fmt.Sprintf("Groups of %s %s", k.Type, k.ID), rec.Groups, groups)
	}
	if s, ok := e.store.(storage.MemberLists); ok {
		members, err := s.Members(e.ctx(), k, query.Load{})
		if err != nil {
			e.Fatalf("Members(%s %s): %v", k.Type, k.ID, err)
		}
		e.diff(fmt.Sprintf("Members of %s %s", k.Type, k.ID), rec.Members, members)
	}
	return rec
}

// doc decodes a record's document.
func (e *env) doc(rec *storage.Record) scim.Attributes {
	e.Helper()
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		e.Fatalf("document of %s %s: %v", rec.Type, rec.ID, err)
	}
	return doc
}

// gone checks that there is no such record.
func (e *env) gone(k storage.Key) {
	e.Helper()
	rec, err := e.store.Get(e.ctx(), k, query.Load{})
	e.wantErr("Get of a record that must not be there", err, storage.ErrNotFound)
	if rec != nil {
		e.Errorf("Get returned ErrNotFound and a record")
	}
}

// wantErr checks that err is the wanted sentinel.
func (e *env) wantErr(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// wantUnique checks that err names the attribute whose value is taken.
func (e *env) wantUnique(what string, err error, attr string) {
	e.Helper()
	if u, ok := errors.AsType[*storage.UniqueError](err); !ok {
		e.Errorf("%s: error %v, want a *UniqueError", what, err)
	} else if u.Attr != attr {
		e.Errorf("%s: UniqueError names %q, want %q", what, u.Attr, attr)
	}
}

// diff reports a difference; nil and empty are none.
func (e *env) diff(what string, want, got any) {
	e.Helper()
	if want == nil {
		want = reflect.Zero(reflect.TypeOf(got)).Interface()
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		e.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// changes reads the organization's feed to its end.
func (e *env) changes(org scim.OrgID) []storage.Change {
	e.Helper()
	var all []storage.Change
	var at storage.Position
	for {
		page, err := e.store.Changes(e.ctx(), org, at, 100)
		if err != nil {
			e.Fatalf("Changes: %v", err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		at = page[len(page)-1].Position
	}
}

// changesOf returns the changes of one record, in the order of the feed.
func (e *env) changesOf(k storage.Key) []storage.Change {
	e.Helper()
	var list []storage.Change
	for _, c := range e.changes(k.Org) {
		if c.Key == k {
			list = append(list, c)
		}
	}
	return list
}

// normal makes a change comparable: without position, with sorted members.
func normal(c storage.Change) storage.Change {
	c.Position = ""
	c.MembersAdded = sorted(c.MembersAdded)
	c.MembersRemoved = sorted(c.MembersRemoved)
	return c
}

func sorted(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// memberIDs returns the ids of a record's loaded members.
func memberIDs(rec *storage.Record) []string {
	var ids []string
	for _, m := range rec.Members {
		ids = append(ids, m.ID)
	}
	return sorted(ids)
}

// find runs a query of one type and returns the ids of all matches in their order.
func (e *env) find(t scim.TypeName, where query.Expr) []string {
	e.Helper()
	page := e.query(query.Query{Sources: []query.Source{{Type: t, Where: where}}, Limit: 1000})
	return recordIDs(page)
}

func (e *env) query(q query.Query) storage.Page {
	e.Helper()
	page, err := e.store.Query(e.ctx(), e.org, q)
	if err != nil {
		e.Fatalf("Query: %v", err)
	}
	return page
}

func recordIDs(p storage.Page) []string {
	var ids []string
	for i := range p.Records {
		ids = append(ids, p.Records[i].ID)
	}
	return ids
}

// state is everything that a reader can see of an organization: for tests that nothing changed.
type state struct {
	Records []storage.Record
	Changes []storage.Change
}

func (e *env) state(org scim.OrgID) state {
	e.Helper()
	var s state
	page, err := e.store.Query(e.ctx(), org, query.Query{
		Sources: []query.Source{{Type: typeUser}, {Type: typeGroup}, {Type: typeThing}},
		Limit:   1000, Load: everything,
	})
	if err != nil {
		e.Fatalf("Query: %v", err)
	}
	s.Records = page.Records
	s.Changes = e.changes(org)
	return s
}

// unchanged fails the test if f changes anything that a reader can see of the organization.
func (e *env) unchanged(what string, org scim.OrgID, f func()) {
	e.Helper()
	before := e.state(org)
	f()
	e.diff(what+" changed the store", before, e.state(org))
}

// sameInstant compares instants as a store keeps them.
func (e *env) sameInstant(what string, want, got time.Time) {
	e.Helper()
	if !got.Equal(scim.Millis(want)) {
		e.Errorf("%s = %v, want %v", what, got, scim.Millis(want))
	}
	if got.Location() != time.UTC {
		e.Errorf("%s is in %v, want UTC", what, got.Location())
	}
}
