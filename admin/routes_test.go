package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/lifecycle"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// answered is the answer to a try.
type answered struct {
	Code   int
	Body   *bytes.Buffer
	Header http.Header
}

// route is an operation with what testdata/routes.md says of it.
type route struct {
	id, method, path string
	actions          []string
	on, body         string
	schema           map[string]any // of its body; nil: none
}

// The words of routes.md that are no actions of the matrix.
const (
	forAnybody    = "anybody"
	forOperator   = "operator"
	forAnySubject = "any subject"
	forSignedIn   = "signed in"
)

// routeTable reads the operations of the document with their lines in routes.md; each must have one.
func routeTable(t *testing.T, doc map[string]any) []*route {
	t.Helper()
	text, err := os.ReadFile("testdata/routes.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 4 && cells[0] != "Operation" && !strings.HasPrefix(cells[0], "---") {
			lines[cells[0]] = cells
		}
	}
	var list []*route
	paths, _ := doc["paths"].(map[string]any)
	for path, methods := range paths {
		for method, op := range methods.(map[string]any) {
			o, _ := op.(map[string]any)
			r := &route{method: strings.ToUpper(method), path: path}
			r.id, _ = o["operationId"].(string)
			line := lines[r.id]
			if line == nil {
				t.Errorf("testdata/routes.md has no line for %s: say which action it is", r.id)
				continue
			}
			delete(lines, r.id)
			r.actions, r.on, r.body = strings.Split(line[1], "; "), line[2], line[3]
			if b, ok := o["requestBody"].(map[string]any); ok {
				content, _ := b["content"].(map[string]any)
				for _, media := range content {
					m, _ := media.(map[string]any)
					r.schema, _ = m["schema"].(map[string]any)
				}
			}
			list = append(list, r)
		}
	}
	for id := range lines {
		t.Errorf("testdata/routes.md has a line for %s, which is no operation", id)
	}
	slices.SortFunc(list, func(a, b *route) int { return strings.Compare(a.id, b.id) })
	return list
}

// actor is a kind of actor: a token, or a person of whom a new one is made for each try.
type actor struct {
	name, role string // role: of a person
	person     bool
	sub        lifecycle.Subject // without who it is
}

func actors() []actor {
	token := func(name, scope string) actor {
		return actor{name: name, sub: lifecycle.TokenSubject(scim.Caller{Org: "acme"}, &scim.Client{Scopes: []string{scope}})}
	}
	person := func(name, role string, kind lifecycle.Kind, rank int) actor {
		return actor{name: name, role: role, person: true, sub: lifecycle.Subject{Caller: scim.Caller{Org: "acme"}, Kind: kind, Rank: rank}}
	}
	return []actor{
		person("owner", "owner", lifecycle.KindOwner, lifecycle.RankOwner),
		person("adam", "admin", lifecycle.KindAdmin, lifecycle.RankAdmin),
		person("mara", "manager", lifecycle.KindManager, lifecycle.RankManager),
		person("mel", "member", lifecycle.KindMember, lifecycle.RankMember),
		token("admin", scim.ScopeAdmin),
		token("read", scim.ScopeAdminRead),
		token("members", scim.ScopeAdminMembers),
		token("invites", scim.ScopeAdminInvites),
		token("catalog", scim.ScopeAdminCatalog),
		token("clients", scim.ScopeAdminClients),
		token("scim", scim.ScopeSCIM),
		token("scim-invites", scim.TypeScope("/Invites", true)),
		token("operator", scim.ScopeOperator),
		{name: "", sub: lifecycle.Subject{Kind: lifecycle.KindPublic}},
		{name: "stranger", person: true, sub: lifecycle.Subject{Kind: lifecycle.KindPublic}},
	}
}

// ownOnly are the operations that find for members what they have made themselves, and nothing else.
func ownOnly() []string { return []string{"get-invite", "get-join-request"} }

// expected is what the matrix says. setting is that of what depends on a setting.
func (r *route) expected(a *actor, target lifecycle.Target) bool {
	known := a.sub.Kind != lifecycle.KindPublic && a.sub.Kind != lifecycle.KindIdP
	if r.on == "self" && !a.person {
		return false // a token is nobody
	}
	return slices.ContainsFunc(r.actions, func(act string) bool {
		switch act {
		case forAnybody:
			return true
		case forOperator:
			return a.sub.Kind == lifecycle.KindOperator
		case forAnySubject:
			return known
		case forSignedIn:
			return known || a.person
		}
		return known && lifecycle.Allowed(a.sub, lifecycle.Action(act), target) == nil
	})
}

// routeTest tries routes in one world, each time with things and people of its own.
type routeTest struct {
	*world
	doc   map[string]any
	org   scim.OrgID
	seen  storage.Position // how far the feed was read
	boss  string           // id of an owner whom nobody acts as
	tried int
}

