package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rollcall/scim"
)

// FuzzBody: whatever is sent, the answer is a SCIM one, never a 5xx; what is refused has changed nothing; and no
// answer ever carries a password.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{` + userSchema + `,"userName":"a","password":"LEAKED"}`,
		`{` + userSchema + `,"userName":"a","emails":[{"value":"x","primary":true}],"name":{"givenName":null},"PASSWORD":"LEAKED"}`,
		`{` + groupSchema + `,"displayName":"g","members":[{"value":"a"},{"value":"b","$ref":null}]}`,
		`{` + patchSchema + `,"Operations":[{"op":"replace","path":"password","value":"LEAKED"},{"op":"add","value":{"active":"True"}}]}`,
		`{` + patchSchema + `,"Operations":[{"op":"remove","path":"emails[type eq \"work\"].value"}]}`,
		`{` + bulkSchema + `,"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":{` + userSchema + `,"userName":"z"}}]}`,
		`{` + findSchema + `,"filter":"userName sw \"a\"","sortBy":"emails","count":2,"cursor":"","attributes":["password","userName"]}`,
		`{"a":"\u0000"}`, `{"a":1e999}`, "\xff", `[]`, `"x"`, ``, `{`, `{} x`, strings.Repeat(`[`, 100),
	} {
		for route := range 6 {
			f.Add(route, body)
		}
	}
	w := newWorld(f, openSQLite, nil)
	user := w.create(f, "acme", "/Users", `{`+userSchema+`,"userName":"stays","password":"LEAKED"}`)
	routes := []struct{ method, path string }{
		{"POST", "/Users"},
		{"PUT", "/Users/" + user},
		{"PATCH", "/Users/" + user},
		{"POST", "/Groups"},
		{"POST", "/Users/.search"},
		{"POST", "/Bulk"},
	}
	f.Fuzz(func(t *testing.T, n int, body string) {
		r := routes[(n%len(routes)+len(routes))%len(routes)]
		before := w.do(t, "acme", "GET", "/Users/"+user, "").Body.String()
		rec := w.do(t, "acme", r.method, r.path, body)
		if rec.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s: %d %s", r.method, r.path, rec.Code, rec.Body)
		}
		if rec.Body.Len() > 0 && !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("not JSON: %s", rec.Body)
		}
		if strings.Contains(rec.Body.String(), `"password":`) {
			t.Fatalf("a password in %s", rec.Body)
		}
		if rec.Code >= http.StatusBadRequest {
			if !strings.Contains(rec.Body.String(), scim.MessageError) {
				t.Errorf("not the SCIM error: %s", rec.Body)
			}
			if after := w.do(t, "acme", "GET", "/Users/"+user, "").Body.String(); after != before {
				t.Errorf("refused, and yet changed:\n%s\n%s", before, after)
			}
		}
	})
}

// FuzzQuery: the same of query strings and paths; a password is never shown whatever is asked for.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"attributes=password", "attributes=PASSWORD,userName", "excludedAttributes=id,meta", "filter=password pr", "sortBy=password",
		"filter=userName eq \"q\"&count=1&cursor", "startIndex=-1&count=0", "attributes=urn:ietf:params:scim:schemas:core:2.0:User:password",
		"cursor=AAAA", "&&=&", "count=1&count=2", "attributes=emails[type eq \"work\"]", ",", "filter=groups.value eq \"x\"",
	} {
		f.Add("/Users", q)
		f.Add("/", q)
		f.Add("/Schemas/x", q)
	}
	w := newWorld(f, openSQLite, nil)
	w.create(f, "acme", "/Users", `{`+userSchema+`,"userName":"q","password":"LEAKED"}`)
	f.Fuzz(func(t *testing.T, path, query string) {
		req := newRequest(t, http.MethodGet, root+"/")
		req.URL = &url.URL{Path: root + path, RawQuery: query}
		req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
		rec := newRecorder()
		w.handler.ServeHTTP(rec, req)
		if rec.Code >= http.StatusInternalServerError && rec.Code != http.StatusNotImplemented {
			t.Fatalf("GET %s?%s: %d %s", path, query, rec.Code, rec.Body)
		}
		if rec.Body.Len() > 0 && !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("not JSON: %s", rec.Body)
		}
		if strings.Contains(rec.Body.String(), `"password":`) || strings.Contains(rec.Body.String(), "LEAKED") {
			t.Fatalf("a password in %s", rec.Body)
		}
	})
}
