package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/sqlite"
)

const (
	// crashRounds is how often the server is killed; ROLLCALL_TEST_CRASH_ROUNDS overrides it.
	crashRounds = 100
	// crashRoundsRace is the same for a build with the race detector.
	crashRoundsRace = 5
	crashWriters    = 4
	// crashStarts is how often, after that, it is killed while it starts on an empty directory.
	crashStarts = 3
)

// TestCrash kills the server with -9 under concurrent writes, again and again on one data directory, and proves after
// each time that everything that was acknowledged is there with its change row, and that nothing is there by half.
func TestCrash(t *testing.T) {
	rounds := crashRounds
	if raceEnabled {
		rounds = crashRoundsRace
	}
	if text := os.Getenv("ROLLCALL_TEST_CRASH_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("ROLLCALL_TEST_CRASH_ROUNDS: %q is no number of rounds", text)
		}
		rounds = n
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &crash{
		dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)),
		users: map[string]*crashUser{}, attempted: map[string]bool{}, members: map[string]bool{},
	}
	c.createGroup(t)
	for round := range rounds {
		c.round(t, round)
		c.verify(t)
		if t.Failed() {
			t.Fatalf("in round %d of %d", round+1, rounds)
		}
	}
	c.verifyAll(t)
	t.Logf("%d kills: %d acknowledged writes of %d users and %d members, all there; %d writes in flight were kept whole, %d not at all",
		rounds, c.acknowledged, len(c.users), len(c.members), c.kept, c.lost)
	if c.acknowledged < rounds {
		t.Errorf("only %d writes in %d rounds: the test tests nothing", c.acknowledged, rounds)
	}
}

// TestCrashWhileStarting: a first start that is killed at any moment leaves a directory that the next one can use.
func TestCrashWhileStarting(t *testing.T) {
	for range crashStarts {
		dir := t.TempDir()
		for range 3 {
			p := launch(t, dir, t.TempDir())
			moment := time.NewTimer(rand.N(60 * time.Millisecond))
			select {
			case <-moment.C:
			case err := <-p.done:
				p.done <- err
			}
			p.kill()
		}
		p := startServer(t, dir)
		if _, err := send(http.DefaultClient, p, http.MethodPost, "/Users", userJSON("ada")); err != nil {
			t.Error(err)
		}
		p.kill()
	}
}

// crash is the run of one crash test and what it knows to be true.
type crash struct {
	dir    string
	random *rand.Rand
	group  string // its id

	mu        sync.Mutex
	users     map[string]*crashUser // by id; everything acknowledged
	attempted map[string]bool       // userNames that were sent, acknowledged or not
	members   map[string]bool       // ids that were acknowledged as members of the group
	acks      atomic.Int64          // of this round
	fresh     []*crashUser          // users of this round
	inFlight  []*write              // of this round: sent, and neither acknowledged nor refused

	position     storage.Position // how far the feed was verified
	acknowledged int
	kept, lost   int
}

// crashUser is a user as it was acknowledged last.
type crashUser struct {
	id, userName, displayName string
	version                   int64
}

// write is a write that was sent when the server was killed.
type write struct {
	kind              string // "create", "patch" or "member"
	user              *crashUser
	name, displayName string
}

// answer is what is read of a resource in an answer.
type answer struct {
	ID   string `json:"id"`
	Meta struct {
		Version string `json:"version"`
	} `json:"meta"`
}

