package conformance

import (
	"errors"
	"fmt"
	"sync"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func stepCases() []testCase {
	return []testCase{
		{name: "StepIsAtomic", run: testStepIsAtomic},
		{name: "StepsInParallel", extra: "steps that touch the same records leave a state that some order of them explains", run: testStepsInParallel},
		{name: "BatchKeepsResults", run: testBatchKeepsResults},
		{name: "BatchStops", run: testBatchStops},
	}
}

func testStepIsAtomic(e *env) {
	u := e.insert(typeUser, user("ada"))
	old := e.insert(typeUser, user("old"))
	g := e.insert(typeGroup, group("staff", old.ID))
	nu, ng := e.key(typeUser), e.key(typeGroup)
	at := e.clock.Tick()
	// work does one write of each kind and looks at its own writes in between.
	work := func(tx storage.Tx) error {
		ctx := e.ctx()
		rec, err := tx.Insert(ctx, nu, at, user("eva"))
		if err != nil {
			return err
		}
		seen, err := tx.Get(ctx, nu, query.Load{})
		if err != nil {
			return err
		}
		e.diff("Get of the step's insert", rec, seen)
		if _, err := tx.Insert(ctx, ng, at, group("board", nu.ID)); err != nil {
			return err
		}
		if _, _, err := tx.Update(ctx, g.Key, at, always(members(storage.MemberDelta{Add: []string{nu.ID, u.ID}}))); err != nil {
			return err
		}
		if _, _, err := tx.Update(ctx, u.Key, at, increment); err != nil {
			return err
		}
		rec, changed, err := tx.Update(ctx, u.Key, at, increment)
		if err != nil {
			return err
		}
		if !changed || rec.Version != 3 {
			e.Errorf("the step's second update: changed %v, version %d, want true and 3", changed, rec.Version)
		}
		if err := tx.Delete(ctx, old.Key, at, allow); err != nil {
			return err
		}
		_, err = tx.Get(ctx, old.Key, query.Load{})
		e.wantErr("Get of what the step deleted", err, storage.ErrNotFound)
		seen, err = tx.Get(ctx, nu, everything)
		if err != nil {
			return err
		}
		e.diff("groups inside the step", []storage.Membership{
			{ID: g.ID, Display: "staff", Direct: true}, {ID: ng.ID, Display: "board", Direct: true},
		}, seen.Groups)
		return nil
	}
	failure := errors.New("the step fails at its end")
	e.unchanged("a step that fails", e.org, func() {
		err := e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
			if err := work(tx); err != nil {
				return err
			}
			return failure
		})
		e.wantErr("Within", err, failure)
		err = e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
			if err := work(tx); err != nil {
				return err
			}
			_, err := tx.Insert(e.ctx(), e.key(typeUser), at, user("ADA"))
			return err
		})
		e.wantUnique("Within", err, "userName")
	})
	if err := e.store.Within(e.ctx(), e.org, work); err != nil {
		e.Fatalf("Within: %v", err)
	}
	e.gone(old.Key)
	e.diff("members of staff", sorted([]string{nu.ID, u.ID}), memberIDs(e.get(g.Key)))
	e.diff("members of board", []string{nu.ID}, memberIDs(e.get(ng)))
	if age := e.doc(e.get(u.Key))["age"]; age != int64(2) {
		e.Errorf("the counter is %v after two increments in one step", age)
	}
	var versions []int64
	for _, c := range e.changesOf(u.Key) {
		versions = append(versions, c.Version)
	}
	e.diff("versions in the feed", []int64{1, 2, 3}, versions)
	if err := e.store.Within(e.ctx(), e.org, func(storage.Tx) error { return nil }); err != nil {
		e.Errorf("an empty step: %v", err)
	}
}

// testStepsInParallel moves tokens between records: the sum stays.
func testStepsInParallel(e *env) {
	const accounts, movers, moves = 4, 6, 10
	var keys []storage.Key
	for i := range accounts {
		edit := user(fmt.Sprintf("account %d", i))
		edit.Doc["age"] = int64(100)
		keys = append(keys, e.insert(typeUser, edit).Key)
	}
	add := func(n int64) storage.UpdateFunc {
		return mapDoc(func(d scim.Attributes) { d["age"] = d["age"].(int64) + n })
	}
	var wg sync.WaitGroup
	for m := range movers {
		wg.Go(func() {
			for i := range moves {
				from, to := keys[(m+i)%accounts], keys[(m+i*m+1+i)%accounts]
				if from == to {
					to = keys[(m+i+1)%accounts]
				}
				err := e.store.Within(e.ctx(), e.org, func(tx storage.Tx) error {
					if _, _, err := tx.Update(e.ctx(), from, e.clock.Tick(), add(-1)); err != nil {
						return err
					}
					_, _, err := tx.Update(e.ctx(), to, e.clock.Tick(), add(1))
					return err
				})
				if err != nil {
					e.Errorf("Within: %v", err)
				}
			}
		})
	}
	wg.Wait()
	sum, versions := int64(0), int64(0)
	for _, k := range keys {
		rec := e.get(k)
		sum += e.doc(rec)["age"].(int64)
		versions += rec.Version
	}
	if sum != accounts*100 {
		e.Errorf("the sum is %d, want %d", sum, accounts*100)
	}
	if want := int64(accounts + 2*movers*moves); versions != want {
		e.Errorf("the versions add up to %d, want %d", versions, want)
	}
}

