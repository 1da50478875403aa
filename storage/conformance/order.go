package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func orderCases() []testCase {
	return []testCase{
		{name: "QueryOrder", run: testQueryOrder},
		{name: "QueryPages", extra: "offset pages and keyset walks both ways are the whole order, cut", run: testQueryPages},
		{name: "QueryTotal", extra: "a total is exact, also with Limit 0 and beyond the end", run: testQueryTotal},
		{name: "KeysetWhileWriting", extra: "a keyset position outlives its record, and what is written behind it moves nothing", run: testKeysetWhileWriting},
	}
}

// ordered returns the query's whole result by Go's own sorting.
func (w *world) ordered(q query.Query) []query.Position {
	var all []query.Position
	for _, s := range q.Sources {
		for _, id := range w.matches(s.Type, s.Where) {
			p := query.Position{Sorted: q.Sorted, ID: id}
			if q.Sorted {
				p.Absent = true
				if s.Sort != nil {
					v, ok := query.SortValue(*s.Sort, w.docs[id])
					p.Value, p.Absent = v, !ok
				}
			}
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b query.Position) int { return comparePositions(a, b, q.Desc) })
	return all
}

// comparePositions is the order of a query: absent last ascending, first descending, ties by id ascending.
func comparePositions(a, b query.Position, desc bool) int {
	c := 0
	switch {
	case !a.Sorted:
	case a.Absent && b.Absent:
	case a.Absent:
		c = 1
	case b.Absent:
		c = -1
	default:
		c = query.CompareValues(a.Value, b.Value)
	}
	if desc {
		c = -c
	}
	if c == 0 {
		c = strings.Compare(a.ID, b.ID)
	}
	return c
}

// samePage compares a page with the positions that it must hold.
func (w *world) samePage(what string, want []query.Position, page storage.Page) bool {
	w.Helper()
	ok := len(want) == len(page.Records) && len(want) == len(page.Sort)
	for i := 0; ok && i < len(want); i++ {
		got := page.Sort[i]
		ok = page.Records[i].ID == want[i].ID && got.ID == want[i].ID && got.Sorted == want[i].Sorted &&
			got.Absent == want[i].Absent && (got.Absent || query.CompareValues(got.Value, want[i].Value) == 0)
	}
	if ok {
		return true
	}
	var list strings.Builder
	for i := range max(len(want), len(page.Records), len(page.Sort)) {
		fmt.Fprintf(&list, "\n%3d", i)
		if i < len(want) {
			fmt.Fprintf(&list, " want %s", showPosition(want[i]))
		}
		if i < len(page.Records) {
			fmt.Fprintf(&list, " got %s", page.Records[i].ID[24:])
		}
		if i < len(page.Sort) {
			fmt.Fprintf(&list, " at %s", showPosition(page.Sort[i]))
		}
	}
	w.Errorf("%s: want %d records, got %d with %d positions:%s", what, len(want), len(page.Records), len(page.Sort), list.String())
	return false
}

func showPosition(p query.Position) string {
	id := p.ID[max(0, len(p.ID)-12):]
	switch {
	case !p.Sorted:
		return id
	case p.Absent:
		return id + " absent"
	}
	return id + " " + showValue(p.Value)
}

// sortQuery is a query of one type sorted by a field.
func sortQuery(t scim.TypeName, f query.Field, desc bool) query.Query {
	return query.Query{Sources: []query.Source{{Type: t, Sort: &f}}, Sorted: true, Desc: desc, Limit: 1000}
}

func testQueryOrder(e *env) {
	w := newWorld(e, 60, 15, 15)
	plain := query.Query{Sources: []query.Source{{Type: typeUser}}, Limit: 1000}
	w.samePage("users by id", w.ordered(plain), e.query(plain))
	for _, t := range []scim.TypeName{typeUser, typeGroup, typeThing} {
		for _, a := range fieldsOf(t) {
			if a.Kind == query.Complex || relation(a.Field) {
				continue
			}
			for _, desc := range []bool{false, true} {
				q := sortQuery(t, a.Field, desc)
				w.samePage(fmt.Sprintf("%s by %s, descending %v", t, a.Path, desc), w.ordered(q), e.query(q))
			}
		}
	}
}

