package conformance

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

func feedCases() []testCase {
	return []testCase{
		{name: "FeedPages", extra: "a feed read in pages of any size is the same feed", run: testFeedPages},
		{name: "FeedBackwards", run: testFeedBackwards},
		{name: "FeedMissesNothing", run: testFeedMissesNothing},
		{name: "HistoryIsOfOneRecord", run: testHistory},
		{name: "RedactKeepsNoValue", run: testRedact},
	}
}

func testFeedPages(e *env) {
	u := e.insert(typeUser, user("u"))
	for range 5 {
		e.update(u.Key, increment)
	}
	g := e.insert(typeGroup, group("g", u.ID))
	e.remove(u.Key)
	all := e.changes(e.org)
	if len(all) != 9 {
		e.Fatalf("%d changes, want 9", len(all))
	}
	if last := all[len(all)-1]; last.Key != g.Key && last.Key != u.Key {
		e.Errorf("the last change is of %v", last.Key)
	}
	for limit := 1; limit <= len(all)+1; limit++ {
		var got []storage.Change
		var at storage.Position
		for {
			page, err := e.store.Changes(e.ctx(), e.org, at, limit)
			if err != nil {
				e.Fatalf("Changes with limit %d: %v", limit, err)
			}
			if len(page) > limit {
				e.Fatalf("Changes with limit %d returned %d", limit, len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			at = page[len(page)-1].Position
		}
		e.diff(fmt.Sprintf("the feed in pages of %d", limit), all, got)
	}
	// Each position can be resumed from.
	for i, c := range all {
		rest, err := e.store.Changes(e.ctx(), e.org, c.Position, 100)
		if err != nil {
			e.Fatalf("Changes: %v", err)
		}
		e.diff(fmt.Sprintf("the feed after change %d", i), all[i+1:], rest)
	}
	if rest := e.changes(e.newOrg("empty")); len(rest) != 0 {
		e.Errorf("%d changes in an organization without writes", len(rest))
	}
}

// testFeedBackwards reads a feed from its end, in pages of any size.
func testFeedBackwards(e *env) {
	u := e.insert(typeUser, user("u"))
	for range 5 {
		e.update(u.Key, increment)
	}
	e.insert(typeGroup, group("g", u.ID))
	e.remove(u.Key)
	want := e.changes(e.org)
	for i := 1; i < len(want); i++ {
		if want[i-1].Position.Compare(want[i].Position) >= 0 || want[i].Position.Compare(want[i-1].Position) <= 0 {
			e.Errorf("position %s comes after %s", want[i].Position, want[i-1].Position)
		}
	}
	slices.Reverse(want)
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []storage.Change
		var at storage.Position
		for {
			page, err := e.store.ChangesBefore(e.ctx(), e.org, at, limit)
			if err != nil {
				e.Fatalf("ChangesBefore with limit %d: %v", limit, err)
			}
			if len(page) > limit {
				e.Fatalf("ChangesBefore with limit %d returned %d", limit, len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			at = page[len(page)-1].Position
		}
		e.diff(fmt.Sprintf("the feed backwards in pages of %d", limit), want, got)
	}
	if list, err := e.store.ChangesBefore(e.ctx(), e.newOrg("empty"), "", 10); err != nil || len(list) != 0 {
		e.Errorf("%d changes in an organization without writes: %v", len(list), err)
	}
}

// feedKey names one change of a record: a delete has the version of the write before it.
type feedKey struct {
	storage.Key
	version int64
	deleted bool
}

// testFeedMissesNothing follows the feed while writers commit by every road that there is, and compares what the
// follower saw with what the writers were told.
func testFeedMissesNothing(e *env) {
	const writers, each = 6, 25
	shared := e.insert(typeGroup, group("shared"))
	var mu sync.Mutex
	want := map[feedKey]bool{{Key: shared.Key, version: 1}: true}
	committed := func(k storage.Key, version int64, deleted bool) {
		mu.Lock()
		defer mu.Unlock()
		want[feedKey{k, version, deleted}] = true
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e.feedWrites(fmt.Sprintf("%d-%d", w, i), shared.Key, committed)
			}
		})
	}
	go func() { wg.Wait(); close(done) }()

	ctx, cancel := context.WithTimeout(e.ctx(), 2*time.Minute)
	defer cancel()
	var feed []storage.Change
	var at storage.Position
	for finished := false; ; {
		page, err := e.store.Changes(ctx, e.org, at, 7)
		if err != nil {
			e.Fatalf("Changes: %v after %d changes", err, len(feed))
		}
		if len(page) > 0 {
			feed = append(feed, page...)
			at = page[len(page)-1].Position
			continue
		}
		mu.Lock()
		complete := finished && len(feed) >= len(want)
		mu.Unlock()
		if complete {
			break
		}
		select {
		case <-done:
			finished = true
		default:
		}
		if ctx.Err() != nil {
			break // the comparison says what is missing
		}
		runtime.Gosched()
	}

	seen := map[feedKey]bool{}
	last := map[storage.Key]int64{}
	positions := map[storage.Position]bool{}
	for i, c := range feed {
		k := feedKey{c.Key, c.Version, c.Op == storage.OpDelete}
		switch {
		case seen[k]:
			e.Errorf("change %d, version %d of %s, comes twice", i, c.Version, c.Key.ID)
		case !want[k]:
			e.Errorf("change %d, version %d of %s (%s), was not committed", i, c.Version, c.Key.ID, c.Op)
		case positions[c.Position]:
			e.Errorf("change %d has the position of another", i)
		case !k.deleted && c.Version != last[c.Key]+1:
			e.Errorf("change %d is version %d of %s after version %d", i, c.Version, c.Key.ID, last[c.Key])
		case k.deleted && c.Version != last[c.Key]:
			e.Errorf("change %d deletes version %d of %s after version %d", i, c.Version, c.Key.ID, last[c.Key])
		}
		seen[k], positions[c.Position] = true, true
		last[c.Key] = c.Version
	}
	missing := 0
	for k := range want {
		if !seen[k] {
			missing++
		}
	}
	if missing > 0 {
		e.Errorf("the follower missed %d of %d committed changes", missing, len(want))
	}
	e.diff("the feed read again from its beginning", feed, e.changes(e.org))
}

