package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func matchCases() []testCase {
	return []testCase{
		{name: "QueryEachNode", extra: "each node and operator on each attribute alone: the readable half of QueryAgreesWithMatch", run: testQueryEachNode},
		{name: "QueryAgreesWithMatch", run: testQueryAgreesWithMatch},
	}
}

func testEpoch() time.Time { return testkit.Epoch() }

// world is a store filled at random and the same content as the documents that query.Match looks at.
type world struct {
	*env
	gen  *gen
	keys []storage.Key
	docs map[string]scim.Attributes // by id, complete with id, meta and relations
	used map[query.UniqueKey]bool
}

// newWorld fills the store: users, things and groups that hold any of them, pending ids, each other and themselves.
func newWorld(e *env, users, groups, things int) *world {
	w := &world{env: e, gen: newGen(e.seed()), docs: map[string]scim.Attributes{}, used: map[query.UniqueKey]bool{}}
	for _, n := range []struct {
		t     scim.TypeName
		count int
	}{{typeUser, users}, {typeGroup, groups}, {typeThing, things}} {
		for range n.count {
			w.keys = append(w.keys, e.key(n.t))
		}
	}
	for _, k := range w.keys {
		w.gen.ids = append(w.gen.ids, k.ID)
		if k.Type == typeGroup {
			w.gen.groups = append(w.gen.groups, k.ID)
		}
	}
	w.gen.odd = pendingIDs(e)
	w.gen.ids = append(w.gen.ids, w.gen.odd...)
	w.gen.Shuffle(len(w.keys), func(i, j int) { w.keys[i], w.keys[j] = w.keys[j], w.keys[i] })
	labels := map[string]string{}
	listed := map[string][]string{}
	for _, k := range w.keys {
		edit := w.edit(k.Type, w.gen.text())
		if w.gen.chance(10) {
			edit.Label = ""
		}
		if k.Type == typeGroup {
			for range w.gen.IntN(6) {
				edit.Members.Add = append(edit.Members.Add, pick(w.gen, w.gen.ids))
			}
			listed[k.ID] = sorted(edit.Members.Add)
		}
		labels[k.ID] = edit.Label
		rec := e.insertAt(k, edit)
		doc := edit.Doc
		for w.gen.chance(30) {
			next := w.edit(k.Type, edit.Label)
			doc = next.Doc
			rec, _ = e.update(k, always(next))
		}
		w.docs[k.ID] = complete(rec, doc)
	}
	w.relate(labels, listed)
	return w
}

// pendingIDs are members that no resource has: clients send ids of their own making before they send the resource.
func pendingIDs(e *env) []string {
	ids := []string{e.ids.New(), e.ids.New(), "bjensen", "BJensen", "ünïcode", "a b", "%", "1", strings.Repeat("long", 100)}
	return append(ids, "ABCDEF00-0000-7000-8000-000000000001", "abcdef00-0000-7000-8000-000000000001")
}

// edit returns a random document as an edit; a unique value that was used already is left out of it.
func (w *world) edit(t scim.TypeName, label string) *storage.Edit {
	doc := w.gen.document(t)
	for _, k := range uniqueKeys(t, doc) {
		if w.used[k] {
			delete(doc, k.Attr)
		}
		w.used[k] = true
	}
	return &storage.Edit{Doc: doc, Unique: uniqueKeys(t, doc), Label: label, Change: change(storage.OpCreate)}
}

// complete puts id and meta into a document, as storage.Resources.Query says.
func complete(rec *storage.Record, doc scim.Attributes) scim.Attributes {
	doc = scim.CloneAttributes(doc)
	doc["id"] = rec.ID
	doc["meta"] = scim.Attributes{
		"resourceType": string(rec.Type),
		"created":      scim.FormatTime(rec.Created),
		"lastModified": scim.FormatTime(rec.Modified),
		"version":      scim.ETag(rec.Version),
	}
	return doc
}

// relate puts the relations into the documents, computed in the plainest way.
func (w *world) relate(labels map[string]string, listed map[string][]string) {
	types := map[string]scim.TypeName{}
	for _, k := range w.keys {
		types[k.ID] = k.Type
	}
	for g, ids := range listed {
		var list []any
		for _, id := range slices.Compact(ids) {
			m := scim.Attributes{"value": id}
			if t := types[id]; t != "" {
				m["type"], m["display"] = string(t), labels[id]
			}
			list = append(list, m)
		}
		if list != nil {
			w.docs[g]["members"] = list
		}
	}
	holders := func(id string) []string {
		var list []string
		for g, ids := range listed {
			if slices.Contains(ids, id) {
				list = append(list, g)
			}
		}
		return list
	}
	for _, k := range w.keys {
		if k.Type == typeThing {
			continue
		}
		kinds := map[string]string{}
		todo := holders(k.ID)
		for _, g := range todo {
			kinds[g] = "direct"
		}
		for len(todo) > 0 {
			for _, g := range holders(todo[0]) {
				if kinds[g] == "" {
					kinds[g] = "indirect"
					todo = append(todo, g)
				}
			}
			todo = todo[1:]
		}
		var list []any
		for g, kind := range kinds {
			list = append(list, scim.Attributes{"value": g, "type": kind, "display": labels[g]})
		}
		if list != nil {
			w.docs[k.ID]["groups"] = list
		}
	}
}

