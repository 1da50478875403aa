package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The kinds of conflicts.
const (
	conflictAdoption = "adoption"    // a client writes somebody who came another way
	conflictClaimed  = "claimed"     // a client writes somebody who is another connection's alone
	conflictGrants   = "inviteGrant" // a client made somebody who had an invite: what that would have given is on offer
)

// The states of conflicts, and the resolutions that lead there.
const (
	conflictOpen     = "open"
	conflictAdopted  = "adopted"  // the client manages the person from now on
	conflictDeclined = "declined" // the client is kept from the person
	conflictGranted  = "granted"  // the person got what the invite would have given
)

// conflictDoc is a conflict as it is stored. There is one for each person, connection and kind.
type conflictDoc struct {
	Kind       string  `json:"kind"`
	Status     string  `json:"status"`
	UserID     string  `json:"userId"`
	User       string  `json:"user"` // label
	Connection Ref     `json:"connection"`
	Other      *Ref    `json:"other,omitempty"`  // the connection that the person is of
	Invite     *Ref    `json:"invite,omitempty"` // whose grants are on offer
	Offered    Given   `json:"offered,omitzero"`
	OpenedAt   Instant `json:"openedAt"`
	SeenAt     Instant `json:"seenAt"` // when the client tried it last, to the hour
	ResolvedAt Instant `json:"resolvedAt,omitzero"`
	ResolvedBy *Ref    `json:"resolvedBy,omitempty"`
	Note       string  `json:"note,omitempty"`
}

// heldError is a refusal of a client's write that waits for an administrator.
type heldError struct {
	told *scim.Error
	doc  conflictDoc
}

// Error returns what the client is told.
func (e *heldError) Error() string { return e.told.Error() }

// Unwrap returns what the client is told.
func (e *heldError) Unwrap() error { return e.told }

// held is the answer to a client's write of a person that an administrator has to decide about: never a false 200.
func held(w *resources.Write, connection Ref, kind string, other *Ref) error {
	return &heldError{
		told: refuse(http.StatusConflict, "waiting_for_confirmation",
			"this person is not this client's to write: it is waiting for confirmation by an administrator of the organization"),
		doc: conflictDoc{
			Kind: kind, Status: conflictOpen, UserID: w.Key.ID, Other: other, Connection: connection,
		},
	}
}

// Bounds of conflicts.
const (
	maxOpenConflicts = 10_000
	// conflictSeen is how exact it is known when a client tried last: it tries for ever.
	conflictSeen = time.Hour
)

func conflictKey(org scim.OrgID, d *conflictDoc) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeConflict, ID: idOf("conflict", string(org), d.Kind, d.UserID, d.Connection.Value)}
}

// noteRefusal opens a conflict for a client's write that has to be decided about, outside of the write, and returns what
// the client is told: the number of the conflict, or what was decided.
func (s *Service) noteRefusal(ctx context.Context, c scim.Caller, err error) error {
	var h *heldError
	if !errors.As(err, &h) {
		return err
	}
	status, id, noted := s.openConflict(ctx, c, h.doc)
	if noted != nil {
		return noted
	}
	e := *h.told
	if e.Detail += " (conflict " + id + ")"; status == conflictDeclined {
		e.Code, e.Detail = "declined", "an administrator of the organization has decided that this person is not this client's to write (conflict "+id+")"
	}
	return &e
}

// openConflict stores a conflict unless it is there, and returns its state and id.
func (s *Service) openConflict(ctx context.Context, c scim.Caller, d conflictDoc) (status, id string, err error) {
	k, now := conflictKey(c.Org, &d), s.now()
	for range maxGuardRuns {
		have, err := load[conflictDoc](ctx, s.store, k)
		if err != nil {
			return "", "", fail(resources.TypeConflict, err)
		}
		if have != nil && (have.Value.Status == conflictDeclined || have.Value.Status == conflictOpen && now.Sub(have.Value.SeenAt.Time) < conflictSeen) {
			return have.Value.Status, k.ID, nil
		}
		if have == nil {
			err = s.newConflict(ctx, c, k, d, now)
		} else {
			_, err = change(ctx, s, s.store, c, k, now, func(r *record[conflictDoc]) error {
				if r.Version != have.Version {
					return errMoved
				}
				if r.Value.SeenAt = at(now); r.Value.Status != conflictOpen { // decided for the client, and not so any more
					opened := d
					opened.OpenedAt, opened.SeenAt, opened.User = at(now), at(now), r.Value.User
					r.Value = opened
				}
				return nil
			})
		}
		switch {
		case err == nil:
			return conflictOpen, k.ID, nil
		case !errors.Is(err, storage.ErrExists) && !errors.Is(err, errMoved) && !errors.Is(err, storage.ErrNotFound):
			return "", "", fail(resources.TypeConflict, err)
		}
	}
	return "", "", lostRaces()
}