// TestRoutes tries every operation of the document as every kind of actor, and as actors of another organization, and
// holds what is refused against the matrix. What is refused changes nothing.
func TestRoutes(t *testing.T) {
	w := newWorld(t, openSQLite, nil)
	x := &routeTest{world: w}
	if err := json.Unmarshal([]byte(w.doc.text), &x.doc); err != nil {
		t.Fatal(err)
	}
	routes := routeTable(t, x.doc)
	acme, err := w.Resources.Organization(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	x.org = acme.ID
	for _, on := range []bool{false, true} {
		x.settings(t, on)
		for _, r := range routes {
			if r.on == "change-request" && !on {
				continue // nobody can ask for a change then
			}
			if why, ok := strings.CutPrefix(r.on, "untried: "); ok {
				if !on {
					t.Logf("%s is not tried: %s", r.id, why)
				}
				continue
			}
			t.Run(fmt.Sprintf("%s/settings=%v", r.id, on), func(t *testing.T) {
				for _, a := range actors() {
					x.route(t, r, &a, on)
				}
				if on {
					x.foreign(t, r)
				}
			})
		}
	}
	t.Logf("%d operations, %d tries", len(routes), x.tried)
}

// settings turns on or off what the matrix leaves to settings.
func (x *routeTest) settings(t *testing.T, on bool) {
	t.Helper()
	body := fmt.Sprintf(`{"invite": {"byManagers": %[1]v, "byMembers": %[1]v, "maxPending": 100000}, "join": {"byManagers": %[1]v}, "occupation": {"selfService": %[1]v}}`, on)
	wantStatus(t, x.send(t, "admin", http.MethodPatch, "/api/v1/settings", body), http.StatusOK)
	body = `{"key": "large", "seats": {"limit": 0, "countPending": false}, "invitesPerDay": 100000}`
	wantStatus(t, x.send(t, "operator", http.MethodPut, "/api/v1/operator/organizations/acme/plan", body), http.StatusOK)
	if x.boss == "" {
		vars := map[string]string{"n": "0"}
		x.person(t, "boss", "owner", vars)
		x.boss = vars["self"]
	}
}

// person makes somebody with a role, and leaves the id in self.
func (x *routeTest) person(t *testing.T, name, role string, vars map[string]string) {
	t.Helper()
	s := userSeed(name, role, "")
	rec := x.try(t, s.who, s.method, s.path, fill(s.body, vars))
	if rec.Code != http.StatusCreated {
		t.Fatalf("no person %s: %d %s", name, rec.Code, rec.Body)
	}
	vars["self"] = textAt(t, rec.Body.Bytes(), "id")
}

// route tries an operation as one kind of actor.
func (x *routeTest) route(t *testing.T, r *route, a *actor, setting bool) {
	t.Helper()
	targets := []string{""}
	if r.on == "member" {
		targets = []string{"below", "above"}
		if a.person && a.sub.Kind != lifecycle.KindPublic {
			targets = append(targets, "self")
		}
	}
	for _, which := range targets {
		with := *a
		target := lifecycle.Target{Setting: setting}
		if a.person && a.sub.Kind != lifecycle.KindPublic {
			with.sub.User = "me"
		}
		switch {
		case which == "above":
			target.User, target.Rank = "boss", lifecycle.RankOwner
		case which == "self", r.on == "self":
			target.User, target.Rank = "me", a.sub.Rank
		case which == "below", r.on == "removed", r.on == "target", r.on == "transfer":
			target.User, target.Rank = "other", lifecycle.RankMember
		}
		want := r.expected(&with, target)
		if target.Setting = !setting; setting && r.on != "change-request" && r.expected(&with, target) == want {
			continue // has been tried: it does not depend on a setting
		}
		x.tryAs(t, r, a, which, want)
	}
}

// tryAs tries an operation on fresh things, as a fresh person or a token.
func (x *routeTest) tryAs(t *testing.T, r *route, a *actor, which string, want bool) {
	t.Helper()
	vars := x.next()
	who := a.name
	if a.person {
		who += vars["n"]
		if a.sub.Kind != lifecycle.KindPublic {
			x.person(t, a.name, a.role, vars)
		}
	}
	x.plant(t, r.on, vars)
	switch {
	case which == "above":
		vars["id"] = x.boss
	case which == "self", r.on == "self":
		vars["id"] = vars["self"]
	}
	x.feed(t)
	rec := x.call(t, r, who, vars)
	defer x.endJobs(t, r)
	name := fmt.Sprintf("%s as %s %s", r.id, a.name, which)
	refused, problem := refusedBy(r, rec, want)
	switch {
	case rec.Code == http.StatusNotFound && a.sub.Kind == lifecycle.KindMember && slices.Contains(ownOnly(), r.id):
	case problem != "":
		t.Errorf("%s: %s", name, problem)
	case refused == want:
		t.Errorf("%s: allowed %v by the matrix, answered %d %s", name, want, rec.Code, rec.Body)
	}
	if rows := x.feed(t); refused && len(rows) > 0 {
		t.Errorf("%s: was refused and changed %v", name, rows)
	}
}

// endJobs ends what an operation on jobs has left: an organization has few that are not over.
func (x *routeTest) endJobs(t *testing.T, r *route) {
	t.Helper()
	if r.on != "job" && r.id != "bulk-members" {
		return
	}
	var jobs struct{ Items []struct{ ID string } }
	rec := x.try(t, "admin", http.MethodGet, "/api/v1/jobs?count=1000", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &jobs); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs.Items {
		x.try(t, "admin", http.MethodPost, "/api/v1/jobs/"+j.ID+"/actions/cancel", "")
	}
}

// next begins another try, long enough after the one before it that no limit is in the way.
func (x *routeTest) next() map[string]string {
	x.tried++
	x.Advance(25 * time.Hour)
	return map[string]string{"n": strconv.Itoa(x.tried)}
}

// refusedBy tells a refusal for who asks from every other answer. What cannot come of a request that fits the document is a
// problem of the test. wanted says that it should be allowed: who may not see a thing is told that it is not there.
func refusedBy(r *route, rec *answered, wanted bool) (refused bool, problem string) {
	var p struct{ Code string }
	if rec.Code >= http.StatusBadRequest {
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
			return false, err.Error()
		}
	}
	switch rec.Code {
	case http.StatusUnauthorized:
		return true, ""
	case http.StatusForbidden:
		if slices.Contains([]string{"insufficient_scope", "not_allowed", "person_above_you", "role_above_yours", "not_a_member", "not_a_person"}, p.Code) {
			return true, ""
		}
	case http.StatusNotFound:
		switch {
		case !wanted:
			return true, ""
		case p.Code != "unknown_link":
			return false, "what the path names is not there: say in routes.md on what the operation acts"
		}
	case http.StatusOK:
		return r.method == http.MethodPost && strings.Contains(rec.Body.String(), `"code":"not_allowed"`), "" // of each thing that a batch names
	case http.StatusUnprocessableEntity, http.StatusMethodNotAllowed, http.StatusTooManyRequests:
		if p.Code == "sent_just_now" {
			return false, ""
		}
		return false, fmt.Sprintf("the request is not one that shows anything: give it a body in routes.md: %d %s", rec.Code, rec.Body)
	}
	if rec.Code >= http.StatusInternalServerError {
		return false, fmt.Sprintf("%d %s", rec.Code, rec.Body)
	}
	return false, ""
}

