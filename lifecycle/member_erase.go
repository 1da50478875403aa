package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// FormerMember is shown in place of the name of somebody who was erased.
const FormerMember = "Former member"

// Erase makes somebody unknown for good: a user is removed first; then what was kept of them is destroyed, and their
// history keeps who did what and when, and of which attribute, but no value. It cannot be undone.
func (s *Service) Erase(ctx context.Context, sub Subject, id string, confirm string) error {
	if err := Allowed(sub, ActErase, Target{User: id}); err != nil {
		return err
	}
	k := tombstoneKey(sub.Org, id)
	t, err := load[tombstone](ctx, s.store, k)
	if err != nil {
		return fail(typeUser, err)
	}
	if t == nil {
		if err := s.eraseUser(ctx, sub, id, confirm); err != nil {
			return err
		}
	}
	_, err = change(ctx, s, s.store, sub.Caller, k, s.now(), func(r *record[tombstone]) error {
		v := &r.Value
		v.Profile, v.Name, v.Emails, v.ExternalID, v.PurgeAt, v.Erased = "", "", nil, "", Instant{}, true
		return nil
	})
	if err != nil {
		return fail(typeUser, err)
	}
	for _, key := range []storage.Key{userKey(sub.Org, id), k} {
		if err := s.store.Redact(ctx, key); err != nil {
			return fail(typeUser, err)
		}
	}
	return nil
}

// eraseUser removes somebody who is there, with nothing kept. Invites that name them go too, since they hold the address.
func (s *Service) eraseUser(ctx context.Context, sub Subject, id, confirm string) error {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return err
	}
	if name, _ := p.Doc["userName"].(string); confirm != name {
		return invalid("confirm", "confirmation_needed", "must be the person's userName: erasing cannot be undone")
	}
	var named query.Or
	for _, a := range addresses(p.Doc) {
		named = append(named, s.eq(typeInvite, "email", a))
	}
	_, err = s.leaving(ctx, sub, ActErase, id, 0, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		return nil, s.removeUser(ctx, tx, sub.Caller, l, 0)
	})
	if err != nil || len(named) == 0 {
		return err
	}
	keys, err := s.due(ctx, sub.Org, typeInvite, named)
	if err != nil {
		return fail(typeInvite, err)
	}
	for _, k := range keys {
		err := s.store.Delete(ctx, k, s.now(), func(storage.Current) (storage.Change, error) {
			return storage.Change{Op: storage.OpDelete, Actor: sub.Actor, Request: sub.RequestID}, nil
		})
		if err == nil {
			err = s.store.Redact(ctx, k)
		}
		if err != nil {
			return fail(typeInvite, err)
		}
	}
	return nil
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
