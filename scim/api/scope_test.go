package api_test

import (
	"net/http"
	"strings"
	"testing"

	"rollcall/scim"
)

// Every route with every scope: what the token may not do is a 403 that names what it lacks, and nothing else is
// one. The answers to what is allowed are other tests' matter.
func TestScopes(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	none := `{"schemas":[]}`
	routes := []struct {
		method, path, body string
		lacks              map[string]string // by token
	}{
		{http.MethodGet, "/Users", "", map[string]string{"groups": "scim:users:read", "groups read": "scim:users:read"}},
		{http.MethodHead, "/Users/1", "", map[string]string{"groups": "", "groups read": ""}},
		{http.MethodGet, "/Users/1", "", map[string]string{"groups": "scim:users:read", "groups read": "scim:users:read"}},
		{http.MethodPost, "/Users/.search", none, map[string]string{"groups": "scim:users:read", "groups read": "scim:users:read"}},
		{http.MethodGet, "/Groups", "", map[string]string{"users": "scim:groups:read", "users read": "scim:groups:read"}},
		{http.MethodGet, "/Groups/1", "", map[string]string{"users": "scim:groups:read", "users read": "scim:groups:read"}},
		{http.MethodPost, "/Groups/.search", none, map[string]string{"users": "scim:groups:read", "users read": "scim:groups:read"}},
		{http.MethodPost, "/Users", none, lacking("scim:users", "read", "users read", "groups", "groups read")},
		{http.MethodPut, "/Users/1", none, lacking("scim:users", "read", "users read", "groups", "groups read")},
		{http.MethodPatch, "/Users/1", none, lacking("scim:users", "read", "users read", "groups", "groups read")},
		{http.MethodDelete, "/Users/1", "", lacking("scim:users", "read", "users read", "groups", "groups read")},
		{http.MethodPost, "/Groups", none, lacking("scim:groups", "read", "users", "users read", "groups read")},
		{http.MethodPut, "/Groups/1", none, lacking("scim:groups", "read", "users", "users read", "groups read")},
		{http.MethodPatch, "/Groups/1", none, lacking("scim:groups", "read", "users", "users read", "groups read")},
		{http.MethodDelete, "/Groups/1", "", lacking("scim:groups", "read", "users", "users read", "groups read")},
		{http.MethodPost, "/Bulk", none, lacking("scim", "read", "users read", "groups read")},
		{http.MethodGet, "/", "", nil},
		{http.MethodPost, "/.search", `{` + findSchema + `}`, nil},
		{http.MethodGet, "/ServiceProviderConfig", "", nil},
		{http.MethodGet, "/ResourceTypes", "", nil},
		{http.MethodGet, "/Schemas", "", nil},
	}
	for _, r := range routes {
		for _, token := range []string{"acme", "read", "users", "users read", "groups", "groups read"} {
			rec := w.do(t, token, r.method, r.path, r.body)
			scope, lacks := r.lacks[token]
			if forbidden := rec.Code == http.StatusForbidden; forbidden != lacks {
				t.Errorf("%s %s with %s: %d", r.method, r.path, token, rec.Code)
			}
			if want := "the token lacks the scope " + scope + `"`; lacks && scope != "" && !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%s %s with %s: %s, want %s", r.method, r.path, token, rec.Body, want)
			}
		}
		if rec := w.do(t, "admin", r.method, r.path, r.body); !isDiscovery(r.path) && rec.Code != http.StatusForbidden {
			t.Errorf("%s %s with the scope of another API: %d", r.method, r.path, rec.Code)
		}
	}
}

func lacking(scope string, tokens ...string) map[string]string {
	m := map[string]string{}
	for _, t := range tokens {
		m[t] = scope
	}
	return m
}

// What a client may do with a type depends on the type: catalogues are read by the general scope and written by the
// one that names them, invites and the like are reached by that one only. What it may not read, discovery hides.
func TestScopesOfTypes(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	for _, tt := range []struct {
		token, method, path, body string
		status                    int
	}{
		{"acme", "GET", "/Roles", "", 200},
		{"acme", "GET", "/Entitlements", "", 200},
		{"read", "GET", "/Roles", "", 200},
		{"users", "GET", "/Roles", "", 403},
		{"acme", "POST", "/Roles", `{}`, 403},
		{"acme", "PATCH", "/Entitlements/1", `{}`, 403},
		{"acme", "GET", "/Occupations", "", 403},
		{"acme", "GET", "/Invites", "", 403},
		{"acme", "GET", "/JoinRequests", "", 403},
		{"acme", "POST", "/Invites", `{}`, 403},
		{"catalog", "POST", "/Roles", `{"schemas":["` + scim.SchemaRole + `"],"value":"nurse"}`, 201},
		{"catalog", "GET", "/Invites", "", 200},
		{"catalog", "POST", "/Invites", `{}`, 403},
		{"catalog", "GET", "/Entitlements", "", 403},
		{"acme", "GET", "/ResourceTypes/Role", "", 200},
		{"acme", "GET", "/ResourceTypes/Invite", "", 404},
		{"acme", "GET", "/Schemas/" + scim.SchemaInvite, "", 404},
		{"catalog", "GET", "/Schemas/" + scim.SchemaInvite, "", 200},
		{"catalog", "GET", "/Schemas/" + scim.SchemaOccupation, "", 404},
	} {
		if rec := w.do(t, tt.token, tt.method, tt.path, tt.body); rec.Code != tt.status {
			t.Errorf("%s %s with %s: %d, want %d", tt.method, tt.path, tt.token, rec.Code, tt.status)
		}
	}
}

// isDiscovery reports whether a route shows any token what it may see.
func isDiscovery(path string) bool {
	return path == "/ServiceProviderConfig" || path == "/ResourceTypes" || path == "/Schemas"
}
