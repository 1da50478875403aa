package resources_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// fixture is a service on a store of its own, with one organization.
type fixture struct {
	testing.TB
	svc   *resources.Service
	reg   *resources.Registry
	store storage.Store
	clock *testkit.Clock
	ids   *testkit.IDs
	org   scim.OrgID
}

func newFixture(t testing.TB, definitions ...*resources.Definition) *fixture {
	t.Helper()
	return newFixtureWith(t, func(s storage.Store) storage.Store { return s }, definitions...)
}

// newFixtureWith puts wrap around the store.
func newFixtureWith(t testing.TB, wrap func(storage.Store) storage.Store, definitions ...*resources.Definition) *fixture {
	t.Helper()
	if len(definitions) == 0 {
		definitions = resources.Default()
	}
	reg, err := resources.NewRegistry(definitions...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Types: reg.StorageTypes()})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, reg: reg, store: wrap(store), clock: testkit.NewClock(), ids: testkit.NewIDs()}
	f.svc = f.newService()
	t.Cleanup(func() {
		f.svc.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	org, err := f.svc.CreateOrganization(t.Context(), "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	f.org = org.ID
	return f
}

// newService returns a service on the fixture's store.
func (f *fixture) newService() *resources.Service {
	f.Helper()
	svc, err := resources.NewService(resources.Options{
		Store: f.store, Registry: f.reg, Now: f.clock.Now, NewID: f.ids.New, Random: rand.Reader,
		MaxValues: 100, MaxPatchOperations: 100,
	})
	if err != nil {
		f.Fatal(err)
	}
	return svc
}

// caller is a client with the named profile; each request has one of its own.
func (f *fixture) caller(profile string) scim.Caller {
	f.Helper()
	p, err := compat.Lookup(profile)
	if err != nil {
		f.Fatal(err)
	}
	return scim.Caller{
		Org: f.org, Actor: scim.Actor{Kind: "token", ID: "t1", Name: "test"}, RequestID: "r1", Compat: compat.NewSession(p),
	}
}

func (f *fixture) typ(name string) *schema.ResourceType {
	f.Helper()
	t := f.reg.Type(scim.TypeName(name))
	if t == nil {
		f.Fatalf("no resource type %s", name)
	}
	return t
}

func (f *fixture) json(text string) any {
	f.Helper()
	v, err := scim.ParseJSON([]byte(text), 32)
	if err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	return v
}

// body is a resource body of the type: the attributes with the core schema put in.
func (f *fixture) body(typ, attrs string) any {
	f.Helper()
	o := f.json("{" + attrs + "}").(scim.Object)
	list := []any{f.typ(typ).Schema.URN}
	for _, e := range f.typ(typ).Extensions {
		if _, ok := o.Get(e.URN); ok {
			list = append(list, e.URN)
		}
	}
	return append(scim.Object{{Name: "schemas", Value: list}}, o...)
}

func (f *fixture) doc(typ, attrs string) *schema.Document {
	f.Helper()
	doc, err := schema.Decoder{}.Resource(f.typ(typ), f.body(typ, attrs))
	if err != nil {
		f.Fatalf("decode %s: %v", attrs, err)
	}
	return doc
}

var loadAll = query.Load{Members: true, Groups: true}

func (f *fixture) tryCreate(c scim.Caller, typ, attrs string) (*scim.Resource, error) {
	f.Helper()
	return f.svc.Create(f.Context(), c, f.typ(typ), f.doc(typ, attrs), loadAll)
}

func (f *fixture) create(typ, attrs string) *scim.Resource {
	f.Helper()
	r, err := f.tryCreate(f.caller("strict"), typ, attrs)
	if err != nil {
		f.Fatalf("create %s %s: %v", typ, attrs, err)
	}
	return r
}

func (f *fixture) user(name string) *scim.Resource {
	f.Helper()
	return f.create("User", fmt.Sprintf(`"userName":%q`, name))
}

func (f *fixture) group(name string, members ...string) *scim.Resource {
	f.Helper()
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = fmt.Sprintf(`{"value":%q}`, m)
	}
	return f.create("Group", fmt.Sprintf(`"displayName":%q,"members":[%s]`, name, strings.Join(list, ",")))
}

func (f *fixture) get(typ, id string) *scim.Resource {
	f.Helper()
	r, err := f.svc.Get(f.Context(), f.caller("strict"), f.typ(typ), id, loadAll)
	if err != nil {
		f.Fatalf("get %s %s: %v", typ, id, err)
	}
	return r
}

func (f *fixture) tryReplace(c scim.Caller, typ, id, ifMatch, attrs string) (*scim.Resource, error) {
	f.Helper()
	f.clock.Tick()
	return f.svc.Replace(f.Context(), c, f.typ(typ), id, scim.Precondition{IfMatch: ifMatch}, f.doc(typ, attrs), loadAll)
}

func (f *fixture) replace(typ, id, attrs string) *scim.Resource {
	f.Helper()
	r, err := f.tryReplace(f.caller("strict"), typ, id, "", attrs)
	if err != nil {
		f.Fatalf("replace %s: %v", attrs, err)
	}
	return r
}

func (f *fixture) patchBody(ops string) any {
	f.Helper()
	return f.json(fmt.Sprintf(`{"schemas":[%q],"Operations":[%s]}`, scim.MessagePatchOp, ops))
}

func (f *fixture) tryPatch(c scim.Caller, typ, id, ifMatch, ops string) (*scim.Resource, error) {
	f.Helper()
	f.clock.Tick()
	plan, err := patch.Compile(f.typ(typ), f.patchBody(ops), patch.Options{Session: c.Compat})
	if err != nil {
		f.Fatalf("compile %s: %v", ops, err)
	}
	return f.svc.Patch(f.Context(), c, f.typ(typ), id, scim.Precondition{IfMatch: ifMatch}, plan, loadAll)
}

func (f *fixture) patch(typ, id, ops string) *scim.Resource {
	f.Helper()
	r, err := f.tryPatch(f.caller("strict"), typ, id, "", ops)
	if err != nil {
		f.Fatalf("patch %s: %v", ops, err)
	}
	return r
}

func (f *fixture) tryDelete(typ, id, ifMatch string) error {
	f.Helper()
	f.clock.Tick()
	return f.svc.Delete(f.Context(), f.caller("strict"), f.typ(typ), id, scim.Precondition{IfMatch: ifMatch})
}

// attrs decodes the document of a resource.
func (f *fixture) attrs(r *scim.Resource) scim.Attributes {
	f.Helper()
	a, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// changes returns the change rows so far.
func (f *fixture) changes() []storage.Change {
	f.Helper()
	list, err := f.store.Changes(f.Context(), f.org, "", 10_000)
	if err != nil {
		f.Fatal(err)
	}
	return list
}

func (f *fixture) count(typ string) int {
	f.Helper()
	p, err := f.svc.Query(f.Context(), f.caller("strict"), query.Query{
		Sources: []query.Source{{Type: scim.TypeName(typ)}}, Total: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	return p.Total
}

// find returns the ids of the resources of a type whose attribute at path equals value.
func (f *fixture) find(typ, path, value string) []string {
	f.Helper()
	p, err := f.typ(typ).ParsePath(path, nil)
	if err != nil {
		f.Fatal(err)
	}
	v, _ := query.ValueOf(p.Field(), value)
	page, err := f.svc.Query(f.Context(), f.caller("strict"), query.Query{
		Sources: []query.Source{{Type: scim.TypeName(typ), Where: query.Compare{Field: p.Field(), Op: query.Eq, Value: v}}},
		Limit:   100, Total: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	var ids []string
	for _, r := range page.Resources {
		ids = append(ids, r.ID)
	}
	return ids
}

// wantError checks status and scimType of an error.
func wantError(t testing.TB, what string, err error, status int, typ scim.ErrorType) *scim.Error {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want %d %s", what, err, status, typ)
		return &scim.Error{}
	}
	if e.Status != status || e.Type != typ {
		t.Errorf("%s: error %v, want %d %s", what, err, status, typ)
	}
	return e
}
