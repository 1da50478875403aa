package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The states of an item.
const (
	itemFound     = "found"   // an application has named it
	itemKept      = "kept"    // it stays where it is
	itemPending   = "pending" // the application has been asked to hand it over, or will be
	itemDone      = "done"
	itemFailed    = "failed"
	itemCancelled = "cancelled"
	itemUndoing   = "undoing"
	itemUndone    = "undone"
)

// TransferItem is a thing that is handed over: one that an application has named, all of a work type that it does not list
// one by one, or all of a kind that Rollcall itself has.
type TransferItem struct {
	Transfer    string  `json:"transfer"`
	App         string  `json:"app"`
	WorkType    string  `json:"workType"`
	Ref         string  `json:"ref,omitempty"` // what the application knows it by
	Label       string  `json:"label,omitempty"`
	SubAccount  string  `json:"subAccount,omitempty"`
	SuggestedTo string  `json:"suggestedTo,omitempty"`
	Count       int     `json:"count,omitempty"` // how many things it stands for
	Chosen      string  `json:"chosen,omitempty"`
	Keep        bool    `json:"keep,omitempty"`
	State       string  `json:"state"`
	From        string  `json:"from"`
	To          string  `json:"to,omitempty"`
	Shares      []Share `json:"shares,omitempty"` // of a kind that Rollcall itself has
	Undo        bool    `json:"undo,omitempty"`
	Queue       string  `json:"queue,omitempty"`
	Attempts    int     `json:"attempts,omitempty"`
	NextAt      Instant `json:"nextAt,omitzero"`
	Code        string  `json:"code,omitempty"`
	Detail      string  `json:"detail,omitempty"`
	At          Instant `json:"at,omitzero"` // when it got its state

	Moved      []MovedThing `json:"moved,omitempty"` // what Rollcall itself has moved, so that it can be moved back; not clients
	MovedCount int          `json:"movedCount,omitempty"`
	Left       int          `json:"left,omitempty"` // how many it could not move
}

// MovedThing is something that Rollcall itself has moved.
type MovedThing struct {
	ID string `json:"id"`
	To string `json:"to"`
}

// TransferItemRecord is an item as the companion API shows it.
type TransferItemRecord struct {
	ID string
	TransferItem
}

// Bounds of items.
const (
	maxItemsOfApp    = 10_000 // of one transfer
	maxItemText      = 500    // characters
	maxItemsAnswered = 500    // of one request
	itemStep         = 200    // of one step
)

func itemKey(org scim.OrgID, transfer, app, workType, ref string) storage.Key {
	return storage.Key{Org: org, Type: typeTransferItem, ID: idOf("transferItem", string(org), transfer, app, workType, ref)}
}

// pageItems reads up to limit items that match where, in id order, after the one called after.
func (s *Service) pageItems(ctx context.Context, org scim.OrgID, where query.Expr, after string, limit int) ([]*record[TransferItem], error) {
	if after != "" {
		where = query.And{where, query.Compare{Field: s.field(typeTransferItem, "id"), Op: query.Gt, Value: query.Value{Str: after}}}
	}
	list, err := find[TransferItem](ctx, s, org, typeTransferItem, where, limit)
	return list, fail(typeTransferItem, err)
}

