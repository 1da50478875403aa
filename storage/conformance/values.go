package conformance

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func valueCases() []testCase {
	return []testCase{
		{name: "Instants", run: testInstants},
		{name: "BytesDistinct", run: testBytesDistinct},
		{name: "Numbers", extra: "int64 to its ends and floats come back and compare exactly", run: testNumbers},
		{name: "LongStrings", extra: "an index that keeps a prefix must not answer by it", run: testLongStrings},
		{name: "BigDocuments", extra: "a document of a megabyte and deep nesting come back byte for byte", run: testBigDocuments},
	}
}

func testInstants(e *env) {
	zone := time.FixedZone("east", 5*3600+1800)
	for i, c := range []struct{ in, want time.Time }{
		{time.Date(2026, 3, 4, 5, 6, 7, 8_999_999, time.UTC), time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)},
		{time.Date(2026, 3, 4, 5, 6, 7, 999_000_000, zone), time.Date(2026, 3, 3, 23, 36, 7, 999_000_000, time.UTC)},
		{time.Date(1969, 12, 31, 23, 59, 59, 1_000_000, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 1_000_000, time.UTC)},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)},
	} {
		k := e.key(typeUser)
		rec, err := e.store.Insert(e.ctx(), k, c.in, user(fmt.Sprint("user ", i)))
		if err != nil {
			e.Fatalf("Insert at %v: %v", c.in, err)
		}
		got := e.get(k)
		for what, at := range map[string]time.Time{
			"Created returned": rec.Created, "Modified returned": rec.Modified, "Created": got.Created, "Modified": got.Modified,
			"the change's At": e.changesOf(k)[0].At,
		} {
			if !at.Equal(c.want) || at.Location() != time.UTC {
				e.Errorf("%s of %v = %v, want %v in UTC", what, c.in, at, c.want)
			}
		}
		// What is returned finds the record again: an incremental sync loses and repeats nothing.
		f := field(typeUser, "meta.lastModified")
		text := scim.FormatTime(got.Modified)
		if !slices.Contains(e.find(typeUser, compare(f, query.Eq, text)), k.ID) {
			e.Errorf("meta.lastModified eq its own text does not find the record of %v", c.in)
		}
		if slices.Contains(e.find(typeUser, compare(f, query.Gt, text)), k.ID) {
			e.Errorf("meta.lastModified gt its own text finds the record of %v", c.in)
		}
	}
	k := e.key(typeUser)
	created, modified := time.Date(2026, 1, 1, 0, 0, 0, 5_400_000, zone), time.Date(2026, 1, 2, 0, 0, 0, 6_700_000, zone)
	if _, err := e.store.Insert(e.ctx(), k, created, user("late")); err != nil {
		e.Fatalf("Insert: %v", err)
	}
	if _, _, err := e.store.Update(e.ctx(), k, modified, increment); err != nil {
		e.Fatalf("Update: %v", err)
	}
	rec := e.get(k)
	e.sameInstant("Created after an update", created, rec.Created)
	e.sameInstant("Modified after an update", modified, rec.Modified)
}

