package conformance

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

func tenantCases() []testCase {
	return []testCase{
		{name: "Organizations", extra: "the methods of storage.Organizations", run: testOrganizations},
		{name: "Tokens", extra: "the methods of storage.Tokens beside revocation", run: testTokens},
		{name: "RevokeIsSeen", run: testRevokeIsSeen},
		{name: "Secret", extra: "the comment of Store.Secret", run: testSecret},
		{name: "Ready", extra: "an open store serves", run: testReady},
	}
}

func testOrganizations(e *env) {
	zone := time.FixedZone("west", -7*3600)
	o := storage.Organization{ID: scim.OrgID(e.ids.New()), Slug: "acme", Name: "Ácme & Söhne", Created: time.Date(2026, 5, 6, 7, 8, 9, 123_456_789, zone)}
	if err := e.store.InsertOrganization(e.ctx(), o); err != nil {
		e.Fatalf("InsertOrganization: %v", err)
	}
	want := o
	want.Created = scim.Millis(o.Created)
	for _, by := range []string{string(o.ID), "acme"} {
		got, err := e.store.Organization(e.ctx(), by)
		if err != nil {
			e.Fatalf("Organization(%s): %v", by, err)
		}
		e.diff("Organization", &want, got)
		e.sameInstant("Created", o.Created, got.Created)
	}
	for _, by := range []string{"", "ACME", "acm", e.ids.New()} {
		_, err := e.store.Organization(e.ctx(), by)
		e.wantErr("Organization of nothing", err, storage.ErrNotFound)
	}
	e.wantErr("the same id", e.store.InsertOrganization(e.ctx(), storage.Organization{ID: o.ID, Slug: "other", Created: e.clock.Now()}), storage.ErrExists)
	e.wantErr("the same slug", e.store.InsertOrganization(e.ctx(), storage.Organization{ID: scim.OrgID(e.ids.New()), Slug: "acme", Created: e.clock.Now()}), storage.ErrExists)
	e.newOrg("beta-2")
	e.newOrg("beta-10")
	all, err := e.store.ListOrganizations(e.ctx())
	if err != nil {
		e.Fatalf("ListOrganizations: %v", err)
	}
	var slugs []string
	for _, o := range all {
		slugs = append(slugs, o.Slug)
	}
	e.diff("organizations by slug", []string{"acme", "beta-10", "beta-2", "default"}, slugs)
	e.diff("the first", want, all[0])

	// Two at once with one slug: one wins.
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			errs[i] = e.store.InsertOrganization(e.ctx(), storage.Organization{ID: scim.OrgID(e.ids.New()), Slug: "race", Created: e.clock.Now()})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			e.wantErr("the loser of a race", err, storage.ErrExists)
		}
	}
	if won != 1 {
		e.Errorf("%d of %d inserts with one slug succeeded", won, len(errs))
	}
}

// token returns a token of the organization; its text is its name.
func (e *env) token(org scim.OrgID, name string) storage.Token {
	return storage.Token{
		ID: e.ids.New(), Org: org, Name: name, Digest: sha256.Sum256([]byte(name)), Scopes: []string{"scim", "admin"},
		Profile: "auto", Created: e.clock.Tick(),
	}
}

func (e *env) insertToken(t storage.Token) {
	e.Helper()
	if err := e.store.InsertToken(e.ctx(), t); err != nil {
		e.Fatalf("InsertToken: %v", err)
	}
}

func (e *env) tokenByDigest(d [32]byte) *storage.Token {
	e.Helper()
	t, err := e.store.TokenByDigest(e.ctx(), d)
	if err != nil {
		e.Fatalf("TokenByDigest: %v", err)
	}
	return t
}

func testTokens(e *env) {
	first := e.token(e.org, "first")
	e.insertToken(first)
	got := e.tokenByDigest(first.Digest)
	e.diff("the token", &first, got)
	if !got.Expires.IsZero() || !got.Revoked.IsZero() || !got.LastUsed.IsZero() {
		e.Errorf("instants that were not set are %v, %v, %v", got.Expires, got.Revoked, got.LastUsed)
	}
	second := e.token(e.org, "second")
	second.Scopes, second.Expires = nil, time.Date(2020, 1, 1, 1, 1, 1, 1_500_000, time.FixedZone("east", 3600))
	e.insertToken(second)
	want := second
	want.Expires = scim.Millis(second.Expires)
	e.diff("an expired token is returned as it is", &want, e.tokenByDigest(second.Digest))
	other := e.newOrg("other")
	foreign := e.token(other, "foreign")
	e.insertToken(foreign)

	_, err := e.store.TokenByDigest(e.ctx(), sha256.Sum256([]byte("nobody's")))
	e.wantErr("TokenByDigest of nothing", err, storage.ErrNotFound)
	same := e.token(e.org, "same digest")
	same.Digest = first.Digest
	e.wantErr("the same digest", e.store.InsertToken(e.ctx(), same), storage.ErrExists)
	same.Org = other
	e.wantErr("the same digest in another organization", e.store.InsertToken(e.ctx(), same), storage.ErrExists)
	same = e.token(e.org, "same id")
	same.ID = first.ID
	e.wantErr("the same id", e.store.InsertToken(e.ctx(), same), storage.ErrExists)
	e.wantErr("no such organization", e.store.InsertToken(e.ctx(), e.token(scim.OrgID(e.ids.New()), "lost")), storage.ErrNotFound)
	twin := e.token(e.org, "twin")
	twin.Name = first.Name // names need not differ
	e.insertToken(twin)

	used := e.clock.Advance(time.Hour)
	touch := func(t storage.Token, org scim.OrgID, at time.Time) {
		if err := e.store.TouchToken(e.ctx(), org, t.ID, at); err != nil && !errors.Is(err, storage.ErrNotFound) {
			e.Errorf("TouchToken: %v", err)
		}
	}
	before := len(e.changes(e.org))
	touch(first, e.org, used)
	touch(first, e.org, used.Add(-30*time.Minute)) // never back
	touch(foreign, e.org, used)                    // of another organization
	if last := e.tokenByDigest(first.Digest).LastUsed; last.After(used) || !last.IsZero() && used.Sub(last) > time.Hour {
		e.Errorf("LastUsed = %v after a use at %v", last, used)
	}
	if last := e.tokenByDigest(foreign.Digest).LastUsed; !last.IsZero() {
		e.Errorf("an organization touched the token of another")
	}
	if n := len(e.changes(e.org)); n != before {
		e.Errorf("tokens made %d changes", n-before)
	}

	list := func(org scim.OrgID) []string {
		tokens, err := e.store.ListTokens(e.ctx(), org)
		if err != nil {
			e.Fatalf("ListTokens: %v", err)
		}
		var ids []string
		for _, t := range tokens {
			if t.Org != org {
				e.Errorf("a token of %s is listed for %s", t.Org, org)
			}
			ids = append(ids, t.ID)
		}
		return ids
	}
	e.diff("tokens, oldest first", []string{first.ID, second.ID, twin.ID}, list(e.org))
	e.diff("tokens of the other", []string{foreign.ID}, list(other))
	e.diff("tokens of nobody", nil, list(scim.OrgID(e.ids.New())))
}

