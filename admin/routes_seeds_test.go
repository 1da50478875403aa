package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// seedStep is a request that makes what a try needs. save names what of its answer is kept: "id=id" keeps the property id
// as {id}.
type seedStep struct{ who, method, path, body, save string }

const (
	userBody  = `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "%s{n}@example.com", "displayName": "zacme %s"`
	rolesPart = `, "roles": [{"value": "%s"}]`
	// writeInBulk is a write of a client that is answered 200 however it is decided.
	writeInBulk = `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "PATCH", "path": "/Users/{id}",
		"data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "title", "value": "x"}]}}]}`
)

// userSeed makes a person with a role; no role is that of a member.
func userSeed(name, role, save string) seedStep {
	body := fmt.Sprintf(userBody, name, name)
	if role != "" {
		body += fmt.Sprintf(rolesPart, role)
	}
	return seedStep{"scim", http.MethodPost, "/scim/v2/Users", body + "}", save}
}

// seeds are how the things are made that a path names: the first word of a path of routes.md's column On.
func seeds() map[string][]seedStep {
	member := userSeed("m", "", "id=id,member=id")
	post := func(path, body, save string) seedStep { return seedStep{"admin", http.MethodPost, path, body, save} }
	return map[string][]seedStep{
		"-":            nil,
		"self":         nil,
		"member":       {member},
		"target":       {member},
		"client":       {member, post("/api/v1/clients", `{"display": "zacme {n}"}`, "id=id")},
		"job":          {member, post("/api/v1/members/actions/bulk", `{"action": "deactivate", "ids": ["{id}"]}`, "id=id")},
		"transfer":     {member, post("/api/v1/transfers", `{"from": "{id}"}`, "id=id")},
		"removed":      {member, {"scim", http.MethodDelete, "/scim/v2/Users/{id}", "", ""}},
		"group":        {{"scim", http.MethodPost, "/scim/v2/Groups", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "zacme {n}"}`, "id=id"}},
		"invite":       {post("/api/v1/invites", `{"email": "i{n}@example.com", "message": "zacme"}`, "id=invite.id")},
		"join-request": {{"invites", http.MethodPost, "/api/v1/join-requests", `{"email": "j{n}@example.com", "message": "zacme"}`, "id=id"}},
		"role":         {post("/api/v1/roles", `{"key": "r{n}", "display": "zacme {n}", "rank": 10}`, "id=id")},
		"occupation":   {post("/api/v1/occupations", `{"key": "o{n}", "display": "zacme {n}"}`, "id=id")},
		"module":       {post("/api/v1/modules", `{"key": "d{n}", "display": "zacme {n}"}`, "id=id")},
		"sub-account":  {post("/api/v1/sub-accounts", `{"key": "s{n}", "display": "zacme {n}"}`, "id=id")},
		"token":        {{"operator", http.MethodPost, "/api/v1/operator/organizations/acme/tokens", `{"name": "zacme {n}"}`, "id=id"}},
		"connection":   {post("/api/v1/connections", `{"name": "zacme {n}"}`, "id=id")},
		"domain": {
			post("/api/v1/domains", `{"domain": "zacme{n}.example"}`, "domain=domain,record=record.name,proof=record.value"),
			{"", http.MethodPut, dnsPath + "{record}", "{proof}", ""},
			post("/api/v1/domains/{domain}/actions/verify", "", ""),
		},
		"conflict": {
			member,
			post("/api/v1/members/{id}/actions/detach-from-idp", "", ""),
			{"scim", http.MethodPost, "/scim/v2/Bulk", writeInBulk, ""},
			{"admin", http.MethodGet, "/api/v1/conflicts?status=open&count=1", "", "id=items.0.id"},
		},
		"change-request": {
			member,
			post("/api/v1/modules", `{"key": "d{n}"}`, ""),
			post("/api/v1/occupations", `{"key": "o{n}", "display": "zacme {n}", "selfAssignable": true, "approvalNeeded": true, "modules": ["d{n}"]}`, ""),
			{"m{n}", http.MethodPost, "/api/v1/me/actions/change-occupation", `{"occupation": "o{n}"}`, "id=request.id"},
		},
	}
}

// plant carries out the steps of a seed, as acme has it, and keeps what they leave in vars.
func (w *world) plant(t testing.TB, on string, vars map[string]string) {
	t.Helper()
	steps, ok := seeds()[on]
	if !ok {
		t.Fatalf("seeds do not say how a %q is made", on)
	}
	for _, s := range steps {
		rec := w.try(t, fill(s.who, vars), s.method, fill(s.path, vars), fill(s.body, vars))
		if rec.Code >= http.StatusBadRequest {
			t.Fatalf("to make a %s: %s %s: %d %s", on, s.method, fill(s.path, vars), rec.Code, rec.Body)
		}
		for part := range strings.SplitSeq(s.save, ",") {
			if name, path, ok := strings.Cut(part, "="); ok {
				vars[name] = textAt(t, rec.Body.Bytes(), path)
			}
		}
	}
}

func fill(text string, vars map[string]string) string {
	for name, value := range vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// textAt reads a property of an answer; its path has dots.
func textAt(t testing.TB, body []byte, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(list) {
				t.Fatalf("no element %s in %s", name, body)
			}
			v = list[i]
			continue
		}
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, ok := v.(string)
	if !ok {
		t.Fatalf("no text at %s of %s", path, body)
	}
	return s
}

// try sends a request as one actor; without a name, as nobody.
func (w *world) try(t testing.TB, who, method, path, body string) *answered {
	t.Helper()
	rec := w.send(t, who, method, path, body)
	return &answered{rec.Code, rec.Body, rec.Header()}
}

// smallest returns the smallest body that fits a schema of the document.
func smallest(t testing.TB, doc map[string]any, s map[string]any, n string) any {
	t.Helper()
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		components, _ := doc["components"].(map[string]any)
		all, _ := components["schemas"].(map[string]any)
		s, _ = all[name].(map[string]any)
		return smallest(t, doc, s, n)
	}
	if list, ok := s["enum"].([]any); ok {
		return list[0]
	}
	kind, ok := s["type"].(string)
	if list, many := s["type"].([]any); many && len(list) > 0 {
		kind, ok = list[0].(string)
	}
	if !ok {
		return map[string]any{}
	}
	switch kind {
	case "object":
		out := map[string]any{}
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, name := range required {
			name, _ := name.(string)
			p, _ := properties[name].(map[string]any)
			out[name] = smallest(t, doc, p, n)
		}
		return out
	case "array":
		return []any{}
	case "boolean":
		return false
	case "integer", "number":
		if least, ok := s["minimum"]; ok {
			return least
		}
		return 0
	}
	switch s["format"] {
	case "email":
		return "x" + n + "@example.com"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	case "date-time":
		return "2030-01-01T00:00:00Z"
	}
	return "x" + n
}
