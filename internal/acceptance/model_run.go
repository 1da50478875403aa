package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	modelSteps = 300 // requests of one run, a Bulk request counts once
	modelEvery = 30  // after so many everything is compared
	modelNames = 40  // userNames and displayNames, few enough to be taken now and then
)

// Model sends random requests to a server and does the same in memory; status, versions and, now and then, all that
// a client can read must agree. The seed says which requests: it is all that is needed to see a failure again.
func Model(t *testing.T, s Server, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	r := &modelRun{
		T: t, client: newClient(s, auto), model: newModel(), rand: rand.New(rand.NewPCG(seed, 0)),
		seen: map[string]modelSeen{},
	}
	for i := range 3 {
		r.strangers = append(r.strangers, fmt.Sprintf("abcdef00-0000-4000-8000-%012d", i))
	}
	for i := range modelSteps {
		if r.rand.IntN(4) == 0 {
			r.bulk()
		} else {
			r.single()
		}
		if (i+1)%modelEvery == 0 {
			r.compare()
		}
		if t.Failed() {
			t.Fatalf("after %d requests of seed %d", i+1, seed)
		}
	}
	t.Logf("%d users, %d groups, %d deleted", len(r.model.users), len(r.model.groups), len(r.model.deleted))
}

// modelSeed is another one each time, and ROLLCALL_MODEL_SEED to see a failure again.
func modelSeed(t *testing.T) uint64 {
	t.Helper()
	text, ok := os.LookupEnv("ROLLCALL_MODEL_SEED")
	if !ok {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ROLLCALL_MODEL_SEED: %v", err)
	}
	return seed
}

type modelRun struct {
	*testing.T
	client    *client
	model     *model
	rand      *rand.Rand
	strangers []string // ids that no resource has
	seen      map[string]modelSeen
}

// single sends one operation as a request of its own.
func (r *modelRun) single() {
	r.Helper()
	op := r.operation(nil)
	status, version := r.model.apply(op)
	req := request{method: op.method, path: op.path()}
	if body := op.body(r.rand); body != nil {
		req.body = encode(r.T, body)
	}
	if op.ifMatch != 0 {
		tag := etag(op.ifMatch)
		req.header = map[string]*string{"If-Match": &tag}
	}
	got, err := r.client.do(r.T, req)
	if err != nil {
		r.Fatal(err)
	}
	if got.status != status {
		r.Fatalf("%s %s %s: status %d, want %d: %s", op.method, op.path(), req.body, got.status, status, got.raw)
	}
	if status == http.StatusCreated {
		r.model.rename(op.as, got.text("id"))
	}
	if version > 0 && got.header.Get("ETag") != etag(version) {
		r.Fatalf("%s %s %s: %s, want version %d: %s", op.method, op.path(), req.body, got.header.Get("ETag"), version, got.raw)
	}
}

// bulk sends several operations, some of which refer to those before them.
func (r *modelRun) bulk() {
	r.Helper()
	type outcome struct {
		op              *modelOp
		status, version int
	}
	var (
		want    []outcome
		list    []any
		created []*modelOp
	)
	for range 1 + r.rand.IntN(12) {
		op := r.operation(created)
		o := outcome{op: op}
		if refersToFailed(op, r.model) {
			continue
		}
		o.status, o.version = r.model.apply(op)
		item := map[string]any{"method": op.method, "path": op.path()}
		if op.method == http.MethodPost {
			item["bulkId"] = strings.TrimPrefix(op.as, "bulkId:")
			if o.status == http.StatusCreated {
				created = append(created, op)
			}
		}
		if op.ifMatch != 0 {
			item["version"] = etag(op.ifMatch)
		}
		if body := op.body(r.rand); body != nil {
			item["data"] = body
		}
		want, list = append(want, o), append(list, item)
	}
	body := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": list}
	if list == nil {
		return
	}
	got := r.client.send(r.T, http.MethodPost, "/Bulk", body, http.StatusOK)
	results, _ := lookup(got.body, "Operations").([]any)
	if len(results) != len(want) {
		r.Fatalf("%d results of %d operations: %s", len(results), len(want), got.raw)
	}
	for i, o := range want {
		if status := lookup(results[i], "status"); status != fmt.Sprint(o.status) {
			r.Fatalf("operation %d: status %v, want %d\n%s\n%s", i, status, o.status, encode(r.T, body), got.raw)
		}
		if version := lookup(results[i], "version"); o.version > 0 && version != etag(o.version) {
			r.Fatalf("operation %d: %v, want version %d\n%s\n%s", i, version, o.version, encode(r.T, body), got.raw)
		}
		if o.status == http.StatusCreated {
			location, _ := lookup(results[i], "location").(string)
			r.model.rename(o.op.as, location[strings.LastIndex(location, "/")+1:])
		}
	}
}

// refersToFailed reports whether an operation names a bulkId whose resource an earlier one has deleted again: it
// would be kept as a member that no resource has, under an id that the model has no name for.
func refersToFailed(op *modelOp, m *model) bool {
	for _, s := range op.members {
		for _, id := range s.ids {
			if strings.HasPrefix(id, "bulkId:") && m.users[id] == nil && m.groups[id] == nil {
				return true
			}
		}
	}
	return false
}

