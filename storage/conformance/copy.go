package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/transfer"
)

func copyCases() []testCase {
	return []testCase{
		{name: "CopyKeepsEverything", run: testCopyKeepsEverything},
		{name: "CopyGoesOn", run: testCopyGoesOn},
		{name: "CopyReplacesNothing", run: testCopyReplacesNothing},
		{name: "CopyKeepsPositions", run: testCopyKeepsPositions},
	}
}

// copyable is a store that can be copied from and into.
type copyable interface {
	storage.Store
	transfer.Target
}

// copyable returns the store under test as one that can be copied, or skips.
func (e *env) copyable(s storage.Store) copyable {
	e.Helper()
	c, ok := s.(copyable)
	if !ok {
		e.Skipf("%T is no Exporter and Importer", s)
	}
	return c
}

func copyOptions() transfer.Options {
	return transfer.Options{Types: []scim.TypeName{typeUser, typeGroup, typeThing}}
}

// fillForCopy gives the store two organizations with all that a copy has to keep.
func (e *env) fillForCopy() (orgs []scim.OrgID) {
	e.Helper()
	second := e.newOrg("second")
	random := func(b []byte) error {
		for i := range b {
			b[i] = byte(i)
		}
		return nil
	}
	for _, name := range []string{"cursor", "other"} {
		if _, err := e.store.Secret(e.ctx(), name, random); err != nil {
			e.Fatal(err)
		}
	}
	for i, org := range []scim.OrgID{e.org, second} {
		for n := range 3 {
			t := storage.Token{
				ID: e.ids.New(), Org: org, Name: fmt.Sprintf("token %d", n), Digest: [32]byte{byte(i), byte(n)},
				Scopes: []string{"scim", "admin"}[:n%2+1], Profile: "entra", Created: e.clock.Tick(),
			}
			if n == 1 {
				t.Expires, t.LastUsed = e.clock.Tick(), e.clock.Tick()
			}
			if err := e.store.InsertToken(e.ctx(), t); err != nil {
				e.Fatal(err)
			}
			if n == 2 {
				if err := e.store.RevokeToken(e.ctx(), org, t.ID, e.clock.Tick()); err != nil {
					e.Fatal(err)
				}
			}
		}
		e.fillOrganization(org)
	}
	// What belongs to no organization is in one that nobody inserts.
	e.fillOrganization(scim.SystemOrg)
	return []scim.OrgID{e.org, second, scim.SystemOrg}
}

// fillOrganization writes by every road: secrets, updates, deletions, members real and pending, groups in groups, ids
// that are no UUIDs.
func (e *env) fillOrganization(org scim.OrgID) {
	e.Helper()
	key := func(t scim.TypeName) storage.Key { return storage.Key{Org: org, Type: t, ID: e.ids.New()} }
	var users []string
	for n := range 30 {
		edit := user(fmt.Sprintf("Üser%02d", n))
		edit.Doc["name"] = scim.Attributes{"familyName": fmt.Sprintf("Family %d", n%7)}
		edit.Doc["emails"] = []any{scim.Attributes{"value": fmt.Sprintf("u%d@example.com", n), "type": "work", "primary": true}}
		edit.Change.Values = []storage.ValueChange{
			{Path: "userName", New: edit.Doc["userName"]},
			{Path: "a.b$c", Old: int64(7), New: 7.5},
			{Path: "emails", New: edit.Doc["emails"]},
			{Path: "active", Old: true},
			{Path: "password"},
		}
		edit.Secret = scim.Attributes{"password": fmt.Sprintf("hash %d", n)}
		k := key(typeUser)
		users = append(users, k.ID)
		e.insertAt(k, edit)
		if n%3 == 0 {
			e.update(k, increment)
		}
	}
	inner := key(typeGroup)
	e.insertAt(inner, group("inner", users[:10]...))
	outer := key(typeGroup)
	e.insertAt(outer, group("outer", inner.ID, users[11], "No UUID at all", e.ids.New(), outer.ID))
	e.update(outer, always(members(storage.MemberDelta{Add: []string{users[12]}, Remove: []string{users[11]}})))
	for n := range 5 {
		e.insertAt(key(typeThing), thing(scim.Attributes{"serial": fmt.Sprintf("S-%d", n), "weight": 1.5 * float64(n)}))
	}
	e.remove(storage.Key{Org: org, Type: typeUser, ID: users[3]})
}

// sameStores compares everything that a reader can see of two stores.
func (e *env) sameStores(orgs []scim.OrgID, a, b storage.Store) {
	e.Helper()
	e.sameBut(orgs, a, b, func([]storage.Change) {})
}