// PageTransferItems returns up to count items of a transfer after the one called after, and the id of the last if there
// are more.
func (s *Service) PageTransferItems(ctx context.Context, sub Subject, transfer, state, after string, count int) ([]TransferItemRecord, string, error) {
	if _, err := s.GetTransfer(ctx, sub, transfer); err != nil {
		return nil, "", err
	}
	where := query.And{s.eq(typeTransferItem, "transfer", transfer)}
	if state != "" {
		where = append(where, s.eq(typeTransferItem, "state", state))
	}
	list, err := s.pageItems(ctx, sub.Org, where, after, count+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(list) > count {
		list = list[:count]
		next = list[count-1].Key.ID
	}
	out := make([]TransferItemRecord, len(list))
	for i, r := range list {
		out[i] = TransferItemRecord{r.Key.ID, r.Value}
	}
	return out, next, nil
}

// ItemChoice says what is to become of one item, against the rules.
type ItemChoice struct {
	ID   string
	To   string // id of who gets it; empty: whom the rules say
	Keep bool   // it stays where it is
}

// selectable says whether it can still be said who gets what.
func (t *Transfer) selectable() error {
	switch t.State {
	case transferDraft, transferCollecting, transferReady, transferApproved, transferFailed:
		return nil
	}
	return conflict("transfer_"+t.State, "the transfer is %s: who gets what cannot be changed any more", t.State)
}

// selected notes who said who gets what: an approval is for what was chosen before.
func (t *Transfer) selected(sub Subject) {
	by := refOf(sub)
	t.SelectedBy, t.ApprovedBy = &by, nil
	if t.State == transferApproved {
		t.State = transferReady
	}
}

// ChooseItems says of single items who gets them: up to 500, all or none.
func (s *Service) ChooseItems(ctx context.Context, sub Subject, id string, choices []ItemChoice) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if len(choices) > maxItemsAnswered {
		return nil, invalid("items", "too_many", "must be at most %d at once", maxItemsAnswered)
	}
	people := map[string]bool{}
	for i, c := range choices {
		if c.To != "" && !people[c.To] {
			if err := s.checkReceiver(ctx, sub, t.Value.Person, c.To, fmt.Sprintf("items[%d].to", i)); err != nil {
				return nil, err
			}
			people[c.To] = true
		}
	}
	return s.onTransfer(ctx, sub, t, func(tx storage.Tx, v *Transfer, now time.Time) error {
		if err := v.selectable(); err != nil {
			return err
		}
		v.selected(sub)
		for i, c := range choices {
			_, err := change(ctx, s, tx, sub.Caller, storage.Key{Org: sub.Org, Type: typeTransferItem, ID: c.ID}, now, func(r *record[TransferItem]) error {
				if r.Value.Transfer != id {
					return storage.ErrNotFound
				}
				if !slices.Contains([]string{itemFound, itemFailed, itemKept}, r.Value.State) {
					return conflict("item_"+r.Value.State, "the item is %s", r.Value.State)
				}
				r.Value.Chosen, r.Value.Keep = c.To, c.Keep
				if r.Value.State == itemKept {
					r.Value.State = itemFound
				}
				return nil
			})
			if errors.Is(err, storage.ErrNotFound) {
				return invalid(fmt.Sprintf("items[%d].id", i), "unknown_item", "there is no such item")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SelectTransfer says by rules who gets what. The rule that says most is the one that counts: of a work type before that of
// an application, before one for all.
func (s *Service) SelectTransfer(ctx context.Context, sub Subject, id string, pre scim.Precondition, to string, rules []TransferRule) (*TransferRecord, error) {
	t, err := s.transfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if err := pre.Check(t.Version); err != nil {
		return nil, err
	}
	if err := s.checkRules(ctx, sub, &t.Value, to, rules); err != nil {
		return nil, err
	}
	return s.onTransfer(ctx, sub, t, func(_ storage.Tx, v *Transfer, now time.Time) error {
		if err := v.selectable(); err != nil {
			return err
		}
		v.selected(sub)
		v.To, v.Rules, v.Dealt = to, rules, nil
		v.note(now, refOf(sub), "selected", len(rules))
		return nil
	})
}

func (s *Service) checkRules(ctx context.Context, sub Subject, t *Transfer, to string, rules []TransferRule) error {
	if len(rules) > maxTransferRules {
		return invalid("rules", "too_many", "must be at most %d", maxTransferRules)
	}
	if to != "" {
		if err := s.checkReceiver(ctx, sub, t.Person, to, "to"); err != nil {
			return err
		}
	}
	for i, r := range rules {
		path := fmt.Sprintf("rules[%d]", i)
		switch {
		case r.App == "" && r.WorkType != "":
			return invalid(path+".app", "required", "is needed beside a work type")
		case r.Keep == (len(r.To) > 0):
			return invalid(path+".to", "contradiction", "names who gets it, or keep says that it stays: one of both")
		case len(r.To) > maxReceivers:
			return invalid(path+".to", "too_many", "must be at most %d people", maxReceivers)
		case slices.ContainsFunc(rules[:i], func(o TransferRule) bool { return o.App == r.App && o.WorkType == r.WorkType }):
			return invalid(path, "twice", "is about the same as a rule before it")
		}
		for k := range r.To {
			if r.To[k].Share == 0 {
				r.To[k].Share = 1
			}
			if r.To[k].Share < 0 || r.To[k].Share > maxShare {
				return invalid(path+".to", "out_of_range", "a share must be 1 to %d", maxShare)
			}
			if err := s.checkReceiver(ctx, sub, t.Person, r.To[k].User, path+".to"); err != nil {
				return err
			}
		}
	}
	return nil
}

// rule is the one that counts for an item, with the name under which its distribution is kept; nil if there is none.
func (t *Transfer) rule(i *TransferItem) (*TransferRule, string) {
	for _, key := range [][2]string{{i.App, i.WorkType}, {i.App, ""}, {"", ""}} {
		for k := range t.Rules {
			if r := &t.Rules[k]; r.App == key[0] && r.WorkType == key[1] {
				return r, key[0] + "/" + key[1]
			}
		}
	}
	if t.To != "" {
		return &TransferRule{To: []Share{{User: t.To, Share: 1}}}, "*"
	}
	return nil, ""
}
