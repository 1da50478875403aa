package resources_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/schema"
)

// pairs is a source of random bytes that gives nothing before two read at once.
type pairs struct {
	mu      sync.Mutex
	waiting chan struct{}
}

func (p *pairs) Read(b []byte) (int, error) {
	p.mu.Lock()
	if first := p.waiting; first != nil {
		p.waiting = nil
		close(first)
		p.mu.Unlock()
		return rand.Read(b)
	}
	mine := make(chan struct{})
	p.waiting = mine
	p.mu.Unlock()
	<-mine
	return rand.Read(b)
}

// TestBulkSlots: of two processors Bulk requests compute on one, but passwords are hashed on both.
func TestBulkSlots(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var inside, most atomic.Int64
	user := resources.User()
	user.Default = func(*schema.Document) {
		n := inside.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		for range 100 {
			runtime.Gosched()
		}
		inside.Add(-1)
	}
	f := newFixture(t, user)
	svc, err := resources.NewService(resources.Options{
		Store: f.store, Registry: f.reg, Now: f.clock.Now, NewID: f.ids.New, Random: &pairs{},
		MaxValues: 100, MaxPatchOperations: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(svc.Close)
	ops := make([]scim.BulkOperation, 2*64)
	for i := range ops {
		password := ""
		if i == 0 || i == 64 {
			password = `,"password":"correct horse"`
		}
		ops[i] = f.post("User", fmt.Sprint(i), fmt.Sprintf(`"userName":"u%d"%s`, i, password))
	}
	var wg sync.WaitGroup
	for _, half := range [][]scim.BulkOperation{ops[:64], ops[64:]} {
		wg.Go(func() {
			res, err := svc.Bulk(t.Context(), f.caller("strict"), half, 0)
			for i, r := range res {
				if r.Status != 201 {
					t.Errorf("operation %d: %+v", i, r)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d goroutines computed at once, want 1", n)
	}
}
