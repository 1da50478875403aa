package transfer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/sqlite"
	"rollcall/storage/transfer"
)

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Types: conformance.Types()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestUnknownType: what this program cannot read of a source is not left behind in silence.
func TestUnknownType(t *testing.T) {
	from := open(t)
	org := storage.Organization{ID: "00000000-0000-7000-8000-0000000000aa", Slug: "acme", Name: "Acme"}
	if err := from.InsertOrganization(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	k := storage.Key{Org: org.ID, Type: "Thing", ID: "00000000-0000-7000-8000-000000000001"}
	if _, err := from.Insert(t.Context(), k, time.UnixMilli(1), &storage.Edit{Doc: scim.Attributes{}, Change: storage.Change{Op: storage.OpCreate}}); err != nil {
		t.Fatal(err)
	}
	_, err := transfer.Copy(t.Context(), from, open(t), transfer.Options{Types: []scim.TypeName{"User", "Group"}})
	if !errors.Is(err, transfer.ErrIncomplete) {
		t.Errorf("Copy without a type that has a record: %v, want ErrIncomplete", err)
	}
}

// forgetful is a target that loses something of what it is given.
type forgetful struct {
	*sqlite.Store
	record func(*storage.ExportedRecord)
	change func(*storage.Change)
	links  int // that it loses
	secret []byte
}

func (f *forgetful) ImportRecords(ctx context.Context, org scim.OrgID, list []storage.ExportedRecord) error {
	list = append([]storage.ExportedRecord(nil), list...)
	for i := range list {
		if f.record != nil {
			f.record(&list[i])
		}
	}
	return f.Store.ImportRecords(ctx, org, list)
}

func (f *forgetful) ImportLinks(ctx context.Context, org scim.OrgID, list []storage.Link) error {
	return f.Store.ImportLinks(ctx, org, list[f.links:])
}

func (f *forgetful) ImportChanges(ctx context.Context, org scim.OrgID, list []storage.Change) error {
	list = append([]storage.Change(nil), list...)
	for i := range list {
		if f.change != nil {
			f.change(&list[i])
		}
	}
	return f.Store.ImportChanges(ctx, org, list)
}

func (f *forgetful) ImportSecret(ctx context.Context, name string, value []byte) error {
	if f.secret != nil {
		value = f.secret
	}
	return f.Store.ImportSecret(ctx, name, value)
}

// TestVerificationSeesWhatIsLost: whatever a target does not keep is noticed, and the target stays unfinished.
func TestVerificationSeesWhatIsLost(t *testing.T) {
	from := open(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	org := storage.Organization{ID: "00000000-0000-7000-8000-0000000000aa", Slug: "acme", Name: "Acme", Created: at}
	if err := from.InsertOrganization(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Secret(t.Context(), "cursor", func(b []byte) error { b[0] = 1; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		key  storage.Key
		edit storage.Edit
	}{
		{storage.Key{Org: org.ID, Type: "User", ID: "00000000-0000-7000-8000-000000000001"}, storage.Edit{
			Doc: scim.Attributes{"userName": "ada"}, Unique: []query.UniqueKey{{Attr: "userName", Value: "ada"}}, Label: "Ada",
			Secret: scim.Attributes{"password": "hash"},
			Change: storage.Change{Op: storage.OpCreate, Request: "r-1", Values: []storage.ValueChange{{Path: "userName", New: "ada"}}},
		}},
		{storage.Key{Org: org.ID, Type: "Group", ID: "00000000-0000-7000-8000-000000000002"}, storage.Edit{
			Doc:     scim.Attributes{"displayName": "staff"},
			Members: storage.MemberDelta{Add: []string{"00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000003"}},
			Change:  storage.Change{Op: storage.OpCreate, Request: "r-2"},
		}},
	} {
		if _, err := from.Insert(t.Context(), r.key, at, &r.edit); err != nil {
			t.Fatal(err)
		}
	}
	options := transfer.Options{Types: []scim.TypeName{"User", "Group", "Thing"}}
	whole, err := transfer.Copy(t.Context(), from, open(t), options)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := transfer.Copy(t.Context(), from, open(t), options); err != nil || *again != *whole {
		t.Errorf("two copies differ: %+v, %+v, %v", whole, again, err)
	}
	for _, c := range []struct {
		name, kind string
		target     forgetful
	}{
		{"a secret", "records", forgetful{record: func(r *storage.ExportedRecord) { r.Secret = nil }}},
		{"a version", "records", forgetful{record: func(r *storage.ExportedRecord) { r.Version++ }}},
		{"an instant", "records", forgetful{record: func(r *storage.ExportedRecord) { r.Created = r.Created.Add(time.Millisecond) }}},
		{"a label", "records", forgetful{record: func(r *storage.ExportedRecord) { r.Label = "" }}},
		{"a member", "members", forgetful{links: 1}},
		{"an actor", "changes", forgetful{change: func(c *storage.Change) { c.Request = "" }}},
		{"a value", "changes", forgetful{change: func(c *storage.Change) { c.Values = nil }}},
		{"members of a change", "changes", forgetful{change: func(c *storage.Change) { c.MembersAdded = nil }}},
		{"a key", "keys", forgetful{secret: make([]byte, 32)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.target.Store = open(t)
			_, err := transfer.Copy(t.Context(), from, &c.target, options)
			var differs *transfer.DiffersError
			if !errors.As(err, &differs) || differs.Kind != c.kind {
				t.Errorf("Copy: %v, want that %s differ", err, c.kind)
			}
			if err := c.target.BeginImport(t.Context()); err != nil {
				t.Errorf("the target counts as finished: %v", err)
			}
		})
	}
}
