package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// Choices checks the answers that the corpora's README lists where test suites in the wild contradict each other.
func Choices(t *testing.T, s Server, profile string) {
	c := newClient(s, profile)
	tests := []struct {
		name string
		run  func(*testing.T, *client)
	}{
		{"PATCH answers with the resource", patchAnswers},
		{"a large group answers 204", largeGroup},
		{"Content-Location is meta.location", contentLocation},
		{"formats of strings are not validated", freeFormats},
		{"filters on discovery", discoveryFilters},
		{"schemas is required", schemasRequired},
		{"one primary, and a value once", multiValued},
		{"If-None-Match *", ifNoneMatch},
		{"Resources is always there", emptyList},
		{"/Me", me},
		{"a member who is not there yet", pendingMember},
		{"paths that clients make of the base URL", sloppyPaths},
	}
	count := tally{name: "choices (" + profile + ")"}
	for _, tt := range tests {
		count.total++
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, c)
			if !t.Failed() {
				count.passed++
			}
		})
	}
	count.log(t)
}

// createUser creates a user with members more than the name; it returns the answer.
func createUser(t testing.TB, c *client, name string, more map[string]any) *reply {
	t.Helper()
	body := map[string]any{"schemas": []string{userSchema}, "userName": name}
	maps.Copy(body, more)
	return c.send(t, http.MethodPost, "/Users", body, http.StatusCreated)
}

func createGroup(t testing.TB, c *client, name string, members []map[string]any) *reply {
	t.Helper()
	return c.send(t, http.MethodPost, "/Groups", map[string]any{
		"schemas": []string{groupSchema}, "displayName": name, "members": members,
	}, http.StatusCreated)
}

func patchOf(operations ...map[string]any) map[string]any {
	return map[string]any{"schemas": []string{patchSchema}, "Operations": operations}
}

// must reports every expectation that the body does not meet.
func (r *reply) must(t testing.TB, checks ...[]any) {
	t.Helper()
	for _, c := range checks {
		want, err := decode(encode(t, c[2]))
		if err != nil {
			t.Fatal(err)
		}
		if err := check(r.body, c[0], fmt.Sprint(c[1]), want); err != nil {
			t.Errorf("%v in %s", err, r.raw)
		}
	}
}

func (c *client) mustFail(t testing.TB, r request, status int, types ...string) {
	t.Helper()
	res, err := c.do(t, r)
	if err == nil {
		err = res.failure(status, types...)
	}
	if err != nil {
		t.Errorf("%s %s: %v", r.method, r.path, err)
	}
}