// sameBut compares feeds as normalize leaves them.
func (e *env) sameBut(orgs []scim.OrgID, a, b storage.Store, normalize func([]storage.Change)) {
	e.Helper()
	other := *e
	other.store = b
	want, err := a.ListOrganizations(e.ctx())
	if err != nil {
		e.Fatal(err)
	}
	got, err := b.ListOrganizations(e.ctx())
	if err != nil {
		e.Fatal(err)
	}
	e.diff("organizations", want, got)
	for _, org := range orgs {
		want, err := a.ListTokens(e.ctx(), org)
		if err != nil {
			e.Fatal(err)
		}
		got, err := b.ListTokens(e.ctx(), org)
		if err != nil {
			e.Fatal(err)
		}
		e.diff("tokens", want, got)
		sa, sb := e.state(org), other.state(org)
		normalize(sa.Changes)
		normalize(sb.Changes)
		e.diff("records and changes", sa, sb)
		for _, t := range []scim.TypeName{typeUser, typeGroup, typeThing} {
			q := query.Query{Sources: []query.Source{{Type: t}}, Total: true}
			pa, err := a.Query(e.ctx(), org, q)
			if err != nil {
				e.Fatal(err)
			}
			pb, err := b.Query(e.ctx(), org, q)
			if err != nil {
				e.Fatal(err)
			}
			e.diff("the number of "+string(t)+" records", pa.Total, pb.Total)
		}
	}
	for _, name := range []string{"cursor", "other"} {
		refuse := func([]byte) error { return errors.New("there is no such key") }
		want, err := a.Secret(e.ctx(), name, refuse)
		if err != nil {
			e.Fatal(err)
		}
		got, err := b.Secret(e.ctx(), name, refuse)
		if err != nil {
			e.Fatal(err)
		}
		e.diff("a key of the database", want, got)
	}
	if c, ok := b.(storage.Checker); ok {
		problems, err := c.Check(e.ctx())
		if err != nil {
			e.Fatal(err)
		}
		e.diff("problems of the copy", []string(nil), problems)
	}
}

func testCopyKeepsEverything(e *env) {
	from := e.copyable(e.store)
	orgs := e.fillForCopy()
	to := e.copyable(e.another(e.T))
	var last transfer.Progress
	o := copyOptions()
	o.Progress = func(p transfer.Progress) { last = p }
	report, err := transfer.Copy(e.ctx(), from, to, o)
	if err != nil {
		e.Fatal(err)
	}
	want := int64(0)
	for _, org := range orgs {
		n, err := from.ExportCounts(e.ctx(), org)
		if err != nil {
			e.Fatal(err)
		}
		want += n.Records + n.Links + n.Changes
	}
	if last.Done != want || last.Total != want || report.Records+report.Members+report.Changes != want || report.Organizations != 2 || report.Tokens != 6 {
		e.Errorf("there are %d things, the report says %+v, the last progress %+v", want, report, last)
	}
	e.sameStores(orgs, from, to)

	// Both go on alike: a pending member comes, a member of several groups goes, a name is taken.
	for _, org := range orgs {
		for _, s := range []storage.Store{from, to} {
			e.goOn(s, org)
		}
	}
	e.sameBut(orgs, from, to, unordered)
}

// unordered takes the order out of a feed: only that of each record's own changes is the same in every store.
func unordered(list []storage.Change) {
	slices.SortStableFunc(list, func(a, b storage.Change) int { return strings.Compare(a.Key.ID, b.Key.ID) })
	for i := range list {
		list[i].Position = ""
	}
}

// goOn writes what depends on all that was there before.
func (e *env) goOn(s storage.Store, org scim.OrgID) {
	e.Helper()
	page, err := s.Query(e.ctx(), org, query.Query{Sources: []query.Source{{Type: typeGroup}}, Limit: 10, Load: everything})
	if err != nil || len(page.Records) != 2 {
		e.Fatalf("%d groups, %v", len(page.Records), err)
	}
	at := e.clock.Now()
	for _, m := range page.Records[1].Members {
		if m.Type != "" || m.ID == "No UUID at all" {
			continue
		}
		if _, err := s.Insert(e.ctx(), storage.Key{Org: org, Type: typeUser, ID: m.ID}, at, user("pending")); err != nil {
			e.Fatal(err)
		}
	}
	first := page.Records[0].Members[0]
	if err := s.Delete(e.ctx(), storage.Key{Org: org, Type: first.Type, ID: first.ID}, at, allow); err != nil {
		e.Fatal(err)
	}
	_, err = s.Insert(e.ctx(), storage.Key{Org: org, Type: typeUser, ID: "00000000-0000-7000-8000-00000000ffff"}, at, user("ÜSER07"))
	e.wantUnique("Insert of a name that was copied", err, "userName")
}

// interrupted is a target that breaks off after some calls.
type interrupted struct {
	copyable
	left int
}

var errInterrupted = errors.New("interrupted")

func (i *interrupted) spend() error {
	if i.left == 0 {
		return errInterrupted
	}
	i.left--
	return nil
}