// pagedQueries are queries over one and several types, with and without order and filter.
func pagedQueries(w *world) map[string]query.Query {
	display := func(t scim.TypeName) *query.Field { f := field(t, "displayName"); return &f }
	ratio, weight := field(typeUser, "ratio"), field(typeThing, "weight")
	all := map[string]query.Query{
		"by id":               {Sources: []query.Source{{Type: typeUser}}},
		"several types by id": {Sources: []query.Source{{Type: typeThing}, {Type: typeUser}, {Type: typeGroup}}},
		"several types, filtered": {Sources: []query.Source{
			{Type: typeUser, Where: query.Present{Field: field(typeUser, "age")}},
			{Type: typeGroup, Where: query.Not{Expr: eq(field(typeGroup, "displayName"), "a")}},
			{Type: typeThing, Where: query.Const(false)},
		}},
		"several types by displayName": {Sorted: true, Sources: []query.Source{
			{Type: typeUser, Sort: display(typeUser)}, {Type: typeGroup, Sort: display(typeGroup)}, {Type: typeThing, Sort: display(typeThing)},
		}},
		"one type lacks the attribute": {Sorted: true, Sources: []query.Source{
			{Type: typeUser, Sort: &ratio}, {Type: typeGroup}, {Type: typeThing, Sort: &weight},
		}},
	}
	for _, path := range []string{"userName", "emails.value", "active", "grade", "score", "meta.lastModified", "born", "name.givenName", "costCenter"} {
		all["by "+path] = sortQuery(typeUser, field(typeUser, path), false)
	}
	filtered := sortQuery(typeUser, field(typeUser, "displayName"), false)
	filtered.Sources[0].Where = query.Or{
		query.Present{Field: field(typeUser, "emails.value")}, compare(field(typeUser, "age"), query.Gt, int64(3)),
	}
	all["filtered, by displayName"] = filtered
	return all
}

func testQueryPages(e *env) {
	w := newWorld(e, 40, 12, 12)
	queries := pagedQueries(w)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		q := queries[name]
		for _, desc := range []bool{false, true} {
			if desc && !q.Sorted {
				continue
			}
			q.Desc = desc
			name := fmt.Sprintf("%s, descending %v", name, desc)
			all := w.ordered(q)
			if len(all) < 10 {
				e.Fatalf("%s: only %d matches", name, len(all))
			}
			if !w.walkOffset(name, q, all) || !w.walkForward(name, q, all) || !w.walkBackward(name, q, all) {
				continue
			}
			w.fromAnywhere(name, q, all)
		}
	}
}

const pageSize = 7

func (w *world) walkOffset(name string, q query.Query, all []query.Position) bool {
	q.Limit, q.Total = pageSize, true
	for q.Offset = 0; q.Offset <= len(all)+pageSize; q.Offset += pageSize {
		from, to := min(q.Offset, len(all)), min(q.Offset+pageSize, len(all))
		page := w.query(q)
		if !w.samePage(fmt.Sprintf("%s, offset %d", name, q.Offset), all[from:to], page) {
			return false
		}
		if page.Total != len(all) || page.More != (to < len(all)) {
			w.Errorf("%s, offset %d: total %d, more %v, want %d, %v", name, q.Offset, page.Total, page.More, len(all), to < len(all))
		}
	}
	return true
}

func (w *world) walkForward(name string, q query.Query, all []query.Position) bool {
	q.Limit = pageSize
	for from := 0; ; from += pageSize {
		to := min(from+pageSize, len(all))
		page := w.query(q)
		if !w.samePage(fmt.Sprintf("%s, after %d", name, from), all[from:to], page) {
			return false
		}
		if page.More != (to < len(all)) {
			w.Errorf("%s, after %d: more %v", name, from, page.More)
		}
		if !page.More || to == len(all) {
			return true
		}
		q.After = &page.Sort[len(page.Sort)-1]
	}
}

func (w *world) walkBackward(name string, q query.Query, all []query.Position) bool {
	q.Limit = pageSize
	q.Before = &all[len(all)-1]
	for to := len(all) - 1; to > 0; to -= pageSize {
		from := max(to-pageSize, 0)
		page := w.query(q)
		if !w.samePage(fmt.Sprintf("%s, before %d", name, to), all[from:to], page) {
			return false
		}
		if page.More != (from > 0) {
			w.Errorf("%s, before %d: more %v", name, to, page.More)
		}
		q.Before = &page.Sort[0]
	}
	q.Before = &all[0]
	return w.samePage(name+", before the first", nil, w.query(q))
}

