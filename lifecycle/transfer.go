package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

const (
	typeTransfer     = scim.TypeName(resources.TypeTransfer)
	typeTransferItem = scim.TypeName(resources.TypeTransferItem)
	typeTransferStep = scim.TypeName(resources.TypeTransferStep)
)

// The states of a transfer. It goes from draft over collecting, ready and approved to running, and ends done,
// doneWithErrors or cancelled; failed is running that waits for somebody to decide.
const (
	transferDraft      = "draft"
	transferCollecting = "collecting" // applications say what there is
	transferReady      = "ready"      // somebody says who gets what
	transferApproved   = "approved"
	transferRunning    = "running"
	transferFailed     = "failed" // applications gave up on something: retry, run without, or cancel
	transferDone       = "done"
	transferErrors     = "doneWithErrors"
	transferCancelling = "cancelling" // applications give back what they can
	transferCancelled  = "cancelled"
)

// The phases of a running transfer, in order.
const (
	phaseCopy      = "copy"      // of one that takes another back: what that one has handed over
	phaseAssign    = "assign"    // each item gets its receiver
	phaseSteps     = "steps"     // applications are asked
	phaseApps      = "apps"      // they answer
	phaseDirectory = "directory" // what Rollcall itself has is moved
	phaseUndo      = "undo"      // of a cancelled one: applications give things back
)

