//go:build unix

package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

// TestPagesFromBothEnds: a page is that slice of everything, whichever end it is walked to from, also where values
// tie, are absent, or come with groups that are read for a whole page at once.
func TestPagesFromBothEnds(t *testing.T) {
	const users, perGroup = 45, 20
	s := open(t, sqlite.Options{Types: benchTypes(), Cache: -1})
	ids, clock := testkit.NewIDs(), testkit.NewClock()
	var all []string
	for i := range users {
		e := benchUser(i)
		e.Doc["name"] = scim.Attributes{"familyName": fmt.Sprint(i % 4)}
		if i%5 == 0 {
			delete(e.Doc, "name")
		}
		k := storage.Key{Org: benchOrg, Type: "User", ID: ids.New()}
		if _, err := s.Insert(t.Context(), k, clock.Tick(), e); err != nil {
			t.Fatal(err)
		}
		all = append(all, k.ID)
	}
	for i := range 3 {
		e := groupEdit(fmt.Sprintf("group %d", i))
		e.Members.Add = all[i*10 : i*10+perGroup]
		if _, err := s.Insert(t.Context(), storage.Key{Org: benchOrg, Type: "Group", ID: ids.New()}, clock.Tick(), e); err != nil {
			t.Fatal(err)
		}
	}
	family := query.Field{Path: "name.familyName", Steps: []string{"name", "familyName"}, Kind: query.String}
	name := query.Field{Path: "userName", Steps: []string{"userName"}, Kind: query.String}
	for _, by := range []*query.Field{nil, &family, &name} {
		for _, desc := range []bool{false, true} {
			q := query.Query{
				Sources: []query.Source{{Type: "User", Sort: by}}, Sorted: by != nil, Desc: desc && by != nil,
				Total: true, Limit: 100, Load: query.Load{Groups: true},
			}
			whole, err := s.Query(t.Context(), benchOrg, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(whole.Records) != users {
				t.Fatalf("%d of %d users", len(whole.Records), users)
			}
			for i := range whole.Records {
				one, err := s.Get(t.Context(), whole.Records[i].Key, query.Load{Groups: true})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(*one, whole.Records[i]); diff != "" {
					t.Errorf("in a page, not alone:\n%s", diff)
				}
			}
			for offset := 0; offset <= users+2; offset++ {
				for _, limit := range []int{1, 7, users} {
					q.Offset, q.Limit = offset, limit
					page, err := s.Query(t.Context(), benchOrg, q)
					if err != nil {
						t.Fatal(err)
					}
					from, to := min(offset, users), min(offset+limit, users)
					want := storage.Page{
						Records: whole.Records[from:to], Sort: whole.Sort[from:to], Total: users, More: to < users,
					}
					if page.Total != want.Total || page.More != want.More || len(page.Records) != to-from {
						t.Fatalf("offset %d, limit %d: total %d, more %t, %d records", offset, limit, page.Total, page.More, len(page.Records))
					}
					for i := range page.Records {
						if diff := cmp.Diff(want.Records[i], page.Records[i]); diff != "" {
							t.Fatalf("offset %d, limit %d:\n%s", offset, limit, diff)
						}
						if diff := cmp.Diff(want.Sort[i], page.Sort[i]); diff != "" {
							t.Fatalf("offset %d, limit %d:\n%s", offset, limit, diff)
						}
					}
				}
			}
		}
	}
}