// call sends the request of a route.
func (x *routeTest) call(t *testing.T, r *route, who string, vars map[string]string) *answered {
	t.Helper()
	body := ""
	if r.schema != nil {
		if body = fill(r.body, vars); body == "" {
			b, err := json.Marshal(smallest(t, x.doc, r.schema, vars["n"]))
			if err != nil {
				t.Fatal(err)
			}
			body = string(b)
		}
	}
	path := maps.Clone(vars)
	path["organization"], path["key"], path["kind"], path["locale"] = "acme", "k"+vars["n"], "invite", "de"
	return x.try(t, who, r.method, adminRoot+fill(r.path, path), body)
}

// feed returns what was committed in acme since it was asked last, but for counters of limits and what keeps the audit trail.
func (x *routeTest) feed(t *testing.T) (rows []string) {
	t.Helper()
	for {
		list, err := x.Store.Changes(t.Context(), x.org, x.seen, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			x.seen = list[i].Position
			if t := list[i].Key.Type; t != resources.TypeLimit && t != resources.TypeRefusal && t != resources.TypeSeal {
				rows = append(rows, string(list[i].Op)+" "+string(list[i].Key.Type))
			}
		}
		if len(list) < 1000 {
			return rows
		}
	}
}

// foreign tries an operation as an actor of another organization, on things of acme: it learns nothing of them and changes
// nothing.
func (x *routeTest) foreign(t *testing.T, r *route) {
	t.Helper()
	for _, who := range []string{"other-admin", "other-operator", "other-scim"} {
		if who == "other-operator" && slices.Contains(r.actions, forOperator) {
			continue // serves all organizations
		}
		x.endJobs(t, r)
		vars := x.next()
		x.plant(t, r.on, vars)
		x.feed(t)
		rec := x.call(t, r, who, vars)
		if strings.Contains(rec.Body.String(), "zacme") {
			t.Errorf("%s as %s shows something of another organization: %s", r.id, who, rec.Body)
		}
		named := strings.Contains(r.path, "{") && !slices.Contains(r.actions, forAnybody) && r.on != "-"
		if r.id == "list-member-clients" && strings.Contains(rec.Body.String(), `"items":[]`) {
			continue // nobody has none
		}
		if r.id == "check-access" && strings.Contains(rec.Body.String(), `"unknown"`) {
			continue // is what it says of whoever is not there
		}
		if named && rec.Code != http.StatusNotFound && rec.Code != http.StatusForbidden {
			t.Errorf("%s as %s: %d %s", r.id, who, rec.Code, rec.Body)
		}
		if rows := x.feed(t); len(rows) > 0 {
			t.Errorf("%s as %s changed %v of another organization", r.id, who, rows)
		}
	}
}
