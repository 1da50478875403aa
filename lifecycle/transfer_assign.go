package lifecycle

import (
	"context"
	"errors"
	"slices"

	"rollcall/scim"
	"rollcall/storage"
)

// assignment is what deciding who gets an item takes, read before the step.
type assignment struct {
	people map[string]*Person // receivers; nil: not there
	from   *Person            // nil: removed
	types  map[string]WorkType
}

func (a *advance) assignment(ctx context.Context, items []*record[TransferItem]) (*assignment, error) {
	x := &assignment{people: map[string]*Person{}, types: map[string]WorkType{}}
	v := &a.t.Value
	ids := []string{v.To}
	for _, r := range v.Rules {
		for _, t := range r.To {
			ids = append(ids, t.User)
		}
	}
	for _, i := range items {
		ids = append(ids, i.Value.Chosen)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id == "" {
			continue
		}
		p, err := a.member(ctx, id)
		if err != nil {
			return nil, err
		}
		x.people[id] = p
	}
	var err error
	if x.from, err = a.member(ctx, v.Person); err != nil {
		return nil, err
	}
	apps, err := a.workTypes(ctx, a.sub)
	for _, app := range apps {
		for _, w := range app.WorkTypes {
			x.types[app.Key+"/"+w.Key] = w
		}
	}
	return x, err
}

// member is somebody of the organization; nil if they are not there.
func (a *advance) member(ctx context.Context, id string) (*Person, error) {
	p, _, err := a.person(ctx, a.sub.Org, id)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == 404 {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return p, err
}

// unfit says why somebody cannot get an item; an empty code if they can.
func (x *assignment) unfit(id string, i *TransferItem) (code, detail string) {
	p := x.people[id]
	if p == nil {
		return "unknown_user", "the person who is to get it is not there any more"
	}
	w := x.types[i.App+"/"+i.WorkType]
	if code, detail := p.unfit(i.SubAccount); code != "" {
		return code, detail
	}
	if w.NeedsSameSubAccount && i.SubAccount == "" && i.App != directoryApp && x.from != nil && len(x.from.Grant.SubAccounts) > 0 {
		shared := slices.ContainsFunc(x.from.Grant.SubAccounts, func(s GrantedSubAccount) bool { return p.belongs(s.Key) })
		if !shared {
			return "sub_account_missing", "the person belongs to no sub-account of who hands over"
		}
	}
	for _, need := range w.ReceiverMust {
		if !p.Grant.Has(need) {
			return "permission_missing", "the person lacks a permission that the work type asks for: " + need
		}
	}
	return "", ""
}

// assignItems says of the next items who gets them. Those that are done, or that stay where they are, stay as they are.
func (a *advance) assignItems(ctx context.Context) (bool, error) {
	list, err := a.items(ctx)
	if err != nil {
		return false, err
	}
	x, err := a.assignment(ctx, list)
	if err != nil {
		return false, err
	}
	return a.eachItem(ctx, phaseSteps, func(tx storage.Tx, v *Transfer, i *record[TransferItem]) error {
		if !slices.Contains([]string{itemFound, itemFailed, itemCancelled}, i.Value.State) {
			return nil
		}
		next := i.Value
		x.assign(v, &next)
		if next.State == itemPending && next.App != directoryApp {
			next.Queue = stepKey(a.sub.Org, a.id(), next.App, stepExecute).ID
		}
		return a.onItem(ctx, tx, i, func(r *TransferItem) { *r = next })
	})
}

// assign gives an item its receiver, or says why it has none.
func (x *assignment) assign(v *Transfer, i *TransferItem) {
	i.To, i.Shares, i.Queue, i.Code, i.Detail, i.Attempts, i.NextAt, i.Left = "", nil, "", "", "", 0, Instant{}, 0
	rule, key := v.rule(i)
	if i.Chosen != "" {
		rule, key = &TransferRule{To: []Share{{User: i.Chosen, Share: 1}}}, ""
	}
	if i.Keep || rule == nil || rule.Keep {
		i.State = itemKept
		return
	}
	var fits []int
	for k, t := range rule.To {
		code, detail := x.unfit(t.User, i)
		if code == "" {
			fits = append(fits, k)
		} else if i.Code == "" {
			i.Code, i.Detail = code, detail
		}
	}
	if len(fits) == 0 {
		i.State = itemFailed
		return
	}
	i.State, i.Code, i.Detail = itemPending, "", ""
	if i.App == directoryApp { // of which things go to several
		for _, k := range fits {
			i.Shares = append(i.Shares, rule.To[k])
		}
		return
	}
	i.To = rule.To[v.deal(key, rule.To, fits)].User
}

// deal says whose turn it is of several with shares: of those who fit, the one who has least for their share.
func (v *Transfer) deal(key string, to []Share, fits []int) int {
	given := slices.Clone(v.Dealt[key])
	for len(given) < len(to) {
		given = append(given, 0)
	}
	best := fits[0]
	for _, k := range fits[1:] {
		if given[k]*to[best].Share < given[best]*to[k].Share {
			best = k
		}
	}
	given[best]++
	dealt := map[string][]int{key: given}
	for k, n := range v.Dealt {
		if k != key {
			dealt[k] = n
		}
	}
	v.Dealt = dealt
	return best
}

// appsDone ends the phase in which applications hand things over: all have answered, or their time is over.
func (a *advance) appsDone(ctx context.Context) (bool, error) {
	open, err := a.openOf(ctx, stepExecute)
	if err != nil {
		return false, err
	}
	for _, st := range open {
		done, more, err := a.stepDone(ctx, st)
		if err != nil || done {
			return more, err
		}
	}
	if len(open) > 0 {
		return false, nil
	}
	failed, err := a.withState(ctx, itemFailed)
	if err != nil {
		return false, err
	}
	return a.step(ctx, func(_ storage.Tx, v *Transfer) error {
		if failed == 0 || v.AcceptErrors {
			v.Phase = phaseDirectory
			return nil
		}
		v.State, v.Phase, v.DueAt = transferFailed, "", Instant{}
		v.note(a.now, a.by(), transferFailed, failed)
		return nil
	})
}

func (a *advance) withState(ctx context.Context, state string) (int, error) {
	return a.count(ctx, a.sub.Org, typeTransferItem, a.stateIs(state))
}

// openOf are the open steps of a kind.
func (a *advance) openOf(ctx context.Context, kind string) ([]*record[TransferStep], error) {
	steps, err := a.steps(ctx, a.sub.Org, a.id())
	return slices.DeleteFunc(steps, func(st *record[TransferStep]) bool { return st.Value.Kind != kind || st.Value.State != stepOpen }), err
}

// stepDone closes a step that has been answered, or gives up on some of its items when its time is over; done says that
// it did one of them.
func (a *advance) stepDone(ctx context.Context, st *record[TransferStep]) (done, more bool, err error) {
	n, err := a.waiting(ctx, st.Key.ID)
	if err != nil {
		return true, false, err
	}
	if n == 0 {
		more, err = a.step(ctx, func(tx storage.Tx, _ *Transfer) error {
			return a.onStep(ctx, tx, st, func(r *TransferStep) { r.close(stepAnswered) })
		})
		return true, more, err
	}
	if st.Value.DueBy.After(a.now) {
		return false, false, nil
	}
	list, err := a.pageItems(ctx, a.sub.Org, a.eq(typeTransferItem, "queue", st.Key.ID), "", itemStep)
	if err != nil {
		return true, false, err
	}
	more, err = a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		for _, i := range list {
			err := a.onItem(ctx, tx, i, func(r *TransferItem) {
				if r.Queue, r.Code, r.Detail = "", "no_answer", "the application did not answer in time"; r.State == itemUndoing {
					r.State = itemDone
				} else {
					r.State = itemFailed
				}
			})
			if err != nil {
				return err
			}
		}
		v.note(a.now, a.by(), "noAnswer", len(list))
		return nil
	})
	return true, more, err
}

