package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rollcall/scim/compat"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// relaxation is one compat rule as a client meets it: a request, and the answers with the rule and without.
type relaxation struct {
	with    string // the profile that allows the rule; empty is auto
	without string // the one that does not; empty is strict
	// send makes the request; n is a number that no other call gets.
	send           func(t *testing.T, c *client, n int) *reply
	allowed, other answer
}

// answer is what is wanted: a status, and checks of the body or, for an error, the scimTypes that it may have.
type answer struct {
	status int
	wants  [][]any
	types  []string
}

func (a answer) check(t *testing.T, profile string, got *reply) {
	t.Helper()
	if a.status >= http.StatusBadRequest {
		if err := got.failure(a.status, a.types...); err != nil {
			t.Errorf("%s: %v", profile, err)
		}
		return
	}
	if got.status != a.status {
		t.Errorf("%s: status %d, want %d: %s", profile, got.status, a.status, got.raw)
	}
	got.must(t, a.wants...)
}

// notOverHTTP are the rules that no request to the built-in resource types can meet.
func notOverHTTP() map[compat.Rule]string {
	return map[compat.Rule]string{
		compat.StringNumber: "no attribute of User or Group is a number; the schema package tests it on a made-up type",
	}
}

// Relaxations shows for every rule that its profile allows it and that another refuses what it is about.
func Relaxations(t *testing.T, s Server) {
	count := tally{name: "relaxations"}
	cases, exempt := relaxations(), notOverHTTP()
	n := 0
	for _, rule := range compat.Rules() {
		if _, ok := exempt[rule]; ok {
			continue
		}
		count.total++
		t.Run(rule.String(), func(t *testing.T) {
			r, ok := cases[rule]
			if !ok {
				t.Fatal("no case shows this rule")
			}
			if r.with == "" {
				r.with, r.without = auto, strict
			}
			n++
			r.allowed.check(t, r.with, r.send(t, newClient(s, r.with), n))
			n++
			r.other.check(t, r.without, r.send(t, newClient(s, r.without), n))
			if !t.Failed() {
				count.passed++
			}
		})
	}
	count.log(t)
}

// post creates a resource with members more than those that it must have.
func post(endpoint string, more func(n int) map[string]any) func(*testing.T, *client, int) *reply {
	return func(t *testing.T, c *client, n int) *reply {
		body := map[string]any{"schemas": []string{userSchema}, "userName": fmt.Sprintf("relaxed.%d", n)}
		if endpoint == "/Groups" {
			body = map[string]any{"schemas": []string{groupSchema}, "displayName": fmt.Sprintf("relaxed %d", n)}
		}
		maps.Copy(body, more(n))
		return c.try(t, request{method: http.MethodPost, path: endpoint, body: encode(t, body)})
	}
}

func with(name string, value any) func(int) map[string]any {
	return func(int) map[string]any { return map[string]any{name: value} }
}

// patchUser patches a user that has a department and a home address.
func patchUser(operations ...map[string]any) func(*testing.T, *client, int) *reply {
	return func(t *testing.T, c *client, n int) *reply {
		id := createUser(t, c, fmt.Sprintf("relaxed.%d", n), map[string]any{
			"schemas": []string{userSchema, enterprise}, enterprise: map[string]any{"department": "D"},
			"emails": []any{map[string]any{"value": "h@x.example", "type": "home"}},
		}).text("id")
		if operations == nil {
			operations = []map[string]any{}
		}
		return c.try(t, request{method: http.MethodPatch, path: "/Users/" + id, body: encode(t, patchOf(operations...))})
	}
}

