//go:build unix

package sqlite_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// The types of the benchmarks: what a server indexes for users and groups.
func benchTypes() []storage.Type {
	index := func(path string, kind query.Kind, f func(*query.Index)) query.Index {
		ix := query.Index{Field: query.Field{Path: path, Steps: strings.Split(path, "."), Kind: kind}}
		if f != nil {
			f(&ix)
		}
		return ix
	}
	unique := func(ix *query.Index) { ix.Unique = true }
	exact := func(ix *query.Index) { ix.Field.CaseExact = true }
	multi := func(ix *query.Index) { ix.Field.Multi = true }
	return []storage.Type{
		{Name: "User", Groups: "groups", Indexes: []query.Index{
			index("userName", query.String, unique), index("externalId", query.String, exact),
			index("emails.value", query.String, multi), index("displayName", query.String, nil),
			index("active", query.Boolean, nil), index("meta.lastModified", query.DateTime, nil),
			index("name.familyName", query.String, nil),
		}},
		{Name: "Group", Members: "members", Indexes: []query.Index{
			index("displayName", query.String, nil), index("externalId", query.String, exact),
			index("meta.lastModified", query.DateTime, nil),
		}},
	}
}

// readUsers is how many users the benchmarks of reads have.
const readUsers = 20000

const benchOrg scim.OrgID = "00000000-0000-7000-8000-0000000000aa"

func benchUser(i int) *storage.Edit {
	name := fmt.Sprintf("user.%06d@example.com", i)
	return &storage.Edit{
		Doc: scim.Attributes{
			"schemas":     []any{scim.SchemaUser, scim.SchemaEnterpriseUser},
			"userName":    name,
			"externalId":  fmt.Sprintf("%08x-ext-%d", uint32(i)*2654435761, i),
			"displayName": fmt.Sprintf("User Number %d", i),
			"active":      true,
			"title":       "Engineer", "userType": "Employee", "preferredLanguage": "en-US",
			"name": scim.Attributes{"givenName": "User", "familyName": fmt.Sprintf("Family%d", i%5000), "formatted": "User Family"},
			"emails": []any{
				scim.Attributes{"value": name, "type": "work", "primary": true},
			},
			"phoneNumbers": []any{scim.Attributes{"value": "+1 555 0100", "type": "work"}},
			scim.SchemaEnterpriseUser: scim.Attributes{
				"employeeNumber": fmt.Sprint(i), "department": fmt.Sprintf("Department %d", i%100), "costCenter": "4130",
			},
		},
		Unique: []query.UniqueKey{{Attr: "userName", Value: name}},
		Label:  name,
		Change: storage.Change{
			Op: storage.OpCreate, Actor: scim.Actor{Kind: "token", ID: "00000000-0000-7000-8000-0000000000ab", Name: "sync"}, Request: "request-1",
			Values: []storage.ValueChange{{Path: "userName", New: name}, {Path: "active", New: true}, {Path: "displayName", New: "User"}},
		},
	}
}

// bench is a store on disk with users in it.
type bench struct {
	*sqlite.Store
	ids   *testkit.IDs
	clock *testkit.Clock
	users []storage.Key
	next  atomic.Int64
}

func newBench(b *testing.B, users int) *bench {
	s := &bench{Store: open(b, sqlite.Options{Dir: b.TempDir(), Types: benchTypes()}), ids: testkit.NewIDs(), clock: testkit.NewClock()}
	s.fill(b, users)
	b.ResetTimer()
	return s
}

func (s *bench) fill(b *testing.B, n int) {
	b.Helper()
	for n > 0 {
		m := min(n, 1000)
		for _, err := range s.Batch(b.Context(), benchOrg, s.inserts(b.Context(), m), nil) {
			if err != nil {
				b.Fatal(err)
			}
		}
		n -= m
	}
}

func (s *bench) inserts(ctx context.Context, n int) []storage.Step {
	steps := make([]storage.Step, n)
	for i := range steps {
		k, at := storage.Key{Org: benchOrg, Type: "User", ID: s.ids.New()}, s.clock.Tick()
		e := benchUser(int(s.next.Add(1)))
		s.users = append(s.users, k)
		steps[i] = func(tx storage.Tx) error {
			_, err := tx.Insert(ctx, k, at, e)
			return err
		}
	}
	return steps
}

func BenchmarkBatchInsert(b *testing.B) {
	s := newBench(b, 0)
	defer reportCPU(b)()
	s.fill(b, b.N)
}

