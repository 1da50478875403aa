package lifecycle

import (
	"context"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// The outcomes of audit entries.
const (
	AuditDone    = "done"
	AuditRefused = "refused"
)

// AuditEntry is one line of the audit trail: something that was done, or refused.
type AuditEntry struct {
	Position string     `json:"-"` // place in the trail
	At       Instant    `json:"at"`
	Action   string     `json:"action" doc:"What was done, such as invite.accepted; of something refused, the operation that was asked for."`
	Also     []string   `json:"also,omitempty" nullable:"false" doc:"What else the same change did."`
	Outcome  string     `json:"outcome" enum:"done,refused"`
	Actor    Ref        `json:"actor"`
	Target   AuditThing `json:"target"`
	Changed  []string   `json:"changed,omitempty" nullable:"false" doc:"The attributes, without their values: the history of a member has those."`
	Code     string     `json:"code,omitempty" doc:"Why it was refused."`
	Count    int        `json:"count,omitempty" doc:"How often it was refused, if that was more than once within a minute."`
	Version  int64      `json:"version,omitempty" doc:"Of the record, after the change."`
	Request  string     `json:"request,omitempty" doc:"Id of the request: the operator finds it in the log."`
}

// AuditThing is what an entry is about.
type AuditThing struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
}

// AuditFilter narrows the audit trail. Empty fields ask for anything.
type AuditFilter struct {
	Actor   string // id
	Action  string // or the first word of several: invite for all of invites
	Target  string // id
	Outcome string
	Code    string
	Since   time.Time // not before
	Until   time.Time // before
}

// AuditPage asks for entries before a place, newest first.
type AuditPage struct {
	AuditFilter
	Before string // place in the trail; empty: the end
	Count  int
}

const (
	// auditScan is how many changes one page of the list looks at: if few of them match, the page is short.
	auditScan = 5000
	auditRead = 500
	// auditSlack is how far the clocks of processes, and the time between an instant and its commit, may lie apart.
	auditSlack = 5 * time.Minute
)

// mayAudit says whether the subject may read what the filter asks for: people and operators their own acts, and people
// what was done to them.
func mayAudit(sub Subject, f *AuditFilter) error {
	for _, id := range []string{f.Target, f.Actor} {
		if err := Allowed(sub, ActAudit, Target{User: id}); err == nil || id == f.Actor {
			return err
		}
	}
	return nil
}

// Audit returns a page of the trail, and where the next one begins; empty at the end. A page may be short or empty and
// have a next one.
func (s *Service) Audit(ctx context.Context, sub Subject, q AuditPage) (list []AuditEntry, next string, err error) {
	if err := mayAudit(sub, &q.AuditFilter); err != nil {
		return nil, "", err
	}
	if err := s.flushRefusals(ctx, sub.Org, false); err != nil {
		return nil, "", err
	}
	names := s.names(sub.Org)
	at := storage.Position(q.Before)
	if at == "" && !q.Until.IsZero() {
		if at, err = s.placeAfter(ctx, sub.Org, q.Until.Add(auditSlack)); err != nil {
			return nil, "", err
		}
	}
	for scanned := 0; scanned < auditScan; {
		changes, err := s.store.ChangesBefore(ctx, sub.Org, at, min(auditRead, max(2*q.Count, 50)))
		if err != nil {
			return nil, "", fail(resources.TypeSeal, err)
		}
		if len(changes) == 0 {
			return list, "", nil
		}
		for i := range changes {
			at = changes[i].Position
			if changes[i].At.Before(q.Since.Add(-auditSlack)) && !q.Since.IsZero() {
				return list, "", nil
			}
			e, ok, err := q.entry(ctx, names, &changes[i])
			if err != nil {
				return nil, "", err
			}
			if !ok {
				continue
			}
			if list = append(list, e); len(list) == q.Count {
				return list, string(at), nil
			}
		}
		scanned += len(changes)
	}
	return list, string(at), nil
}

// ExportAudit calls fn with every entry that the filter lets through after a place, oldest first.
func (s *Service) ExportAudit(ctx context.Context, sub Subject, f AuditFilter, behind string, fn func(*AuditEntry) error) error {
	if err := mayAudit(sub, &f); err != nil {
		return err
	}
	if err := s.flushRefusals(ctx, sub.Org, false); err != nil {
		return err
	}
	names, after := s.names(sub.Org), storage.Position(behind)
	if after == "" && !f.Since.IsZero() {
		var err error
		if after, err = s.placeBefore(ctx, sub.Org, f.Since.Add(-auditSlack)); err != nil {
			return err
		}
	}
	for {
		changes, err := s.store.Changes(ctx, sub.Org, after, auditRead)
		if err != nil {
			return fail(resources.TypeSeal, err)
		}
		if len(changes) == 0 {
			return nil
		}
		for i := range changes {
			after = changes[i].Position
			if !f.Until.IsZero() && changes[i].At.After(f.Until.Add(auditSlack)) {
				return nil
			}
			e, ok, err := f.entry(ctx, names, &changes[i])
			if err != nil {
				return err
			}
			if ok {
				if err := fn(&e); err != nil {
					return err
				}
			}
		}
	}
}

