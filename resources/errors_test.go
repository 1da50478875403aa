package resources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// troubled is a store in which reads and updates fail with err while there is one, and which counts calls and
// member lists that are loaded whole.
type troubled struct {
	storage.Store
	err                           error
	gets, updates, queries, loads atomic.Int64
}

func (s *troubled) Get(ctx context.Context, k storage.Key, load query.Load) (*storage.Record, error) {
	s.gets.Add(1)
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Get(ctx, k, load)
}

func (s *troubled) Query(ctx context.Context, org scim.OrgID, q query.Query) (storage.Page, error) {
	s.queries.Add(1)
	if s.err != nil {
		return storage.Page{}, s.err
	}
	return s.Store.Query(ctx, org, q)
}

func (s *troubled) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (*storage.Record, bool, error) {
	s.updates.Add(1)
	if s.err != nil {
		return nil, false, s.err
	}
	return s.Store.Update(ctx, k, at, func(cur storage.Current) (*storage.Edit, error) { return fn(&watched{cur, s}) })
}

func (s *troubled) Batch(ctx context.Context, org scim.OrgID, steps []storage.Step, done func(int, error) bool) []error {
	if s.err != nil {
		errs := make([]error, len(steps))
		for i := range errs {
			errs[i] = fmt.Errorf("%w: %w", storage.ErrNotRun, s.err)
		}
		return errs
	}
	return s.Store.Batch(ctx, org, steps, done)
}

type watched struct {
	storage.Current
	store *troubled
}

func (w *watched) Members() ([]storage.Member, error) {
	w.store.loads.Add(1)
	return w.Current.Members()
}

func newTroubled(t testing.TB) (*fixture, *troubled) {
	s := &troubled{}
	return newFixtureWith(t, func(store storage.Store) storage.Store { s.Store = store; return s }), s
}

// TestStoreErrors: every sentinel of the store has its answer, and no text of the store's is in one.
func TestStoreErrors(t *testing.T) {
	f, s := newTroubled(t)
	id := f.user("ann").ID
	const private = "driver text"
	for _, tt := range []struct {
		err    error
		status int
		typ    scim.ErrorType
		retry  bool
	}{
		{storage.ErrNotFound, 404, "", false},
		{&storage.UniqueError{Attr: "userName"}, 409, scim.TypeUniqueness, false},
		{storage.ErrContention, 503, "", true},
		{storage.ErrUnavailable, 503, "", true},
		{storage.ErrClosed, 503, "", true},
		{storage.ErrTooExpensive, 400, scim.TypeTooMany, false},
	} {
		s.err = fmt.Errorf(private+": %w", tt.err)
		_, err := f.tryPatch(f.caller("strict"), "User", id, "", `{"op":"add","path":"title","value":"x"}`)
		e := wantError(t, tt.err.Error(), err, tt.status, tt.typ)
		if (e.RetryAfter > 0) != tt.retry || strings.Contains(e.Error(), private) || strings.Contains(e.Error(), "storage") {
			t.Errorf("%v became %v, retry after %v", tt.err, e, e.RetryAfter)
		}
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, errors.New(private)} {
		s.err = err
		_, got := f.svc.Get(t.Context(), f.caller("strict"), f.typ("User"), id, loadAll)
		var known *scim.Error
		if !errors.Is(got, err) || errors.As(got, &known) {
			t.Errorf("%v became %v: it is for the edge to answer", err, got)
		}
	}
	s.err = storage.ErrUnavailable
	_, err := f.svc.Query(t.Context(), f.caller("strict"), query.Query{Sources: []query.Source{{Type: "User"}}})
	wantError(t, "query", err, 503, "")
	_, err = f.svc.Bulk(t.Context(), f.caller("strict"), []scim.BulkOperation{f.postUser("a"), f.postUser("b")}, 0)
	wantError(t, "bulk", err, 503, "")
}

// TestStoreCalls: what a request costs the store.
func TestStoreCalls(t *testing.T) {
	f, s := newTroubled(t)
	u := f.user("u").ID
	g := f.group("g", u).ID
	for _, tt := range []struct {
		name          string
		typ, id, ops  string
		updates, gets int64 // gets are those of relations for the answer
		loads         int64
	}{
		{"document", "User", u, `{"op":"add","path":"title","value":"x"}`, 1, 1, 0},
		{"secret", "User", u, `{"op":"add","path":"password","value":"correct horse"}`, 1, 1, 0},
		{"members by id", "Group", g, `{"op":"remove","path":"members[value eq \"` + u + `\"]"}`, 1, 1, 0},
		{"members added", "Group", g, `{"op":"add","path":"members","value":[{"value":"` + u + `"}]}`, 1, 1, 0},
		{"all members", "Group", g, `{"op":"replace","path":"members","value":[]}`, 1, 1, 0},
		{"members by type", "Group", g, `{"op":"remove","path":"members[type eq \"User\"]"}`, 1, 1, 1},
	} {
		s.updates.Store(0)
		s.gets.Store(0)
		s.loads.Store(0)
		f.patch(tt.typ, tt.id, tt.ops)
		if u, g, l := s.updates.Load(), s.gets.Load(), s.loads.Load(); u != tt.updates || g != tt.gets || l > tt.loads {
			t.Errorf("%s: %d updates, %d gets, %d whole member lists; want %d, %d, %d", tt.name, u, g, l, tt.updates, tt.gets, tt.loads)
		}
	}
	s.gets.Store(0)
	if _, err := f.svc.Create(t.Context(), f.caller("strict"), f.typ("User"), f.doc("User", `"userName":"v"`), loadAll); err != nil {
		t.Fatal(err)
	}
	if got := s.gets.Load(); got != 0 {
		t.Errorf("a user, who cannot have groups yet, was read %d times after the creation", got)
	}
	wantError(t, "not an id", f.tryDelete("User", "nope", ""), 404, "")
	_, err := f.svc.Get(t.Context(), f.caller("strict"), f.typ("User"), "nope", loadAll)
	wantError(t, "not an id", err, 404, "")
	if got := s.gets.Load(); got != 0 {
		t.Errorf("the store was asked for what cannot be an id")
	}
}
