package lifecycle

import (
	"context"
	"errors"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// afterwards does what follows the end of a transfer: the removal that waited for it, and the way back of a temporary one.
func (a *advance) afterwards(ctx context.Context) (bool, error) {
	v := &a.t.Value
	switch {
	case v.State == transferCancelled:
		return a.lateUndo(ctx)
	case v.Removal != nil && v.Removal.State == removalWaiting:
		return a.removePerson(ctx)
	case v.Temporary && v.Moved && v.Back == "" && !v.Until.After(a.now):
		return a.takeBack(ctx)
	}
	return false, nil
}

// lateUndo closes steps that were opened after the end, because an application had handed something over nevertheless.
func (a *advance) lateUndo(ctx context.Context) (bool, error) {
	open, err := a.openOf(ctx, stepUndo)
	if err != nil {
		return false, err
	}
	for _, st := range open {
		if done, more, err := a.stepDone(ctx, st); err != nil || done {
			return more, err
		}
	}
	return false, nil
}

// removeByTransfer cuts the access of a person at once, and removes them when an open transfer of their work has ended. If
// it is cancelled, the person stays deactivated: somebody decides anew.
func (s *Service) removeByTransfer(ctx context.Context, sub Subject, p *Person, version int64, transfer string) error {
	t, err := s.transfer(ctx, sub, transfer)
	if err != nil {
		return err
	}
	by := refOf(sub)
	why, err := s.reasonOf(sub, &Deactivation{Reason: ReasonTerminated})
	if err != nil {
		return err
	}
	_, err = s.leaving(ctx, sub.reading(), ActSetActive, p.ID, version, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		_, err := change(ctx, s, tx, sub.Caller, t.Key, l.at, func(r *record[Transfer]) error {
			v := &r.Value
			switch {
			case v.Person != p.ID:
				return invalid("transferId", "other_person", "is the transfer of somebody else's work")
			case !v.open() || v.State == transferCancelling:
				return conflict("transfer_"+v.State, "the transfer is %s: nothing would follow it", v.State)
			case v.Temporary:
				return conflict("transfer_temporary", "the transfer is for a while only, and gives the work back")
			}
			v.Removal = &TransferRemoval{By: by, At: at(l.at), State: removalWaiting}
			v.note(l.at, by, "accessCut", 0)
			return nil
		})
		if err != nil {
			return nil, err
		}
		return s.changeUser(ctx, tx, sub.Caller, l.key, l.at, version, func(doc scim.Attributes) error {
			doc["active"] = false
			setExtension(doc, "deactivation", why)
			return nil
		})
	})
	return err
}

// removePerson removes the person whose work has been handed over. Somebody who is gone already is no mistake.
func (a *advance) removePerson(ctx context.Context) (bool, error) {
	set, _, err := a.Settings(ctx, a.sub.Org)
	if err != nil {
		return false, err
	}
	id := a.t.Value.Person
	_, err = a.leaving(ctx, a.sub.reading(), ActRemove, id, 0, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		return nil, a.removeUser(ctx, tx, a.sub.Caller, l, seconds(set.Members.RemoveRetention))
	})
	known, refused := errors.AsType[*scim.Error](err)
	switch {
	case err == nil || refused && known.Status == 404:
	case refused && known.Status < 500: // the last owner, say: the person stays deactivated until somebody helps
		return false, nil
	default:
		return false, err
	}
	return a.step(ctx, func(_ storage.Tx, v *Transfer) error {
		done := *v.Removal
		done.State = removalDone
		v.Removal, v.DueAt = &done, Instant{}
		v.note(a.now, a.by(), "removed", 0)
		return nil
	})
}