func patchAnswers(t *testing.T, c *client) {
	user := createUser(t, c, "patch.answers", nil)
	res := c.send(t, http.MethodPatch, "/Users/"+user.text("id"),
		patchOf(map[string]any{"op": "replace", "path": "title", "value": "T"}), http.StatusOK)
	res.must(t, []any{"title", "eq", "T"}, []any{"userName", "eq", "patch.answers"})
	group := createGroup(t, c, "patch answers", nil)
	res = c.send(t, http.MethodPatch, "/Groups/"+group.text("id"),
		patchOf(map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": user.text("id")}}}), http.StatusOK)
	res.must(t, []any{"members", "len", 1}, []any{"members[0].type", "eq", "User"},
		[]any{"members[0].$ref", "eq", lookup(user.body, "meta.location")})
}

// largeGroup: nobody wants thousands of members echoed (RFC 7644 3.5.2 allows 204), unless the client asks.
func largeGroup(t *testing.T, c *client) {
	members := make([]map[string]any, 201)
	for i := range members {
		members[i] = map[string]any{"value": fmt.Sprintf("01999999-0000-7000-8000-%012d", i)}
	}
	group := createGroup(t, c, "large", members)
	path := "/Groups/" + group.text("id")
	rename := func(name string) []byte {
		return encode(t, patchOf(map[string]any{"op": "replace", "path": "displayName", "value": name}))
	}
	res, err := c.do(t, request{method: http.MethodPatch, path: path, body: rename("larger")})
	if err != nil {
		t.Fatal(err)
	}
	if res.status != http.StatusNoContent || len(res.raw) > 0 || res.header.Get("ETag") == "" || res.header.Get("Location") == "" {
		t.Errorf("status %d, %d bytes, ETag %q, Location %q", res.status, len(res.raw), res.header.Get("ETag"), res.header.Get("Location"))
	}
	res, err = c.do(t, request{
		method: http.MethodPatch, path: path, body: rename("largest"),
		query: url.Values{"attributes": {"displayName"}},
	})
	if err != nil || res.status != http.StatusOK {
		t.Fatalf("with attributes: %v, %+v", err, res)
	}
	res.must(t, []any{"displayName", "eq", "largest"}, []any{"members", "absent", true})
}

func contentLocation(t *testing.T, c *client) {
	created := createUser(t, c, "content.location", nil)
	path := "/Users/" + created.text("id")
	put := map[string]any{"schemas": []string{userSchema}, "userName": "content.location", "title": "x"}
	for _, res := range []*reply{
		created,
		c.send(t, http.MethodGet, path, nil, http.StatusOK),
		c.send(t, http.MethodPut, path, put, http.StatusOK),
		c.send(t, http.MethodPatch, path, patchOf(map[string]any{"op": "remove", "path": "title"}), http.StatusOK),
	} {
		want := c.base + path
		if got := res.header.Get("Content-Location"); got != want {
			t.Errorf("Content-Location %q, want %q", got, want)
		}
		res.must(t, []any{"meta.location", "eq", want}, []any{"meta.version", "eq", res.header.Get("ETag")})
	}
	if got := created.header.Get("Location"); got != c.base+path {
		t.Errorf("Location %q, want %q", got, c.base+path)
	}
}

func freeFormats(t *testing.T, c *client) {
	createUser(t, c, "free.formats", map[string]any{
		"locale": "no locale", "timezone": "Mars/Olympus", "preferredLanguage": "klingon, mostly",
		"phoneNumbers": []any{map[string]any{"value": "ask my mother", "type": "landline"}},
		"emails":       []any{map[string]any{"value": "not an address"}},
	}).must(t, []any{"locale", "eq", "no locale"}, []any{"timezone", "eq", "Mars/Olympus"},
		[]any{"phoneNumbers[0].value", "eq", "ask my mother"}, []any{"emails[0].value", "eq", "not an address"})
}

// discoveryFilters: RFC 7644 4 wants 403, so that nobody believes that a filter was applied.
func discoveryFilters(t *testing.T, c *client) {
	filter := url.Values{"filter": {`name eq "x"`}}
	res, err := c.do(t, request{method: http.MethodGet, path: "/ServiceProviderConfig", query: filter})
	if err != nil || res.status != http.StatusOK {
		t.Errorf("ServiceProviderConfig: %v, %+v", err, res)
	}
	for _, path := range []string{"/ResourceTypes", "/Schemas"} {
		c.mustFail(t, request{method: http.MethodGet, path: path, query: filter}, http.StatusForbidden)
	}
}

func schemasRequired(t *testing.T, c *client) {
	for _, body := range []string{`{"userName":"no.schemas"}`, `{"schemas":[],"userName":"no.schemas"}`} {
		c.mustFail(t, request{method: http.MethodPost, path: "/Users", body: []byte(body)}, http.StatusBadRequest, "invalidSyntax", "invalidValue")
	}
}

func multiValued(t *testing.T, c *client) {
	two := []any{map[string]any{"value": "a@x.example", "primary": true}, map[string]any{"value": "b@x.example", "primary": true}}
	body := encode(t, map[string]any{"schemas": []string{userSchema}, "userName": "two.primaries", "emails": two})
	c.mustFail(t, request{method: http.MethodPost, path: "/Users", body: body}, http.StatusBadRequest, "invalidValue")
	same := map[string]any{"value": "a@x.example", "type": "work"}
	createUser(t, c, "twice", map[string]any{"emails": []any{same, same}}).must(t, []any{"emails", "len", 1})
}

func ifNoneMatch(t *testing.T, c *client) {
	star := "*"
	res, err := c.do(t, request{
		method: http.MethodGet, path: "/Users/" + createUser(t, c, "if.none.match", nil).text("id"),
		header: map[string]*string{"If-None-Match": &star},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.status != http.StatusNotModified || len(res.raw) > 0 || res.header.Get("ETag") == "" {
		t.Errorf("status %d, %d bytes, ETag %q", res.status, len(res.raw), res.header.Get("ETag"))
	}
}

func emptyList(t *testing.T, c *client) {
	for _, query := range []url.Values{{"filter": {`userName eq "nobody at all"`}}, {"count": {"0"}}, {"startIndex": {"100000"}}} {
		res, err := c.do(t, request{method: http.MethodGet, path: "/Users", query: query})
		if err != nil || res.status != http.StatusOK {
			t.Fatalf("%v: %v, %+v", query, err, res)
		}
		if got := show(lookup(res.body, "Resources")); got != "[]" {
			t.Errorf("%v: Resources is %s, want []", query, got)
		}
		res.must(t, []any{"itemsPerPage", "eq", 0}, []any{"totalResults", "type", "integer"}, []any{"startIndex", "type", "integer"})
	}
}

func me(t *testing.T, c *client) {
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		c.mustFail(t, request{method: method, path: "/Me"}, http.StatusNotImplemented)
	}
}

// pendingMember: an identity provider that sends a group before its people does not send it again. Ids are the
// server's, so the only way to name somebody in advance is an id that is not known.
func pendingMember(t *testing.T, c *client) {
	const stranger = "01999999-ffff-7000-8000-000000000001"
	group := createGroup(t, c, "pending", []map[string]any{{"value": stranger}})
	res := c.send(t, http.MethodGet, "/Groups/"+group.text("id"), nil, http.StatusOK)
	res.must(t, []any{"members", "eq", []any{map[string]any{"value": stranger}}})
	c.send(t, http.MethodPatch, "/Groups/"+group.text("id"),
		patchOf(map[string]any{"op": "remove", "path": `members[value eq "` + stranger + `"]`}), http.StatusOK).
		must(t, []any{"members", "empty_or_absent", true})
}

// sloppyPaths: a base URL ends in a slash or not, whoever typed it; ids and URNs come percent-encoded.
func sloppyPaths(t *testing.T, c *client) {
	id := createUser(t, c, "sloppy.paths", nil).text("id")
	for _, path := range []string{
		"//Users/" + id, "/Users/" + id + "/", "/Users//" + id, "/Users/" + strings.ReplaceAll(id, "-", "%2D"),
		"/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser", "/Schemas/" + strings.ToUpper(userSchema),
	} {
		res := c.send(t, http.MethodGet, path, nil, http.StatusOK)
		if got := res.text("id"); got != id && got != userSchema {
			t.Errorf("%s: id %q", path, got)
		}
	}
	// Entra's flag is a query of the base URL, whatever its value.
	res, err := c.do(t, request{method: http.MethodGet, path: "/Users/" + id, query: url.Values{"aadOptscim062020": {""}}})
	if err != nil || res.status != http.StatusOK {
		t.Errorf("unknown parameter: %v, %+v", err, res)
	}
}