// entry is what the trail shows of a change, if the filter lets it through.
func (f *AuditFilter) entry(ctx context.Context, n *names, ch *storage.Change) (AuditEntry, bool, error) {
	actions := actionsOf(ch)
	if len(actions) == 0 || !f.when(ch.At) || f.Actor != "" && ch.Actor.ID != f.Actor {
		return AuditEntry{}, false, nil
	}
	e := AuditEntry{
		Position: string(ch.Position), At: at(ch.At), Action: actions[0], Also: actions[1:], Outcome: AuditDone,
		Target: AuditThing{string(ch.Key.Type), ch.Key.ID}, Version: ch.Version, Request: ch.Request,
	}
	switch ch.Key.Type {
	case resources.TypeRefusal:
		e.refusal(ch)
	case resources.TypeTombstone:
		id, err := n.buried(ctx, ch.Key)
		if err != nil {
			return AuditEntry{}, false, err
		}
		e.Target = AuditThing{string(typeUser), id}
	default:
		for _, v := range ch.Values {
			e.Changed = append(e.Changed, v.Path)
		}
	}
	if !f.matches(&e) {
		return AuditEntry{}, false, nil
	}
	actor, err := n.actor(ctx, ch)
	e.Actor = actor
	return e, true, err
}

func (f *AuditFilter) when(t time.Time) bool {
	return (f.Since.IsZero() || !t.Before(f.Since)) && (f.Until.IsZero() || t.Before(f.Until))
}

func (f *AuditFilter) matches(e *AuditEntry) bool {
	action := func(a string) bool { return f.Action == "" || a == f.Action || strings.HasPrefix(a, f.Action+".") }
	named := action(e.Action)
	for _, a := range e.Also {
		named = named || action(a)
	}
	return named && (f.Target == "" || e.Target.ID == f.Target) && (f.Outcome == "" || e.Outcome == f.Outcome) &&
		(f.Code == "" || e.Code == f.Code)
}

// placeAfter is a place in the feed behind all that was sealed before an instant; empty: the end.
func (s *Service) placeAfter(ctx context.Context, org scim.OrgID, t time.Time) (storage.Position, error) {
	r, err := s.sealAt(ctx, org, t)
	if err != nil || r == nil {
		return "", err
	}
	return r.First, nil
}

// placeBefore is a place in the feed before all that was made from an instant on.
func (s *Service) placeBefore(ctx context.Context, org scim.OrgID, t time.Time) (storage.Position, error) {
	r, err := s.sealAt(ctx, org, t)
	if err != nil {
		return "", err
	}
	if r == nil {
		if r, err = s.head(ctx, org); err != nil || r == nil || !r.LastAt.Before(t) {
			return "", fail(typeSeal, err)
		}
		return r.Through, nil
	}
	if r.Number == 1 {
		return "", nil
	}
	prior, err := load[seal](ctx, s.store, sealKey(org, r.Number-1))
	if err != nil || prior == nil {
		return "", fail(typeSeal, err)
	}
	return prior.Value.Through, nil
}

// sealAt is the first seal whose changes all come after an instant; nil if there is none. It is by the seals that a place
// is found by time: the feed has no index of that.
func (s *Service) sealAt(ctx context.Context, org scim.OrgID, t time.Time) (*seal, error) {
	head, err := s.head(ctx, org)
	if err != nil || head == nil {
		return nil, fail(typeSeal, err)
	}
	var found *seal
	low, high := int64(1), head.Number
	for low <= high {
		middle := (low + high) / 2
		r, err := load[seal](ctx, s.store, sealKey(org, middle))
		if err != nil || r == nil {
			return nil, fail(typeSeal, err)
		}
		if r.Value.FirstAt.After(t) {
			found, high = &r.Value, middle-1
		} else {
			low = middle + 1
		}
	}
	return found, nil
}

// Checkpoint seals what of the trail is not sealed yet, and says how far it goes.
func (s *Service) Checkpoint(ctx context.Context, sub Subject) (Checkpoint, error) {
	if err := Allowed(sub, ActAudit, Target{}); err != nil {
		return Checkpoint{}, err
	}
	if err := s.flushRefusals(ctx, sub.Org, false); err != nil {
		return Checkpoint{}, err
	}
	return s.Seal(ctx, sub.Org, true)
}