// cancelItems takes back what has not been handed over, and has undone what can be.
func (a *advance) cancelItems(ctx context.Context) (bool, error) {
	return a.eachItem(ctx, phaseSteps, func(tx storage.Tx, _ *Transfer, i *record[TransferItem]) error {
		switch {
		case i.Value.State == itemDone && i.Value.Undo:
			return a.onItem(ctx, tx, i, func(r *TransferItem) {
				r.State, r.Attempts, r.NextAt, r.Queue = itemUndoing, 0, Instant{}, stepKey(a.sub.Org, a.id(), r.App, stepUndo).ID
			})
		case i.Value.State == itemFound || i.Value.State == itemPending:
			return a.onItem(ctx, tx, i, func(r *TransferItem) { r.State, r.Queue = itemCancelled, "" })
		}
		return nil
	})
}

// undone ends the cancelling, once every application has given back what it can.
func (a *advance) undone(ctx context.Context) (bool, error) {
	open, err := a.openOf(ctx, stepUndo)
	if err != nil {
		return false, err
	}
	for _, st := range open {
		if done, more, err := a.stepDone(ctx, st); err != nil || done {
			return more, err
		}
	}
	if len(open) > 0 {
		return false, nil
	}
	return a.step(ctx, func(_ storage.Tx, v *Transfer) error {
		v.end(a.now, a.by(), transferCancelled)
		return nil
	})
}
