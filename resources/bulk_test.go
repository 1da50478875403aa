package resources_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rollcall/scim"
)

func (f *fixture) bulk(failOnErrors int, ops ...scim.BulkOperation) []scim.BulkResult {
	f.Helper()
	res, err := f.svc.Bulk(f.Context(), f.caller("strict"), ops, failOnErrors)
	if err != nil {
		f.Fatal(err)
	}
	if len(res) != len(ops) {
		f.Fatalf("%d results of %d operations", len(res), len(ops))
	}
	return res
}

func (f *fixture) post(typ, bulkID, attrs string) scim.BulkOperation {
	f.Helper()
	return scim.BulkOperation{Method: http.MethodPost, Path: f.typ(typ).Endpoint, BulkID: bulkID, Data: f.body(typ, attrs)}
}

func (f *fixture) postUser(bulkID string) scim.BulkOperation {
	f.Helper()
	return f.post("User", bulkID, fmt.Sprintf(`"userName":%q`, bulkID))
}

// postGroup has the resources with these bulkIds as members.
func (f *fixture) postGroup(bulkID string, members ...string) scim.BulkOperation {
	f.Helper()
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = `{"value":"bulkId:` + m + `"}`
	}
	return f.post("Group", bulkID, fmt.Sprintf(`"displayName":%q,"members":[%s]`, bulkID, strings.Join(list, ",")))
}

func (f *fixture) patchOp(path, version, ops string) scim.BulkOperation {
	f.Helper()
	return scim.BulkOperation{Method: http.MethodPatch, Path: path, Version: version, Data: f.patchBody(ops)}
}

func statuses(res []scim.BulkResult) []int {
	list := make([]int, len(res))
	for i, r := range res {
		list[i] = r.Status
	}
	return list
}

func wantStatuses(t testing.TB, res []scim.BulkResult, want ...int) {
	t.Helper()
	if got := statuses(res); !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
		for i, r := range res {
			t.Logf("%d: %+v", i, r)
		}
	}
}

func TestBulkMethods(t *testing.T) {
	f := newFixture(t)
	u, v, w := f.user("u"), f.user("v"), f.user("w")
	res := f.bulk(0,
		f.postUser("x"),
		scim.BulkOperation{Method: "PUT", Path: "/Users/" + u.ID, Data: f.body("User", `"userName":"u","title":"t"`)},
		f.patchOp("/Users/"+v.ID, `W/"1"`, `{"op":"add","path":"title","value":"t"}`),
		scim.BulkOperation{Method: "DELETE", Path: "/Users/" + w.ID},
	)
	wantStatuses(t, res, 201, 200, 200, 204)
	for i, want := range []struct {
		id      string
		version int64
	}{{res[0].ID, 1}, {u.ID, 2}, {v.ID, 2}, {w.ID, 0}} {
		if res[i].ID != want.id || res[i].Version != want.version || res[i].Type != "User" || res[i].Err != nil {
			t.Errorf("result %d: %+v, want version %d of %s", i, res[i], want.version, want.id)
		}
	}
	if f.attrs(f.get("User", res[0].ID))["userName"] != "x" || f.attrs(f.get("User", u.ID))["title"] != "t" || f.count("User") != 3 {
		t.Error("the operations did not do what their results say")
	}
}

