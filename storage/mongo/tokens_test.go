package mongo

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"rollcall/internal/mongotest"
	"rollcall/storage"
)

// TestTokenLease: a token is remembered for a second from when it was asked for, by each of two clocks.
func TestTokenLease(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"at once", now, true},
		{"just before the end", now.Add(tokenLease - 1), true},
		{"at the end", now.Add(tokenLease), false},
		{"after a suspension", suspended(t, now, time.Hour), false},
		{"a clock that went back", now.Add(-time.Millisecond), false},
	} {
		m := tokenMemory{clock: func() time.Time { return c.at }}
		token := storage.Token{ID: "t", Digest: sha256.Sum256([]byte("t")), Scopes: []string{"scim"}}
		m.put(&token, now)
		got := m.get(token.Digest)
		if (got != nil) != c.want {
			t.Errorf("%s: remembered %t, want %t", c.name, got != nil, c.want)
		}
		if got != nil {
			got.Scopes[0], got.Name = "admin", "changed"
			if again := m.get(token.Digest); again.Scopes[0] != "scim" || again.Name != "" {
				t.Errorf("%s: who was given a token changed what is remembered", c.name)
			}
		}
	}
}

func TestTokenMemoryIsBounded(t *testing.T) {
	now := time.Now()
	m := tokenMemory{clock: func() time.Time { return now }}
	token := storage.Token{}
	for i := range uint64(maxRemembered + 2) {
		binary.BigEndian.PutUint64(token.Digest[:], i)
		m.put(&token, now)
		if len(m.m) > maxRemembered || m.get(token.Digest) == nil {
			t.Fatalf("%d tokens are remembered after %d", len(m.m), i+1)
		}
	}
	token.Digest, token.Revoked = [32]byte{255}, now
	m.put(&token, now)
	if m.get(token.Digest) != nil {
		t.Error("a revoked token is remembered")
	}
	none := tokenMemory{}
	none.put(&storage.Token{}, now)
	if none.get([32]byte{}) != nil {
		t.Error("something is remembered without a clock")
	}
}

// TestRevocationReachesEveryProcess: when RevokeToken has returned, no process takes the token, however often each of
// them has just looked it up; and it does not return before.
func TestRevocationReachesEveryProcess(t *testing.T) {
	uri, name := mongotest.Database(t)
	var stores [3]*Store
	for i := range stores {
		s, err := Open(t.Context(), Options{URI: uri, Database: name, Types: []storage.Type{testType(t).Type}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		stores[i] = s
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := stores[0].InsertOrganization(t.Context(), storage.Organization{ID: "o", Slug: "o", Created: at}); err != nil {
		t.Fatal(err)
	}
	token := storage.Token{ID: "t", Org: "o", Digest: [32]byte{1}, Created: at}
	if err := stores[0].InsertToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	read := make(chan struct{}, 2*len(stores))
	for _, s := range stores {
		for range 2 {
			wg.Go(func() {
				for first := true; ; first = false {
					if _, err := s.TokenByDigest(t.Context(), token.Digest); err != nil {
						t.Errorf("TokenByDigest: %v", err)
						return
					}
					if first {
						read <- struct{}{}
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	for range cap(read) {
		<-read
	}
	if err := stores[0].RevokeToken(t.Context(), "o", "t", at); err != nil {
		t.Fatalf("RevokeToken: %v", err)
	}
	for i, s := range stores {
		got, err := s.TokenByDigest(t.Context(), token.Digest)
		if err != nil || got.Revoked.IsZero() {
			t.Errorf("process %d takes the token after it was revoked: %+v, %v", i, got, err)
		}
	}
	close(stop)
	wg.Wait()
	// Who does not wait learns nothing of success; the token is revoked all the same.
	second := storage.Token{ID: "u", Org: "o", Digest: [32]byte{2}, Created: at}
	if err := stores[0].InsertToken(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- stores[0].RevokeToken(ctx, "o", "u", at) }()
	for got, err := stores[1].lookUp(t.Context(), second.Digest); err != nil || got.Revoked.IsZero(); got, err = stores[1].lookUp(t.Context(), second.Digest) {
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("RevokeToken without waiting: %v, want context.Canceled", err)
	}
}
