package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

type listPage struct {
	Total     int `json:"totalResults"`
	Items     int `json:"itemsPerPage"`
	Next      string
	Previous  string
	Resources []struct{ ID, UserName string }
}

func (w *world) page(t *testing.T, query string) *listPage {
	t.Helper()
	rec := w.do(t, "acme", http.MethodGet, "/Users?attributes=userName&"+query, "")
	var raw struct {
		listPage
		NextCursor, PreviousCursor string
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &raw); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
	}
	if raw.Items != len(raw.Resources) {
		t.Errorf("itemsPerPage %d of %d", raw.Items, len(raw.Resources))
	}
	raw.Next, raw.Previous = raw.NextCursor, raw.PreviousCursor
	return &raw.listPage
}

// Walking forward and back by cursors sees every resource once, in one order, whatever the order is; pages that
// others shrink or grow meanwhile do not move what was not yet seen.
func TestWalkByCursor(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	for i := range 23 {
		title := ""
		if i%3 > 0 {
			title = fmt.Sprintf(`,"title":"t%d"`, i%4)
		}
		w.create(t, "acme", "/Users", fmt.Sprintf(`{%s,"userName":"u%02d","emails":[{"value":"e%d@x"}]%s}`, userSchema, i, i%5, title))
	}
	for _, order := range []string{"", "&sortBy=title", "&sortBy=title&sortOrder=descending", "&sortBy=emails", "&sortBy=meta.created&sortOrder=descending", "&sortBy=active"} {
		t.Run(order, func(t *testing.T) {
			var all []string
			for _, r := range w.page(t, "count=100"+order).Resources {
				all = append(all, r.ID)
			}
			var forward, backward []string
			var last string
			query := "count=4&cursor" + order
			for {
				p := w.page(t, query)
				if p.Total != 23 {
					t.Fatalf("totalResults %d", p.Total)
				}
				for _, r := range p.Resources {
					forward = append(forward, r.ID)
				}
				if p.Next == "" {
					last = p.Previous
					backward = slices.Clone(forward[len(forward)-len(p.Resources):])
					break
				}
				query = "count=4" + order + "&cursor=" + p.Next
			}
			for last != "" {
				p := w.page(t, "count=4"+order+"&cursor="+last)
				var ids []string
				for _, r := range p.Resources {
					ids = append(ids, r.ID)
				}
				backward = append(ids, backward...)
				last = p.Previous
			}
			if !slices.Equal(all, forward) || !slices.Equal(all, backward) {
				t.Errorf("all      %v\nforward  %v\nbackward %v", all, forward, backward)
			}
		})
	}
	t.Run("while others write", func(t *testing.T) {
		first := w.page(t, "count=4&cursor&sortBy=userName")
		for _, r := range first.Resources {
			w.do(t, "acme", http.MethodDelete, "/Users/"+r.ID, "")
		}
		w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"a-new-one-before"}`)
		second := w.page(t, "count=4&sortBy=userName&cursor="+first.Next)
		if second.Resources[0].UserName != "u04" {
			t.Errorf("the next page begins with %s", second.Resources[0].UserName)
		}
		// Everything before the second page but the new one is gone; then that one as well.
		back := w.page(t, "count=4&sortBy=userName&cursor="+second.Previous)
		if len(back.Resources) != 1 || back.Previous != "" || back.Next == "" {
			t.Fatalf("back: %+v", back)
		}
		w.do(t, "acme", http.MethodDelete, "/Users/"+back.Resources[0].ID, "")
		back = w.page(t, "count=4&sortBy=userName&cursor="+second.Previous)
		if len(back.Resources) != 0 || back.Previous != "" {
			t.Fatalf("back to nothing: %+v", back)
		}
		if p := w.page(t, "count=4&sortBy=userName&cursor="+back.Next); p.Resources[0].UserName != "u04" || p.Previous != "" {
			t.Errorf("from the beginning: %+v", p)
		}
	})
}
