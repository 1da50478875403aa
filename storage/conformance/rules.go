package conformance

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func ruleCases() []testCase {
	return []testCase{
		{name: "Aliasing", run: testAliasing},
		{name: "Canceled", run: testCanceled},
		{name: "UseAfterClose", run: testUseAfterClose},
	}
}

// call is one use of one method of the store, for the rules that hold for all.
type call struct {
	method string
	run    func(ctx context.Context) error
}

// calls uses every method that takes a context, each in a way that would succeed: u is a user, g a group, t a token.
func (e *env) calls(u, g storage.Key, t storage.Token) []call {
	s := e.store
	list := []call{
		{"Insert", func(ctx context.Context) error {
			return second(s.Insert(ctx, e.key(typeUser), e.clock.Now(), user("a new name")))
		}},
		{"Update", func(ctx context.Context) error { return third(s.Update(ctx, u, e.clock.Now(), increment)) }},
		{"Update", func(ctx context.Context) error {
			return third(s.Update(ctx, g, e.clock.Now(), always(members(storage.MemberDelta{Add: []string{e.ids.New()}}))))
		}},
		{"Delete", func(ctx context.Context) error { return s.Delete(ctx, u, e.clock.Now(), allow) }},
		{"Get", func(ctx context.Context) error { return second(s.Get(ctx, u, everything)) }},
		{"Query", func(ctx context.Context) error {
			return second(s.Query(ctx, e.org, query.Query{Sources: []query.Source{{Type: typeUser}}, Limit: 10, Total: true}))
		}},
		{"Within", func(ctx context.Context) error {
			return s.Within(ctx, e.org, func(tx storage.Tx) error {
				return third(tx.Update(ctx, u, e.clock.Now(), increment))
			})
		}},
		{"Batch", func(ctx context.Context) error {
			return e.firstError(s.Batch(ctx, e.org, []storage.Step{
				func(tx storage.Tx) error { return third(tx.Update(ctx, u, e.clock.Now(), increment)) },
				func(tx storage.Tx) error { return third(tx.Update(ctx, u, e.clock.Now(), increment)) },
			}, nil))
		}},
		{"Exists", func(ctx context.Context) error { return second(s.Exists(ctx, e.org, []string{u.ID})) }},
		{"InsertOrganization", func(ctx context.Context) error {
			return s.InsertOrganization(ctx, storage.Organization{ID: scim.OrgID(e.ids.New()), Slug: "new", Created: e.clock.Now()})
		}},
		{"Organization", func(ctx context.Context) error { return second(s.Organization(ctx, string(e.org))) }},
		{"ListOrganizations", func(ctx context.Context) error { return second(s.ListOrganizations(ctx)) }},
		{"InsertToken", func(ctx context.Context) error { return s.InsertToken(ctx, e.token(e.org, "a new token")) }},
		{"TokenByDigest", func(ctx context.Context) error { return second(s.TokenByDigest(ctx, t.Digest)) }},
		{"ListTokens", func(ctx context.Context) error { return second(s.ListTokens(ctx, e.org)) }},
		{"RevokeToken", func(ctx context.Context) error { return s.RevokeToken(ctx, e.org, t.ID, e.clock.Now()) }},
		{"TouchToken", func(ctx context.Context) error { return s.TouchToken(ctx, e.org, t.ID, e.clock.Now()) }},
		{"Changes", func(ctx context.Context) error { return second(s.Changes(ctx, e.org, "", 10)) }},
		{"ChangesBefore", func(ctx context.Context) error { return second(s.ChangesBefore(ctx, e.org, "", 10)) }},
		{"Redact", func(ctx context.Context) error { return s.Redact(ctx, e.key(typeUser)) }},
		{"History", func(ctx context.Context) error { return second(s.History(ctx, e.key(typeUser), 0, 10)) }},
		{"Secret", func(ctx context.Context) error {
			return second(s.Secret(ctx, "rule", func(b []byte) error { b[0] = 1; return nil }))
		}},
		{"Ready", s.Ready},
	}
	// A method that is added to the contract and not here would be a rule without a test.
	methods := reflect.TypeFor[storage.Store]()
	for method := range methods.Methods() {
		name := method.Name
		if name != "Close" && !slices.ContainsFunc(list, func(c call) bool { return c.method == name }) {
			e.Fatalf("the suite does not call the method %s", name)
		}
	}
	return list
}

