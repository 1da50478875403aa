//go:build mongofault

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/mongo"
)

// The faults happen to a replica set of three members on loopback while clients write through two servers. After each
// of them everything that was acknowledged is there with its change row, nothing is there by half, and the clients saw
// no other answers than 2xx, 409 and 412 where due, and 503 with Retry-After. Run them by `make test-mongo`.

// fault is what happens to some members, and how it ends.
type fault struct {
	name string
	do   func(ctx context.Context, f *faults) error
	heal func(ctx context.Context, f *faults) error
	// down: no write can succeed before the end.
	down bool
}

func allFaults() []fault {
	nothing := func(context.Context, *faults) error { return nil }
	restart := func(_ context.Context, f *faults) error { return f.primary.Start() }
	return []fault{
		{name: "primary steps down", heal: nothing, do: func(ctx context.Context, f *faults) error {
			_ = f.primary.StepDown(ctx) // the server may hang up on whoever asks for it
			return nil
		}},
		{name: "primary killed with -9", heal: restart, do: func(_ context.Context, f *faults) error {
			f.primary.Kill()
			return nil
		}},
		{
			name: "primary cut off (SIGSTOP)",
			do:   func(_ context.Context, f *faults) error { return f.primary.Signal(syscall.SIGSTOP) },
			heal: func(_ context.Context, f *faults) error { return f.primary.Signal(syscall.SIGCONT) },
		},
		{name: "primary killed with -9, three times", heal: nothing, do: func(ctx context.Context, f *faults) error {
			for range 3 {
				f.primary.Kill()
				killed := f.primary
				f.awaitAcked(ctx, 100)
				if err := killed.Start(); err != nil {
					return err
				}
				f.awaitAcked(ctx, 50)
				var err error
				if f.primary, err = f.set.Primary(ctx); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "one of two Rollcall processes killed with -9", heal: nothing, do: func(_ context.Context, f *faults) error {
			f.servers[0].kill()
			fresh := startServer(f.t, f.t.TempDir(), f.flags...)
			f.mu.Lock()
			f.servers[0] = fresh
			f.mu.Unlock()
			return nil
		}},
		{
			name: "majority killed with -9", down: true,
			do: func(_ context.Context, f *faults) error {
				for _, m := range f.set.Members()[:2] {
					m.Kill()
				}
				return nil
			},
			heal: func(_ context.Context, f *faults) error {
				return errors.Join(f.set.Members()[0].Start(), f.set.Members()[1].Start())
			},
		},
	}
}

// faults is one run with one fault, and what the clients were told.
type faults struct {
	t       *testing.T
	set     *mongotest.Set
	primary *mongotest.Member
	flags   []string
	client  *http.Client
	group   string

	mu       sync.Mutex
	servers  [2]*process
	users    map[string]int64 // by id: the newest version that was acknowledged
	members  map[string]bool  // acknowledged members of the group
	strange  []string
	lastAck  time.Time
	outage   time.Duration // the longest time without an acknowledgement
	slowest  time.Duration // the longest time that a 503 took
	acked    atomic.Int64
	refused  atomic.Int64
	conflict atomic.Int64
}

func TestFaults(t *testing.T) {
	binary, err := mongotest.Mongod()
	if err != nil {
		if mongotest.Required() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, fault := range allFaults() {
		t.Run(fault.name, func(t *testing.T) { runFault(t, binary, &fault) })
	}
}

func runFault(t *testing.T, binary string, fault *fault) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	set, err := mongotest.StartSet(ctx, binary, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Stop()
	f := &faults{
		t: t, set: set, flags: []string{"--store", set.URI(), "--timeout-request", "15s"},
		client: &http.Client{Timeout: time.Minute}, users: map[string]int64{}, members: map[string]bool{}, lastAck: time.Now(),
	}
	for i := range f.servers {
		f.servers[i] = startServer(t, t.TempDir(), f.flags...)
	}
	f.group = f.mustCreate("/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"shared"}`)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f.write(ctx, w, i)
				}
			}
		})
	}
	f.awaitAcked(ctx, 200)
	if f.primary, err = set.Primary(ctx); err != nil {
		t.Fatal(err)
	}
	if err := fault.do(ctx, f); err != nil {
		t.Fatal(err)
	}
	if fault.down {
		f.awaitUnready(ctx)
	} else {
		f.awaitAcked(ctx, 300) // it recovers by itself
	}
	if err := fault.heal(ctx, f); err != nil {
		t.Fatal(err)
	}
	f.awaitAcked(ctx, 200)
	close(stop)
	wg.Wait()
	f.awaitReady(ctx)
	for _, s := range f.strange {
		t.Error(s)
	}
	lost := f.verify(ctx)
	t.Logf("| %s | %d | %d | %d | %d | %.1f s | %.1f s |", fault.name, f.acked.Load(), lost, f.refused.Load(), f.conflict.Load(),
		f.outage.Seconds(), f.slowest.Seconds())
}

