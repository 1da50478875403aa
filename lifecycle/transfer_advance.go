package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// advanceAtOnce bounds the steps that one call goes on with a transfer; the sweeper does the rest.
const advanceAtOnce = 500

// advanceTransfer goes on with a transfer as far as it can without anybody else. Each of its steps is one transaction that
// begins by comparing the transfer with what the step was decided on and ends with what is to be done next: a process that
// dies between any two leaves the rest to the next one, and of several at once one does each step.
func (s *Service) advanceTransfer(ctx context.Context, org scim.OrgID, id string) error {
	c := System(org, "transfers")
	for range advanceAtOnce {
		t, err := load[Transfer](ctx, s.store, transferKey(org, id))
		if err != nil || t == nil {
			return fail(typeTransfer, err)
		}
		a := &advance{Service: s, sub: c, t: t, now: s.now()}
		more, err := a.next(ctx)
		if errors.Is(err, errMoved) {
			continue // somebody else was faster: what is there to do now?
		}
		if err != nil {
			return fail(typeTransfer, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// SweepTransfers goes on with the transfers of an organization that time has made due.
func (s *Service) SweepTransfers(ctx context.Context, org scim.OrgID) error {
	due, err := s.due(ctx, org, typeTransfer, s.when(typeTransfer, "dueAt", query.Le, s.now()))
	if err != nil {
		return fail(typeTransfer, err)
	}
	var errs []error
	for _, k := range due {
		errs = append(errs, s.advanceTransfer(ctx, org, k.ID))
	}
	return errors.Join(errs...)
}

// advance is one step of a transfer that the server takes by itself.
type advance struct {
	*Service
	sub Subject
	t   *record[Transfer]
	now time.Time
}

// next takes the next step, if there is one to be taken now.
func (a *advance) next(ctx context.Context) (more bool, err error) {
	v := &a.t.Value
	switch {
	case v.State == transferCollecting:
		return a.collected(ctx)
	case v.State == transferRunning && v.Phase == phaseCopy:
		return a.copyItems(ctx)
	case v.State == transferRunning && v.Phase == phaseAssign:
		return a.assignItems(ctx)
	case v.State == transferRunning && v.Phase == phaseSteps:
		return a.openSteps(ctx, stepExecute, phaseApps)
	case v.State == transferRunning && v.Phase == phaseApps:
		return a.appsDone(ctx)
	case v.State == transferRunning && v.Phase == phaseDirectory:
		return a.moveOwn(ctx)
	case v.State == transferCancelling && v.Phase == phaseAssign:
		return a.cancelItems(ctx)
	case v.State == transferCancelling && v.Phase == phaseSteps:
		return a.openSteps(ctx, stepUndo, phaseUndo)
	case v.State == transferCancelling && v.Phase == phaseUndo:
		return a.undone(ctx)
	case !v.open():
		return a.afterwards(ctx)
	}
	return false, nil
}

// step stores what fn makes of the transfer, if it is still what the step was decided on, and what fn writes beside.
func (a *advance) step(ctx context.Context, fn func(tx storage.Tx, v *Transfer) error) (bool, error) {
	err := a.store.Within(ctx, a.sub.Org, func(tx storage.Tx) error {
		v := a.t.Value
		if err := fn(tx, &v); err != nil {
			return err
		}
		_, err := change(ctx, a.Service, tx, a.sub.Caller, a.t.Key, a.now, func(r *record[Transfer]) error {
			if r.Version != a.t.Version {
				return errMoved
			}
			r.Value = v
			return nil
		})
		return err
	})
	if errors.Is(err, storage.ErrExists) { // another one has taken the step
		err = errMoved
	}
	return err == nil, err
}

func (a *advance) id() string { return a.t.Key.ID }

func (a *advance) by() Ref { return Ref{Value: a.sub.Actor.ID, Display: a.sub.Label, Type: "system"} }

// collected ends the collecting, once every application has answered or the time for answers is over.
func (a *advance) collected(ctx context.Context) (bool, error) {
	steps, err := a.steps(ctx, a.sub.Org, a.id())
	if err != nil {
		return false, err
	}
	late := !a.t.Value.AnswerBy.After(a.now)
	var silent []*record[TransferStep]
	for _, st := range steps {
		if st.Value.Kind == stepInventory && st.Value.State == stepOpen {
			silent = append(silent, st)
		}
	}
	if len(silent) > 0 && !late {
		return false, nil
	}
	return a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		for _, st := range silent {
			if err := a.onStep(ctx, tx, st, func(r *TransferStep) { r.close(stepSilent) }); err != nil {
				return err
			}
		}
		v.State, v.DueAt = transferReady, Instant{}
		v.note(a.now, a.by(), transferReady, len(silent))
		return nil
	})
}

// onStep changes a step that nobody has changed since it was read.
func (a *advance) onStep(ctx context.Context, tx storage.Tx, st *record[TransferStep], fn func(*TransferStep)) error {
	_, err := change(ctx, a.Service, tx, a.sub.Caller, st.Key, a.now, func(r *record[TransferStep]) error {
		if r.Version != st.Version {
			return errMoved
		}
		fn(&r.Value)
		return nil
	})
	return moved(err)
}

// onItem changes an item that nobody has changed since it was read.
func (a *advance) onItem(ctx context.Context, tx storage.Tx, i *record[TransferItem], fn func(*TransferItem)) error {
	_, err := change(ctx, a.Service, tx, a.sub.Caller, i.Key, a.now, func(r *record[TransferItem]) error {
		if r.Version != i.Version {
			return errMoved
		}
		fn(&r.Value)
		r.Value.At = at(a.now)
		return nil
	})
	return moved(err)
}

// items are the next ones of the phase, in id order.
func (a *advance) items(ctx context.Context) ([]*record[TransferItem], error) {
	return a.pageItems(ctx, a.sub.Org, a.eq(typeTransferItem, "transfer", a.id()), a.t.Value.Cursor, itemStep)
}

// eachItem is a step over the next items; after the last the phase ends.
func (a *advance) eachItem(ctx context.Context, then string, fn func(tx storage.Tx, v *Transfer, i *record[TransferItem]) error) (bool, error) {
	list, err := a.items(ctx)
	if err != nil {
		return false, err
	}
	return a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		for _, i := range list {
			if err := fn(tx, v, i); err != nil {
				return err
			}
			v.Cursor = i.Key.ID
		}
		if len(list) < itemStep {
			v.Phase, v.Cursor = then, ""
		}
		return nil
	})
}