// firstError returns the first error of a batch in which no step may have succeeded.
func (e *env) firstError(errs []error) error {
	if len(errs) != 2 {
		e.Errorf("Batch of 2 steps returned %d errors", len(errs))
	}
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	for _, err := range errs {
		if !errors.Is(err, storage.ErrNotRun) {
			return err
		}
	}
	return errors.Join(errs...)
}

func (e *env) callFixture() []call {
	u := e.insert(typeUser, user("ada"))
	g := e.insert(typeGroup, group("staff", u.ID))
	t := e.token(e.org, "token")
	e.insertToken(t)
	return e.calls(u.Key, g.Key, t)
}

func testCanceled(e *env) {
	calls := e.callFixture()
	canceled, cancel := context.WithCancel(e.ctx())
	cancel()
	expired, cancel := context.WithDeadline(e.ctx(), testEpoch()) // long past on any machine's clock
	defer cancel()
	for _, c := range calls {
		e.unchanged(c.method+" with a context that is done", e.org, func() {
			e.wantErr(c.method, c.run(canceled), context.Canceled)
			e.wantErr(c.method, c.run(expired), context.DeadlineExceeded)
		})
	}
	all, err := e.store.ListOrganizations(e.ctx())
	if err != nil || len(all) != 1 {
		e.Errorf("%d organizations, %v: a canceled insert was done", len(all), err)
	}
	tokens, err := e.store.ListTokens(e.ctx(), e.org)
	if err != nil || len(tokens) != 1 || !tokens[0].Revoked.IsZero() || !tokens[0].LastUsed.IsZero() {
		e.Errorf("%d tokens, %v: a canceled call changed them", len(tokens), err)
	}
	k, err := e.store.Secret(e.ctx(), "rule", func(b []byte) error { b[0] = 2; return nil })
	if err != nil || k[0] != 2 {
		e.Errorf("a canceled call made the key")
	}

	// Canceled while the callback runs: all or nothing, and the error says which.
	u := e.insert(typeUser, user("eva"))
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	_, changed, err := e.store.Update(ctx, u.Key, e.clock.Tick(), func(cur storage.Current) (*storage.Edit, error) {
		stop()
		return increment(cur)
	})
	rec := e.get(u.Key)
	switch {
	case err == nil && (!changed || rec.Version != 2):
		e.Errorf("Update succeeded with version %d", rec.Version)
	case err != nil && (!errors.Is(err, context.Canceled) || rec.Version != 1 || len(e.changesOf(u.Key)) != 1):
		e.Errorf("Update failed with %v at version %d", err, rec.Version)
	}
}

func testUseAfterClose(e *env) {
	calls := e.callFixture()
	if err := e.store.Close(); err != nil {
		e.Fatalf("Close: %v", err)
	}
	for _, c := range calls {
		e.wantErr(c.method, c.run(e.ctx()), storage.ErrClosed)
	}
}