func etag(version int) string { return fmt.Sprintf(`W/"%d"`, version) }

// operation makes one up. created are POSTs of the same Bulk request.
func (r *modelRun) operation(created []*modelOp) *modelOp {
	op := &modelOp{typ: "User", text: map[string]string{}}
	if r.rand.IntN(3) == 0 {
		op.typ = "Group"
	}
	n := r.rand.IntN(20)
	switch {
	case n < 5:
		op.method = http.MethodPost
	case n < 9:
		op.method = http.MethodPut
	case n < 17:
		op.method = http.MethodPatch
	default:
		op.method = http.MethodDelete
	}
	if op.method != http.MethodPost {
		op.id, op.ifMatch = r.target(op.typ, created)
	}
	if op.method == http.MethodDelete {
		return op
	}
	whole := op.method != http.MethodPatch
	name := map[string]string{"User": "userName", "Group": "displayName"}[op.typ]
	if whole || r.rand.IntN(4) == 0 {
		op.text[name] = r.word(name, modelNames)
	}
	for _, name := range []string{"externalId", "title"} {
		if r.rand.IntN(3) == 0 && (name != "title" || op.typ == "User") {
			if op.text[name] = r.word(name, 5); !whole && r.rand.IntN(3) == 0 {
				op.text[name] = "" // removed
			}
		}
	}
	if op.typ == "User" && r.rand.IntN(3) == 0 {
		active := r.rand.IntN(2) == 0
		op.active = &active
	}
	if op.typ == "Group" {
		op.members = r.memberSteps(op.method, created)
	}
	if !whole {
		op.fails = r.rand.IntN(10) == 0
		if len(op.text) == 0 && op.active == nil && len(op.members) == 0 && !op.fails {
			op.text["externalId"] = "e"
		}
	}
	return op
}

func (r *modelRun) memberSteps(method string, created []*modelOp) []memberStep {
	some := func() []string {
		var ids []string
		for range r.rand.IntN(4) {
			ids = append(ids, r.member(created))
		}
		return ids
	}
	if method != http.MethodPatch {
		if r.rand.IntN(3) == 0 {
			return nil
		}
		return []memberStep{{"replace", some()}}
	}
	var steps []memberStep
	for range r.rand.IntN(4) {
		s := memberStep{[]string{"add", "add", "remove", "remove", "replace"}[r.rand.IntN(5)], some()}
		if len(s.ids) > 0 || s.op == "replace" {
			steps = append(steps, s)
		}
	}
	return steps
}

// word returns one of a few values, in one of the cases that a value may be written in.
func (r *modelRun) word(name string, n int) string {
	w := fmt.Sprint(name, r.rand.IntN(n))
	if r.rand.IntN(4) == 0 {
		return strings.ToUpper(w)
	}
	return w
}

// target picks a resource to change, now and then one that is not there or of the other type.
func (r *modelRun) target(typ string, created []*modelOp) (id string, ifMatch int) {
	ids := find(r.model.users, func(string, *modelUser) bool { return typ == "User" })
	ids = append(ids, find(r.model.groups, func(string, *modelGroup) bool { return typ == "Group" })...)
	ids = slices.DeleteFunc(ids, func(id string) bool { return strings.HasPrefix(id, "bulkId:") })
	for _, op := range created {
		// A resource that the request has deleted again cannot be named any more than one that it failed to create.
		if op.typ == typ && (r.model.users[op.as] != nil || r.model.groups[op.as] != nil) {
			ids = append(ids, op.as)
		}
	}
	if len(ids) == 0 || r.rand.IntN(15) == 0 {
		return r.strangers[r.rand.IntN(len(r.strangers))], 0
	}
	id = ids[r.rand.IntN(len(ids))]
	if r.rand.IntN(4) == 0 {
		ifMatch = 1 + r.rand.IntN(3)
		if u := r.model.users[id]; u != nil && r.rand.IntN(2) == 0 {
			ifMatch = u.version
		}
	}
	return id, ifMatch
}

// member picks an id for a list of members.
func (r *modelRun) member(created []*modelOp) string {
	if len(created) > 0 && r.rand.IntN(2) == 0 {
		return created[r.rand.IntN(len(created))].as
	}
	ids := find(r.model.users, func(id string, _ *modelUser) bool { return !strings.HasPrefix(id, "bulkId:") })
	ids = append(ids, find(r.model.groups, func(id string, _ *modelGroup) bool { return !strings.HasPrefix(id, "bulkId:") })...)
	if len(ids) == 0 || r.rand.IntN(8) == 0 {
		return r.outsider()
	}
	return ids[r.rand.IntN(len(ids))]
}

// outsider returns an id that no resource has, or has no more, or that is another one's but for its case.
func (r *modelRun) outsider() string {
	gone := slices.DeleteFunc(slices.Clone(r.model.deleted), func(id string) bool { return strings.HasPrefix(id, "bulkId:") })
	switch {
	case len(gone) > 0 && r.rand.IntN(2) == 0:
		return gone[r.rand.IntN(len(gone))]
	case r.rand.IntN(4) == 0:
		return strings.ToUpper(r.strangers[0])
	default:
		return r.strangers[r.rand.IntN(len(r.strangers))]
	}
}