func (f *faults) server(w int) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servers[w%2]
}

// outcome is what a client got.
type outcome struct {
	status   int
	id       string
	version  int64
	detail   string
	repeated bool // it was 503 before: the first try may have been done
}

// send does one request, and what a client does after a 503: it repeats it, after a pause.
func (f *faults) send(ctx context.Context, w int, method, path, ifMatch, body string) (a outcome, ok bool) {
	for try := 0; ctx.Err() == nil; try++ {
		s := f.server(w)
		req, err := s.request(method, path, body)
		if err != nil {
			f.odd("%v", err)
			return a, false
		}
		if ifMatch != "" {
			req.Header.Set("If-Match", ifMatch)
		}
		start := time.Now()
		resp, err := f.client.Do(req.WithContext(ctx))
		if err != nil {
			if s != f.server(w) || ctx.Err() != nil {
				a.repeated = true
				continue // that process was killed; the answer is lost with it
			}
			select { // it is just being killed: the next process is there in a moment
			case <-s.done:
				s.done <- errKilled
				a.repeated = true
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
				continue
			case <-time.After(5 * time.Second):
			}
			f.odd("%s %s: %v", method, path, err)
			return a, false
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			a.repeated = true
			continue
		}
		var doc struct {
			ID   string
			Meta struct{ Version string }
			// Detail is of an error.
			Detail string
		}
		_ = json.Unmarshal(text, &doc)
		a.status, a.id, a.detail = resp.StatusCode, doc.ID, doc.Detail
		_, _ = fmt.Sscanf(doc.Meta.Version, `W/"%d"`, &a.version)
		if a.status != http.StatusServiceUnavailable {
			return a, true
		}
		f.refused.Add(1)
		if resp.Header.Get("Retry-After") == "" {
			f.odd("503 without Retry-After")
		}
		f.mu.Lock()
		f.slowest = max(f.slowest, time.Since(start))
		f.mu.Unlock()
		a.repeated = true
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return a, false
}

var errKilled = errors.New("killed")

// odd notes what no client should see.
func (f *faults) odd(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.strange) < 20 {
		f.strange = append(f.strange, fmt.Sprintf(format, args...))
	}
}

func (f *faults) acknowledged(note func()) {
	f.acked.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.outage = max(f.outage, now.Sub(f.lastAck))
	f.lastAck = now
	note()
}

func (f *faults) mustCreate(path, body string) string {
	f.t.Helper()
	a, ok := f.send(f.t.Context(), 0, http.MethodPost, path, "", body)
	if !ok || a.status != http.StatusCreated {
		f.t.Fatalf("POST %s: %d %s", path, a.status, a.detail)
	}
	return a.id
}

