package lifecycle

import (
	"context"
	"maps"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// FormerMember is shown in place of the name of somebody who was erased.
const FormerMember = "Former member"

// unfinished is how long an erasure that was interrupted still knows of whom it is.
const unfinished = time.Hour

// Erase makes somebody unknown for good: a user is removed first; then what was kept of them is destroyed, and their
// history keeps who did what and when, and of which attribute, but no value. It cannot be undone. What was interrupted is
// to be repeated.
func (s *Service) Erase(ctx context.Context, sub Subject, id string, confirm string) error {
	if err := Allowed(sub, ActErase, Target{User: id}); err != nil {
		return err
	}
	k := tombstoneKey(sub.Org, id)
	t, err := load[tombstone](ctx, s.store, k)
	if err == nil && t == nil {
		if err = s.eraseUser(ctx, sub, id, confirm); err == nil {
			t, err = load[tombstone](ctx, s.store, k)
		}
	}
	if err != nil {
		return fail(typeUser, err)
	}
	if t == nil { // brought back meanwhile
		return conflict("try_again", "somebody else has changed the person: look, and try again")
	}
	traces, err := s.traces(ctx, sub.Org, &t.Value)
	if err != nil {
		return err
	}
	_, err = change(ctx, s, s.store, sub.Caller, k, s.now(), func(r *record[tombstone]) error {
		v := &r.Value
		v.Profile, v.Name, v.Emails, v.ExternalID, v.PurgeAt, v.Erased = "", "", nil, "", Instant{}, true
		for _, x := range traces { // whoever goes on after an interruption finds them here
			if !slices.Contains(v.Traces, x) {
				v.Traces = append(v.Traces, x)
			}
		}
		traces = v.Traces
		return nil
	})
	if err != nil {
		return fail(typeUser, err)
	}
	keys := []storage.Key{userKey(sub.Org, id), k}
	for _, x := range traces {
		trace := storage.Key{Org: sub.Org, Type: x.Type, ID: x.ID}
		if err := s.drop(ctx, trace, s.now(), sub.Caller); err != nil {
			return fail(x.Type, err)
		}
		keys = append(keys, trace)
	}
	return s.redact(ctx, sub.Org, keys...)
}

// eraseUser removes somebody who is there; what is kept of them lasts as long as it takes to destroy it.
func (s *Service) eraseUser(ctx context.Context, sub Subject, id, confirm string) error {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return err
	}
	if name, _ := p.Doc["userName"].(string); confirm != name {
		return invalid("confirm", "confirmation_needed", "must be the person's userName: erasing cannot be undone")
	}
	_, err = s.leaving(ctx, sub, ActErase, id, 0, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		return nil, s.removeUser(ctx, tx, sub.Caller, l, unfinished)
	})
	return err
}

// trace names a record that holds something of a person.
type trace struct {
	Type scim.TypeName `json:"type"`
	ID   string        `json:"id"`
}

// traces finds the records beside the user that hold something of them: invites and requests of their addresses, what
// they asked for, their logins, and their picture.
func (s *Service) traces(ctx context.Context, org scim.OrgID, t *tombstone) ([]trace, error) {
	where := map[scim.TypeName]query.Or{
		resources.TypeChangeRequest: {s.eq(resources.TypeChangeRequest, "user", t.User)},
		resources.TypeLogin:         {s.eq(resources.TypeLogin, "user", t.User)},
		resources.TypePhoto:         {s.eq(resources.TypePhoto, "user", t.User)},
	}
	if t.Profile != "" {
		_, doc, _, err := s.exhume(t)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses(doc) {
			for _, typ := range []scim.TypeName{typeInvite, typeJoinRequest} {
				where[typ] = append(where[typ], s.eq(typ, "email", a))
			}
		}
	}
	var list []trace
	for _, typ := range slices.Sorted(maps.Keys(where)) {
		q := query.Query{Sources: []query.Source{{Type: typ, Where: where[typ]}}, Limit: dueAtOnce}
		for {
			page, err := s.store.Query(ctx, org, q)
			if err != nil {
				return nil, fail(typ, err)
			}
			for i := range page.Records {
				list = append(list, trace{typ, page.Records[i].ID})
			}
			if !page.More {
				break
			}
			q.After = &query.Position{ID: page.Records[len(page.Records)-1].ID}
		}
	}
	return list, nil
}