// takeBack begins the transfer that gives a person back what was lent to others while they were away.
func (a *advance) takeBack(ctx context.Context) (bool, error) {
	p, err := a.member(ctx, a.t.Value.Person)
	if err != nil {
		return false, err
	}
	k := transferKey(a.sub.Org, idOf("transferBack", string(a.sub.Org), a.id()))
	more, err := a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		v.DueAt = Instant{}
		if p == nil {
			v.Back = "none"
			v.note(a.now, a.by(), "personGone", 0)
			return nil
		}
		back := Transfer{
			State: transferRunning, Phase: phaseCopy, Person: v.Person, Scope: v.Scope, Reason: v.Reason, CreatedBy: a.by(), BackOf: a.id(),
			AcceptErrors: true, Deadline: at(a.now.Add(handoverTime)), DueAt: at(a.now),
		}
		back.note(a.now, a.by(), "takingBack", 0)
		if _, err := a.insert(ctx, tx, a.sub.Caller, k, a.now, back, nil); err != nil {
			return err
		}
		v.Back = k.ID
		v.note(a.now, a.by(), "takingBack", 0)
		return nil
	})
	if err != nil {
		return false, err
	}
	return more, a.advanceTransfer(ctx, a.sub.Org, k.ID)
}

// copyItems takes over what the transfer that is taken back has handed over: what an application gave to somebody, it is
// asked to give to the person again.
func (a *advance) copyItems(ctx context.Context) (bool, error) {
	v := &a.t.Value
	list, err := a.pageItems(ctx, a.sub.Org, a.eq(typeTransferItem, "transfer", v.BackOf), v.Cursor, itemStep)
	if err != nil {
		return false, err
	}
	return a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		for _, r := range list {
			v.Cursor = r.Key.ID
			i := r.Value
			own := i.App == directoryApp
			if i.State != itemDone && (!own || i.MovedCount == 0) {
				continue
			}
			i.Transfer, i.State, i.At, i.Attempts, i.NextAt, i.Code, i.Detail, i.Chosen, i.Keep = a.id(), itemPending, at(a.now), 0, Instant{}, "", "", "", false
			i.From, i.To, i.Shares, i.Undo, i.MovedCount, i.Left = i.To, i.From, nil, false, 0, 0
			if own {
				i.From, i.To = v.Person, v.Person
			} else {
				i.Queue = stepKey(a.sub.Org, a.id(), i.App, stepExecute).ID
			}
			_, err := a.insert(ctx, tx, a.sub.Caller, itemKey(a.sub.Org, a.id(), i.App, i.WorkType, i.Ref), a.now, i, nil)
			if err != nil {
				return err
			}
		}
		if len(list) < itemStep {
			v.Phase, v.Cursor = phaseSteps, ""
		}
		return nil
	})
}

// thingsBack are the things of Rollcall's own that the transfer which is taken back has moved.
func (a *advance) thingsBack(ctx context.Context, m *ownMove) error {
	if m.item.Value.WorkType == workClients {
		page, err := a.store.Query(ctx, a.sub.Org, query.Query{Sources: []query.Source{
			{Type: typeClient, Where: a.eq(typeClient, "owners.transfer", a.t.Value.BackOf)},
		}, Limit: ownClients})
		for k := range page.Records {
			m.things = append(m.things, page.Records[k].Key)
		}
		m.more = page.More
		return err
	}
	p, err := a.member(ctx, a.t.Value.Person)
	if err != nil {
		return err
	}
	if p != nil {
		m.name = p.Label
	}
	typ, _ := a.ownOf(m.item.Value.WorkType, "")
	m.was = map[string]string{}
	for _, x := range m.item.Value.Moved {
		m.was[x.ID] = x.To
		m.things = append(m.things, storage.Key{Org: a.sub.Org, Type: typ, ID: x.ID})
	}
	return nil
}

// giveBack ends what a transfer has lent, and reports whether it had lent anything.
func (c *Client) giveBack(transfer string) bool {
	n := len(c.Owners)
	c.Owners = slices.DeleteFunc(slices.Clone(c.Owners), func(o ClientOwner) bool { return o.Transfer == transfer })
	c.Unowned = len(c.Owners) == 0
	return len(c.Owners) < n
}