func TestBulkReferences(t *testing.T) {
	f := newFixture(t)
	res := f.bulk(1,
		f.postGroup("g", "u", "h"), // forward, to a user and a group
		f.patchOp("/Groups/bulkId:h", "", `{"op":"add","path":"members","value":[{"value":"bulkId:v"}]},{"op":"remove","path":"members[value eq \"bulkId:u\"]"}`),
		f.postUser("u"),
		f.postGroup("h", "u"),
		f.post("User", "v", `"userName":"v","`+scim.SchemaEnterpriseUser+`":{"manager":{"value":"bulkId:u","$ref":"https://h/scim/v2/Users/bulkId:u"}}`),
	)
	wantStatuses(t, res, 201, 200, 201, 201, 201)
	g, h := f.get("Group", res[0].ID), f.get("Group", res[3].ID)
	if len(g.Members) != 2 || g.Members[0].ID != h.ID || g.Members[1].ID != res[2].ID {
		t.Errorf("members of g: %v", g.Members)
	}
	if len(h.Members) != 1 || h.Members[0].ID != res[4].ID || h.Members[0].Display != "v" || h.ID != res[1].ID {
		t.Errorf("members of h: %v", h.Members)
	}
	manager := f.attrs(f.get("User", res[4].ID))[scim.SchemaEnterpriseUser].(scim.Attributes)["manager"].(scim.Attributes)
	if manager["value"] != res[2].ID || manager["$ref"] != "https://h/scim/v2/Users/"+res[2].ID {
		t.Errorf("manager %v, want %s", manager, res[2].ID)
	}
}

// TestBulkCycles: groups g0 -> g1 -> ... -> g0, in the order of the request and against it.
func TestBulkCycles(t *testing.T) {
	for n := 1; n <= 5; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFixture(t)
			circle := func(prefix string) []scim.BulkOperation {
				var ops []scim.BulkOperation
				for i := range n {
					ops = append(ops, f.postGroup(fmt.Sprint(prefix, i), fmt.Sprint(prefix, (i+1)%n)))
				}
				return ops
			}
			ops := append(circle("a"), f.postGroup("out", "a0"))
			back := circle("b")
			slices.Reverse(back)
			ops = append(ops, back...)
			res := f.bulk(1, ops...)
			for i, r := range res {
				if r.Status != 201 || r.Version != 1 {
					t.Errorf("operation %d: %+v", i, r)
				}
			}
			for i := range n {
				if got := f.get("Group", res[i].ID).Members; len(got) != 1 || got[0].ID != res[(i+1)%n].ID || got[0].Type != "Group" {
					t.Errorf("members of a%d: %v", i, got)
				}
			}
		})
	}
}

// TestBulkCycleFails: a circle is created whole or not at all, and takes down what refers to it.
func TestBulkCycleFails(t *testing.T) {
	f := newFixture(t)
	f.user("taken")
	manager := func(id, name, of string) scim.BulkOperation {
		return f.post("User", id, fmt.Sprintf(`"userName":%q,"%s":{"manager":{"value":"bulkId:%s"}}`, name, scim.SchemaEnterpriseUser, of))
	}
	n := len(f.changes())
	res := f.bulk(0,
		f.postGroup("g", "b"),
		manager("a", "a", "b"), manager("b", "Taken", "c"), manager("c", "c", "a"),
		f.postUser("alone"),
	)
	wantStatuses(t, res, 409, 409, 409, 409, 201)
	if e := wantError(t, "culprit", res[2].Err, 409, scim.TypeUniqueness); e.Path != "userName" {
		t.Errorf("the culprit's error is %v", e)
	}
	for _, i := range []int{0, 1, 3} {
		if e := wantError(t, "other", res[i].Err, 409, ""); !strings.Contains(e.Detail, `"b"`) || res[i].ID != "" {
			t.Errorf("operation %d: %+v does not name the bulkId that failed", i, res[i])
		}
	}
	if f.count("User") != 2 || f.count("Group") != 0 || len(f.changes()) != n+1 {
		t.Error("a part of the failed circle was stored")
	}
	// The same with a fault that needs no store.
	bad := manager("b", "b", "c")
	bad.Data = append(bad.Data.(scim.Object), scim.Field{Name: "active", Value: "maybe"})
	res = f.bulk(0, manager("a", "a", "b"), bad, manager("c", "c", "a"))
	wantStatuses(t, res, 409, 400, 409)
	if f.count("User") != 2 {
		t.Error("a part of the failed circle was stored")
	}
}