// send sends a request and returns what was acknowledged; an answer other than 2xx is an error.
func send(client *http.Client, p *process, method, path, body string) (*answer, error) {
	req, err := p.request(method, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, &refused{resp.Status, string(text)}
	}
	a := &answer{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, a); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// refused is an answer that acknowledges nothing.
type refused struct{ status, text string }

func (e *refused) Error() string { return e.status + ": " + e.text }

func (c *crash) createGroup(t *testing.T) {
	t.Helper()
	p := startServer(t, c.dir)
	a, err := send(http.DefaultClient, p, http.MethodPost, "/Groups",
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"everybody"}`)
	if err != nil {
		t.Fatal(err)
	}
	c.group = a.ID
	p.kill()
}

// round starts the server, lets writers write and kills it when a number of writes drawn by chance is acknowledged,
// and a moment later: while the other writers wait for theirs.
func (c *crash) round(t *testing.T, round int) {
	t.Helper()
	p := startServer(t, c.dir)
	c.acks.Store(0)
	c.fresh, c.inFlight = nil, nil
	enough := int64(1 + c.random.IntN(40))
	moment := time.Duration(c.random.Int64N(int64(3 * time.Millisecond)))
	reached := make(chan struct{})
	var once sync.Once
	var writers sync.WaitGroup
	for w := range crashWriters {
		random := rand.New(rand.NewPCG(c.random.Uint64(), uint64(w)))
		writers.Go(func() {
			c.write(t, p, fmt.Sprintf("r%d-w%d", round, w), random, func() {
				if c.acks.Add(1) >= enough {
					once.Do(func() { close(reached) })
				}
			})
		})
	}
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()
	select {
	case <-reached:
		<-time.NewTimer(moment).C
	case <-ended:
		t.Errorf("the writers gave up before %d writes were acknowledged", enough)
	}
	p.kill()
	<-ended
	c.acknowledged += int(c.acks.Load())
}

// write creates users, patches them and adds them to the group, until the server is gone.
func (c *crash) write(t *testing.T, p *process, prefix string, random *rand.Rand, acknowledged func()) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	var mine []*crashUser
	for n := 0; ; n++ {
		w := &write{kind: "create", name: prefix + "-" + strconv.Itoa(n)}
		if len(mine) > 0 {
			w.user = mine[random.IntN(len(mine))]
			w.kind = []string{"create", "patch", "member"}[random.IntN(3)]
		}
		var a *answer
		var err error
		switch w.kind {
		case "create":
			c.locked(func() { c.attempted[w.name] = true })
			a, err = send(client, p, http.MethodPost, "/Users", userJSON(w.name))
		case "patch":
			w.displayName = w.name
			a, err = send(client, p, http.MethodPatch, "/Users/"+w.user.id, patchJSON("replace", "displayName", fmt.Sprintf("%q", w.name)))
		case "member":
			_, err = send(client, p, http.MethodPatch, "/Groups/"+c.group, patchJSON("add", "members", fmt.Sprintf(`[{"value":%q}]`, w.user.id)))
		}
		if err != nil {
			if no, ok := errors.AsType[*refused](err); ok {
				t.Errorf("%s was refused: %v", w.kind, no)
			}
			c.locked(func() { c.inFlight = append(c.inFlight, w) })
			return
		}
		c.locked(func() {
			switch w.kind {
			case "create":
				u := &crashUser{id: a.ID, userName: w.name, version: 1}
				mine = append(mine, u)
				c.users[u.id] = u
				c.fresh = append(c.fresh, u)
			case "patch":
				w.user.displayName = w.displayName
				w.user.version++
				if got := scim.ETag(w.user.version); a.Meta.Version != got {
					t.Errorf("the answer to a PATCH has version %s, want %s", a.Meta.Version, got)
				}
			case "member":
				c.members[w.user.id] = true
			}
		})
		acknowledged()
	}
}

func (c *crash) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func patchJSON(op, path, value string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":%q,"path":%q,"value":%s}]}`, op, path, value)
}

// openStore opens the database that the dead server left.
func (c *crash) openStore(t *testing.T) (*sqlite.Store, scim.OrgID) {
	t.Helper()
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: c.dir, Types: registry.StorageTypes()})
	if err != nil {
		t.Fatal(err)
	}
	org, err := store.Organization(t.Context(), defaultOrg)
	if err != nil {
		t.Fatal(err)
	}
	return store, org.ID
}

// verify compares the database with what was acknowledged in this round.
func (c *crash) verify(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	store, org := c.openStore(t)
	defer store.Close()
	problems, err := store.Check(ctx)
	if err != nil || len(problems) > 0 {
		t.Errorf("check: %q, %v", problems, err)
	}
	changes := c.feed(t, store, org)
	for _, u := range c.fresh {
		c.verifyUser(ctx, t, store, org, u, changes[u.id])
		delete(changes, u.id)
	}
	group, err := store.Get(ctx, storage.Key{Org: org, Type: "Group", ID: c.group}, query.Load{Members: true})
	if err != nil {
		t.Fatal(err)
	}
	c.verifyGroup(t, group, changes[c.group])
	delete(changes, c.group)
	// What is left are creations that were in flight: there with their record, or not at all.
	for id, list := range changes {
		rec, err := store.Get(ctx, storage.Key{Org: org, Type: "User", ID: id}, query.Load{})
		if err != nil {
			t.Errorf("a change row without its record: %v", err)
			continue
		}
		doc, err := scim.DecodeAttributes(rec.Doc)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := doc["userName"].(string)
		if len(list) != 1 || list[0].Op != storage.OpCreate || rec.Version != 1 || !c.attempted[name] {
			t.Errorf("user %q at version %d with %d changes was never sent", name, rec.Version, len(list))
		}
		c.kept++
	}
	c.lost += len(c.inFlight)
}

