package lifecycle

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/resources"
	"rollcall/scim/query"
)

func TestIdempotentRequest(t *testing.T) {
	f := newFixture(t)
	c := f.admin.Caller
	one, two := [32]byte{1}, [32]byte{2}
	begin := func(key string, digest [32]byte) (*Answer, error) { return f.BeginRequest(t.Context(), c, key, digest) }
	fresh := func(key string, digest [32]byte) {
		t.Helper()
		if a, err := begin(key, digest); a != nil || err != nil {
			t.Fatalf("%s: %v, %v", key, a, err)
		}
	}
	fresh("k", one)
	_, err := begin("k", one)
	wantCode(t, "while it runs", err, http.StatusConflict, "idempotency_in_progress")
	_, err = begin("k", two)
	wantCode(t, "another request", err, http.StatusUnprocessableEntity, "idempotency_key_reused")

	want := &Answer{Status: 201, Header: map[string]string{"Location": "/x"}, Body: []byte(`{"token":"rc_secret"}`)}
	if err := f.FinishRequest(t.Context(), c, "k", one, want); err != nil {
		t.Fatal(err)
	}
	got, err := begin("k", one)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	_, err = begin("k", two)
	wantCode(t, "another request later", err, http.StatusUnprocessableEntity, "idempotency_key_reused")

	t.Run("the secret is sealed", func(t *testing.T) {
		rec, err := f.store.Get(t.Context(), requestKey(c, "k"), query.Load{Secret: true})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := rec.Secret[answerSecret].(string)
		if text == "" || strings.Contains(string(rec.Doc)+text, "rc_secret") {
			t.Errorf("stored: %s %v", rec.Doc, rec.Secret)
		}
	})
	t.Run("another actor has keys of its own", func(t *testing.T) {
		other := c
		other.Actor.ID = "somebody else"
		if a, err := f.BeginRequest(t.Context(), other, "k", two); a != nil || err != nil {
			t.Errorf("%v, %v", a, err)
		}
	})
	t.Run("an abandoned key is free", func(t *testing.T) {
		fresh("abandoned", one)
		if err := f.AbandonRequest(t.Context(), c, "abandoned", one); err != nil {
			t.Fatal(err)
		}
		fresh("abandoned", two)
	})
	t.Run("what is answered is not abandoned", func(t *testing.T) {
		if err := f.AbandonRequest(t.Context(), c, "k", one); err != nil {
			t.Fatal(err)
		}
		if a, err := begin("k", one); a == nil || err != nil {
			t.Errorf("%v, %v", a, err)
		}
	})
	t.Run("a dead attempt", func(t *testing.T) {
		fresh("dead", one)
		f.clock.Advance(answerLease)
		fresh("dead", one)
	})
	t.Run("too large to keep", func(t *testing.T) {
		fresh("large", one)
		if err := f.FinishRequest(t.Context(), c, "large", one, &Answer{Status: 200, Body: make([]byte, maxKeptAnswer+1)}); err != nil {
			t.Fatal(err)
		}
		_, err := begin("large", one)
		wantCode(t, "again", err, http.StatusConflict, "idempotency_answer_too_large")
	})
	t.Run("after a day", func(t *testing.T) {
		f.clock.Advance(keepAnswers)
		fresh("k", two)
	})
}

// Of many that come at once with one key, one is carried out.
func TestIdempotentRequestOnce(t *testing.T) {
	f := newFixture(t)
	var first, refused atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			switch a, err := f.BeginRequest(t.Context(), f.admin.Caller, "k", [32]byte{1}); {
			case a == nil && err == nil:
				first.Add(1)
			case err != nil:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 || refused.Load() != 29 {
		t.Errorf("%d are carried out, %d refused", first.Load(), refused.Load())
	}
}

// A dead attempt is taken over once, by however many come.
func TestDeadAttemptIsTakenOverOnce(t *testing.T) {
	f := newFixture(t)
	if _, err := f.BeginRequest(t.Context(), f.admin.Caller, "k", [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(answerLease + time.Second)
	var first atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if a, err := f.BeginRequest(t.Context(), f.admin.Caller, "k", [32]byte{1}); a == nil && err == nil {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		t.Errorf("%d took it over", first.Load())
	}
}

// No change row shows what was answered.
func TestChangesShowNoAnswer(t *testing.T) {
	f := newFixture(t)
	c := f.admin.Caller
	if _, err := f.BeginRequest(t.Context(), c, "k", [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := f.FinishRequest(t.Context(), c, "k", [32]byte{1}, &Answer{Status: 201, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	list, err := f.store.Changes(t.Context(), c.Org, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, ch := range list {
		if ch.Key.Type != resources.TypeRequest {
			continue
		}
		seen++
		for _, v := range ch.Values {
			if v.Path == answerSecret && (v.Old != nil || v.New != nil) {
				t.Errorf("the change shows %v", v)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d changes of the request", seen)
	}
}
