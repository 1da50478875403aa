//go:build unix

package sqlite_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// lookups is a store whose users are looked up by an attribute that several may share a value of.
type lookups struct {
	*sqlite.Store
	clock *testkit.Clock
	ids   *testkit.IDs
}

func newLookups(t *testing.T) *lookups {
	return &lookups{Store: open(t, sqlite.Options{Types: benchTypes()}), clock: testkit.NewClock(), ids: testkit.NewIDs()}
}

// edit is a user with an externalId and addresses.
func (l *lookups) edit(name, externalID string, mails ...any) *storage.Edit {
	emails := make([]any, len(mails))
	for i, m := range mails {
		emails[i] = scim.Attributes{"value": m}
	}
	doc := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": name, "emails": emails}
	if externalID != "" {
		doc["externalId"] = externalID
	}
	return &storage.Edit{
		Doc: doc, Unique: []query.UniqueKey{{Attr: "userName", Value: name}}, Label: name,
		Change: storage.Change{Op: storage.OpCreate},
	}
}

func (l *lookups) insert(t *testing.T, e *storage.Edit) storage.Key {
	t.Helper()
	k := storage.Key{Org: benchOrg, Type: "User", ID: l.ids.New()}
	if _, err := l.Insert(t.Context(), k, l.clock.Tick(), e); err != nil {
		t.Fatal(err)
	}
	return k
}

func (l *lookups) replace(t *testing.T, k storage.Key, e *storage.Edit) {
	t.Helper()
	if _, _, err := l.Update(t.Context(), k, l.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return e, nil }); err != nil {
		t.Fatal(err)
	}
}

func byValue(path, value string, limit int) query.Query {
	f := query.Field{Path: path, Steps: strings.Split(path, "."), Kind: query.String, CaseExact: path == "externalId", Multi: path == "emails.value"}
	return query.Query{
		Sources: []query.Source{{Type: "User", Where: query.Compare{Field: f, Op: query.Eq, Value: query.Value{Kind: query.String, Str: value}}}},
		Limit:   limit, Total: true, Load: query.Load{Groups: true},
	}
}

// want asks three times, as the first answer is kept and the second served from what is kept.
func (l *lookups) want(t *testing.T, path, value string, keys ...storage.Key) {
	t.Helper()
	var want []string
	for _, k := range keys {
		want = append(want, k.ID)
	}
	slices.Sort(want)
	for _, limit := range []int{10, 1, 10, 10} {
		page, err := l.Query(t.Context(), benchOrg, byValue(path, value, limit))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range page.Records {
			got = append(got, page.Records[i].ID)
		}
		first := want[:min(limit, len(want))]
		if !slices.Equal(got, first) || page.Total != len(want) || page.More != (len(first) < len(want)) {
			t.Fatalf("%s eq %q, at most %d: %v, total %d, more %t; want %v of %v", path, value, limit, got, page.Total, page.More, first, want)
		}
	}
}

func TestLookupsFollowWrites(t *testing.T) {
	l := newLookups(t)
	a := l.insert(t, l.edit("a", "x", "a@example.com", "both@example.com"))
	l.want(t, "externalId", "x", a)
	l.want(t, "emails.value", "both@example.com", a)
	l.want(t, "externalId", "y")

	b := l.insert(t, l.edit("b", "x", "b@example.com", "both@example.com"))
	l.want(t, "externalId", "x", a, b)
	l.want(t, "emails.value", "both@example.com", a, b)

	l.replace(t, a, l.edit("a", "y", "a@example.com"))
	l.want(t, "externalId", "x", b)
	l.want(t, "externalId", "y", a)
	l.want(t, "emails.value", "both@example.com", b)

	l.replace(t, b, l.edit("b", "", "b@example.com"))
	l.want(t, "externalId", "x")
	l.want(t, "externalId", "y", a)
	l.want(t, "emails.value", "both@example.com")

	l.replace(t, b, l.edit("b", "y", "b@example.com"))
	l.want(t, "externalId", "y", a, b)

	err := l.Delete(t.Context(), a, l.clock.Tick(), func(storage.Current) (storage.Change, error) { return storage.Change{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	l.want(t, "externalId", "y", b)
	l.want(t, "emails.value", "a@example.com")
}

// TestLookupBesideAnOpenTransaction: a transaction that had begun before anybody looked up a value of the index has
// not noted which values it changes; what is read beside it must not be kept.
func TestLookupBesideAnOpenTransaction(t *testing.T) {
	l := newLookups(t)
	a := l.insert(t, l.edit("a", "x"))
	b := storage.Key{Org: benchOrg, Type: "User", ID: l.ids.New()}
	wrote, look := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- l.Within(t.Context(), benchOrg, func(tx storage.Tx) error {
			defer func() { <-look }()
			_, err := tx.Insert(t.Context(), b, l.clock.Tick(), l.edit("b", "x"))
			close(wrote)
			return err
		})
	}()
	<-wrote
	l.want(t, "externalId", "x", a)
	close(look)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.want(t, "externalId", "x", a, b)
}

// TestLookupOfImported: a copy into a store writes beside Insert.
func TestLookupOfImported(t *testing.T) {
	l := newLookups(t)
	a := l.insert(t, l.edit("a", "x"))
	l.want(t, "externalId", "x", a)
	b := storage.Key{Org: benchOrg, Type: "User", ID: l.ids.New()}
	at := l.clock.Tick()
	e := l.edit("b", "x")
	err := l.ImportRecords(context.Background(), benchOrg, []storage.ExportedRecord{{
		Record: storage.Record{Key: b, Version: 1, Created: at, Modified: at, Doc: scim.AppendJSON(nil, e.Doc)},
		Unique: e.Unique, Label: e.Label,
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.want(t, "externalId", "x", a, b)
}