// fromAnywhere asks from positions that, mostly, no resource has.
func (w *world) fromAnywhere(name string, q query.Query, all []query.Position) {
	q.Total, q.Limit = true, 1000
	for range 6 {
		p := pick(w.gen, all)
		p.ID = pick(w.gen, []string{p.ID[:35] + "0", p.ID[:35] + "f", "00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-8fff-ffffffffffff"})
		at, found := slices.BinarySearchFunc(all, p, func(a, b query.Position) int { return comparePositions(a, b, q.Desc) })
		after := all[at:]
		if found {
			after = after[1:]
		}
		q.Before, q.After = nil, &p
		page := w.query(q)
		w.samePage(fmt.Sprintf("%s, after %s", name, showPosition(p)), after, page)
		if page.Total != len(all) {
			w.Errorf("%s: total %d after a position, want %d: it counts before paging", name, page.Total, len(all))
		}
		q.Before, q.After = &p, nil
		w.samePage(fmt.Sprintf("%s, before %s", name, showPosition(p)), all[:at], w.query(q))
	}
}

func testQueryTotal(e *env) {
	w := newWorld(e, 30, 10, 10)
	sources := []query.Source{{Type: typeUser}, {Type: typeGroup, Where: query.Present{Field: field(typeGroup, "members")}}, {Type: typeThing}}
	check := func(what string, q query.Query, total, records int) {
		q.Total = true
		page := e.query(q)
		if page.Total != total || len(page.Records) != records || len(page.Sort) != records {
			e.Errorf("%s: total %d with %d records and %d positions, want %d with %d", what, page.Total, len(page.Records), len(page.Sort), total, records)
		}
	}
	total := len(w.ordered(query.Query{Sources: sources}))
	check("Limit 0", query.Query{Sources: sources}, total, 0)
	check("Limit 1", query.Query{Sources: sources, Limit: 1}, total, 1)
	check("all", query.Query{Sources: sources, Limit: total}, total, total)
	check("beyond the end", query.Query{Sources: sources, Limit: 10, Offset: 1_000_000}, total, 0)
	check("no match", query.Query{Sources: []query.Source{{Type: typeUser, Where: query.Or(nil)}}, Limit: 10}, 0, 0)
	check("one type", query.Query{Sources: []query.Source{{Type: typeUser}}}, 30, 0)
	// Totals follow writes.
	u := e.insert(typeUser, user("one more"))
	check("after an insert", query.Query{Sources: []query.Source{{Type: typeUser}}}, 31, 0)
	e.remove(u.Key)
	check("after a delete", query.Query{Sources: []query.Source{{Type: typeUser}}}, 30, 0)
	_, err := e.store.Insert(e.ctx(), w.keys[0], e.clock.Tick(), user("twice"))
	e.wantErr("Insert", err, storage.ErrExists)
	check("after a refused insert", query.Query{Sources: []query.Source{{Type: w.keys[0].Type}}}, len(w.matches(w.keys[0].Type, nil)), 0)
	if page := e.query(query.Query{Sources: sources, Limit: 1}); page.Total != 0 {
		e.Errorf("a total of %d that nobody asked for", page.Total)
	}
}

func testKeysetWhileWriting(e *env) {
	var keys []storage.Key
	for i := range 10 {
		edit := user(fmt.Sprintf("u%d", i))
		edit.Doc["displayName"] = fmt.Sprintf("name %d", i)
		keys = append(keys, e.insert(typeUser, edit).Key)
	}
	q := sortQuery(typeUser, field(typeUser, "displayName"), false)
	q.Limit = 4
	page := e.query(q)
	e.diff("first page", idsOf(keys[:4]), recordIDs(page))
	q.After = &page.Sort[3]
	e.remove(keys[3]) // the position's own record
	e.remove(keys[4])
	early := user("early")
	early.Doc["displayName"] = "name 0a"
	e.insert(typeUser, early)
	late := user("late")
	late.Doc["displayName"] = "name 5a"
	k := e.insert(typeUser, late).Key
	page = e.query(q)
	e.diff("second page", idsOf([]storage.Key{keys[5], k, keys[6], keys[7]}), recordIDs(page))
}

func idsOf(keys []storage.Key) []string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}