// Transfer is the work of one person on its way to others.
type Transfer struct {
	State     string         `json:"state"`
	Phase     string         `json:"phase,omitempty"`
	Person    string         `json:"person"` // id of whose work it is; the name is read when it is shown, and gone when they are erased
	OpenFor   string         `json:"openFor,omitempty"`
	Scope     []string       `json:"scope,omitempty"` // app/workType; none: all
	To        string         `json:"to,omitempty"`    // who gets what no rule is about
	Rules     []TransferRule `json:"rules,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Temporary bool           `json:"temporary,omitempty"`
	Until     Instant        `json:"until,omitzero"`
	FourEyes  bool           `json:"fourEyes,omitempty"`

	CreatedBy  Ref     `json:"createdBy"`
	SelectedBy *Ref    `json:"selectedBy,omitempty"`
	ApprovedBy *Ref    `json:"approvedBy,omitempty"`
	AnswerBy   Instant `json:"answerBy,omitzero"` // until when applications may say what there is
	Deadline   Instant `json:"deadline,omitzero"` // until when they may hand it over
	DueAt      Instant `json:"dueAt,omitzero"`

	Cursor       string           `json:"cursor,omitempty"` // how far the phase has come
	Dealt        map[string][]int `json:"dealt,omitempty"`  // by rule: how many each receiver has got
	Moved        bool             `json:"moved,omitempty"`  // what Rollcall itself has is moved
	AcceptErrors bool             `json:"acceptErrors,omitempty"`
	BackOf       string           `json:"backOf,omitempty"` // the temporary transfer that this one takes back
	Back         string           `json:"back,omitempty"`   // the transfer that took this one back
	Removal      *TransferRemoval `json:"removal,omitempty"`
	Log          []TransferEvent  `json:"log,omitempty"`
}

// TransferRule says who gets what a work type has: the parts of several people, or nobody.
type TransferRule struct {
	App      string  `json:"app,omitempty"` // empty: any
	WorkType string  `json:"workType,omitempty"`
	To       []Share `json:"to,omitempty"`
	Keep     bool    `json:"keep,omitempty"` // it stays where it is
}

// TransferRemoval says that the person is removed when their work is handed over.
type TransferRemoval struct {
	By    Ref     `json:"by"`
	At    Instant `json:"at"`
	State string  `json:"state"` // waiting, done, calledOff
}

// TransferEvent is a line of the report.
type TransferEvent struct {
	At   Instant `json:"at"`
	By   Ref     `json:"by"`
	What string  `json:"what"`
	N    int     `json:"n,omitempty"`
}

// Bounds of transfers.
const (
	maxTransferRules  = 100
	maxTransferScope  = 200
	maxTransferReason = 1000
	maxTransferLog    = 200
	answerTime        = 3 * 24 * time.Hour // unless the transfer says otherwise
	handoverTime      = 7 * 24 * time.Hour
	maxTransferTime   = 90 * 24 * time.Hour
)

// TransferRecord is a transfer as the companion API shows it.
type TransferRecord struct {
	ID       string
	Version  int64
	Created  time.Time
	Modified time.Time
	Transfer
	From Ref
}

func transferKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeTransfer, ID: id}
}

func transferRecord(rec *storage.Record) (*TransferRecord, error) {
	r, err := decode[Transfer](rec)
	if err != nil {
		return nil, err
	}
	return &TransferRecord{ID: rec.ID, Version: rec.Version, Created: rec.Created, Modified: rec.Modified, Transfer: r.Value, From: Ref{Value: r.Value.Person}}, nil
}

// nameTransfers fills in whose work it is.
func (s *Service) nameTransfers(ctx context.Context, org scim.OrgID, list ...*TransferRecord) error {
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.Person
	}
	names, err := s.namesOf(ctx, org, ids)
	for _, t := range list {
		t.From.Display = names[t.Person]
	}
	return err
}

// namesOf are the names to show for ids that users have or had.
func (s *Service) namesOf(ctx context.Context, org scim.OrgID, ids []string) (map[string]string, error) {
	people, err := s.someone(ctx, org, slices.Clone(ids))
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(ids))
	for _, id := range ids {
		if p := people[id]; p != nil {
			names[id] = p.Label
			continue
		}
		if _, known := names[id]; known {
			continue
		}
		t, err := load[tombstone](ctx, s.store, tombstoneKey(org, id))
		if err != nil {
			return nil, fail(typeUser, err)
		}
		if t != nil {
			names[id] = s.remainsOf(&t.Value).Name
		}
	}
	return names, nil
}

func (t *Transfer) open() bool {
	return !slices.Contains([]string{transferDone, transferErrors, transferCancelled}, t.State)
}

// note adds a line to the report. The first lines and the last are kept.
func (t *Transfer) note(now time.Time, by Ref, what string, n int) {
	if t.Log = append(slices.Clone(t.Log), TransferEvent{at(now), by, what, n}); len(t.Log) > maxTransferLog {
		t.Log = slices.Delete(t.Log, maxTransferLog/2, maxTransferLog/2+1)
	}
}

// end closes the transfer: the person can have another.
func (t *Transfer) end(now time.Time, by Ref, state string) {
	t.State, t.Phase, t.OpenFor, t.Cursor, t.DueAt = state, "", "", "", Instant{}
	t.note(now, by, state, 0)
	if t.Temporary && t.Moved && t.Back == "" {
		t.DueAt = t.Until
	}
	if t.Removal != nil && t.Removal.State == removalWaiting {
		t.DueAt = at(now)
	}
}

// covers reports whether the transfer is about a work type.
func (t *Transfer) covers(app, workType string) bool {
	return len(t.Scope) == 0 || slices.Contains(t.Scope, app+"/"+workType) || slices.Contains(t.Scope, app)
}

// refOf is how a transfer names who acts.
func refOf(sub Subject) Ref { return *inviterOf(sub) }

// NewTransfer is what a transfer begins with.
type NewTransfer struct {
	From      string
	Scope     []string
	To        string
	Reason    string
	AnswerBy  time.Time
	Deadline  time.Time
	Temporary bool
	Until     time.Time
	FourEyes  bool
}

// CreateTransfer begins to hand over the work of a person, as a draft. A person has one open transfer at most.
func (s *Service) CreateTransfer(ctx context.Context, sub Subject, n NewTransfer) (*TransferRecord, error) {
	p, snap, err := s.person(ctx, sub.Org, n.From)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActTransfer, Target{User: p.ID, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	if err := s.checkTransfer(ctx, sub, &n); err != nil {
		return nil, err
	}
	now := s.now()
	t := Transfer{
		State: transferDraft, Person: p.ID, OpenFor: p.ID, Scope: n.Scope, To: n.To, Reason: n.Reason,
		Temporary: n.Temporary, FourEyes: n.FourEyes || snap.settings.Transfers.FourEyes, CreatedBy: refOf(sub),
	}
	for _, i := range []struct {
		to   *Instant
		from time.Time
	}{{&t.AnswerBy, n.AnswerBy}, {&t.Deadline, n.Deadline}, {&t.Until, n.Until}} {
		if !i.from.IsZero() {
			*i.to = at(i.from)
		}
	}
	t.note(now, t.CreatedBy, transferDraft, 0)
	rec, err := s.insert(ctx, s.store, sub.Caller, transferKey(sub.Org, s.newID()), now, t, nil)
	if _, taken := errors.AsType[*storage.UniqueError](err); taken {
		return nil, conflict("transfer_open", "the person has an open transfer already")
	}
	if err != nil {
		return nil, fail(typeTransfer, err)
	}
	r, err := transferRecord(rec)
	if err != nil {
		return nil, err
	}
	return r, s.nameTransfers(ctx, sub.Org, r)
}

func (s *Service) checkTransfer(ctx context.Context, sub Subject, n *NewTransfer) error {
	now := s.now()
	for _, t := range []struct {
		path string
		at   time.Time
	}{{"answerBy", n.AnswerBy}, {"deadline", n.Deadline}, {"until", n.Until}} {
		if !t.at.IsZero() && (!t.at.After(now) || t.at.Sub(now) > 10*maxTransferTime || t.path != "until" && t.at.Sub(now) > maxTransferTime) {
			return invalid(t.path, "out_of_range", "must lie in the future, at most 90 days ahead (until: 900)")
		}
	}
	switch {
	case n.Temporary == n.Until.IsZero():
		return invalid("until", "required", "is needed for a temporary transfer, and for no other")
	case len(n.Scope) > maxTransferScope:
		return invalid("scope", "too_many", "must be at most %d work types", maxTransferScope)
	case utf8.RuneCountInString(n.Reason) > maxTransferReason:
		return invalid("reason", "too_long", "must have at most %d characters", maxTransferReason)
	}
	apps, err := s.workTypes(ctx, sub)
	if err != nil {
		return err
	}
	for _, key := range n.Scope {
		known := slices.ContainsFunc(apps, func(a App) bool {
			return a.Key == key || slices.ContainsFunc(a.WorkTypes, func(w WorkType) bool { return a.Key+"/"+w.Key == key })
		})
		if !known {
			return invalid("scope", "unknown_work_type", "names a work type that no application has registered; they are written app/workType")
		}
	}
	if n.To != "" {
		return s.checkReceiver(ctx, sub, n.From, n.To, "to")
	}
	return nil
}

// checkReceiver refuses somebody who can get no work.
func (s *Service) checkReceiver(ctx context.Context, sub Subject, from, to, path string) error {
	if to == from {
		return invalid(path, "contradiction", "is the person whose work it is")
	}
	_, err := s.receiver(ctx, sub.Org, to, path, "")
	return err
}

// transfer reads a transfer that the subject may change.
func (s *Service) transfer(ctx context.Context, sub Subject, id string) (*record[Transfer], error) {
	r, err := load[Transfer](ctx, s.store, transferKey(sub.Org, id))
	if err != nil {
		return nil, fail(typeTransfer, err)
	}
	if r == nil {
		return nil, notFound(typeTransfer)
	}
	rank := 0
	p, _, err := s.person(ctx, sub.Org, r.Value.Person)
	known, gone := errors.AsType[*scim.Error](err)
	switch {
	case err == nil:
		rank = p.Grant.Rank()
	case !gone || known.Status != 404: // who was removed meanwhile has no rank
		return nil, err
	}
	return r, Allowed(sub, ActTransfer, Target{Type: typeTransfer, User: r.Value.Person, Rank: rank})
}

// mayReadTransfers says whether the subject may look at transfers: who may make them, and who reads all.
func mayReadTransfers(sub Subject, person string) error {
	if Allowed(sub, ActAudit, Target{Type: typeTransfer}) == nil {
		return nil
	}
	return Allowed(sub, ActTransfer, Target{Type: typeTransfer, User: cmp.Or(person, "-")})
}

// GetTransfer reads one transfer.
func (s *Service) GetTransfer(ctx context.Context, sub Subject, id string) (*TransferRecord, error) {
	rec, err := s.store.Get(ctx, transferKey(sub.Org, id), query.Load{})
	if err != nil {
		return nil, fail(typeTransfer, err)
	}
	r, err := transferRecord(rec)
	if err != nil {
		return nil, err
	}
	if err := mayReadTransfers(sub, r.Person); err != nil {
		return nil, err
	}
	return r, s.nameTransfers(ctx, sub.Org, r)
}

// PageTransfers returns a page of transfers, the oldest first, and where the next one begins.
func (s *Service) PageTransfers(ctx context.Context, sub Subject, state, person string, after *query.Position, count int) ([]*TransferRecord, *query.Position, error) {
	if sub.Kind == KindManager {
		person = sub.User
	}
	if err := mayReadTransfers(sub, person); err != nil {
		return nil, nil, err
	}
	where := query.And{}
	if state != "" {
		where = append(where, s.eq(typeTransfer, "state", state))
	}
	if person != "" {
		where = append(where, s.eq(typeTransfer, "person", person))
	}
	page, err := s.store.Query(ctx, sub.Org, query.Query{Sources: []query.Source{{Type: typeTransfer, Where: where}}, Limit: count, After: after})
	if err != nil {
		return nil, nil, fail(typeTransfer, err)
	}
	list := make([]*TransferRecord, len(page.Records))
	for i := range page.Records {
		if list[i], err = transferRecord(&page.Records[i]); err != nil {
			return nil, nil, err
		}
	}
	if err := s.nameTransfers(ctx, sub.Org, list...); err != nil {
		return nil, nil, err
	}
	if !page.More {
		return list, nil, nil
	}
	return list, &page.Sort[len(page.Sort)-1], nil
}