// write does one round of writes as an identity provider does: it creates a user, changes it, and adds it to a group.
func (f *faults) write(ctx context.Context, w, i int) {
	a, ok := f.send(ctx, w, http.MethodPost, "/Users", "", userJSON(fmt.Sprintf("user-%d-%d", w, i)))
	switch {
	case !ok:
		return
	case a.status == http.StatusConflict && a.repeated: // the first try was done
		f.conflict.Add(1)
		return
	case a.status != http.StatusCreated:
		f.odd("POST: %d %s", a.status, a.detail)
		return
	}
	id := a.id
	f.acknowledged(func() { f.users[id] = 1 })
	a, ok = f.send(ctx, w, http.MethodPatch, "/Users/"+id, `W/"1"`,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Dr"}]}`)
	switch {
	case !ok:
		return
	case a.status == http.StatusPreconditionFailed && a.repeated: // the first try was done
		f.conflict.Add(1)
	case a.status != http.StatusOK || a.version != 2:
		f.odd("PATCH: %d %s, version %d", a.status, a.detail, a.version)
	default:
		f.acknowledged(func() { f.users[id] = 2 })
	}
	a, ok = f.send(ctx, w, http.MethodPatch, "/Groups/"+f.group+"?attributes=id", "", fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":%q}]}]}`, id))
	switch {
	case !ok:
	case a.status != http.StatusOK && a.status != http.StatusNoContent:
		f.odd("PATCH of the group: %d %s", a.status, a.detail)
	default:
		f.acknowledged(func() { f.members[id] = true })
	}
}

// awaitAcked waits for n more acknowledgements.
func (f *faults) awaitAcked(ctx context.Context, n int64) {
	f.t.Helper()
	f.await(ctx, fmt.Sprintf("%d more acknowledgements", n), func(want int64) func() bool {
		return func() bool { return f.acked.Load() >= want }
	}(f.acked.Load()+n))
}

func (f *faults) await(ctx context.Context, what string, there func() bool) {
	f.t.Helper()
	for !there() {
		select {
		case <-ctx.Done():
			f.t.Fatalf("waiting for %s: %d acknowledged, %d refused, seen: %v", what, f.acked.Load(), f.refused.Load(), f.strange)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (f *faults) ready(w int) int {
	resp, err := f.client.Get("http://" + f.server(w).listen + "/readyz")
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (f *faults) awaitUnready(ctx context.Context) {
	f.t.Helper()
	for w := range f.servers {
		f.await(ctx, "a server that says that it is not ready", func() bool { return f.ready(w) == http.StatusServiceUnavailable })
	}
	before := f.refused.Load()
	f.await(ctx, "more answers 503", func() bool { return f.refused.Load() >= before+50 })
}

func (f *faults) awaitReady(ctx context.Context) {
	f.t.Helper()
	for w := range f.servers {
		f.await(ctx, "a server that says that it is ready", func() bool { return f.ready(w) == http.StatusOK })
	}
}

// verify reads the database itself. It returns how many acknowledged writes are lost.
func (f *faults) verify(ctx context.Context) (lost int) {
	f.t.Helper()
	registry, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := mongo.Open(ctx, mongo.Options{URI: f.set.URI(), Types: registry.StorageTypes()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	org, err := s.Organization(ctx, defaultOrg)
	if err != nil {
		f.t.Fatal(err)
	}
	problems, err := s.Check(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range problems {
		f.t.Error(p)
	}
	feed, added := f.feed(ctx, s, org.ID)
	for id, version := range f.users {
		k := storage.Key{Org: org.ID, Type: "User", ID: id}
		rec, err := s.Get(ctx, k, query.Load{})
		if err != nil || rec.Version < version || feed[k] < version {
			f.t.Errorf("version %d of a user is acknowledged; it has %v, %v, and a feed that ends at %d", version, rec, err, feed[k])
			lost++
		}
	}
	rec, err := s.Get(ctx, storage.Key{Org: org.ID, Type: "Group", ID: f.group}, query.Load{Members: true})
	if err != nil {
		f.t.Fatal(err)
	}
	members := map[string]bool{}
	for _, m := range rec.Members {
		members[m.ID] = true
		if m.Type != "User" || !added[m.ID] {
			f.t.Errorf("member %s of type %q, in the feed: %v", m.ID, m.Type, added[m.ID])
		}
	}
	for id := range f.members {
		if !members[id] {
			f.t.Errorf("an acknowledged member is lost")
			lost++
		}
	}
	if int64(len(members))+1 != rec.Version {
		f.t.Errorf("the group has version %d and %d members", rec.Version, len(members))
	}
	return lost
}

// feed follows the feed to its end: each version once and in order.
func (f *faults) feed(ctx context.Context, s *mongo.Store, org scim.OrgID) (versions map[storage.Key]int64, added map[string]bool) {
	f.t.Helper()
	versions, added = map[storage.Key]int64{}, map[string]bool{}
	for at := storage.Position(""); ; {
		page, err := s.Changes(ctx, org, at, 500)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(page) == 0 {
			return versions, added
		}
		for _, c := range page {
			if c.Version != versions[c.Key]+1 {
				f.t.Errorf("the feed has version %d of %s after %d", c.Version, c.Key.ID, versions[c.Key])
			}
			versions[c.Key] = c.Version
			for _, id := range c.MembersAdded {
				added[id] = true
			}
		}
		at = page[len(page)-1].Position
	}
}
