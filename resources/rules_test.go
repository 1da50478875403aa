package resources_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// ledger is an internal type: what the rules of device write beside it.
func ledger() *resources.Definition {
	return &resources.Definition{ResourceType: &schema.ResourceType{
		Name: "Ledger", Internal: true,
		Schema: &schema.Schema{URN: "urn:example:2.0:Ledger", Name: "Ledger", Attributes: []*schema.Attribute{
			{Name: "n", Kind: query.Integer},
		}},
	}}
}

const ledgerID = "00000000-0000-8000-8000-000000000001"

// counting are rules that count writes in a ledger, and refuse the serial "bad" after they have counted it.
type counting struct{ reg *resources.Registry }

func (counting) Before(_ context.Context, w *resources.Write) error {
	w.State = "before"
	return nil
}

func (r counting) Within(ctx context.Context, tx storage.Tx, w *resources.Write) error {
	if w.State != "before" {
		return errors.New("Before did not run")
	}
	d := r.reg.Definition("Ledger")
	k := storage.Key{Org: w.Key.Org, Type: "Ledger", ID: ledgerID}
	rec, err := tx.Get(ctx, k, query.Load{})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		next := scim.Attributes{"schemas": []any{d.Schema.URN}, "n": int64(1)}
		_, err = tx.Insert(ctx, k, w.At, d.NewEdit(w.Caller, storage.OpCreate, nil, next, nil))
	case err == nil:
		old, _ := scim.DecodeAttributes(rec.Doc)
		_, _, err = tx.Update(ctx, k, w.At, func(storage.Current) (*storage.Edit, error) {
			next := scim.CloneAttributes(old)
			next["n"] = old["n"].(int64) + 1
			return d.NewEdit(w.Caller, storage.OpPatch, old, next, nil), nil
		})
	}
	if err != nil {
		return err
	}
	if w.Doc["serial"] == "bad" {
		return scim.InvalidValue("serial", "is bad")
	}
	if w.Doc != nil {
		w.Doc["owner"] = scim.Attributes{"value": string(w.Op)}
	}
	return nil
}

// length is a view that works out how long a serial is.
type length struct{ settled int }

func (l *length) Settle(context.Context, scim.Caller, string) error { l.settled++; return nil }

func (*length) Compute(_ context.Context, _ scim.Caller, _ []scim.Resource, docs []scim.Attributes) error {
	for _, doc := range docs {
		doc["length"] = int64(len(doc["serial"].(string)))
	}
	return nil
}

func newRules(t *testing.T) (*fixture, *length) {
	t.Helper()
	d, v := device(), &length{}
	d.Schema.Attributes = append(d.Schema.Attributes, &schema.Attribute{
		Name: "length", Kind: query.Integer, Mutability: schema.ReadOnly, Computed: true,
	})
	f := newFixture(t, append(resources.Default(), d, ledger())...)
	d.OnCreate, d.OnUpdate, d.OnDelete = counting{f.reg}, counting{f.reg}, counting{f.reg}
	f.reg.SetView("Device", v)
	return f, v
}

func (f *fixture) ledger() int64 {
	f.Helper()
	rec, err := f.store.Get(f.Context(), storage.Key{Org: f.org, Type: "Ledger", ID: ledgerID}, query.Load{})
	if errors.Is(err, storage.ErrNotFound) {
		return 0
	}
	if err != nil {
		f.Fatal(err)
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		f.Fatal(err)
	}
	return doc["n"].(int64)
}