// matches returns the ids of the type's resources that satisfy where, by id.
func (w *world) matches(t scim.TypeName, where query.Expr) []string {
	var ids []string
	for _, k := range w.keys {
		if k.Type == t && query.Match(where, w.docs[k.ID]) {
			ids = append(ids, k.ID)
		}
	}
	return sorted(ids)
}

// agree compares one query with Match; it reports whether they agree.
func (w *world) agree(t scim.TypeName, where query.Expr) bool {
	w.Helper()
	want := w.matches(t, where)
	page, err := w.store.Query(w.ctx(), w.org, query.Query{Sources: []query.Source{{Type: t, Where: where}}, Limit: 1000, Total: true})
	if err != nil {
		w.Errorf("Query of %s where %s: %v", t, show(where), err)
		return false
	}
	got := recordIDs(page)
	if slices.Equal(want, got) && page.Total == len(want) && !page.More {
		return true
	}
	w.Errorf("%s where %s\nMatch finds %d: %v\nthe store   %d (total %d, more %v): %v%s",
		t, show(where), len(want), want, len(got), page.Total, page.More, got, w.first(want, got))
	return false
}

// first shows the first document on which the store and Match differ.
func (w *world) first(want, got []string) string {
	for _, id := range append(slices.Clone(want), got...) {
		if slices.Contains(want, id) != slices.Contains(got, id) {
			return fmt.Sprintf("\nfor example %s", scim.AppendJSON(nil, w.docs[id]))
		}
	}
	return ""
}

// maxDisagreements is after how many a random test ends: the first ones say enough.
const maxDisagreements = 8

func testQueryEachNode(e *env) {
	w := newWorld(e, 60, 20, 10)
	bad := 0
	check := func(t scim.TypeName, where query.Expr) {
		if bad < maxDisagreements && !w.agree(t, where) {
			bad++
		}
	}
	for _, t := range []scim.TypeName{typeUser, typeGroup, typeThing} {
		for _, where := range []query.Expr{nil, query.And(nil), query.Or(nil), query.Const(true), query.Const(false), query.Not{Expr: query.Const(false)}} {
			check(t, where)
		}
		for _, a := range fieldsOf(t) {
			check(t, query.Present{Field: a.Field})
			check(t, query.Not{Expr: query.Present{Field: a.Field}})
			if a.Kind == query.Complex {
				continue
			}
			for _, op := range operators(a.Kind) {
				for range 3 {
					c := w.gen.compare(a.Field).(query.Compare)
					c.Op = op
					check(t, c)
					check(t, query.Not{Expr: c})
				}
			}
		}
	}
	// An attribute that the type does not have is one without a value.
	check(typeThing, query.Compare{Field: field(typeUser, "nickName"), Op: query.Ne, Value: query.Value{Str: "a"}})
	check(typeThing, query.Compare{Field: field(typeUser, "manager.value"), Op: query.Eq, Value: query.Value{Str: "a"}})
	check(typeThing, query.Present{Field: field(typeGroup, "members.value")})
}

func testQueryAgreesWithMatch(e *env) {
	const rounds = 2000
	w := newWorld(e, 70, 25, 15)
	bad, found := 0, 0
	for range rounds {
		t := pick(w.gen, []scim.TypeName{typeUser, typeUser, typeUser, typeGroup, typeGroup, typeThing})
		where := w.gen.expr(t, w.gen.fields(t), 3)
		if n := len(w.matches(t, where)); 0 < n && n < len(w.matches(t, nil)) {
			found++
		}
		if !w.agree(t, where) {
			if bad++; bad == maxDisagreements {
				e.Fatalf("stopped after %d disagreements", bad)
			}
		}
	}
	// A generator whose filters find all or nothing would prove little.
	e.Logf("%d of %d random filters match some resources of the type and not others", found, rounds)
	if found < rounds/4 {
		e.Errorf("only %d of %d random filters match some resources and not others: the generator is off", found, rounds)
	}
}

// show writes an expression for people.
func show(x query.Expr) string {
	list := func(terms []query.Expr, op string) string {
		var s []string
		for _, t := range terms {
			s = append(s, show(t))
		}
		return "(" + strings.Join(s, " "+op+" ") + ")"
	}
	switch x := x.(type) {
	case nil:
		return "everything"
	case query.And:
		return list(x, "and")
	case query.Or:
		return list(x, "or")
	case query.Not:
		return "not (" + show(x.Expr) + ")"
	case query.Const:
		return fmt.Sprint(bool(x))
	case query.Present:
		return strings.Join(x.Field.Steps, ".") + " pr"
	case query.Any:
		return strings.Join(x.Field.Steps, ".") + "[" + show(x.Where) + "]"
	case query.Compare:
		return strings.Join(x.Field.Steps, ".") + " " + x.Op.String() + " " + showValue(x.Value)
	}
	return fmt.Sprintf("%#v", x)
}

func showValue(v query.Value) string {
	switch v.Kind {
	case query.Boolean:
		return fmt.Sprint(v.Bool)
	case query.Integer, query.Decimal:
		if v.IsInt {
			return fmt.Sprint(v.Int)
		}
		return fmt.Sprintf("%g", v.Dec)
	}
	return fmt.Sprintf("%q", v.Str)
}