// Remains is what is left of somebody who was removed, as administrators see it.
type Remains struct {
	User         string
	Name         string
	RemovedAt    Instant
	RestoreUntil Instant // zero: the profile is no longer kept
	Erased       bool
}

// Removed lists who was removed, the newest id last, up to limit after the user called after.
func (s *Service) Removed(ctx context.Context, sub Subject, after string, limit int) (list []Remains, next string, err error) {
	if err := Allowed(sub, ActReadMembers, Target{}); err != nil {
		return nil, "", err
	}
	q := query.Query{Sources: []query.Source{{Type: typeTombstone}}, Limit: limit}
	if after != "" {
		q.After = &query.Position{ID: after}
	}
	page, err := s.store.Query(ctx, sub.Org, q)
	if err != nil {
		return nil, "", fail(typeTombstone, err)
	}
	for i := range page.Records {
		t, err := decode[tombstone](&page.Records[i])
		if err != nil {
			return nil, "", err
		}
		list = append(list, s.remainsOf(&t.Value))
	}
	if page.More {
		next = page.Records[len(page.Records)-1].ID
	}
	return list, next, nil
}

func (s *Service) remainsOf(t *tombstone) Remains {
	r := Remains{User: t.User, RemovedAt: t.RemovedAt, Erased: t.Erased, Name: FormerMember}
	if t.Name != "" {
		if name, err := s.opened(t.Name, "name "+t.User); err == nil {
			r.Name = string(name)
		}
	}
	if t.Profile != "" && t.PurgeAt.After(s.now()) {
		r.RestoreUntil = t.PurgeAt
	}
	return r
}

// NameOf is the name to show for an id that a user has or had: the person's, or FormerMember.
func (s *Service) NameOf(ctx context.Context, sub Subject, id string) (string, error) {
	if err := Allowed(sub, ActReadMembers, Target{User: id}); err != nil {
		return "", err
	}
	p, _, err := s.person(ctx, sub.Org, id)
	if err == nil {
		return p.Label, nil
	}
	t, terr := load[tombstone](ctx, s.store, tombstoneKey(sub.Org, id))
	switch {
	case terr != nil:
		return "", fail(typeUser, terr)
	case t == nil:
		return "", err
	}
	return s.remainsOf(&t.Value).Name, nil
}

// Access is what an application is told of somebody whom it has authenticated.
type Access string

// The answers of an access check.
const (
	AccessActive      Access = "active"
	AccessDeactivated Access = "deactivated"
	AccessPending     Access = statusPending // not until they have agreed
	AccessRevoked     Access = "revoked"
	AccessUnknown     Access = "unknown"
)

// CheckAccess tells an application whether the person with the id may come in. Only those who may read members learn it,
// so that nobody can probe for addresses.
func (s *Service) CheckAccess(ctx context.Context, sub Subject, id string) (Access, error) {
	if err := Allowed(sub, ActReadMembers, Target{User: id}); err != nil {
		return "", err
	}
	rec, err := load[scim.Attributes](ctx, s.store, userKey(sub.Org, id))
	if err != nil {
		return "", fail(typeUser, err)
	}
	if rec != nil {
		if FactsOf(rec.doc, nil, s.now()).Active {
			return AccessActive, nil
		}
		if pendingConsent(rec.doc) {
			return AccessPending, nil
		}
		return AccessDeactivated, nil
	}
	t, err := load[tombstone](ctx, s.store, tombstoneKey(sub.Org, id))
	if err != nil {
		return "", fail(typeUser, err)
	}
	if t != nil && !t.Value.Erased {
		return AccessRevoked, nil
	}
	return AccessUnknown, nil
}