func BenchmarkInsert(b *testing.B) {
	s := newBench(b, 1000)
	defer reportCPU(b)()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k := storage.Key{Org: benchOrg, Type: "User", ID: s.ids.New()}
			if _, err := s.Insert(b.Context(), k, s.clock.Tick(), benchUser(int(s.next.Add(1)))); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkInsertAlone(b *testing.B) {
	s := newBench(b, 1000)
	defer reportCPU(b)()
	for range b.N {
		k := storage.Key{Org: benchOrg, Type: "User", ID: s.ids.New()}
		if _, err := s.Insert(b.Context(), k, s.clock.Tick(), benchUser(int(s.next.Add(1)))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatch(b *testing.B) {
	s := newBench(b, 20000)
	defer reportCPU(b)()
	var n atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			k := s.users[int(i*7919)%len(s.users)]
			_, _, err := s.Update(b.Context(), k, s.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
				doc, err := scim.DecodeAttributes(cur.Record().Doc)
				if err != nil {
					return nil, err
				}
				doc["title"] = fmt.Sprint("Engineer ", i)
				name := doc["userName"].(string)
				return &storage.Edit{
					Doc: doc, Label: name, Unique: []query.UniqueKey{{Attr: "userName", Value: name}},
					Change: storage.Change{Op: storage.OpPatch, Values: []storage.ValueChange{{Path: "title", Old: "Engineer", New: doc["title"]}}},
				}, nil
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := newBench(b, readUsers)
	for _, load := range []query.Load{{}, {Groups: true}} {
		b.Run(fmt.Sprintf("groups=%t", load.Groups), func(b *testing.B) {
			defer reportCPU(b)()
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					k := s.users[int(n.Add(1)*7919)%len(s.users)]
					if _, err := s.Get(b.Context(), k, load); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkFilterEq(b *testing.B) {
	s := newBench(b, readUsers)
	types := benchTypes()
	for _, ix := range types[0].Indexes[:3] {
		b.Run(ix.Field.Path, func(b *testing.B) {
			defer reportCPU(b)()
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(n.Add(1)*7919)%readUsers + 1
					v := benchUser(i).Unique[0].Value
					if ix.Field.Path == "externalId" {
						v = fmt.Sprintf("%08x-ext-%d", uint32(i)*2654435761, i)
					}
					q := query.Query{
						Sources: []query.Source{{Type: "User", Where: query.Compare{Field: ix.Field, Op: query.Eq, Value: query.Value{Str: v}}}},
						Limit:   100, Total: true, Load: query.Load{Groups: true},
					}
					page, err := s.Query(b.Context(), benchOrg, q)
					if err != nil || len(page.Records) != 1 || page.Total != 1 {
						b.Errorf("%v, %d records of %d", err, len(page.Records), page.Total)
					}
				}
			})
		})
	}
}

func BenchmarkList(b *testing.B) {
	s := newBench(b, readUsers)
	types := benchTypes()
	sorted := types[0].Indexes[0].Field
	after := &query.Position{ID: s.users[readUsers-200].ID}
	active := query.Compare{Field: types[0].Indexes[4].Field, Op: query.Eq, Value: query.Value{Kind: query.Boolean, Bool: true}}
	for _, c := range []struct {
		name string
		q    query.Query
	}{
		{"first page", query.Query{Total: true}},
		{"with groups", query.Query{Total: true, Load: query.Load{Groups: true}}},
		{"last page by cursor", query.Query{Total: true, After: after}},
		{"last page by offset", query.Query{Total: true, Offset: readUsers - 100}},
		{"sorted by userName", query.Query{Total: true, Sorted: true}},
		{"active", query.Query{Sources: []query.Source{{Type: "User", Where: active}}}},
		{"active with total", query.Query{Total: true, Sources: []query.Source{{Type: "User", Where: active}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := c.q
			q.Limit = 100
			if q.Sources == nil {
				q.Sources = []query.Source{{Type: "User"}}
			}
			if q.Sorted {
				q.Sources[0].Sort = &sorted
			}
			defer reportCPU(b)()
			for range b.N {
				page, err := s.Query(b.Context(), benchOrg, q)
				if err != nil || len(page.Records) != 100 {
					b.Fatalf("%v, %d records", err, len(page.Records))
				}
			}
		})
	}
}

func BenchmarkMemberAdd(b *testing.B) {
	for _, size := range []int{100, 100000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newBench(b, size+1000)
			var all []string
			for _, k := range s.users[:size] {
				all = append(all, k.ID)
			}
			g := storage.Key{Org: benchOrg, Type: "Group", ID: s.ids.New()}
			doc := scim.Attributes{"schemas": []any{scim.SchemaGroup}, "displayName": "everyone"}
			if _, err := s.Insert(b.Context(), g, s.clock.Tick(), &storage.Edit{Doc: doc, Members: storage.MemberDelta{Add: all}}); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			defer reportCPU(b)()
			for i := range b.N {
				d := storage.MemberDelta{Add: []string{s.users[size+i/2%1000].ID}}
				if i%2 == 1 {
					d = storage.MemberDelta{Remove: d.Add}
				}
				_, changed, err := s.Update(b.Context(), g, s.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
					return &storage.Edit{Members: d, Change: storage.Change{Op: storage.OpPatch}}, nil
				})
				if err != nil || !changed {
					b.Fatal(err, changed)
				}
			}
		})
	}
}
