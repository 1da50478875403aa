package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"rollcall/storage"
)

// What an application says of an item.
const (
	AckDone    = "done"
	AckFailed  = "failed"
	AckPartial = "partial" // some of it was done: the rest is asked for again
)

// ItemAck is what an application says of one item.
type ItemAck struct {
	ID     string
	State  string
	Detail string
}

// Acked is what was made of it.
type Acked struct {
	ID      string
	State   string // of the item
	Outcome string // recorded, already, unknown_item, not_asked
}

// maxAttempts is how often an application is asked for an item before the server gives up.
const maxAttempts = 5

// retryAfter is how long after a failure an application is asked again.
func retryAfter(attempts int) time.Duration {
	waits := []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
	return waits[min(attempts, len(waits))-1]
}

// AckItems takes what an application says of up to 500 items of a step. To say the same again changes nothing.
func (s *Service) AckItems(ctx context.Context, sub Subject, app, step string, acks []ItemAck) ([]Acked, error) {
	st, err := s.step(ctx, sub, app, step)
	if err != nil {
		return nil, err
	}
	if st.Value.Kind == stepInventory {
		return nil, conflict("is_an_inventory", "the step asks what there is")
	}
	if len(acks) > maxItemsAnswered {
		return nil, invalid("items", "too_many", "must be at most %d at once", maxItemsAnswered)
	}
	for i, k := range acks {
		switch {
		case !slices.Contains([]string{AckDone, AckFailed, AckPartial}, k.State):
			return nil, invalid(fmt.Sprintf("items[%d].state", i), "not_a_choice", "must be done, failed or partial")
		case utf8.RuneCountInString(k.Detail) > maxItemText:
			return nil, invalid(fmt.Sprintf("items[%d].detail", i), "too_long", "must have at most %d characters", maxItemText)
		}
	}
	var out []Acked
	now := s.now()
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		out = make([]Acked, len(acks))
		x := acking{Service: s, sub: sub, now: now}
		_, err := change(ctx, s, tx, sub.Caller, st.Key, now, func(r *record[TransferStep]) error {
			r.Value.Acks++
			r.Value.LastAt = at(now)
			x.step = r.Value
			return nil
		})
		if err != nil {
			return err
		}
		for i, k := range acks {
			if out[i], err = x.ack(ctx, tx, k, step); err != nil {
				return err
			}
		}
		return x.reopen(ctx, tx)
	})
	if err != nil {
		return nil, fail(typeTransferStep, err)
	}
	return out, s.advanceTransfer(ctx, sub.Org, st.Value.Transfer)
}

// acking is one request of an application.
type acking struct {
	*Service
	sub  Subject
	now  time.Time
	step TransferStep
	undo int // items that were handed over although the transfer had been called off, and are to be given back
}

func (x *acking) ack(ctx context.Context, tx storage.Tx, k ItemAck, step string) (Acked, error) {
	out := Acked{ID: k.ID, Outcome: "recorded"}
	late := false
	_, err := change(ctx, x.Service, tx, x.sub.Caller, storage.Key{Org: x.sub.Org, Type: typeTransferItem, ID: k.ID}, x.now, func(r *record[TransferItem]) error {
		i := &r.Value
		if i.Transfer != x.step.Transfer || i.App != x.step.App {
			return storage.ErrNotFound
		}
		late = false
		switch {
		case i.Queue == step:
			x.answered(i, k)
		case x.step.Kind == stepExecute && k.State == AckDone && i.State == itemFailed && i.To != "":
			i.State, i.Code, i.Detail, i.At = itemDone, "", k.Detail, at(x.now)
		case x.step.Kind == stepExecute && k.State == AckDone && i.State == itemCancelled && i.To != "":
			if late = i.Undo; late {
				i.State, i.Queue, i.Attempts, i.NextAt = itemUndoing, stepKey(x.sub.Org, i.Transfer, i.App, stepUndo).ID, 0, Instant{}
			} else {
				i.State, i.Code, i.Detail = itemDone, "after_cancel", "handed over although the transfer had been called off"
			}
			i.At = at(x.now)
		case k.State == AckDone && (i.State == itemDone || i.State == itemUndone || i.State == itemUndoing):
			out.Outcome = "already"
		default:
			out.Outcome = "not_asked"
		}
		out.State = i.State
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return Acked{ID: k.ID, Outcome: "unknown_item"}, nil
	}
	if late {
		x.undo++
	}
	return out, err
}

// answered is what an answer makes of an item that was asked for.
func (x *acking) answered(i *TransferItem, k ItemAck) {
	i.Detail, i.At = k.Detail, at(x.now)
	if k.State == AckDone {
		i.State, i.Queue, i.Code, i.NextAt = map[string]string{stepExecute: itemDone, stepUndo: itemUndone}[x.step.Kind], "", "", Instant{}
		return
	}
	i.Code = k.State
	if i.Attempts++; i.Attempts < maxAttempts {
		i.NextAt = at(x.now.Add(retryAfter(i.Attempts)))
		return
	}
	i.Queue, i.NextAt = "", Instant{}
	if i.State = itemFailed; x.step.Kind == stepUndo { // it stays with who got it
		i.State, i.Code = itemDone, "undo_failed"
	}
}

// reopen asks the application to give back what it handed over after the transfer had been called off.
func (x *acking) reopen(ctx context.Context, tx storage.Tx) error {
	if x.undo == 0 {
		return nil
	}
	st := x.step
	k := stepKey(x.sub.Org, st.Transfer, st.App, stepUndo)
	open := func(r *TransferStep) {
		r.State, r.Queue, r.DueBy = stepOpen, r.App, at(x.now.Add(handoverTime))
		r.Items += x.undo
	}
	_, err := change(ctx, x.Service, tx, x.sub.Caller, k, x.now, func(r *record[TransferStep]) error { open(&r.Value); return nil })
	if errors.Is(err, storage.ErrNotFound) {
		next := TransferStep{Transfer: st.Transfer, App: st.App, Kind: stepUndo, Person: st.Person, WorkTypes: st.WorkTypes, OpenedAt: at(x.now)}
		open(&next)
		_, err = x.insert(ctx, tx, x.sub.Caller, k, x.now, next, nil)
	}
	return err
}
