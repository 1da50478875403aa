package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// onTransfer is an action of somebody on a transfer: one step, in which fn decides on the transfer as it is then and may
// write more. What the server can do next it does at once.
func (s *Service) onTransfer(ctx context.Context, sub Subject, t *record[Transfer], fn func(storage.Tx, *Transfer, time.Time) error) (*TransferRecord, error) {
	a := &advance{Service: s, sub: sub, t: t, now: s.now()}
	_, err := a.step(ctx, func(tx storage.Tx, v *Transfer) error { return fn(tx, v, a.now) })
	if errors.Is(err, errMoved) {
		e := conflict("transfer_changed", "the transfer has just changed: look at it again")
		e.RetryAfter = retryContention
		return nil, e
	}
	if err != nil {
		return nil, fail(typeTransfer, err)
	}
	if err := s.advanceTransfer(ctx, sub.Org, t.Key.ID); err != nil {
		return nil, err
	}
	return s.readTransfer(ctx, t.Key)
}

// readTransfer reads a transfer for who may.
func (s *Service) readTransfer(ctx context.Context, k storage.Key) (*TransferRecord, error) {
	return s.GetTransfer(ctx, System(k.Org, "transfers").reading(), k.ID)
}

// reading is the subject as one that may read all.
func (s Subject) reading() Subject {
	s.Kind = KindOwner
	return s
}

// mustBe says that a transfer must be in one of some states.
func (t *Transfer) mustBe(states ...string) error {
	if slices.Contains(states, t.State) {
		return nil
	}
	return conflict("transfer_"+t.State, "the transfer is %s", t.State)
}

// CollectTransfer asks the applications what the person has, and looks at what Rollcall itself has of them.
func (s *Service) CollectTransfer(ctx context.Context, sub Subject, id string) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	apps, err := s.workTypes(ctx, sub)
	if err != nil {
		return nil, err
	}
	own, err := s.ownWork(ctx, sub.Org, &t.Value)
	if err != nil {
		return nil, err
	}
	return s.onTransfer(ctx, sub, t, func(tx storage.Tx, v *Transfer, now time.Time) error {
		if err := v.mustBe(transferDraft); err != nil {
			return err
		}
		if v.AnswerBy.IsZero() {
			v.AnswerBy = at(now.Add(answerTime))
		}
		v.State, v.DueAt = transferCollecting, at(now)
		asked := 0
		for _, a := range apps {
			step := TransferStep{
				Transfer: id, App: a.Key, Kind: stepInventory, State: stepOpen, Queue: a.Key, Person: v.Person, DueBy: v.AnswerBy, OpenedAt: at(now),
			}
			for _, w := range a.WorkTypes {
				if v.covers(a.Key, w.Key) {
					step.WorkTypes = append(step.WorkTypes, w.Key)
				}
			}
			if a.Key == directoryApp || len(step.WorkTypes) == 0 {
				continue
			}
			asked++
			if _, err := s.insert(ctx, tx, sub.Caller, stepKey(sub.Org, id, a.Key, stepInventory), now, step, nil); err != nil {
				return err
			}
		}
		for _, i := range own {
			i.Transfer, i.At = id, at(now)
			if _, err := s.insert(ctx, tx, sub.Caller, itemKey(sub.Org, id, i.App, i.WorkType, ""), now, i, nil); err != nil {
				return err
			}
		}
		v.note(now, refOf(sub), transferCollecting, asked)
		return nil
	})
}

// ApproveTransfer agrees to what somebody else has chosen.
func (s *Service) ApproveTransfer(ctx context.Context, sub Subject, id string, pre scim.Precondition) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if err := pre.Check(t.Version); err != nil {
		return nil, err
	}
	return s.onTransfer(ctx, sub, t, func(_ storage.Tx, v *Transfer, now time.Time) error {
		if err := v.mustBe(transferReady); err != nil {
			return err
		}
		by := refOf(sub)
		chose := v.CreatedBy
		if v.SelectedBy != nil {
			chose = *v.SelectedBy
		}
		if v.FourEyes && (by.Value == chose.Value || by.Value == v.CreatedBy.Value) {
			return forbidden("four_eyes", "somebody else than who made the transfer and chose the receivers must approve it")
		}
		v.State, v.ApprovedBy = transferApproved, &by
		v.note(now, by, transferApproved, 0)
		return nil
	})
}

// RunTransfer hands the work over. Of one that has failed it accepts what the applications have given up on: the rest is
// done.
func (s *Service) RunTransfer(ctx context.Context, sub Subject, id string, acceptErrors bool) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if err := s.checkRules(ctx, sub, &t.Value, t.Value.To, t.Value.Rules); err != nil {
		return nil, err
	}
	return s.onTransfer(ctx, sub, t, func(_ storage.Tx, v *Transfer, now time.Time) error {
		if v.State == transferFailed && acceptErrors {
			v.State, v.Phase, v.AcceptErrors, v.DueAt = transferRunning, phaseDirectory, true, at(now)
			v.note(now, refOf(sub), "errorsAccepted", 0)
			return nil
		}
		if err := v.mustBe(transferReady, transferApproved); err != nil {
			return err
		}
		if v.FourEyes && v.State != transferApproved {
			return conflict("approval_needed", "somebody else must approve the transfer first")
		}
		v.AcceptErrors = acceptErrors
		v.start(now, refOf(sub), "run")
		return nil
	})
}

// start lets the server go through all items.
func (t *Transfer) start(now time.Time, by Ref, what string) {
	t.State, t.Phase, t.Cursor, t.DueAt = transferRunning, phaseAssign, "", at(now)
	if !t.Deadline.After(now) {
		t.Deadline = at(now.Add(handoverTime))
	}
	t.note(now, by, what, 0)
}

// RetryTransfer asks again for what has failed, and for nothing else.
func (s *Service) RetryTransfer(ctx context.Context, sub Subject, id string) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	out, err := s.onTransfer(ctx, sub, t, func(_ storage.Tx, v *Transfer, now time.Time) error {
		if err := v.mustBe(transferFailed, transferErrors); err != nil {
			return err
		}
		v.OpenFor, v.AcceptErrors = v.Person, false
		v.start(now, refOf(sub), "retry")
		return nil
	})
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Code == "already_in_use" {
		return nil, conflict("transfer_open", "the person has another open transfer")
	}
	return out, err
}

// CancelTransfer calls a transfer off. What applications have handed over already they give back, if they can.
func (s *Service) CancelTransfer(ctx context.Context, sub Subject, id string) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	steps, err := s.steps(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	return s.onTransfer(ctx, sub, t, func(tx storage.Tx, v *Transfer, now time.Time) error {
		if !v.open() || v.State == transferCancelling || v.Moved {
			return conflict("transfer_"+cmp.Or(map[bool]string{true: "moved"}[v.Moved], v.State), "the transfer cannot be called off any more")
		}
		// An application that answers at the same time writes the same step: it is before or after this.
		for _, st := range steps {
			_, err := change(ctx, s, tx, sub.Caller, st.Key, now, func(r *record[TransferStep]) error {
				if r.Value.State == stepOpen {
					r.Value.close(stepCancelled)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if v.Removal != nil && v.Removal.State == removalWaiting {
			v.Removal.State = removalOff
		}
		v.note(now, refOf(sub), transferCancelling, 0)
		v.State, v.Phase, v.Cursor, v.DueAt = transferCancelling, phaseAssign, "", at(now)
		return nil
	})
}

// The states of the removal that follows a transfer.
const (
	removalWaiting = "waiting"
	removalDone    = "done"
	removalOff     = "calledOff"
)
