package lifecycle

import (
	"context"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// ChangeRequest is what a person would like to have changed of themselves, until an administrator has decided.
type ChangeRequest struct {
	ID        string     `json:"-"`
	Version   int64      `json:"-"`
	User      string     `json:"user"`
	UserName  string     `json:"userName"` // display, for whoever decides
	Attribute string     `json:"attribute"`
	Value     string     `json:"value"`
	Display   string     `json:"display,omitempty"`
	Gains     []string   `json:"gains,omitempty"`
	Status    string     `json:"status"`
	At        time.Time  `json:"at"`
	DecidedAt *time.Time `json:"decidedAt,omitempty"`
	DecidedBy string     `json:"decidedBy,omitempty"`
	Note      string     `json:"note,omitempty"`
}

const (
	attributeOccupation = "occupation"

	requestPending  = "pending"
	requestApproved = "approved"
	requestDeclined = "declined"

	maxNote         = 500
	maxOpenRequests = 1000
)

// askChange notes what a person asks for; the same attribute asked for again replaces what is still open.
func (s *Service) askChange(ctx context.Context, sub Subject, p *Person, r ChangeRequest) (*ChangeRequest, error) {
	at := s.now()
	r.User, r.UserName, r.Status, r.At = p.ID, p.Label, requestPending, at
	k := storage.Key{Org: sub.Org, Type: resources.TypeChangeRequest, ID: idOf("changeRequest", string(sub.Org), p.ID, r.Attribute)}
	r.ID = k.ID
	err := s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		have, err := load[ChangeRequest](ctx, tx, k)
		if err != nil {
			return err
		}
		if have == nil {
			rec, err := s.insert(ctx, tx, sub.Caller, k, at, r, nil)
			if err == nil {
				r.Version = rec.Version
			}
			return err
		}
		rec, err := change(ctx, s, tx, sub.Caller, k, at, func(x *record[ChangeRequest]) error { x.Value = r; return nil })
		if err == nil {
			r.Version = rec.Version
		}
		return err
	})
	return &r, fail(resources.TypeChangeRequest, err)
}

// ChangeRequests lists what people ask for and nobody has decided, the oldest first.
func (s *Service) ChangeRequests(ctx context.Context, sub Subject) ([]ChangeRequest, error) {
	if err := Allowed(sub, ActChangeOccupation, Target{}); err != nil {
		return nil, err
	}
	list, err := find[ChangeRequest](ctx, s, sub.Org, resources.TypeChangeRequest, s.eq(resources.TypeChangeRequest, "status", requestPending), maxOpenRequests)
	if err != nil {
		return nil, fail(resources.TypeChangeRequest, err)
	}
	out := make([]ChangeRequest, len(list))
	for i, r := range list {
		out[i] = requestOf(r)
	}
	slices.SortFunc(out, func(a, b ChangeRequest) int { return a.At.Compare(b.At) })
	return out, nil
}

func requestOf(r *record[ChangeRequest]) ChangeRequest {
	v := r.Value
	v.ID, v.Version = r.Key.ID, r.Version
	return v
}

// DecideChange approves or declines what a person asks for. Approving makes the change in the same step; who decides must
// be one who may make it.
func (s *Service) DecideChange(ctx context.Context, sub Subject, id string, approve bool, note string) (*ChangeRequest, error) {
	if len(note) > maxNote {
		return nil, invalid("note", "too_long", "must have at most %d bytes", maxNote)
	}
	k := storage.Key{Org: sub.Org, Type: resources.TypeChangeRequest, ID: id}
	for range maxGuardRuns {
		r, err := s.tryDecide(ctx, sub, k, approve, note)
		if lookAgain(err) != nil || err == nil {
			return r, fail(resources.TypeChangeRequest, err)
		}
	}
	return nil, scim.Unavailable(retryContention, errEpoch)
}

func (s *Service) tryDecide(ctx context.Context, sub Subject, k storage.Key, approve bool, note string) (*ChangeRequest, error) {
	seen, err := load[ChangeRequest](ctx, s.store, k)
	switch {
	case err != nil:
		return nil, err
	case seen == nil:
		return nil, notFound(resources.TypeChangeRequest)
	}
	p, snap, err := s.person(ctx, sub.Org, seen.Value.User)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActChangeOccupation, Target{User: p.ID, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	if seen.Value.Status != requestPending {
		return nil, conflict("already_decided", "somebody has decided this already")
	}
	o := snap.Occupation(seen.Value.Value)
	if approve && (o == nil || !o.Active) {
		return nil, conflict("occupation_retired", "the occupation is not given any more: decline the request")
	}
	if approve {
		if err := s.mayEdit(ctx, sub.Org, p.ID, pathOccupation); err != nil {
			return nil, err
		}
	}
	var out ChangeRequest
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		at := s.now()
		rec, err := change(ctx, s, tx, sub.Caller, k, at, func(r *record[ChangeRequest]) error {
			if r.Version != seen.Version {
				return errEpoch
			}
			if r.Value.Status = requestDeclined; approve {
				r.Value.Status = requestApproved
			}
			r.Value.DecidedAt, r.Value.DecidedBy, r.Value.Note = &at, sub.Label, note
			out = r.Value
			return nil
		})
		if err != nil {
			return err
		}
		out.ID, out.Version = k.ID, rec.Version
		if !approve {
			return nil
		}
		return s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) { setOccupation(doc, o.Key) })
	})
	return &out, err
}