func TestRulesAreOneStepWithTheWrite(t *testing.T) {
	f, _ := newRules(t)
	d := f.create("Device", `"serial":"A1"`)
	if got := f.attrs(d)["owner"].(scim.Attributes)["value"]; got != "create" || f.ledger() != 1 {
		t.Fatalf("owner %v, ledger %d after a create", got, f.ledger())
	}
	_, err := f.tryCreate(f.caller("strict"), "Device", `"serial":"bad"`)
	wantError(t, "refused create", err, 400, scim.TypeInvalidValue)
	f.patch("Device", d.ID, `{"op":"add","path":"ports","value":[1]}`)
	if got := f.attrs(f.get("Device", d.ID))["owner"].(scim.Attributes)["value"]; got != "patch" || f.ledger() != 2 {
		t.Fatalf("owner %v, ledger %d after a PATCH", got, f.ledger())
	}
	_, err = f.tryReplace(f.caller("strict"), "Device", d.ID, "", `"serial":"bad"`)
	wantError(t, "refused PUT", err, 400, scim.TypeInvalidValue)
	wantError(t, "stale DELETE", f.tryDelete("Device", d.ID, `W/"1"`), 412, "")
	if f.ledger() != 2 {
		t.Fatalf("ledger %d: what was refused left a trace", f.ledger())
	}
	res := f.bulk(0,
		scim.BulkOperation{Method: "POST", Path: "/Devices", BulkID: "a", Data: f.body("Device", `"serial":"B1"`)},
		scim.BulkOperation{Method: "POST", Path: "/Devices", BulkID: "b", Data: f.body("Device", `"serial":"bad"`)},
		scim.BulkOperation{Method: "DELETE", Path: "/Devices/" + d.ID},
	)
	if res[0].Status != 201 || res[1].Status != 400 || res[2].Status != 204 || f.ledger() != 4 {
		t.Fatalf("bulk: %+v, ledger %d", res, f.ledger())
	}
}

func TestInternalTypesAreNotOnTheWire(t *testing.T) {
	f, _ := newRules(t)
	if slices.ContainsFunc(f.reg.Types(), func(r *schema.ResourceType) bool { return r.Internal }) {
		t.Error("an internal type is among those on the wire")
	}
	if f.reg.Type("Ledger").Allows([]string{scim.ScopeSCIM, "scim:ledger"}, false) {
		t.Error("a scope reaches an internal type")
	}
}

func TestComputedAttributes(t *testing.T) {
	f, v := newRules(t)
	for _, s := range []string{"ccc", "a", "bb"} {
		f.create("Device", `"serial":"`+s+`"`)
	}
	rt := f.typ("Device")
	field := func(path string) query.Field {
		p, err := rt.ParsePath(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Field()
	}
	where, err := filter.CompileText(rt, `length gt 1`, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sort := field("length")
	ask := func(q query.Query) (serials []string, page *query.Page) {
		t.Helper()
		q.Total = true
		page, err := f.svc.Query(t.Context(), f.caller("strict"), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Resources {
			serials = append(serials, f.attrs(&page.Resources[i])["serial"].(string))
		}
		return serials, page
	}
	before := v.settled
	got, page := ask(query.Query{Sources: []query.Source{{Type: "Device", Where: where, Sort: &sort}}, Sorted: true, Desc: true, Limit: 1})
	if !slices.Equal(got, []string{"ccc"}) || page.Total != 2 || !page.More || v.settled == before {
		t.Errorf("first page %v of %d, more %v, settled %d times", got, page.Total, page.More, v.settled-before)
	}
	got, page = ask(query.Query{Sources: []query.Source{{Type: "Device", Where: where, Sort: &sort}}, Sorted: true, Desc: true, Limit: 5, After: &page.Sort[0]})
	if !slices.Equal(got, []string{"bb"}) || page.More {
		t.Errorf("next page %v, more %v", got, page.More)
	}
	before1, _ := ask(query.Query{Sources: []query.Source{{Type: "Device", Where: where, Sort: &sort}}, Sorted: true, Desc: true, Limit: 5, Before: &page.Sort[0]})
	if !slices.Equal(before1, []string{"ccc"}) {
		t.Errorf("page before %v", before1)
	}
	_, page = ask(query.Query{Sources: []query.Source{{Type: "Device"}}, Limit: 3, Load: query.Load{Computed: true}})
	if n := f.attrs(&page.Resources[0])["length"]; n != int64(3) {
		t.Errorf("a computed attribute that was asked for is %v", n)
	}
	_, page = ask(query.Query{Sources: []query.Source{{Type: "Device"}}, Limit: 3})
	if _, there := f.attrs(&page.Resources[0])["length"]; there {
		t.Error("a computed attribute was worked out for nobody")
	}
}
