package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// explainStore is a store with the indexes of the suite's type and some users in two organizations.
func explainStore(t *testing.T) (*Store, *resourceType) {
	t.Helper()
	uri, name := mongotest.Database(t)
	typ := testType(t)
	typ.Indexes = append(typ.Indexes, query.Index{Field: query.Field{Path: "title", Steps: []string{"title"}}, Sparse: true},
		query.Index{Field: query.Field{Path: "roles.value", Steps: []string{"roles", "value"}, Multi: true}, Sparse: true})
	s, err := Open(t.Context(), Options{URI: uri, Database: name, Types: []storage.Type{typ.Type}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for org := range 2 {
		steps := make([]storage.Step, 200)
		for i := range steps {
			user := fmt.Sprintf("user%03d", i)
			steps[i] = func(tx storage.Tx) error {
				_, err := tx.Insert(t.Context(), storage.Key{
					Org: scim.OrgID(fmt.Sprintf("org%d", org)), Type: "User", ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", i),
				}, at.Add(time.Duration(i)*time.Second), &storage.Edit{
					Doc: scim.Attributes{
						"title": user, "roles": []any{scim.Attributes{"value": user}},
						"userName": user, "active": i%2 == 0, "emails": []any{scim.Attributes{"value": user + "@x.org"}},
						scim.SchemaEnterpriseUser: scim.Attributes{"since": "2020-01-01T00:00:00Z"},
					},
					Unique: []query.UniqueKey{{Attr: "userName", Value: user}}, Change: storage.Change{Op: storage.OpCreate},
				})
				return err
			}
		}
		for _, err := range s.Batch(t.Context(), scim.OrgID(fmt.Sprintf("org%d", org)), steps, nil) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, s.types["User"]
}

// stages returns the stages of a command's winning plan, and the indexes that it reads.
func (s *Store) stages(t *testing.T, coll string, find bson.D) (stages, indexes []string) {
	t.Helper()
	var out bson.Raw
	command := bson.D{{Key: "explain", Value: append(bson.D{{Key: "find", Value: coll}}, find...)}, {Key: "verbosity", Value: "queryPlanner"}}
	if err := s.db.RunCommand(t.Context(), command).Decode(&out); err != nil {
		t.Fatalf("explain: %v", err)
	}
	var walk func(bson.RawValue)
	walk = func(v bson.RawValue) {
		switch v.Type {
		case bson.TypeArray:
			values, err := v.Array().Values()
			if err != nil {
				t.Fatal(err)
			}
			for _, el := range values {
				walk(el)
			}
		case bson.TypeEmbeddedDocument:
			if stage, ok := v.Document().Lookup("stage").StringValueOK(); ok {
				stages = append(stages, stage)
			}
			if name, ok := v.Document().Lookup("indexName").StringValueOK(); ok {
				indexes = append(indexes, name)
			}
			elements, err := v.Document().Elements()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range elements {
				if e.Key() != "rejectedPlans" {
					walk(e.Value())
				}
			}
		default:
		}
	}
	planner, err := out.LookupErr("queryPlanner")
	if err != nil {
		planner = bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: out} // a sharded cluster nests it
	}
	walk(planner)
	return stages, indexes
}

func (s *Store) explain(t *testing.T, typ *resourceType, q query.Query) (stages, indexes []string) {
	t.Helper()
	k := &compiler{s: &s.reader, ctx: t.Context(), org: "org0", t: typ}
	p, err := k.newPlan(q.Sources[0], &q)
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range p.scans {
		st, ix := s.stages(t, typ.coll, bson.D{
			{Key: "filter", Value: sc.filter}, {Key: "sort", Value: sc.sort}, {Key: "projection", Value: p.projection(false)}, {Key: "limit", Value: int64(10)},
		})
		stages, indexes = append(stages, st...), append(indexes, ix...)
	}
	return stages, indexes
}

// TestIndexesAreUsed: no question about an indexed attribute reads the collection, equality reads the attribute's own
// index, and an order by it needs no sorting.
func TestIndexesAreUsed(t *testing.T) {
	s, typ := explainStore(t)
	samples := map[query.Kind]any{query.String: "user007", query.Boolean: true, query.DateTime: "2026-01-02T03:04:10Z"}
	for _, a := range typ.attrs {
		f := *a.field()
		v, ok := query.ValueOf(f, samples[f.Kind])
		if !ok {
			t.Fatalf("no sample for %s", f.Path)
		}
		for _, op := range []query.Op{query.Eq, query.Ne, query.Sw, query.Co, query.Ew, query.Gt, query.Ge, query.Lt, query.Le} {
			where := query.Compare{Field: f, Op: op, Value: v}
			stages, indexes := s.explain(t, typ, query.Query{Sources: []query.Source{{Type: typ.Name, Where: where}}, Limit: 10})
			if slices.Contains(stages, "COLLSCAN") || len(indexes) == 0 && !slices.Contains(stages, "EOF") {
				t.Errorf("%s %s: stages %v, indexes %v", f.Path, op, stages, indexes)
			}
			if own := "org_" + a.path + "_id"; op == query.Eq && f.Kind == query.String && !slices.Equal(indexes, []string{own}) {
				t.Errorf("%s eq reads %v, want %s", f.Path, indexes, own)
			}
		}
		for _, where := range []query.Expr{query.Present{Field: f}, query.Not{Expr: query.Present{Field: f}}} {
			stages, _ := s.explain(t, typ, query.Query{Sources: []query.Source{{Type: typ.Name, Where: where}}, Limit: 10})
			if slices.Contains(stages, "COLLSCAN") {
				t.Errorf("%v: stages %v", where, stages)
			}
		}
		if a.sparse {
			continue // it has no order
		}
		after := query.Position{Sorted: true, Value: v, ID: "00000000-0000-7000-8000-000000000100"}
		for _, pos := range []*query.Position{nil, &after} {
			stages, indexes := s.explain(t, typ, query.Query{
				Sources: []query.Source{{Type: typ.Name, Sort: &f}}, Sorted: true, Limit: 10, After: pos,
			})
			for _, ix := range indexes {
				if ix != "org_"+a.sort+"_id" {
					t.Errorf("order by %s reads %s", f.Path, ix)
				}
			}
			if len(indexes) == 0 || slices.Contains(stages, "COLLSCAN") || slices.Contains(stages, "SORT") {
				t.Errorf("order by %s after %v: stages %v, indexes %v", f.Path, pos, stages, indexes)
			}
		}
	}
}

// TestStatementsUseIndexes: neither do the statements of writes, relations and the feed.
func TestStatementsUseIndexes(t *testing.T) {
	s, typ := explainStore(t)
	k := storage.Key{Org: "org0", Type: "User", ID: "00000000-0000-7000-8000-000000000001"}
	for _, c := range []struct {
		name, coll string
		filter     bson.D
		index      string
	}{
		{"a record", typ.coll, keyFilter(k), "org_id"},
		{"records", typ.coll, append(bson.D{{Key: "org", Value: "org0"}}, in("id", []string{"a", "b"})...), "org_id"},
		{"the guard of an update", typ.coll, (&stored{rec: storage.Record{Key: k, Version: 1}}).filter(), "org_id"},
		{"keys", collKeys, in("_id", bson.A{idKey("org0", k.ID)}), "_id_"},
		{"members", collMemberships, append(membersOf("org0", "g"), in("member", []string{"a", "b"})...), byMember},
		{"groups", collMemberships, groupsOf("org0", k.ID), byMember},
		{"pending changes", collChanges, pendingOf("org0"), "org_pending_type_records"},
		{"the feed", collChanges, bson.D{{Key: "org", Value: "org0"}, {Key: "pos", Value: bson.D{{Key: "$gt", Value: int64(3)}}}}, "org_pos"},
		{"a token", collTokens, bson.D{{Key: "digest", Value: bson.Binary{Data: make([]byte, 32)}}}, "digest"},
	} {
		find := bson.D{{Key: "filter", Value: c.filter}}
		if c.coll == collMemberships {
			find = append(find, bson.E{Key: "hint", Value: c.index}) // as the statements do
		}
		stages, indexes := s.stages(t, c.coll, find)
		if slices.Contains(stages, "IDHACK") || slices.Contains(stages, "EXPRESS_IXSCAN") {
			continue // a seek by a unique key
		}
		if !slices.Equal(indexes, []string{c.index}) {
			t.Errorf("%s: stages %v, indexes %v, want %s", c.name, stages, indexes, c.index)
		}
	}
}

// TestEveryIndexBeginsWithTheOrganization: what is not looked up by organization are the few documents that come
// before it is known.
func TestEveryIndexBeginsWithTheOrganization(t *testing.T) {
	s, _ := explainStore(t)
	names, err := s.db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	free := []string{"organizations.slug", "tokens.digest"}
	for _, coll := range names {
		specs, err := s.db.Collection(coll).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range specs {
			first, err := spec.KeysDocument.IndexErr(0)
			if err != nil {
				t.Fatal(err)
			}
			if key := first.Key(); spec.Name != "_id_" && key != "org" && !slices.Contains(free, coll+"."+key) {
				t.Errorf("index %s of %s begins with %s", spec.Name, coll, key)
			}
		}
	}
}

// TestDocumentsAreReadable: what an administrator sees in a shell.
func TestDocumentsAreReadable(t *testing.T) {
	s, typ := explainStore(t)
	var doc bson.D
	err := s.db.Collection(typ.coll).FindOne(context.WithoutCancel(t.Context()), bson.D{{Key: "org", Value: "org1"}, {Key: "userName", Value: "user042"}}).Decode(&doc)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bson.MarshalExtJSON(doc, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"userName":"user042"`, `"active":true`, `"enterprise":{"since":{"$date":"2020-01-01T00:00:00Z"}}`, `"emails":[{"value":"user042@x.org"}]`,
		`"lastModified":{"$date":"2026-01-02T03:04:47Z"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(string(text), `"urn:`+"ietf:params:scim:schemas:extension") && strings.Contains(string(text), `User":{`) {
		t.Errorf("a URN is a field name in %s", text)
	}
}