func (s *Service) newConflict(ctx context.Context, c scim.Caller, k storage.Key, d conflictDoc, now time.Time) error {
	n, err := s.count(ctx, c.Org, resources.TypeConflict, s.eq(resources.TypeConflict, "status", conflictOpen))
	if err != nil {
		return err
	}
	if n >= maxOpenConflicts {
		return tooMany("too_many_conflicts", maxOpenConflicts, time.Hour, "the organization has more conflicts than it can look at: its administrators must decide first")
	}
	rec, err := s.store.Get(ctx, userKey(c.Org, d.UserID), query.Load{})
	if err != nil {
		return err
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return err
	}
	d.User, d.OpenedAt, d.SeenAt = s.registry.Definition(typeUser).Label(doc), at(now), at(now)
	_, err = s.insert(ctx, s.store, c, k, now, d, nil)
	return err
}

// Conflict is a conflict as administrators see it.
type Conflict struct {
	ID         string
	Version    int64
	Kind       string
	Status     string
	User       Ref
	Connection Ref
	Other      *Ref     // the connection that the person is of
	Invite     *Ref     // whose grants are on offer
	Offered    []string // what they are, as "role:admin"
	OpenedAt   time.Time
	SeenAt     time.Time // when the client tried it last, to the hour
	ResolvedAt time.Time // zero: not yet
	ResolvedBy *Ref
	Note       string
}

// ConflictQuery asks for a page of conflicts, the newest first.
type ConflictQuery struct {
	Status string // empty: any
	After  *query.Position
	Count  int
}

// Conflicts returns a page and where the next one begins, nil after the last.
func (s *Service) Conflicts(ctx context.Context, sub Subject, q ConflictQuery) ([]*Conflict, *query.Position, error) {
	if err := Allowed(sub, ActResolve, Target{Type: resources.TypeConflict}); err != nil {
		return nil, nil, err
	}
	f := s.field(resources.TypeConflict, "openedAt")
	src := query.Source{Type: resources.TypeConflict, Sort: &f}
	if q.Status != "" {
		src.Where = s.eq(resources.TypeConflict, "status", q.Status)
	}
	page, err := s.store.Query(ctx, sub.Org, query.Query{Sources: []query.Source{src}, Sorted: true, Desc: true, Limit: q.Count, After: q.After})
	if err != nil {
		return nil, nil, fail(resources.TypeConflict, err)
	}
	list := make([]*Conflict, len(page.Records))
	for i := range page.Records {
		r, err := decode[conflictDoc](&page.Records[i])
		if err != nil {
			return nil, nil, err
		}
		list[i] = conflictOf(r)
	}
	if !page.More {
		return list, nil, nil
	}
	return list, &page.Sort[len(page.Sort)-1], nil
}

func conflictOf(r *record[conflictDoc]) *Conflict {
	v := &r.Value
	c := &Conflict{
		ID: r.Key.ID, Version: r.Version, Kind: v.Kind, Status: v.Status, User: Ref{Value: v.UserID, Display: v.User},
		Connection: v.Connection, Other: v.Other, Invite: v.Invite, OpenedAt: v.OpenedAt.Time, SeenAt: v.SeenAt.Time,
		ResolvedAt: v.ResolvedAt.Time, ResolvedBy: v.ResolvedBy, Note: v.Note,
	}
	for _, role := range v.Offered.Roles {
		c.Offered = append(c.Offered, "role:"+role)
	}
	c.Offered = append(c.Offered, v.Offered.Entitlements...)
	for _, g := range v.Offered.Groups {
		c.Offered = append(c.Offered, "group:"+g)
	}
	if o := v.Offered.Occupation; o != "" {
		c.Offered = append(c.Offered, "occupation:"+o)
	}
	return c
}

