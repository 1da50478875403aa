package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
)

// Every route by which a resource can be named, tried with the ids of another organization: it is as if they did
// not exist, and nothing changes. The routes are those of the registered types, so a new type is part of it.
func TestOrganizationsAreApart(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	bodies := map[string]string{
		"/Users": `{` + userSchema + `,"userName":"ada"}`, "/Groups": `{` + groupSchema + `,"displayName":"g"}`,
		"/Gadgets":      `{"schemas":["` + gadgetURN + `"],"serial":"1"}`,
		"/Roles":        `{"schemas":["` + scim.SchemaRole + `"],"value":"member"}`,
		"/Entitlements": `{"schemas":["` + scim.SchemaEntitlement + `"],"value":"pricing"}`,
		"/Occupations":  `{"schemas":["` + scim.SchemaOccupation + `"],"value":"nurse"}`,
		"/Invites":      `{"schemas":["` + scim.SchemaInvite + `"],"email":"bob@example.com"}`,
		"/JoinRequests": `{"schemas":["` + scim.SchemaJoinRequest + `"],"email":"bob@example.com"}`,
	}
	endpoints := w.endpoints(t)
	ids := map[string]string{}
	for _, e := range endpoints {
		if bodies[e] == "" {
			t.Fatalf("no body for %s: say how to create one", e)
		}
		ids[e] = w.create(t, "acme all", e, bodies[e])
	}
	w.do(t, "acme all", "PATCH", "/Groups/"+ids["/Groups"], `{`+patchSchema+`,"Operations":[{"op":"add","path":"members","value":[{"value":"`+ids["/Users"]+`"}]}]}`)
	before := w.snapshot(t)

	touch := `{` + patchSchema + `,"Operations":[{"op":"add","path":"externalId","value":"stolen"}]}`
	for _, e := range endpoints {
		for owner, id := range ids {
			path := e + "/" + id
			for _, r := range []struct{ method, body string }{
				{"GET", ""}, {"HEAD", ""}, {"PUT", bodies[e]}, {"PATCH", touch}, {"DELETE", ""},
			} {
				for _, header := range [][]string{nil, {"If-Match", "*"}, {"If-None-Match", `W/"7"`}} {
					if rec := w.do(t, "other all", r.method, path, r.body, header...); rec.Code != http.StatusNotFound {
						t.Errorf("%s %s (of %s) %v: %d %s", r.method, e, owner, header, rec.Code, rec.Body)
					}
				}
			}
			bulk := w.do(t, "other all", "POST", "/Bulk", fmt.Sprintf(`{%s,"Operations":[
				{"method":"PUT","path":"%s","data":%s},{"method":"PATCH","path":"%s","data":%s},{"method":"DELETE","path":"%s"}]}`,
				bulkSchema, path, bodies[e], path, touch, path))
			if n := strings.Count(bulk.Body.String(), `"status":"404","response"`); n != 3 {
				t.Errorf("Bulk on %s of %s: %s", e, owner, bulk.Body)
			}
			filter := fmt.Sprintf(`id eq %q`, id)
			for _, search := range []string{e + "/.search", "/.search"} {
				rec := w.do(t, "other all", "POST", search, `{`+findSchema+`,"filter":`+quote(filter)+`}`)
				if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"totalResults":0`) {
					t.Errorf("%s for an id of %s: %d %s", search, owner, rec.Code, rec.Body)
				}
			}
		}
		for _, list := range []string{e, "/"} {
			if rec := w.do(t, "other all", "GET", list, ""); !strings.Contains(rec.Body.String(), `"totalResults":0`) {
				t.Errorf("GET %s: %s", list, rec.Body)
			}
		}
	}
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Errorf("the other organization changed (-before +after):\n%s", d)
	}

	// A member that is another organization's resource stays a mere id: no type, no display, no membership.
	group := w.create(t, "other all", "/Groups", `{`+groupSchema+`,"displayName":"theirs","members":[{"value":"`+ids["/Users"]+`"}]}`)
	rec := w.do(t, "other all", "GET", "/Groups/"+group+"?attributes=members", "")
	if want := `"members":[{"value":"` + ids["/Users"] + `"}]`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("want %s in %s", want, rec.Body)
	}
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Errorf("a foreign group reached over (-before +after):\n%s", d)
	}
	// Unique values are per organization.
	w.create(t, "other all", "/Users", bodies["/Users"])
}

// endpoints are those of the registered types, as discovery tells them.
func (w *world) endpoints(t *testing.T) []string {
	t.Helper()
	var list struct{ Resources []struct{ Endpoint string } }
	if err := json.Unmarshal(w.do(t, "acme all", "GET", "/ResourceTypes", "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range list.Resources {
		out = append(out, r.Endpoint)
	}
	return out
}

func (w *world) snapshot(t *testing.T) string {
	t.Helper()
	rec := w.do(t, "acme all", "GET", "/?count=1000", "")
	if rec.Code != http.StatusOK {
		t.Fatalf("GET /: %d", rec.Code)
	}
	return rec.Body.String()
}

func quote(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string
	return string(b)
}

// A revoked token is refused from the next request on.
func TestRevokedToken(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	if rec := w.do(t, "read", "GET", "/Users", ""); rec.Code != http.StatusOK {
		t.Fatalf("before: %d", rec.Code)
	}
	acme, err := w.service.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := w.service.Tokens(t.Context(), acme.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if token.Name == "read" {
			if err := w.service.RevokeToken(t.Context(), acme.ID, token.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rec := w.do(t, "read", "GET", "/Users", ""); rec.Code != http.StatusUnauthorized {
		t.Errorf("after: %d", rec.Code)
	}
	if n := w.metrics.get("auth/revoked"); n != 1 {
		t.Errorf("counted %d refusals", n)
	}
}
