package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The kinds of steps.
const (
	stepInventory = "inventory" // say what the person has
	stepExecute   = "execute"   // hand it over
	stepUndo      = "undo"      // give it back
)

// The states of a step.
const (
	stepOpen      = "open"
	stepAnswered  = "answered"
	stepSilent    = "silent" // the application did not answer in time, which says nothing of what there is
	stepCancelled = "cancelled"
)

// TransferStep is what one application is asked to do for a transfer. Its id is the same however often the application is
// asked, so that it does it once.
type TransferStep struct {
	Transfer  string   `json:"transfer"`
	App       string   `json:"app"`
	Kind      string   `json:"kind"`
	State     string   `json:"state"`
	Queue     string   `json:"queue,omitempty"`
	Person    string   `json:"person"` // id
	WorkTypes []string `json:"workTypes,omitempty"`
	Answer    string   `json:"answer,omitempty"` // items, none, unknown
	Items     int      `json:"items,omitempty"`
	Acks      int      `json:"acks,omitempty"`
	DueBy     Instant  `json:"dueBy,omitzero"`
	OpenedAt  Instant  `json:"openedAt,omitzero"`
	LastAt    Instant  `json:"lastAt,omitzero"` // when the application last said something
}

// TransferStepRecord is a step as the companion API shows it.
type TransferStepRecord struct {
	ID string
	TransferStep
	From Ref
}

// showSteps are steps as they are shown.
func (s *Service) showSteps(ctx context.Context, org scim.OrgID, list []*record[TransferStep]) ([]TransferStepRecord, error) {
	ids := make([]string, len(list))
	for i, r := range list {
		ids[i] = r.Value.Person
	}
	names, err := s.namesOf(ctx, org, ids)
	out := make([]TransferStepRecord, len(list))
	for i, r := range list {
		out[i] = TransferStepRecord{r.Key.ID, r.Value, Ref{Value: r.Value.Person, Display: names[r.Value.Person]}}
	}
	return out, err
}

func stepKey(org scim.OrgID, transfer, app, kind string) storage.Key {
	return storage.Key{Org: org, Type: typeTransferStep, ID: idOf("transferStep", string(org), transfer, app, kind)}
}

// close ends a step: the application is not asked any more.
func (t *TransferStep) close(state string) { t.State, t.Queue = state, "" }

// steps are those of a transfer.
func (s *Service) steps(ctx context.Context, org scim.OrgID, transfer string) ([]*record[TransferStep], error) {
	list, err := find[TransferStep](ctx, s, org, typeTransferStep, s.eq(typeTransferStep, "transfer", transfer), 3*maxApps)
	return list, fail(typeTransferStep, err)
}

// PageTransferSteps is what an application has to do: its open steps, up to count after the one called after.
func (s *Service) PageTransferSteps(ctx context.Context, sub Subject, app, after string, count int) ([]TransferStepRecord, string, error) {
	if err := s.answers(sub, app); err != nil {
		return nil, "", err
	}
	where := query.And{s.eq(typeTransferStep, "queue", app)}
	if after != "" {
		where = append(where, query.Compare{Field: s.field(typeTransferStep, "id"), Op: query.Gt, Value: query.Value{Str: after}})
	}
	list, err := find[TransferStep](ctx, s, sub.Org, typeTransferStep, where, count+1)
	if err != nil {
		return nil, "", fail(typeTransferStep, err)
	}
	next := ""
	if len(list) > count {
		list = list[:count]
		next = list[count-1].Key.ID
	}
	out, err := s.showSteps(ctx, sub.Org, list)
	return out, next, err
}

// answers says whether the subject answers for the application.
func (s *Service) answers(sub Subject, app string) error {
	if err := Allowed(sub, ActAnswerTransfer, Target{Type: typeTransferStep}); err != nil {
		return err
	}
	if !sub.serves(app) {
		return notFound(typeTransferStep)
	}
	return nil
}

// step reads a step of an application.
func (s *Service) step(ctx context.Context, sub Subject, app, id string) (*record[TransferStep], error) {
	if err := s.answers(sub, app); err != nil {
		return nil, err
	}
	r, err := load[TransferStep](ctx, s.store, storage.Key{Org: sub.Org, Type: typeTransferStep, ID: id})
	if err != nil {
		return nil, fail(typeTransferStep, err)
	}
	if r == nil || r.Value.App != app {
		return nil, notFound(typeTransferStep)
	}
	return r, nil
}

// PageStepItems are the items that an application is to hand over, or give back, now: those of an open step whose next try
// is due, up to count after the one called after.
func (s *Service) PageStepItems(ctx context.Context, sub Subject, app, step, after string, count int) ([]TransferItemRecord, string, error) {
	if _, err := s.step(ctx, sub, app, step); err != nil {
		return nil, "", err
	}
	var out []TransferItemRecord
	for {
		list, err := s.pageItems(ctx, sub.Org, s.eq(typeTransferItem, "queue", step), after, count+1)
		if err != nil {
			return nil, "", err
		}
		for i, r := range list {
			if i == count {
				break
			}
			if after = r.Key.ID; !r.Value.NextAt.After(s.now()) {
				out = append(out, TransferItemRecord{r.Key.ID, r.Value})
			}
			if len(out) == count {
				return out, after, nil
			}
		}
		if len(list) <= count {
			return out, "", nil
		}
	}
}

// FoundItem is a thing that an application says the person has.
type FoundItem struct {
	WorkType    string
	Ref         string
	Label       string
	SubAccount  string
	SuggestedTo string
	Count       int
}