func testBatchKeepsResults(e *env) {
	failure := errors.New("this step fails")
	keys := []storage.Key{e.key(typeUser), e.key(typeUser), e.key(typeUser), e.key(typeGroup)}
	insert := func(k storage.Key, edit *storage.Edit) storage.Step {
		return func(tx storage.Tx) error {
			_, err := tx.Insert(e.ctx(), k, e.clock.Now(), edit)
			return err
		}
	}
	steps := []storage.Step{
		insert(keys[0], user("ada")),
		insert(keys[1], user("ADA")), // taken by the step before
		func(tx storage.Tx) error { // fails after it wrote
			if _, err := tx.Insert(e.ctx(), keys[2], e.clock.Now(), user("tim")); err != nil {
				return err
			}
			return failure
		},
		insert(keys[2], user("tim")), // what the failed step wrote is not there
		func(tx storage.Tx) error {
			_, _, err := tx.Update(e.ctx(), keys[0], e.clock.Now(), increment)
			return err
		},
		insert(keys[3], group("staff", keys[0].ID, keys[2].ID)),
		func(tx storage.Tx) error { return tx.Delete(e.ctx(), keys[1], e.clock.Now(), allow) },
		func(storage.Tx) error { return nil },
	}
	var order []int
	results := map[int]error{}
	errs := e.store.Batch(e.ctx(), e.org, steps, func(i int, err error) bool {
		order = append(order, i)
		results[i] = err
		return true
	})
	if len(errs) != len(steps) {
		e.Fatalf("Batch of %d steps returned %d errors", len(steps), len(errs))
	}
	e.diff("done was called for", []int{0, 1, 2, 3, 4, 5, 6, 7}, order)
	for i, err := range errs {
		if (err == nil) != (results[i] == nil) {
			e.Errorf("step %d: done was told %v, Batch returns %v", i, results[i], err)
		}
		switch i {
		case 1:
			e.wantUnique("step 1", err, "userName")
		case 2:
			e.wantErr("step 2", err, failure)
		case 6:
			e.wantErr("step 6", err, storage.ErrNotFound)
		default:
			if err != nil {
				e.Errorf("step %d: %v", i, err)
			}
		}
	}
	e.gone(keys[1])
	e.diff("members", []storage.Member{
		{ID: keys[0].ID, Type: typeUser, Display: "ada"}, {ID: keys[2].ID, Type: typeUser, Display: "tim"},
	}, e.get(keys[3]).Members)
	if v := e.get(keys[0]).Version; v != 2 {
		e.Errorf("version %d, want 2", v)
	}
	if n := len(e.changes(e.org)); n != 4 {
		e.Errorf("%d changes, want 4", n)
	}

	// done may be nil, steps may be many or none.
	many := make([]storage.Step, 1000)
	for i := range many {
		many[i] = insert(e.key(typeThing), thing(scim.Attributes{"weight": int64(i)}))
	}
	for i, err := range e.store.Batch(e.ctx(), e.org, many, nil) {
		if err != nil {
			e.Fatalf("step %d of a long batch: %v", i, err)
		}
	}
	page := e.query(query.Query{Sources: []query.Source{{Type: typeThing}}, Total: true})
	if page.Total != len(many) {
		e.Errorf("%d things after a batch of %d", page.Total, len(many))
	}
	if errs := e.store.Batch(e.ctx(), e.org, nil, nil); len(errs) != 0 {
		e.Errorf("Batch of nothing returned %d errors", len(errs))
	}
}

func testBatchStops(e *env) {
	failure := errors.New("this step fails")
	var keys []storage.Key
	var steps []storage.Step
	for i := range 6 {
		k := e.key(typeUser)
		keys = append(keys, k)
		steps = append(steps, func(tx storage.Tx) error {
			if i > 3 {
				e.Errorf("step %d ran after the batch had ended", i)
			}
			if _, err := tx.Insert(e.ctx(), k, e.clock.Now(), user(fmt.Sprint("user ", i))); err != nil {
				return err
			}
			if i == 1 || i == 3 {
				return failure
			}
			return nil
		})
	}
	failed := 0
	errs := e.store.Batch(e.ctx(), e.org, steps, func(_ int, err error) bool {
		if err != nil {
			failed++
		}
		return failed < 2
	})
	if len(errs) != len(steps) {
		e.Fatalf("Batch of %d steps returned %d errors", len(steps), len(errs))
	}
	for i, want := range []error{nil, failure, nil, failure, storage.ErrNotRun, storage.ErrNotRun} {
		if want != nil {
			e.wantErr(fmt.Sprint("step ", i), errs[i], want)
			e.gone(keys[i])
			continue
		}
		if errs[i] != nil {
			e.Errorf("step %d: %v", i, errs[i])
		}
		e.get(keys[i])
	}
	// A batch may also be ended by its own success.
	last := []storage.Key{e.key(typeThing), e.key(typeThing)}
	steps = nil
	for _, k := range last {
		steps = append(steps, func(tx storage.Tx) error {
			_, err := tx.Insert(e.ctx(), k, e.clock.Now(), thing(scim.Attributes{}))
			return err
		})
	}
	errs = e.store.Batch(e.ctx(), e.org, steps, func(int, error) bool { return false })
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], storage.ErrNotRun) {
		e.Fatalf("a batch that ends after its first step returned %v", errs)
	}
	e.get(last[0])
	e.gone(last[1])
}