func testRevokeIsSeen(e *env) {
	token, spare := e.token(e.org, "token"), e.token(e.org, "spare")
	e.insertToken(token)
	e.insertToken(spare)
	other := e.newOrg("other")
	// Readers fill whatever cache there is while the token is revoked.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := e.store.TokenByDigest(e.ctx(), token.Digest); err != nil {
					e.Errorf("TokenByDigest: %v", err)
					return
				}
			}
		})
	}
	e.wantErr("RevokeToken by another organization", e.store.RevokeToken(e.ctx(), other, token.ID, e.clock.Tick()), storage.ErrNotFound)
	if t := e.tokenByDigest(token.Digest); !t.Revoked.IsZero() {
		e.Errorf("another organization revoked the token")
	}
	at := e.clock.Tick()
	if err := e.store.RevokeToken(e.ctx(), e.org, token.ID, at); err != nil {
		e.Fatalf("RevokeToken: %v", err)
	}
	for range 20 {
		e.sameInstant("Revoked", at, e.tokenByDigest(token.Digest).Revoked)
	}
	close(stop)
	wg.Wait()
	if err := e.store.RevokeToken(e.ctx(), e.org, token.ID, e.clock.Advance(time.Hour)); err != nil {
		e.Errorf("RevokeToken again: %v", err)
	}
	e.sameInstant("Revoked after the second time", at, e.tokenByDigest(token.Digest).Revoked)
	if err := e.store.TouchToken(e.ctx(), e.org, token.ID, e.clock.Now()); err != nil && !errors.Is(err, storage.ErrNotFound) {
		e.Errorf("TouchToken of a revoked token: %v", err)
	}
	e.sameInstant("Revoked after a use", at, e.tokenByDigest(token.Digest).Revoked)
	if t := e.tokenByDigest(spare.Digest); !t.Revoked.IsZero() {
		e.Errorf("the other token is revoked as well")
	}
	tokens, err := e.store.ListTokens(e.ctx(), e.org)
	if err != nil || len(tokens) != 2 {
		e.Fatalf("ListTokens: %d tokens, %v", len(tokens), err)
	}
	e.sameInstant("Revoked in the list", at, tokens[0].Revoked)
	e.wantErr("RevokeToken of nothing", e.store.RevokeToken(e.ctx(), e.org, e.ids.New(), at), storage.ErrNotFound)
}

func testSecret(e *env) {
	failure := errors.New("no randomness")
	_, err := e.store.Secret(e.ctx(), "cursor", func([]byte) error { return failure })
	e.wantErr("Secret without randomness", err, failure)
	// The first use may be several at once: all get the one key.
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, err := e.store.Secret(e.ctx(), "cursor", func(b []byte) error {
				for j := range b {
					b[j] = byte(i + 1)
				}
				return nil
			})
			if err != nil {
				e.Errorf("Secret: %v", err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for i, k := range keys {
		if len(k) != 32 {
			e.Fatalf("Secret %d has %d bytes, want 32", i, len(k))
		}
		if !bytes.Equal(k, keys[0]) || k[0] == 0 || !bytes.Equal(k, bytes.Repeat(k[:1], 32)) {
			e.Errorf("Secret %d differs, or is not what random made", i)
		}
	}
	k, err := e.store.Secret(e.ctx(), "cursor", func([]byte) error { return failure })
	if err != nil || !bytes.Equal(k, keys[0]) {
		e.Errorf("a later Secret differs (%v)", err)
	}
	o, err := e.store.Secret(e.ctx(), "other", func(b []byte) error { b[0] = 99; return nil })
	if err != nil || bytes.Equal(o, keys[0]) || o[0] != 99 {
		e.Errorf("a key of another name is %v, %v", o, err)
	}
}

func testReady(e *env) {
	if err := e.store.Ready(e.ctx()); err != nil {
		e.Errorf("Ready: %v", err)
	}
}