// The answers to the question what there is.
const (
	AnswerItems   = "items"
	AnswerNone    = "none"
	AnswerUnknown = "unknown" // the application does not know the person
)

// AnswerInventory takes what an application says there is: up to 500 things a request, in any number of requests; complete
// says that there are no more. To say the same again changes nothing.
func (s *Service) AnswerInventory(ctx context.Context, sub Subject, app, step, answer string, found []FoundItem, complete bool) (*TransferStepRecord, error) {
	r, err := s.step(ctx, sub, app, step)
	if err != nil {
		return nil, err
	}
	if r.Value.Kind != stepInventory {
		return nil, conflict("not_an_inventory", "the step does not ask what there is")
	}
	types, err := s.foundTypes(ctx, sub, &r.Value, answer, found)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var rec *storage.Record
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		fresh := 0
		for _, f := range found {
			n, err := s.enterItem(ctx, tx, sub, &r.Value, f, types[f.WorkType], now)
			if err != nil {
				return err
			}
			fresh += n
		}
		rec, err = change(ctx, s, tx, sub.Caller, r.Key, now, func(r *record[TransferStep]) error {
			v := &r.Value
			if v.State == stepAnswered && len(found) == 0 && v.Answer == answer {
				return nil // said before
			}
			if v.State != stepOpen {
				return conflict("step_"+v.State, "the step is %s: what there is, is no longer asked", v.State)
			}
			if v.Items += fresh; v.Items > maxItemsOfApp {
				return conflict("too_many_items", "an application can name at most %d things of a person", maxItemsOfApp)
			}
			v.Acks++
			if v.Answer, v.LastAt = answer, at(now); complete || answer != AnswerItems {
				v.close(stepAnswered)
			}
			return nil
		})
		return err
	})
	if errors.Is(err, storage.ErrExists) { // two requests have named the same thing
		err = storage.ErrContention
	}
	if err != nil {
		return nil, fail(typeTransferStep, err)
	}
	if err := s.advanceTransfer(ctx, sub.Org, r.Value.Transfer); err != nil {
		return nil, err
	}
	v, err := decode[TransferStep](rec)
	if err != nil {
		return nil, err
	}
	shown, err := s.showSteps(ctx, sub.Org, []*record[TransferStep]{v})
	if err != nil {
		return nil, err
	}
	return &shown[0], nil
}

// foundTypes are the work types of what an application says there is.
func (s *Service) foundTypes(ctx context.Context, sub Subject, step *TransferStep, answer string, found []FoundItem) (map[string]WorkType, error) {
	switch {
	case !slices.Contains([]string{AnswerItems, AnswerNone, AnswerUnknown}, answer):
		return nil, invalid("answer", "not_a_choice", "must be items, none or unknown")
	case answer != AnswerItems && len(found) > 0:
		return nil, invalid("items", "contradiction", "there are none, as answer says")
	case len(found) > maxItemsAnswered:
		return nil, invalid("items", "too_many", "must be at most %d at once", maxItemsAnswered)
	}
	apps, err := s.workTypes(ctx, sub)
	if err != nil {
		return nil, err
	}
	types := map[string]WorkType{}
	for _, a := range apps {
		for _, w := range a.WorkTypes {
			if a.Key == step.App && slices.Contains(step.WorkTypes, w.Key) {
				types[w.Key] = w
			}
		}
	}
	seen := map[[2]string]bool{}
	for i, f := range found {
		path := fmt.Sprintf("items[%d]", i)
		w, known := types[f.WorkType]
		switch {
		case !known:
			return nil, invalid(path+".workType", "unknown_work_type", "is not what the step asks for")
		case w.Itemised && f.Ref == "":
			return nil, invalid(path+".ref", "required", "is required for things that are listed one by one")
		case max(utf8.RuneCountInString(f.Ref), utf8.RuneCountInString(f.Label), utf8.RuneCountInString(f.SubAccount)) > maxItemText:
			return nil, invalid(path, "too_long", "has a text of more than %d characters", maxItemText)
		case seen[[2]string{f.WorkType, f.Ref}]:
			return nil, invalid(path, "twice", "is there before")
		}
		seen[[2]string{f.WorkType, f.Ref}] = true
	}
	return types, nil
}

// enterItem stores what an application has named, and returns 1 if it was not there. What it names again is as it says last.
func (s *Service) enterItem(ctx context.Context, tx storage.Tx, sub Subject, step *TransferStep, f FoundItem, w WorkType, now time.Time) (int, error) {
	if !w.Itemised {
		f.Ref = ""
	}
	k := itemKey(sub.Org, step.Transfer, step.App, f.WorkType, f.Ref)
	_, err := change(ctx, s, tx, sub.Caller, k, now, func(r *record[TransferItem]) error {
		r.Value.Label, r.Value.SubAccount, r.Value.SuggestedTo, r.Value.Count = f.Label, f.SubAccount, f.SuggestedTo, f.Count
		return nil
	})
	if !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	_, err = s.insert(ctx, tx, sub.Caller, k, now, TransferItem{
		Transfer: step.Transfer, App: step.App, WorkType: f.WorkType, Ref: f.Ref, Label: f.Label, SubAccount: f.SubAccount,
		SuggestedTo: f.SuggestedTo, Count: f.Count, State: itemFound, From: step.Person, Undo: w.Undo, At: at(now),
	}, nil)
	return 1, err
}
