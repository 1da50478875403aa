package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"rollcall/scim/api"
)

const (
	userSchema  = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	groupSchema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	patchSchema = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
	bulkSchema  = `"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]`
	findSchema  = `"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]`
)

// create stores a resource and returns its id.
func (w *world) create(t testing.TB, token, path, body string) string {
	t.Helper()
	rec := w.do(t, token, http.MethodPost, path, body)
	if rec.Code != http.StatusCreated {
		t.Fatalf("POST %s: %d %s", path, rec.Code, rec.Body)
	}
	location := rec.Header().Get("Location")
	return location[strings.LastIndexByte(location, '/')+1:]
}

// repeat joins n texts made by f.
func repeat(n int, f func(i int) string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = f(i)
	}
	return strings.Join(list, ",")
}

// pad fills a JSON object up to n bytes.
func pad(body string, n int) string {
	head := strings.TrimSuffix(body, "}") + `,"title":"`
	return head + strings.Repeat("x", n-len(head)-2) + `"}`
}

// Each limit: a request at it passes, one past it is refused with the status, the keyword and the limit's name.
func TestLimits(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) {
		o.Limits = api.Limits{Body: 20_000, BulkBody: 60_000, BulkOperations: 20}
	})
	user := w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"limits"}`)
	nested := func(n int) string {
		return `{` + userSchema + `,"userName":"deep` + strconv.Itoa(n) + `","unknown":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	operations := func(n int) string {
		return `{` + patchSchema + `,"Operations":[` + repeat(n, func(int) string { return `{"op":"remove","path":"title"}` }) + `]}`
	}
	values := func(n int) string {
		return `{` + userSchema + `,"userName":"v` + strconv.Itoa(n) + `","emails":[` +
			repeat(n, func(i int) string { return fmt.Sprintf(`{"value":"%d@x"}`, i) }) + `]}`
	}
	bulk := func(n int) string {
		return `{` + bulkSchema + `,"Operations":[` + repeat(n, func(int) string { return `{"method":"DELETE","path":"/Users/none"}` }) + `]}`
	}
	search := func(filter string) string { return `{` + findSchema + `,"filter":` + strconv.Quote(filter) + `}` }
	tests := []struct {
		name, method, path string
		body               func(past int) string // past is 0 at the limit, 1 past it
		ok, status         int
		keyword            string
	}{
		{
			name: "body", method: "PUT", path: "/Users/" + user,
			body: func(p int) string { return pad(`{`+userSchema+`,"userName":"limits"}`, 20_000+p) },
			ok:   200, status: 413,
		},
		{
			name: "Bulk body", method: "POST", path: "/Bulk",
			body: func(p int) string { return pad(`{`+bulkSchema+`,"Operations":[]}`, 60_000+p) },
			ok:   200, status: 413,
		},
		{name: "depth", method: "POST", path: "/Users", body: func(p int) string { return nested(32 + p) }, ok: 201, status: 400, keyword: "invalidSyntax"},
		{name: "values", method: "POST", path: "/Users", body: func(p int) string { return values(500 + p) }, ok: 201, status: 400, keyword: "invalidValue"},
		{name: "Bulk operations", method: "POST", path: "/Bulk", body: func(p int) string { return bulk(20 + p) }, ok: 200, status: 413},
		{
			name: "filter length", method: "POST", path: "/Users/.search",
			body: func(p int) string { return search(`title eq "` + strings.Repeat("x", 8192+p-len(`title eq ""`)) + `"`) },
			ok:   200, status: 400, keyword: "invalidFilter",
		},
		{
			name: "filter depth", method: "POST", path: "/Users/.search",
			body: func(p int) string { return search(strings.Repeat("(", 50+p) + "title pr" + strings.Repeat(")", 50+p)) },
			ok:   200, status: 400, keyword: "invalidFilter",
		},
		{
			name: "filter terms", method: "POST", path: "/Users/.search",
			body: func(p int) string { return search("title pr" + strings.Repeat(" or title pr", 199+p)) },
			ok:   200, status: 400, keyword: "invalidFilter",
		},
		{
			name: "projected names", method: "POST", path: "/Users/.search",
			body: func(p int) string {
				return `{` + findSchema + `,"attributes":[` + repeat(500+p, func(int) string { return `"id"` }) + `]}`
			},
			ok: 200, status: 400, keyword: "invalidValue",
		},
	}
	check := func(t *testing.T, w *world, method, path, body string, status int, keyword string) {
		t.Helper()
		rec := w.do(t, "acme", method, path, body)
		if rec.Code != status {
			t.Fatalf("got %d, want %d: %.300s", rec.Code, status, rec.Body)
		}
		if keyword != "" && !strings.Contains(rec.Body.String(), `"scimType":"`+keyword+`"`) {
			t.Errorf("want %s: %s", keyword, rec.Body)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, w, tt.method, tt.path, tt.body(0), tt.ok, "")
			check(t, w, tt.method, tt.path, tt.body(1), tt.status, tt.keyword)
		})
	}
	t.Run("PATCH operations", func(t *testing.T) {
		w := newWorld(t, openSQLite, nil)
		path := "/Users/" + w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"p"}`)
		check(t, w, "PATCH", path, operations(1000), 200, "")
		check(t, w, "PATCH", path, operations(1001), 413, "")
	})
	t.Run("chunked body", func(t *testing.T) {
		// Without a Content-Length the limit is met while reading.
		rec := w.do(t, "acme", "PUT", "/Users/"+user, pad(`{`+userSchema+`,"userName":"limits"}`, 20_001), "X-Chunked", "1")
		if rec.Code != 413 {
			t.Errorf("got %d", rec.Code)
		}
	})
}

// count is capped, not refused.
func TestCountIsCapped(t *testing.T) {
	w := newWorld(t, openSQLite, func(o *api.Options) { o.Limits = api.Limits{MaxCount: 3, DefaultCount: 2} })
	for i := range 5 {
		w.create(t, "acme", "/Users", fmt.Sprintf(`{%s,"userName":"u%d"}`, userSchema, i))
	}
	for query, want := range map[string]string{
		"": `"itemsPerPage":2`, "&count=3": `"itemsPerPage":3`, "&count=4": `"itemsPerPage":3`, "&cursor&count=4": `"itemsPerPage":3`,
	} {
		rec := w.do(t, "acme", "GET", "/Users?attributes=id"+query, "")
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), want) || !strings.Contains(rec.Body.String(), `"totalResults":5`) {
			t.Errorf("%q: %d %s", query, rec.Code, rec.Body)
		}
	}
}

// A PATCH of a large group is answered without its members, unless they are asked for.
func TestLargeGroupIsNotEchoed(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	group := "/Groups/" + w.create(t, "acme", "/Groups", `{`+groupSchema+`,"displayName":"g","members":[`+
		repeat(199, func(i int) string { return fmt.Sprintf(`{"value":"p%d"}`, i) })+`]}`)
	add := func(id string) string {
		return `{` + patchSchema + `,"Operations":[{"op":"add","path":"members","value":[{"value":"` + id + `"}]}]}`
	}
	if rec := w.do(t, "acme", "PATCH", group, add("x200")); rec.Code != 200 || strings.Count(rec.Body.String(), `"value"`) != 200 {
		t.Errorf("200 members: %d, %d members", rec.Code, strings.Count(rec.Body.String(), `"value"`))
	}
	rec := w.do(t, "acme", "PATCH", group, add("x201"))
	if rec.Code != 204 || rec.Body.Len() > 0 || rec.Header().Get("Etag") != `W/"3"` || rec.Header().Get("Location") == "" {
		t.Errorf("201 members: %d %v", rec.Code, rec.Header())
	}
	if rec := w.do(t, "acme", "PATCH", group+"?attributes=members", add("x202")); rec.Code != 200 || strings.Count(rec.Body.String(), `"value"`) != 202 {
		t.Errorf("asked for: %d, %d members", rec.Code, strings.Count(rec.Body.String(), `"value"`))
	}
	if rec := w.do(t, "acme", "PATCH", group+"?excludedAttributes=members", add("x203")); rec.Code != 200 || strings.Contains(rec.Body.String(), `"members"`) {
		t.Errorf("excluded: %d", rec.Code)
	}
}