// try is do for requests whose answer may be an error.
func (c *client) try(t testing.TB, r request) *reply {
	t.Helper()
	res, err := c.do(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// relaxations gives every rule its request; docs/clients.md says whose it is.
func relaxations() map[compat.Rule]relaxation {
	op := func(op, path string, value any) map[string]any {
		m := map[string]any{"op": op}
		if path != "" {
			m["path"] = path
		}
		if value != nil {
			m["value"] = value
		}
		return m
	}
	ok := func(wants ...[]any) answer { return answer{status: http.StatusOK, wants: wants} }
	created := func(wants ...[]any) answer { return answer{status: http.StatusCreated, wants: wants} }
	bad := func(types ...string) answer { return answer{status: http.StatusBadRequest, types: types} }
	conflict := answer{status: http.StatusConflict, types: []string{"uniqueness"}}

	const manager = "01999999-0000-7000-8000-00000000000a"
	managerIs := ok([]any{[]any{enterprise, "manager", "value"}, "eq", manager})
	const packed = `{"id":"06b0","value":"25","displayName":"Role1234"}`
	primaries := []any{
		map[string]any{"value": "a@x.example", "primary": true}, map[string]any{"value": "b@x.example", "primary": true},
	}
	return map[compat.Rule]relaxation{
		compat.OpCase: {
			send:    patchUser(op("Replace", "title", "T")),
			allowed: ok([]any{"title", "eq", "T"}), other: bad("invalidSyntax"),
		},
		compat.StringBoolean: {
			send:    post("/Users", with("active", "False")),
			allowed: created([]any{"active", "eq", false}), other: bad("invalidValue"),
		},
		compat.CreateOnReplace: {
			with: "entra", without: auto,
			send: patchUser(op("replace", `emails[type eq "work"].value`, "w@x.example")),
			allowed: ok([]any{"emails", "any", map[string]any{"value": "w@x.example", "type": "work"}},
				[]any{"emails", "len", 2}),
			other: bad("noTarget"),
		},
		compat.RemoveWithValue:  {send: removeWithValue, allowed: ok([]any{"members", "len", 1}), other: bad("invalidValue", "invalidSyntax")},
		compat.BareComplexValue: {send: patchUser(op("add", enterprise+":manager", manager)), allowed: managerIs, other: bad("invalidValue")},
		compat.UnwrapSingleElement: {
			send:    patchUser(op("add", enterprise+":manager", []any{map[string]any{"value": manager}})),
			allowed: managerIs, other: bad("invalidValue"),
		},
		compat.WrapSingleValue: {
			send:    post("/Users", with("emails", map[string]any{"value": "a@x.example"})),
			allowed: created([]any{"emails", "len", 1}), other: bad("invalidValue"),
		},
		compat.IgnoreReadOnlyInValue: {
			send:    patchUser(op("replace", "", map[string]any{"id": "x", "displayName": "N"})),
			allowed: ok([]any{"displayName", "eq", "N"}), other: bad("mutability"),
		},
		compat.IgnoreUnknownAttributes: {
			send:    post("/Users", with("favouriteColour", "blue")),
			allowed: created([]any{"favouriteColour", "absent", true}), other: bad("invalidValue", "invalidSyntax"),
		},
		compat.InferExtension: {
			send:    post("/Users", with(enterprise, map[string]any{"department": "D"})),
			allowed: created([]any{"schemas", "contains", enterprise}), other: bad("invalidValue", "invalidSyntax"),
		},
		compat.IgnoreUnknownSchemas: {
			send: post("/Groups", with("schemas", []string{
				groupSchema, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
			})),
			allowed: created([]any{"schemas", "eq", []any{groupSchema}}), other: bad("invalidValue", "invalidSyntax"),
		},
		compat.DottedKeys: {
			send:    patchUser(op("replace", "", map[string]any{"name.givenName": "G", enterprise + ":employeeNumber": "7"})),
			allowed: ok([]any{"name.givenName", "eq", "G"}, []any{[]any{enterprise, "employeeNumber"}, "eq", "7"}),
			other:   bad("invalidPath", "invalidValue"),
		},
		compat.URNDotPath: {
			with: "entra", without: auto,
			send:    patchUser(op("replace", enterprise+".department", "E")),
			allowed: ok([]any{[]any{enterprise, "department"}, "eq", "E"}), other: bad("invalidPath"),
		},
		compat.UnprefixedExtension: {
			send: func(t *testing.T, c *client, _ int) *reply {
				return c.try(t, request{method: http.MethodGet, path: "/Users", query: url.Values{"filter": {`department eq "none"`}}})
			},
			allowed: ok([]any{"totalResults", "eq", 0}), other: bad("invalidFilter"),
		},
		compat.EmptyOperations: {with: "entra", without: auto, send: patchUser(), allowed: ok(), other: bad("invalidSyntax", "invalidValue")},
		compat.NullReference: {
			send:    patchUser(op("replace", enterprise+":manager", map[string]any{"value": ""})),
			allowed: ok([]any{[]any{enterprise, "manager"}, "absent", true}), other: bad("invalidValue"),
		},
		compat.MissingContentType: {
			send: func(t *testing.T, c *client, n int) *reply {
				body := encode(t, map[string]any{"schemas": []string{userSchema}, "userName": fmt.Sprintf("relaxed.%d", n)})
				return c.try(t, request{
					method: http.MethodPost, path: "/Users", body: body, header: map[string]*string{"Content-Type": nil},
				})
			},
			allowed: created(), other: answer{status: http.StatusUnsupportedMediaType},
		},
		compat.LowerCaseEndpoint: {
			send: func(t *testing.T, c *client, _ int) *reply {
				return c.try(t, request{method: http.MethodGet, path: "/users"})
			},
			allowed: ok(), other: answer{status: http.StatusNotFound},
		},

		// The rules of single clients change what a request means, so the other side is the default profile.
		compat.FirstPrimaryWins: {
			with: "ping", without: auto, send: post("/Users", with("emails", primaries)),
			allowed: created([]any{"emails", "any", map[string]any{"value": "a@x.example", "primary": true}},
				[]any{"emails", "len", 2}, []any{"emails[1].primary", "ne", true}),
			other: bad("invalidValue"),
		},
		compat.UniqueGroupName: {
			with: "entra", without: auto, send: func(t *testing.T, c *client, n int) *reply {
				name := fmt.Sprintf("Twins %d", n)
				createGroup(t, c, name, nil)
				return post("/Groups", with("displayName", strings.ToUpper(name)))(t, c, n)
			},
			allowed: conflict, other: created(),
		},
		compat.ReactivateOnCreate: {
			with: "okta", without: auto, send: func(t *testing.T, c *client, n int) *reply {
				createUser(t, c, fmt.Sprintf("relaxed.%d", n), map[string]any{"active": false})
				return post("/Users", with("title", "back"))(t, c, n)
			},
			allowed: created([]any{"active", "eq", true}, []any{"title", "eq", "back"}), other: conflict,
		},
		compat.UnpackRoleJSON: {
			with: "entra", without: auto, send: post("/Users", with("roles", []any{map[string]any{"value": packed}})),
			allowed: created([]any{"roles[0].value", "eq", "25"}, []any{"roles[0].display", "eq", "Role1234"}),
			other:   created([]any{"roles[0].value", "eq", packed}),
		},
	}
}

func removeWithValue(t *testing.T, c *client, n int) *reply {
	a := createUser(t, c, fmt.Sprintf("relaxed.a.%d", n), nil).text("id")
	b := createUser(t, c, fmt.Sprintf("relaxed.b.%d", n), nil).text("id")
	g := createGroup(t, c, fmt.Sprintf("relaxed %d", n), []map[string]any{{"value": a}, {"value": b}}).text("id")
	body := patchOf(map[string]any{"op": "remove", "path": "members", "value": []any{map[string]any{"value": a}}})
	return c.try(t, request{method: http.MethodPatch, path: "/Groups/" + g, body: encode(t, body)})
}

// Recognition shows that under auto a replace of what is not there is refused as the RFC demands, unless the request
// shows itself to be Entra's.
func Recognition(t *testing.T, s Server) {
	c := newClient(s, auto)
	const path = `emails[type eq "work"].value`
	for n, tt := range []struct {
		name, op string
		query    url.Values
		status   int
	}{
		{"anybody", "replace", nil, http.StatusBadRequest},
		{"the spelling of op", "Replace", nil, http.StatusOK},
		{"the flag in the query", "replace", url.Values{"aadOptscim062020": {""}}, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := createUser(t, c, fmt.Sprintf("recognized.%d", n), nil).text("id")
			body := patchOf(map[string]any{"op": tt.op, "path": path, "value": "w@x.example"})
			got := c.try(t, request{method: http.MethodPatch, path: "/Users/" + id, query: tt.query, body: encode(t, body)})
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
		})
	}
}