// feed follows the changes from where the last round ended, by id. No position may come twice.
func (c *crash) feed(t *testing.T, store *sqlite.Store, org scim.OrgID) map[string][]storage.Change {
	t.Helper()
	changes := map[string][]storage.Change{}
	seen := map[storage.Position]bool{}
	for {
		page, err := store.Changes(t.Context(), org, c.position, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return changes
		}
		for _, ch := range page {
			if seen[ch.Position] {
				t.Errorf("the feed repeats a change")
			}
			seen[ch.Position] = true
			if ch.Key.Type != "User" && ch.Key.Type != "Group" {
				continue // what the server made for itself, such as the built-in roles
			}
			changes[ch.Key.ID] = append(changes[ch.Key.ID], ch)
			c.position = ch.Position
		}
	}
}

// verifyUser wants the user as acknowledged, or one PATCH further if that was in flight, and a change row for each
// version with the values that it set.
func (c *crash) verifyUser(ctx context.Context, t *testing.T, store *sqlite.Store, org scim.OrgID, u *crashUser, changes []storage.Change) {
	t.Helper()
	rec, err := store.Get(ctx, storage.Key{Org: org, Type: "User", ID: u.id}, query.Load{})
	if err != nil {
		t.Errorf("the acknowledged user %s is gone: %v", u.userName, err)
		return
	}
	if i := slices.IndexFunc(c.inFlight, func(w *write) bool { return w.kind == "patch" && w.user == u }); i >= 0 && rec.Version == u.version+1 {
		u.version, u.displayName = rec.Version, c.inFlight[i].displayName
		c.inFlight = slices.Delete(c.inFlight, i, i+1)
		c.kept++
	}
	c.compareUser(t, rec, u)
	if int64(len(changes)) != u.version {
		t.Errorf("user %s has version %d and %d changes", u.userName, u.version, len(changes))
		return
	}
	for i, ch := range changes {
		if ch.Version != int64(i+1) || ch.Actor.Kind != "token" || ch.Request == "" {
			t.Errorf("change %d of user %s: version %d by %q", i+1, u.userName, ch.Version, ch.Actor.Kind)
		}
	}
	path, want := "userName", u.userName
	if u.version > 1 {
		path, want = "displayName", u.displayName
	}
	last := changes[len(changes)-1]
	if !slices.ContainsFunc(last.Values, func(v storage.ValueChange) bool { return v.Path == path && v.New == want }) {
		t.Errorf("the last change of user %s does not set %s", u.userName, path)
	}
}

func (c *crash) compareUser(t *testing.T, rec *storage.Record, u *crashUser) {
	t.Helper()
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		t.Fatal(err)
	}
	displayName, _ := doc["displayName"].(string)
	if rec.Version != u.version || doc["userName"] != u.userName || displayName != u.displayName {
		t.Errorf("user %s: version %d with %q, acknowledged was version %d with %q", u.userName, rec.Version, displayName, u.version, u.displayName)
	}
}

// verifyGroup wants every acknowledged member, others only if they were in flight, and for each of this round's one
// change row that added it.
func (c *crash) verifyGroup(t *testing.T, group *storage.Record, changes []storage.Change) {
	t.Helper()
	added := map[string]int{}
	for _, ch := range changes {
		for _, id := range ch.MembersAdded {
			added[id]++
		}
	}
	for id, n := range added {
		if n != 1 {
			t.Errorf("member %s was added %d times", id, n)
		}
	}
	if len(changes) > 0 {
		if last := changes[len(changes)-1].Version; last != group.Version {
			t.Errorf("the group has version %d, its last change %d", group.Version, last)
		}
	}
	have := map[string]bool{}
	for _, m := range group.Members {
		have[m.ID] = true
		if c.members[m.ID] {
			continue
		}
		i := slices.IndexFunc(c.inFlight, func(w *write) bool { return w.kind == "member" && w.user.id == m.ID })
		if i < 0 {
			t.Errorf("member %s was never added", m.ID)
			continue
		}
		c.members[m.ID] = true
		c.inFlight = slices.Delete(c.inFlight, i, i+1)
		c.kept++
	}
	for id := range c.members {
		if !have[id] {
			t.Errorf("the acknowledged member %s is gone", id)
		}
	}
	for _, u := range c.fresh {
		if have[u.id] != (added[u.id] == 1) {
			t.Errorf("user %s: member %v, added by %d changes", u.userName, have[u.id], added[u.id])
		}
	}
}

// verifyAll looks at every user of every round once more: later crashes must not have touched them.
func (c *crash) verifyAll(t *testing.T) {
	t.Helper()
	store, org := c.openStore(t)
	defer store.Close()
	for id, u := range c.users {
		rec, err := store.Get(t.Context(), storage.Key{Org: org, Type: "User", ID: id}, query.Load{})
		if err != nil {
			t.Errorf("the acknowledged user %s is gone: %v", u.userName, err)
			continue
		}
		c.compareUser(t, rec, u)
	}
	if c.position == "" {
		t.Error("the feed is empty")
	}
}