// feedWrites does one round of writes and tells committed each change that they make.
func (e *env) feedWrites(name string, shared storage.Key, committed func(k storage.Key, version int64, deleted bool)) {
	k, fk := e.key(typeUser), e.key(typeThing)
	if _, err := e.store.Insert(e.ctx(), k, e.clock.Tick(), user(name)); err != nil {
		e.Errorf("Insert: %v", err)
		return
	}
	committed(k, 1, false)
	// The shared group is bumped by several writers; each is told its own version.
	rec, changed, err := e.store.Update(e.ctx(), shared, e.clock.Tick(), always(members(storage.MemberDelta{Add: []string{e.ids.New()}})))
	if err != nil || !changed {
		e.Errorf("Update: changed %v, %v", changed, err)
		return
	}
	committed(shared, rec.Version, false)
	errs := e.store.Batch(e.ctx(), e.org, []storage.Step{
		func(tx storage.Tx) error {
			_, err := tx.Insert(e.ctx(), fk, e.clock.Tick(), thing(scim.Attributes{"serial": name}))
			return err
		},
		func(tx storage.Tx) error {
			if _, _, err := tx.Update(e.ctx(), k, e.clock.Tick(), increment); err != nil {
				return err
			}
			return storage.ErrExists // taken back: no change row
		},
		func(tx storage.Tx) error {
			_, _, err := tx.Update(e.ctx(), k, e.clock.Tick(), increment)
			return err
		},
	}, nil)
	if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil {
		e.Errorf("Batch: %v", errs)
		return
	}
	committed(fk, 1, false)
	committed(k, 2, false)
	if err := e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
		if _, _, err := tx.Update(e.ctx(), fk, e.clock.Tick(), mapDoc(func(d scim.Attributes) { d["weight"] = 1.5 })); err != nil {
			return err
		}
		return tx.Delete(e.ctx(), k, e.clock.Tick(), allow)
	}); err != nil {
		e.Errorf("Within: %v", err)
		return
	}
	committed(fk, 2, false)
	committed(k, 2, true)
}