func (i *interrupted) ImportRecords(ctx context.Context, org scim.OrgID, list []storage.ExportedRecord) error {
	// Half a page is what a kill may leave of one.
	if err := i.spend(); err != nil {
		return errors.Join(i.copyable.ImportRecords(ctx, org, list[:len(list)/2]), err)
	}
	return i.copyable.ImportRecords(ctx, org, list)
}

func (i *interrupted) ImportLinks(ctx context.Context, org scim.OrgID, list []storage.Link) error {
	if err := i.spend(); err != nil {
		return errors.Join(i.copyable.ImportLinks(ctx, org, list[:len(list)/2]), err)
	}
	return i.copyable.ImportLinks(ctx, org, list)
}

func (i *interrupted) ImportChanges(ctx context.Context, org scim.OrgID, list []storage.Change) error {
	if err := i.spend(); err != nil {
		return errors.Join(i.copyable.ImportChanges(ctx, org, list[:len(list)/2]), err)
	}
	return i.copyable.ImportChanges(ctx, org, list)
}

func testCopyGoesOn(e *env) {
	from := e.copyable(e.store)
	orgs := e.fillForCopy()
	to := e.copyable(e.another(e.T))
	finished := false
	for calls := 0; !finished; calls += 3 {
		_, err := transfer.Copy(e.ctx(), from, &interrupted{to, calls}, copyOptions())
		if err != nil && !errors.Is(err, errInterrupted) {
			e.Fatalf("after %d calls: %v", calls, err)
		}
		finished = err == nil
	}
	e.sameStores(orgs, from, to)
}

func testCopyReplacesNothing(e *env) {
	from := e.copyable(e.store)
	e.fillForCopy()
	e.wantErr("BeginImport into a store that has an organization", from.BeginImport(e.ctx()), storage.ErrExists)
	_, err := transfer.Copy(e.ctx(), from, from, copyOptions())
	e.wantErr("Copy into a store that has an organization", err, transfer.ErrOccupied)
	list, err := from.ExportRecords(e.ctx(), e.org, typeUser, "", 2)
	if err != nil || len(list) != 2 {
		e.Fatalf("%d records, %v", len(list), err)
	}
	links, err := from.ExportLinks(e.ctx(), e.org, nil, 10)
	if err != nil || len(links) != 10 {
		e.Fatalf("%d memberships, %v", len(links), err)
	}
	changes := e.changes(e.org)[:3]
	e.unchanged("importing what is there", e.org, func() {
		if err := errors.Join(from.ImportRecords(e.ctx(), e.org, list), from.ImportLinks(e.ctx(), e.org, links), from.ImportChanges(e.ctx(), e.org, changes)); err != nil {
			e.Error(err)
		}
	})
	other := list[0]
	other.Version++
	taken := list[0]
	taken.ID = e.ids.New()
	foreign := list[0]
	foreign.Type, foreign.Unique = typeThing, nil
	fresh := list[0]
	fresh.ID, fresh.Unique = e.ids.New(), []query.UniqueKey{{Attr: "userName", Value: "fresh"}}
	fresh.Doc = []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"fresh"}`)
	e.unchanged("importing what differs", e.org, func() {
		e.wantErr("another version", from.ImportRecords(e.ctx(), e.org, []storage.ExportedRecord{fresh, other}), storage.ErrExists)
		e.wantErr("an id of another type", from.ImportRecords(e.ctx(), e.org, []storage.ExportedRecord{foreign}), storage.ErrExists)
		e.wantUnique("a name that is taken", from.ImportRecords(e.ctx(), e.org, []storage.ExportedRecord{fresh, taken}), "userName")
		e.wantErr("another key of the database", from.ImportSecret(e.ctx(), "cursor", make([]byte, 32)), storage.ErrExists)
		moved := changes[0]
		moved.Position = changes[1].Position
		e.wantErr("another change at a position", from.ImportChanges(e.ctx(), e.org, []storage.Change{moved}), storage.ErrExists)
	})
}

// testCopyKeepsPositions follows the feed of one store with the positions of the other.
func testCopyKeepsPositions(e *env) {
	from := e.copyable(e.store)
	e.fillForCopy()
	all := e.changes(e.org)
	to := e.copyable(e.another(e.T))
	if _, err := transfer.Copy(e.ctx(), from, to, copyOptions()); err != nil {
		e.Fatal(err)
	}
	half := len(all) / 2
	rest, err := to.Changes(e.ctx(), e.org, all[half].Position, len(all))
	if err != nil {
		e.Fatal(err)
	}
	e.diff("the rest of the feed, after a position of the other store", all[half+1:], rest)
	e.store = to
	rec := e.insert(typeUser, user("later"))
	rest, err = to.Changes(e.ctx(), e.org, all[len(all)-1].Position, len(all))
	if err != nil || len(rest) != 1 || rest[0].Key != rec.Key {
		e.Errorf("after the last position that was copied come %d changes, %v", len(rest), err)
	}
}