func TestBulkFailedReference(t *testing.T) {
	f := newFixture(t)
	f.user("taken")
	res := f.bulk(0,
		f.post("User", "u", `"userName":"taken"`),
		f.postGroup("g", "u"),
		f.postGroup("h", "g"),
		f.patchOp("/Users/bulkId:u", "", `{"op":"add","path":"title","value":"t"}`),
		f.postGroup("i"),
	)
	wantStatuses(t, res, 409, 409, 409, 409, 201)
	wantError(t, "first", res[0].Err, 409, scim.TypeUniqueness)
	for i, ref := range []string{1: "u", 2: "g", 3: "u"} {
		if i == 0 {
			continue
		}
		if e := wantError(t, "dependent", res[i].Err, 409, ""); !strings.Contains(e.Detail, fmt.Sprintf("%q", ref)) || res[i].ID != "" {
			t.Errorf("operation %d: %+v, want an error naming %q", i, res[i], ref)
		}
	}
	if f.count("Group") != 1 {
		t.Error("a group was created without the member that it was to have")
	}
}

// TestBulkOwnErrors: the form of one operation is its own matter.
func TestBulkOwnErrors(t *testing.T) {
	f := newFixture(t)
	u := f.user("u")
	body := func(name string) any { return f.body("User", `"userName":"`+name+`"`) }
	for _, tt := range []struct {
		name   string
		op     scim.BulkOperation
		status int
		typ    scim.ErrorType
	}{
		{"form", scim.BulkOperation{Method: "POST", Path: "/Users", BulkID: "b", Err: scim.InvalidSyntax("x")}, 400, scim.TypeInvalidSyntax},
		{"no bulkId", scim.BulkOperation{Method: "POST", Path: "/Users", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"bulkId twice", scim.BulkOperation{Method: "POST", Path: "/Users", BulkID: "first", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"no data", scim.BulkOperation{Method: "POST", Path: "/Users", BulkID: "b"}, 400, scim.TypeInvalidValue},
		{"PUT without data", scim.BulkOperation{Method: "PUT", Path: "/Users/" + u.ID}, 400, scim.TypeInvalidValue},
		{"GET", scim.BulkOperation{Method: "GET", Path: "/Users/" + u.ID}, 400, scim.TypeInvalidValue},
		{"unknown type", scim.BulkOperation{Method: "POST", Path: "/Things", BulkID: "b", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"nested", scim.BulkOperation{Method: "POST", Path: "/Bulk", BulkID: "b", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"search", scim.BulkOperation{Method: "POST", Path: "/Users/.search", BulkID: "b", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"no path", scim.BulkOperation{Method: "POST", BulkID: "b", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"absolute path", scim.BulkOperation{Method: "DELETE", Path: "https://h/scim/v2/Users/" + u.ID}, 400, scim.TypeInvalidValue},
		{"query in the path", scim.BulkOperation{Method: "DELETE", Path: "/Users/" + u.ID + "?x"}, 400, scim.TypeInvalidValue},
		{"PATCH of an endpoint", scim.BulkOperation{Method: "PATCH", Path: "/Users", Data: body("x")}, 400, scim.TypeInvalidValue},
		{"DELETE of an endpoint", scim.BulkOperation{Method: "DELETE", Path: "/Users/"}, 400, scim.TypeInvalidValue},
		{"lower-case endpoint", scim.BulkOperation{Method: "DELETE", Path: "/users/" + u.ID}, 400, scim.TypeInvalidValue},
		{"unknown id", scim.BulkOperation{Method: "DELETE", Path: "/Users/" + f.ids.New()}, 404, ""},
		{"no id", scim.BulkOperation{Method: "DELETE", Path: "/Users/nope"}, 404, ""},
		{"other type", scim.BulkOperation{Method: "DELETE", Path: "/Groups/" + u.ID}, 404, ""},
		{"other version", f.patchOp("/Users/"+u.ID, `W/"7"`, `{"op":"add","path":"title","value":"t"}`), 412, ""},
		{"DELETE of another version", scim.BulkOperation{Method: "DELETE", Path: "/Users/" + u.ID, Version: `W/"7"`}, 412, ""},
		{"unknown bulkId", f.postGroup("g", "who"), 400, scim.TypeInvalidValue},
		{"unknown bulkId in the path", scim.BulkOperation{Method: "DELETE", Path: "/Users/bulkId:who"}, 400, scim.TypeInvalidValue},
		{"not a resource", scim.BulkOperation{Method: "POST", Path: "/Users", BulkID: "b", Data: []any{}}, 400, scim.TypeInvalidSyntax},
		{"not a PATCH", scim.BulkOperation{Method: "PATCH", Path: "/Users/" + u.ID, Data: f.json(`{}`)}, 400, scim.TypeInvalidSyntax},
		{"bad path in a PATCH", f.patchOp("/Users/"+u.ID, "", `{"op":"add","path":"nope","value":"t"}`), 400, scim.TypeInvalidPath},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(f.changes())
			first, last := f.ids.New(), f.ids.New()
			res := f.bulk(0,
				f.post("User", "first", fmt.Sprintf(`"userName":%q`, first)), tt.op,
				f.post("User", "last", fmt.Sprintf(`"userName":%q`, last)),
			)
			wantStatuses(t, res, 201, tt.status, 201)
			wantError(t, tt.name, res[1].Err, tt.status, tt.typ)
			if res[1].NotRun || len(f.changes()) != before+2 {
				t.Errorf("%+v", res[1])
			}
		})
	}
}

func TestBulkFailOnErrors(t *testing.T) {
	f := newFixture(t)
	u := f.user("u")
	miss := scim.BulkOperation{Method: "DELETE", Path: "/Users/" + f.ids.New()}
	res := f.bulk(2,
		f.postUser("a"), miss, f.postUser("b"), miss,
		scim.BulkOperation{Method: "DELETE", Path: "/Users/" + u.ID}, f.postUser("c"), miss,
	)
	wantStatuses(t, res, 201, 404, 201, 404, 0, 0, 0)
	for i, r := range res {
		if r.NotRun != (i > 3) || i > 3 && (r.Err != nil || r.ID != "") {
			t.Errorf("operation %d: %+v", i, r)
		}
	}
	f.get("User", u.ID) // not deleted
	if n := f.count("User"); n != 3 {
		t.Errorf("%d users, want u, a and b", n)
	}
	// A forward reference brings its operation before the end.
	res = f.bulk(1, f.postGroup("g", "d"), miss, f.postUser("d"))
	wantStatuses(t, res, 201, 404, 201)
	// A fault that needs no store counts at its place.
	res = f.bulk(1, f.postUser("e"), scim.BulkOperation{Method: "GET", Path: "/Users"}, f.postUser("f"))
	wantStatuses(t, res, 201, 400, 0)
}

// TestBulkSameResource: several operations on one resource apply in their order, also when a reference puts one off.
func TestBulkSameResource(t *testing.T) {
	f := newFixture(t)
	g := f.group("g")
	rename := func(name string) scim.BulkOperation {
		return f.patchOp("/Groups/"+g.ID, "", `{"op":"replace","path":"displayName","value":"`+name+`"}`)
	}
	res := f.bulk(0, rename("1"),
		f.patchOp("/Groups/"+g.ID, "", `{"op":"replace","path":"displayName","value":"2"},{"op":"add","path":"members","value":[{"value":"bulkId:u"}]}`),
		rename("3"), f.postUser("u"),
		f.patchOp("/Groups/"+g.ID, `W/"4"`, `{"op":"replace","path":"displayName","value":"4"}`),
		f.patchOp("/Groups/"+g.ID, `W/"4"`, `{"op":"replace","path":"displayName","value":"5"}`),
		scim.BulkOperation{Method: "DELETE", Path: "/Groups/" + g.ID},
		rename("6"),
	)
	wantStatuses(t, res, 200, 200, 200, 201, 200, 412, 204, 404)
	for i, want := range []int64{2, 3, 4, 1, 5} {
		if res[i].Version != want {
			t.Errorf("operation %d left version %d, want %d", i, res[i].Version, want)
		}
	}
	var names []any
	for _, c := range f.changes() {
		for _, v := range c.Values {
			if c.Key.ID == g.ID && v.Path == "displayName" {
				names = append(names, v.New)
			}
		}
	}
	if want := []any{"g", "1", "2", "3", "4", nil}; !slices.Equal(names, want) {
		t.Errorf("the group was called %v, want %v", names, want)
	}
}

// TestBulkLocation: a failed operation tells the id of the resource that its path names by bulkId, once there is one.
func TestBulkLocation(t *testing.T) {
	f := newFixture(t)
	f.user("taken")
	stale := func(ref string) scim.BulkOperation {
		return f.patchOp("/Users/bulkId:"+ref, `W/"9"`, `{"op":"add","path":"title","value":"t"}`)
	}
	res := f.bulk(0, stale("a"), f.postUser("a"), stale("b"), f.post("User", "b", `"userName":"taken"`), stale("c"))
	wantStatuses(t, res, 412, 201, 409, 409, 400)
	for i, want := range []string{res[1].ID, res[1].ID, "", "", ""} {
		if res[i].ID != want {
			t.Errorf("operation %d: id %q, want %q", i, res[i].ID, want)
		}
	}
}

// TestBulkMany: thousands of operations, a long chain of references among them.
func TestBulkMany(t *testing.T) {
	f := newFixture(t)
	const n = 2000
	var ops []scim.BulkOperation
	for i := range n {
		ops = append(ops, f.postGroup(fmt.Sprint("g", i), fmt.Sprint("g", i+1)))
	}
	ops = append(ops, f.postGroup(fmt.Sprint("g", n)))
	for i, r := range f.bulk(1, ops...) {
		if r.Status != 201 {
			t.Fatalf("operation %d: %+v", i, r)
		}
	}
	if got := f.count("Group"); got != n+1 {
		t.Errorf("%d groups, want %d", got, n+1)
	}
	seen := map[string]bool{}
	for i, c := range f.changes() {
		for _, m := range c.MembersAdded {
			if !seen[m] {
				t.Fatalf("change %d: a group was created before its member", i)
			}
		}
		seen[c.Key.ID] = true
	}
}

func TestBulkRelaxations(t *testing.T) {
	f := newFixture(t)
	taken := f.user("taken")
	c := f.caller("entra")
	ops := []scim.BulkOperation{
		f.post("User", "a", `"userName":"a","active":"True"`),
		{Method: "POST", Path: "/groups", BulkID: "b", Data: f.body("Group", `"displayName":"x"`)},
		f.post("Group", "c", `"displayName":"X"`),
		{Method: "PUT", Path: "/Users/" + taken.ID, Data: f.body("User", `"userName":"t","roles":[{"value":"{\"value\":\"1\"}"}]`)},
	}
	res, err := f.svc.Bulk(t.Context(), c, ops, 0)
	if err != nil {
		t.Fatal(err)
	}
	wantStatuses(t, res, 201, 201, 409, 200)
	var names []string
	for _, r := range c.Compat.Used() {
		names = append(names, r.String())
	}
	if want := []string{"string_boolean", "lower_case_endpoint", "unique_group_name", "unpack_role_json"}; !slices.Equal(names, want) {
		t.Errorf("used %v, want %v", names, want)
	}
}

// TestBulkCanceled: a request that is over changes nothing more and has no results.
func TestBulkCanceled(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ops := []scim.BulkOperation{f.postUser("a"), f.post("User", "b", `"userName":"b","password":"correct horse"`)}
	res, err := f.svc.Bulk(ctx, f.caller("strict"), ops, 0)
	if !errors.Is(err, context.Canceled) || res != nil {
		t.Errorf("%v, %+v, want the context's error", err, res)
	}
	_, err = f.svc.Create(ctx, f.caller("strict"), f.typ("User"), f.doc("User", `"userName":"c","password":"correct horse"`), loadAll)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v, want the context's error", err)
	}
	if n := f.count("User"); n != 0 {
		t.Errorf("%d users were created", n)
	}
}