// testBytesDistinct stores strings that a collation, a normalization, padding or a pattern would take for each other.
func testBytesDistinct(e *env) {
	words := texts()
	byWord := map[string]string{}
	for i, s := range words {
		if byWord[s] != "" {
			e.Fatalf("the suite has the text %q twice", s)
		}
		edit := thing(scim.Attributes{"serial": s, "displayName": s})
		k := e.key(typeThing)
		if _, err := e.store.Insert(e.ctx(), k, e.clock.Tick(), edit); err != nil {
			e.Fatalf("Insert of text %d, %q, which no other text equals: %v", i, s, err)
		}
		byWord[s] = k.ID
		u := user(fmt.Sprint("user ", i))
		u.Doc["externalId"], u.Doc["displayName"] = s, s
		u.Doc[extension] = scim.Attributes{"costCenter": s, "codes": []any{"", s}}
		e.insert(typeUser, u)
		if got := e.doc(e.get(k))["serial"]; got != s {
			e.Errorf("stored %q, read %q", s, got)
		}
	}
	for _, s := range words {
		_, err := e.store.Insert(e.ctx(), e.key(typeThing), e.clock.Tick(), thing(scim.Attributes{"serial": s}))
		e.wantUnique(fmt.Sprintf("a second %q", s), err, "serial")
	}
	holds := map[query.Op]func(a, b string) bool{
		query.Eq: func(a, b string) bool { return a == b }, query.Ne: func(a, b string) bool { return a != b },
		query.Co: strings.Contains, query.Sw: strings.HasPrefix, query.Ew: strings.HasSuffix,
		query.Gt: func(a, b string) bool { return a > b }, query.Ge: func(a, b string) bool { return a >= b },
		query.Lt: func(a, b string) bool { return a < b }, query.Le: func(a, b string) bool { return a <= b },
	}
	fields := []struct {
		t scim.TypeName
		query.Field
		value string // the attribute's value in the document
	}{
		{typeThing, field(typeThing, "serial"), "serial"},
		{typeThing, field(typeThing, "displayName"), "displayName"},
		{typeUser, field(typeUser, "externalId"), "externalId"},
		{typeUser, field(typeUser, "displayName"), "displayName"},
		{typeUser, field(typeUser, "costCenter"), "externalId"},
		{typeUser, field(typeUser, "codes"), "externalId"},
	}
	for _, f := range fields {
		for _, s := range words {
			for op, holds := range holds {
				page := e.query(query.Query{Sources: []query.Source{{Type: f.t, Where: compare(f.Field, op, s)}}, Limit: 1000})
				got := map[string]bool{}
				for i := range page.Records {
					got[e.doc(&page.Records[i])[f.value].(string)] = true
				}
				for _, w := range words {
					want := holds(w, s)
					if !f.CaseExact {
						want = holds(query.Fold(w), query.Fold(s))
					}
					if got[w] != want {
						e.Errorf("%s %s %s %q finds %q: %v, want %v", f.t, f.Path, op, s, w, got[w], want)
					}
				}
			}
		}
	}
}