func testAliasing(e *env) {
	edit := user("ada")
	edit.Doc["emails"] = []any{scim.Attributes{"value": "a@example.com"}}
	edit.Secret = scim.Attributes{"password": scim.Attributes{"hash": "h"}}
	edit.Change.Values = []storage.ValueChange{{Path: "emails", New: []any{scim.Attributes{"value": "a@example.com"}}}}
	k := e.key(typeUser)
	rec := e.insertAt(k, edit)
	pending := e.ids.New()
	staff := group("staff", k.ID, pending)
	g := e.insert(typeGroup, staff)
	t := e.token(e.org, "token")
	e.insertToken(t)
	tokenWant := e.tokenByDigest(t.Digest)
	secret, err := e.store.Secret(e.ctx(), "cursor", func(b []byte) error { b[0] = 7; return nil })
	if err != nil {
		e.Fatalf("Secret: %v", err)
	}
	org, err := e.store.Organization(e.ctx(), "default")
	if err != nil {
		e.Fatalf("Organization: %v", err)
	}
	orgWant := *org

	e.unchanged("writing to what was passed in or handed out", e.org, func() {
		// What was passed in.
		spoilDoc(edit.Doc)
		edit.Secret["password"].(scim.Attributes)["hash"] = "spoiled"
		edit.Change.Values[0].New.([]any)[0].(scim.Attributes)["value"] = "spoiled"
		edit.Unique[0].Value = "spoiled"
		staff.Members.Add[0], staff.Members.Add[1] = "spoiled", "spoiled"
		t.Scopes[0] = "spoiled"
		// What was handed out.
		spoil(rec)
		spoil(e.get(k))
		spoil(e.get(g.Key))
		page := e.query(query.Query{Sources: []query.Source{{Type: typeUser}, {Type: typeGroup}}, Limit: 10, Load: everything})
		for i := range page.Records {
			spoil(&page.Records[i])
		}
		for _, c := range e.changes(e.org) {
			for i := range c.Values {
				c.Values[i].Path = "spoiled"
				if list, ok := c.Values[i].New.([]any); ok {
					list[0].(scim.Attributes)["value"] = "spoiled"
				}
			}
			for i := range c.MembersAdded {
				c.MembersAdded[i] = "spoiled"
			}
		}
		exists, err := e.store.Exists(e.ctx(), e.org, []string{k.ID})
		if err != nil {
			e.Fatalf("Exists: %v", err)
		}
		exists[k.ID] = "spoiled"
		spoiledToken := e.tokenByDigest(t.Digest)
		spoiledToken.Scopes[0], spoiledToken.Revoked = "spoiled", e.clock.Now()
		clear(secret)
		org.Slug, org.Name = "spoiled", "spoiled"
		// What callbacks see.
		spoilCurrent := func(cur storage.Current) {
			spoil(cur.Record())
			if all, err := cur.Members(); err == nil && len(all) > 0 {
				all[0].ID = "spoiled"
			}
			if has, err := cur.HasMembers([]string{pending}); err == nil {
				clear(has)
			}
		}
		for _, key := range []storage.Key{k, g.Key} {
			e.update(key, func(cur storage.Current) (*storage.Edit, error) { spoilCurrent(cur); return nil, nil })
			err := e.store.Delete(e.ctx(), key, e.clock.Now(), func(cur storage.Current) (storage.Change, error) {
				spoilCurrent(cur)
				return storage.Change{}, errRefused
			})
			e.wantErr("Delete", err, errRefused)
		}
	})
	e.diff("the token", tokenWant, e.tokenByDigest(t.Digest))
	again, err := e.store.Secret(e.ctx(), "cursor", nil)
	if err != nil || !bytes.Equal(again[:2], []byte{7, 0}) {
		e.Errorf("the key is spoiled (%v)", err)
	}
	org, err = e.store.Organization(e.ctx(), "default")
	if err != nil {
		e.Fatalf("Organization: %v", err)
	}
	e.diff("the organization", &orgWant, org)

	// An edit that a callback returned is the store's no longer than the call.
	kept := &storage.Edit{
		Doc: scim.Attributes{"userName": "ada", "tags": []any{"x"}}, Secret: scim.Attributes{"password": "new"},
		Unique: []query.UniqueKey{{Attr: "userName", Value: "ada"}}, Change: change(storage.OpReplace),
	}
	updated, _ := e.update(k, always(kept))
	e.unchanged("writing to an edit after its update", e.org, func() {
		spoilDoc(kept.Doc)
		kept.Doc["tags"].([]any)[0] = "spoiled"
		kept.Secret["password"] = "spoiled"
		spoil(updated)
	})
	// The store does not write to what it was given either.
	before := user("tim")
	after := user("tim")
	e.insert(typeUser, after)
	e.diff("an edit after its insert", before, after)
}

var errRefused = errors.New("refused by the caller")

func spoilDoc(doc scim.Attributes) {
	doc["userName"] = "spoiled"
	if list, ok := doc["emails"].([]any); ok {
		list[0].(scim.Attributes)["value"] = "spoiled"
	}
	if list, ok := doc["schemas"].([]any); ok {
		list[0] = "spoiled"
	}
}

// spoil overwrites whatever of a record is a reference.
func spoil(rec *storage.Record) {
	for i := range rec.Doc {
		rec.Doc[i] = '!'
	}
	for _, v := range rec.Secret {
		if m, ok := v.(scim.Attributes); ok {
			clear(m)
		}
	}
	clear(rec.Secret)
	for i := range rec.Members {
		rec.Members[i] = storage.Member{ID: "spoiled"}
	}
	for i := range rec.Groups {
		rec.Groups[i] = storage.Membership{ID: "spoiled"}
	}
}