// Conflict reads one.
func (s *Service) Conflict(ctx context.Context, sub Subject, id string) (*Conflict, error) {
	r, err := s.conflict(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	return conflictOf(r), nil
}

func (s *Service) conflict(ctx context.Context, sub Subject, id string) (*record[conflictDoc], error) {
	if err := Allowed(sub, ActResolve, Target{Type: resources.TypeConflict}); err != nil {
		return nil, err
	}
	r, err := load[conflictDoc](ctx, s.store, storage.Key{Org: sub.Org, Type: resources.TypeConflict, ID: id})
	if err != nil {
		return nil, fail(resources.TypeConflict, err)
	}
	if r == nil {
		return nil, notFound(resources.TypeConflict)
	}
	return r, nil
}

// resolutions are what can be decided about a kind of conflict, and the states that follow.
func resolutions(kind string) map[string]string {
	if kind == conflictGrants {
		return map[string]string{"grant": conflictGranted, "decline": conflictDeclined}
	}
	return map[string]string{"adopt": conflictAdopted, "decline": conflictDeclined}
}

// ResolveConflict decides an open conflict. The decision and what follows from it are one step; of two administrators one
// decides. Who names the version may think better of what was declined.
func (s *Service) ResolveConflict(ctx context.Context, sub Subject, id string, pre scim.Precondition, resolution, note string) (*Conflict, error) {
	if len([]rune(note)) > maxDeactivationNote {
		return nil, invalid("note", "too_long", "must have at most %d characters", maxDeactivationNote)
	}
	r, err := s.conflict(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if err := pre.Check(r.Version); err != nil {
		return nil, err
	}
	next, ok := resolutions(r.Value.Kind)[resolution]
	if !ok {
		return nil, invalid("resolution", "not_a_choice", "must be one of %s", strings.Join(sortedKeys(resolutions(r.Value.Kind)), ", "))
	}
	again := r.Value.Status == conflictDeclined && next != conflictDeclined && pre.IfMatch != ""
	if r.Value.Status != conflictOpen && !again {
		return nil, conflict("already_decided", "somebody has decided this already")
	}
	follow, err := s.resolution(ctx, sub, r, next)
	if err != nil {
		return nil, err
	}
	now := s.now()
	defer s.snapshots.forget(sub.Org)
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		_, err := change(ctx, s, tx, sub.Caller, r.Key, now, func(x *record[conflictDoc]) error {
			if x.Value.Status != r.Value.Status {
				return conflict("already_decided", "somebody has decided this already")
			}
			x.Value.Status, x.Value.ResolvedAt, x.Value.Note = next, at(now), note
			x.Value.ResolvedBy = &Ref{Value: sub.actorID(), Display: sub.Label, Type: string(sub.Kind)}
			return nil
		})
		if err != nil {
			return err
		}
		return follow(tx)
	})
	if err != nil {
		return nil, fail(resources.TypeConflict, err)
	}
	return s.Conflict(ctx, sub, id)
}

// resolution is what a decision does beside being noted. Nobody hands over a person above themselves.
func (s *Service) resolution(ctx context.Context, sub Subject, r *record[conflictDoc], next string) (func(storage.Tx) error, error) {
	if next == conflictDeclined {
		return func(storage.Tx) error { return nil }, nil
	}
	p, snap, err := s.person(ctx, sub.Org, r.Value.UserID)
	if err != nil {
		return nil, err
	}
	if p.Grant.Rank() > sub.Rank {
		return nil, forbidden("person_above_you", "your role does not let you hand over a person of a higher rank")
	}
	if r.Value.Kind == conflictGrants {
		return s.grantOffered(ctx, sub, p, snap, r.Value.Offered)
	}
	id := r.Value.Connection.Value
	_, _, all, err := s.knownConnections(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	if len(all[id]) == 0 {
		return nil, conflict("connection_gone", "the connection is not there any more: decline")
	}
	_, conn := snap.connections.of(id)
	by := Ref{Value: id, Display: cmp.Or(conn.Name, all[id][0].Name)}
	return func(tx storage.Tx) error {
		if err := s.distinguish(ctx, tx, sub.Caller, id, all[id][0].Name); err != nil {
			return err
		}
		_, err := s.changeUser(ctx, tx, sub.Caller, userKey(sub.Org, p.ID), s.now(), p.Version, func(doc scim.Attributes) error {
			mark(doc, by)
			return nil
		})
		return err
	}, nil
}

func sortedKeys(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