// waiting is how many items the application of a step has to answer for.
func (a *advance) waiting(ctx context.Context, step string) (int, error) {
	return a.count(ctx, a.sub.Org, typeTransferItem, a.eq(typeTransferItem, "queue", step))
}

// openSteps asks the applications that have anything to do.
func (a *advance) openSteps(ctx context.Context, kind, then string) (bool, error) {
	steps, err := a.steps(ctx, a.sub.Org, a.id())
	if err != nil {
		return false, err
	}
	if a.t.Value.BackOf != "" {
		before, err := a.steps(ctx, a.sub.Org, a.t.Value.BackOf)
		if err != nil {
			return false, err
		}
		steps = append(steps, before...)
	}
	have, apps := map[string]*record[TransferStep]{}, map[string]*TransferStep{}
	for _, st := range steps {
		apps[st.Value.App] = &st.Value
		if st.Value.Kind == kind && st.Value.Transfer == a.id() {
			have[st.Value.App] = st
		}
	}
	waiting := map[string]int{}
	for app := range apps {
		if waiting[app], err = a.waiting(ctx, stepKey(a.sub.Org, a.id(), app, kind).ID); err != nil {
			return false, err
		}
	}
	return a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		opened := 0
		for app, like := range apps {
			k, n := stepKey(a.sub.Org, a.id(), app, kind), waiting[app]
			if n == 0 {
				continue
			}
			opened++
			var err error
			open := func(r *TransferStep) {
				r.State, r.Queue, r.Items, r.DueBy, r.OpenedAt = stepOpen, app, n, v.Deadline, at(a.now)
			}
			if st := have[app]; st != nil {
				err = a.onStep(ctx, tx, st, open)
			} else {
				st := TransferStep{Transfer: a.id(), App: app, Kind: kind, Person: like.Person, WorkTypes: like.WorkTypes}
				open(&st)
				_, err = a.insert(ctx, tx, a.sub.Caller, k, a.now, st, nil)
			}
			if err != nil {
				return err
			}
		}
		v.Phase = then
		v.note(a.now, a.by(), kind, opened)
		return nil
	})
}
