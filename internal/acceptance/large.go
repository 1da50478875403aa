package acceptance

import (
	"fmt"
	"net/http"
	"testing"
)

// Large makes a group of 5,000 members by one Bulk request of PATCHes and does with
// it what clients do. How long a change of such a group may take is a benchmark's matter.
func Large(t *testing.T, s Server) {
	t.Helper()
	const parts, part = 20, 250
	c := newClient(s, auto)
	group := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "large"}
	path := "/Groups/" + c.send(t, http.MethodPost, "/Groups", group, http.StatusCreated).text("id")
	user := c.send(t, http.MethodPost, "/Users", map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "one of many",
	}, http.StatusCreated).text("id")

	patch := func(op, path string, ids []string) map[string]any {
		operation := map[string]any{"op": op, "path": path}
		if ids != nil {
			operation["value"] = memberList(ids)
		}
		return map[string]any{
			"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation},
		}
	}
	var operations []any
	var all []string
	for i := range parts {
		var ids []string
		for j := range part {
			ids = append(ids, fmt.Sprintf("abcdef00-0000-4000-8000-%012d", i*part+j))
		}
		all = append(all, ids...)
		operations = append(operations, map[string]any{"method": "PATCH", "path": path, "data": patch("add", "members", ids)})
	}
	bulk := c.send(t, http.MethodPost, "/Bulk", map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": operations,
	}, http.StatusOK)
	for i, r := range list(bulk, "Operations") {
		if lookup(r, "version") != etag(i+2) {
			t.Fatalf("part %d: %v", i, r)
		}
	}

	check := func(what string, version, members int) {
		t.Helper()
		whole := c.send(t, http.MethodGet, path, nil, http.StatusOK)
		if got := whole.header.Get("ETag"); got != etag(version) {
			t.Errorf("%s: version %s, want %d", what, got, version)
		}
		distinct := map[any]bool{}
		for _, m := range list(whole, "members") {
			distinct[lookup(m, "value")] = true
		}
		if len(distinct) != members || len(list(whole, "members")) != members {
			t.Errorf("%s: %d members, %d distinct ones, want %d", what, len(list(whole, "members")), len(distinct), members)
		}
		for _, without := range []string{path + "?excludedAttributes=members", "/Groups?excludedAttributes=members&filter=displayName+sw+%22l%22"} {
			if got := c.send(t, http.MethodGet, without, nil, http.StatusOK); len(got.raw) > 1000 {
				t.Errorf("%s: %d bytes without the members", what, len(got.raw))
			}
		}
	}
	check("made", 21, parts*part)
	// Nobody wants so many members echoed for a change of one (RFC 7644 3.5.2 allows 204).
	c.send(t, http.MethodPatch, path, patch("add", "members", []string{user, all[0]}), http.StatusNoContent)
	check("one more", 22, parts*part+1)
	if groups := list(c.send(t, http.MethodGet, "/Users/"+user, nil, http.StatusOK), "groups"); len(groups) != 1 {
		t.Errorf("the user is in %v", groups)
	}
	c.send(t, http.MethodPatch, path, patch("remove", fmt.Sprintf("members[value eq %q]", user), nil), http.StatusNoContent)
	c.send(t, http.MethodPatch, path, patch("remove", fmt.Sprintf("members[value eq %q]", user), nil), http.StatusNoContent)
	check("one less", 23, parts*part)
	c.send(t, http.MethodPatch, path, patch("replace", "displayName", nil), http.StatusBadRequest)
	group["displayName"] = "still large"
	c.send(t, http.MethodPut, path+"?attributes=displayName", group, http.StatusOK)
	group["displayName"] = "large"
	c.send(t, http.MethodPut, path+"?attributes=displayName", group, http.StatusOK)
	check("renamed twice", 25, parts*part)
	// The whole list again, but for two: a client without PATCH removes members so.
	group["members"] = memberList(all[2:])
	c.send(t, http.MethodPut, path+"?attributes=displayName", group, http.StatusOK)
	check("put again", 26, parts*part-2)
	c.send(t, http.MethodPut, path+"?attributes=displayName", group, http.StatusOK)
	check("put once more", 26, parts*part-2)
	c.send(t, http.MethodPatch, path+"?excludedAttributes=members", patch("replace", "members", []string{user}), http.StatusOK)
	check("replaced", 27, 1)
	c.send(t, http.MethodDelete, path, nil, http.StatusNoContent)
}
