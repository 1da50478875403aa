package api_test

import (
	"strings"
	"testing"
)

// What is no JSON, or JSON of the wrong kind, is refused with the keyword and, where an attribute is concerned, its
// name; never with its value.
func TestBadBodies(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	gadget := `{"schemas":["` + gadgetURN + `"],"serial":"1",`
	tests := []struct{ name, path, body, keyword, detail string }{
		{"empty", "/Users", " ", "invalidSyntax", "ends before"},
		{"invalid UTF-8", "/Users", "{" + userSchema + ",\"userName\":\"typed\xff\"}", "invalidSyntax", "not valid JSON"},
		{"lone surrogate", "/Users", `{` + userSchema + `,"userName":"typed\ud800"}`, "invalidSyntax", "not valid JSON"},
		{"NUL", "/Users", `{` + userSchema + `,"userName":"typed\u0000"}`, "invalidSyntax", "NUL"},
		{"NUL in a name", "/Users", `{` + userSchema + `,"typed\u0000":"x"}`, "invalidSyntax", "NUL"},
		{"comment", "/Users", `{/* typed */}`, "invalidSyntax", "not valid JSON"},
		{"number", "/Users", `{"a":01}`, "invalidSyntax", "not valid JSON"},
		{"integer overflow", "/Gadgets", gadget + `"count":9223372036854775808}`, "invalidValue", "count: must be an integer"},
		{"integer with a fraction", "/Gadgets", gadget + `"count":1.5}`, "invalidValue", "count: must be an integer"},
		{"decimal overflow", "/Gadgets", gadget + `"weight":1e999}`, "invalidValue", "weight: is out of range"},
		{"text for a number", "/Gadgets", gadget + `"weight":"typed"}`, "invalidValue", "weight: must be a number"},
		{"dateTime", "/Gadgets", gadget + `"bought":"typed"}`, "invalidValue", "bought: must be a dateTime"},
		{"boolean", "/Users", `{` + userSchema + `,"userName":"a","active":"typed"}`, "invalidValue", "active: must be true or false"},
		{"number for text", "/Users", `{` + userSchema + `,"userName":12345}`, "invalidValue", "userName: must be a string"},
		{"list for one", "/Users", `{` + userSchema + `,"userName":["typed","typed"]}`, "invalidValue", "userName: is single-valued"},
		{"text for an object", "/Users", `{` + userSchema + `,"userName":"a","name":"typed"}`, "invalidValue", "name: must be an object"},
		{"text for an extension", "/Gadgets", gadget + `"` + lensURN + `":"typed"}`, "invalidValue", "must be an object"},
		{"deep inside", "/Users", `{` + userSchema + `,"userName":"a","emails":[{"value":{"typed":1}}]}`, "invalidValue", "emails.value: must be a string"},
		{"schemas of another type", "/Users", `{` + groupSchema + `,"userName":"a"}`, "invalidSyntax", "schemas: "},
		{"schemas that are no list", "/Users", `{"schemas":"typed","userName":"a"}`, "invalidSyntax", "schemas: "},
		{"no message", "/.search", `{"schemas":[7]}`, "invalidSyntax", "schemas: "},
		{"attributes of a search", "/.search", `{` + findSchema + `,"attributes":[7]}`, "invalidValue", "attributes: "},
		{"filter of a search", "/.search", `{` + findSchema + `,"filter":["typed"]}`, "invalidValue", "filter: "},
		{"count of a search", "/.search", `{` + findSchema + `,"count":1.5}`, "invalidValue", "count: must be an integer"},
		{"sortOrder of a search", "/.search", `{` + findSchema + `,"sortOrder":7}`, "invalidValue", "sortOrder: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := w.do(t, "acme", "POST", tt.path, tt.body)
			body := rec.Body.String()
			if rec.Code != 400 || !strings.Contains(body, `"scimType":"`+tt.keyword+`"`) || !strings.Contains(body, tt.detail) {
				t.Errorf("want 400 %s with %q, got %d %s", tt.keyword, tt.detail, rec.Code, body)
			}
			if strings.Contains(body, "typed") || strings.Contains(body, "12345") {
				t.Errorf("the answer repeats the value: %s", body)
			}
		})
	}
	if rec := w.do(t, "acme", "GET", "/", ""); !strings.Contains(rec.Body.String(), `"totalResults":0`) {
		t.Errorf("something was stored: %s", rec.Body)
	}
}

// What only the edge of a path decides: encoded segments, and what lies beyond the routes.
func TestPaths(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	id := w.create(t, "acme", "/Users", `{`+userSchema+`,"userName":"p"}`)
	for path, want := range map[string]int{
		"/Users/" + id: 200, "/Users/" + strings.ReplaceAll(id, "-", "%2D") + "/": 200, "/%55sers/" + id: 200, "///USERS///" + id: 200,
		"/Users/" + id + "/emails": 404, "/Users/" + strings.ToUpper(id[:1]) + "x" + id[2:]: 404, "/Users%2F" + id: 404,
		"/Bulk/x": 404, "/ServiceProviderConfig/x": 404, "/Me/x": 404, "/Users/%00": 404, "": 200, "/": 200, "//": 200, "x": 404,
		"/Schemas/" + gadgetURN: 200, "/schemas/" + strings.ToUpper(gadgetURN): 200, "/ResourceTypes/user": 404,
	} {
		if rec := w.do(t, "acme", "GET", path, ""); rec.Code != want {
			t.Errorf("GET %s: %d, want %d", path, rec.Code, want)
		}
	}
	for _, path := range []string{"/", "/scim", "/scim/v3/Users", "/scim/v2Users"} {
		rec := newRecorder()
		w.handler.ServeHTTP(rec, newRequest(t, "GET", path))
		if rec.Code != 404 || !strings.Contains(rec.Body.String(), `"status":"404"`) {
			t.Errorf("GET %s: %d %s", path, rec.Code, rec.Body)
		}
	}
}
