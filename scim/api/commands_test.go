package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/mongotest"
	"rollcall/storage"
	"rollcall/storage/mongo"
)

// commandLog counts what the store sends to MongoDB.
type commandLog struct {
	mu sync.Mutex
	n  map[string]int
}

func (l *commandLog) tell(e mongo.Event) {
	if e.Command {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.n[e.Op]++
	}
}

// take returns the counts so far and begins anew.
func (l *commandLog) take() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := maps.Clone(l.n)
	clear(l.n)
	return n
}

// TestCommandsMongoDB: what each request costs in commands to the database, so that none gets dearer unnoticed. What
// each command is for: docs/mongodb.md.
func TestCommandsMongoDB(t *testing.T) {
	mongotest.URI(t)
	seen := &commandLog{n: map[string]int{}}
	var clock sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	pass := func(d time.Duration) {
		clock.Lock()
		defer clock.Unlock()
		now = now.Add(d)
	}
	w := newWorld(t, func(t testing.TB, types []storage.Type) storage.Store {
		uri, name := mongotest.Database(t)
		s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Types: types, Observer: seen.tell, Now: func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			return now
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}, nil)
	create := func(path, body string) string {
		rec := w.do(t, "acme", http.MethodPost, path, body)
		var r struct{ ID string }
		if err := json.Unmarshal(rec.Body.Bytes(), &r); rec.Code != http.StatusCreated || err != nil {
			t.Fatalf("POST %s: %d %s", path, rec.Code, rec.Body)
		}
		return r.ID
	}
	user := func(name string) string {
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s@example.com","displayName":"%[1]s"}`, name)
	}
	group := func(name string, members ...string) string {
		var list []string
		for _, m := range members {
			list = append(list, `{"value":"`+m+`"}`)
		}
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"%s","members":[%s]}`, name, strings.Join(list, ","))
	}
	patch := func(op string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + op + `]}`
	}
	bulk := func(n int) string {
		var ops []string
		for i := range n {
			ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"u%d","data":%s}`, i, user(fmt.Sprintf("bulk%d-%d", n, i))))
		}
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + strings.Join(ops, ",") + `]}`
	}
	alone, one, deep, bystander := create("/Users", user("alone")), create("/Users", user("one")), create("/Users", user("deep")), create("/Users", user("bystander"))
	team, inner := create("/Groups", group("team", one)), create("/Groups", group("inner", deep))
	create("/Groups", group("outer", inner))
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("99999999-0000-7000-8000-%012d", i))
	}
	crowd := create("/Groups", group("crowd", many...))
	w.service.Close() // waits for what it does beside requests: the use of the token is noted once

	for _, c := range []struct {
		name, method, path, body string
		want                     map[string]int
	}{
		{"get", "GET", "/Users/" + alone, "", map[string]int{"find": 2}},
		{"get, in a group", "GET", "/Users/" + one, "", map[string]int{"find": 3}},
		{"get, in a group in a group", "GET", "/Users/" + deep, "", map[string]int{"find": 5}},
		{"get without groups", "GET", "/Users/" + one + "?excludedAttributes=groups", "", map[string]int{"find": 1}},
		{"userName eq", "GET", "/Users?filter=userName+eq+%22alone@example.com%22", "", map[string]int{"find": 2}},
		{"userName eq, in a group", "GET", "/Users?filter=userName+eq+%22one@example.com%22", "", map[string]int{"find": 3}},
		{"userName eq, nobody", "GET", "/Users?filter=userName+eq+%22nobody@example.com%22", "", map[string]int{"find": 1}},
		{"list, all of it", "GET", "/Users", "", map[string]int{"find": 5}},
		{"list, first page", "GET", "/Users?count=1", "", map[string]int{"find": 3, "aggregate": 1}},
		{"a group", "GET", "/Groups/" + team, "", map[string]int{"find": 3}},
		{"create", "POST", "/Users", user("new"), map[string]int{"update": 1, "insert": 2, "commitTransaction": 1}},
		{"PATCH", "PATCH", "/Users/" + alone, patch(`{"op":"replace","value":{"title":"Nurse"}}`), map[string]int{"find": 2, "update": 1, "insert": 1, "commitTransaction": 1}},
		{"PATCH, in a group", "PATCH", "/Users/" + one, patch(`{"op":"replace","value":{"title":"Nurse"}}`), map[string]int{"find": 3, "update": 1, "insert": 1, "commitTransaction": 1}},
		{"PATCH that changes nothing", "PATCH", "/Users/" + alone, patch(`{"op":"replace","value":{"title":"Nurse"}}`), map[string]int{"find": 2}},
		{"PUT", "PUT", "/Users/" + alone, user("alone"), map[string]int{"find": 2, "update": 1, "insert": 1, "commitTransaction": 1}},
		{"add a member", "PATCH", "/Groups/" + team, patch(`{"op":"add","path":"members","value":[{"value":"` + alone + `"}]}`), map[string]int{"find": 4, "update": 1, "findAndModify": 1, "insert": 2, "commitTransaction": 1}},
		{"remove a member", "PATCH", "/Groups/" + team, patch(`{"op":"remove","path":"members[value eq \"` + alone + `\"]"}`), map[string]int{"find": 4, "update": 1, "delete": 1, "insert": 1, "commitTransaction": 1}},
		{"add a member to many", "PATCH", "/Groups/" + crowd, patch(`{"op":"add","path":"members","value":[{"value":"` + alone + `"}]}`), map[string]int{"find": 3, "update": 1, "findAndModify": 1, "insert": 2, "commitTransaction": 1}},
		{"delete", "DELETE", "/Users/" + bystander, "", map[string]int{"find": 2, "update": 1, "delete": 2, "insert": 1, "commitTransaction": 1}},
		{"delete, in a group", "DELETE", "/Users/" + alone, "", map[string]int{"find": 3, "update": 2, "delete": 3, "insert": 1, "commitTransaction": 1}},
		// 64 operations share a transaction of four commands.
		{"Bulk of 64", "POST", "/Bulk", bulk(64), map[string]int{"update": 1, "insert": 2, "commitTransaction": 1}},
		{"Bulk of 256", "POST", "/Bulk", bulk(256), map[string]int{"update": 4, "insert": 8, "commitTransaction": 4}},
	} {
		seen.take()
		rec := w.do(t, "acme", c.method, c.path, c.body)
		if rec.Code >= 300 {
			t.Fatalf("%s: %d %s", c.name, rec.Code, rec.Body)
		}
		if diff := cmp.Diff(c.want, seen.take()); diff != "" {
			t.Errorf("%s: commands (-want +got)\n%s", c.name, diff)
		}
	}
	// The token was read once; a second later it is read again.
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{999 * time.Millisecond, 0}, {time.Millisecond, 1}, {0, 0}} {
		pass(c.after)
		seen.take()
		w.do(t, "acme", http.MethodGet, "/Users/"+one+"?excludedAttributes=groups", "")
		if got := seen.take()["find"]; got != 1+c.want {
			t.Errorf("%v later a read takes %d commands, want %d", c.after, got, 1+c.want)
		}
	}
}