func testNumbers(e *env) {
	age, grade, score, ratio := field(typeUser, "age"), field(typeUser, "grade"), field(typeUser, "score"), field(typeUser, "ratio")
	ints := []int64{math.MinInt64, math.MinInt64 + 1, -(1<<53 + 1), -1 << 53, -1, 0, 1, 42, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
	floats := []float64{-math.MaxFloat64, -1e18, -0.1, 5e-324, 0.1, 0.30000000000000004, 1.5, 1e15 + 0.5, 1 << 60, 1e21, math.MaxFloat64}
	var keys []storage.Key
	add := func(a, b query.Field, v any) {
		edit := user(fmt.Sprint("user ", len(keys)))
		put(edit.Doc, a.Steps, v)
		put(edit.Doc, b.Steps, v)
		rec := e.insert(typeUser, edit)
		keys = append(keys, rec.Key)
		e.diff(fmt.Sprintf("document with %v", v), edit.Doc, e.doc(e.get(rec.Key)))
	}
	for _, i := range ints {
		add(age, grade, i)
	}
	for _, f := range floats {
		add(score, ratio, f)
	}
	check := func(f query.Field, from, n, at int, v any) {
		for op, want := range map[query.Op][]storage.Key{
			query.Eq: keys[from+at : from+at+1], query.Lt: keys[from : from+at], query.Le: keys[from : from+at+1],
			query.Gt: keys[from+at+1 : from+n], query.Ge: keys[from+at : from+n],
		} {
			e.diff(fmt.Sprintf("%s %s %v", f.Path, op, v), idsOf(want), e.find(typeUser, compare(f, op, v)))
		}
	}
	for _, f := range []query.Field{age, grade} {
		for i, v := range ints {
			check(f, 0, len(ints), i, v)
		}
		e.diff("the order of "+f.Path, idsOf(keys[:len(ints)]), recordIDs(e.query(sortQuery(typeUser, f, false)))[:len(ints)])
	}
	for _, f := range []query.Field{score, ratio} {
		for i, v := range floats {
			check(f, len(ints), len(floats), i, v)
		}
		e.diff("the order of "+f.Path, idsOf(keys[len(ints):]), recordIDs(e.query(sortQuery(typeUser, f, false)))[:len(floats)])
	}
	// A number is compared across the two ways to write it, without rounding.
	for _, f := range []query.Field{age, grade} {
		e.diff(f.Path+" eq 42.0", idsOf(keys[7:8]), e.find(typeUser, compare(f, query.Eq, 42.0)))
		e.diff(f.Path+" gt 2^63", nil, e.find(typeUser, compare(f, query.Ge, float64(1<<63))))
		e.diff(f.Path+" le 2^53 as a float", idsOf(keys[:9]), e.find(typeUser, compare(f, query.Le, float64(1<<53))))
	}
	// 1 and 1.0 are one number but not one document: what was written comes back.
	edit := user("forms")
	edit.Doc["score"] = int64(1)
	rec := e.insert(typeUser, edit)
	e.update(rec.Key, mapDoc(func(d scim.Attributes) { d["score"] = 1.0 }))
	e.diff("score", any(1.0), e.doc(e.get(rec.Key))["score"])
}

func testLongStrings(e *env) {
	const size = 5000
	long := strings.Repeat("0123456789", size/10)
	forms := []string{long[:size-1], long, long + "a", long + "b", long + "a ", "x" + long}
	var keys []storage.Key
	for _, s := range forms {
		edit := user(s)
		edit.Doc["externalId"], edit.Doc["displayName"] = s, s
		edit.Doc["emails"] = []any{scim.Attributes{"value": s}}
		k := e.key(typeUser)
		if _, err := e.store.Insert(e.ctx(), k, e.clock.Tick(), edit); err != nil {
			e.Fatalf("Insert with a text of %d bytes: %v", len(s), err)
		}
		keys = append(keys, k)
	}
	_, err := e.store.Insert(e.ctx(), e.key(typeUser), e.clock.Tick(), user(long+"A"))
	e.wantUnique("a long name again", err, "userName")
	for _, path := range []string{"userName", "externalId", "displayName", "emails.value"} {
		f := field(typeUser, path)
		for i, s := range forms {
			if got := e.find(typeUser, eq(f, s)); !slices.Equal(got, []string{keys[i].ID}) {
				e.Errorf("%s eq form %d finds %d records, want that one", path, i, len(got))
			}
		}
		if got := e.find(typeUser, compare(f, query.Sw, long+"a")); !slices.Equal(got, idsOf([]storage.Key{keys[2], keys[4]})) {
			e.Errorf("%s sw a long text finds %v", path, got)
		}
		if got := e.find(typeUser, compare(f, query.Gt, long+"a")); !slices.Equal(got, idsOf(keys[3:])) {
			e.Errorf("%s gt a long text finds %v", path, got)
		}
		q := sortQuery(typeUser, f, false)
		want := idsOf([]storage.Key{keys[0], keys[1], keys[2], keys[4], keys[3], keys[5]})
		e.diff("the order of "+path, want, recordIDs(e.query(q)))
		q.Limit = 2
		page := e.query(q)
		q.After = &page.Sort[1]
		e.diff("the second page by "+path, want[2:4], recordIDs(e.query(q)))
	}
}

func testBigDocuments(e *env) {
	edit := user("big")
	var list []any
	for i := range 5000 {
		list = append(list, scim.Attributes{"value": fmt.Sprintf("user%d@example.com", i), "type": "work", "display": strings.Repeat("d", 150)})
	}
	edit.Doc["emails"] = list
	var nested any = "leaf \u2028 </script> \\ \" \x01"
	for range 30 {
		nested = scim.Attributes{"a.b": []any{nested, true, int64(1), 0.5}, "$x": "y"}
	}
	edit.Doc["urn:example:odd"] = nested
	rec := e.insert(typeUser, edit)
	if len(rec.Doc) < 1<<20 {
		e.Fatalf("the document has %d bytes only", len(rec.Doc))
	}
	if got, want := string(e.get(rec.Key).Doc), string(scim.AppendJSON(nil, edit.Doc)); got != want {
		e.Errorf("a document of %d bytes came back with %d, other ones", len(want), len(got))
	}
	e.diff("by its last address", []string{rec.ID}, e.find(typeUser, eq(field(typeUser, "emails.value"), "USER4999@example.com")))
	e.update(rec.Key, mapDoc(func(d scim.Attributes) { d["emails"] = d["emails"].([]any)[:1] }))
	e.diff("by an address that went", nil, e.find(typeUser, eq(field(typeUser, "emails.value"), "user4999@example.com")))
	e.diff("by an address that stayed", []string{rec.ID}, e.find(typeUser, eq(field(typeUser, "emails.value"), "user0@example.com")))
}
