package lifecycle

import (
	"context"
	"encoding/json"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// tombstone is what is kept of somebody who was removed. Nobody can read it as it is: addresses and ids are digests, the
// rest is sealed until it is destroyed.
type tombstone struct {
	User       string   `json:"user"`
	RemovedAt  Instant  `json:"removedAt"`
	PurgeAt    Instant  `json:"purgeAt,omitzero"`
	By         Ref      `json:"by"`
	Client     string   `json:"client,omitempty"` // the token whose deletion it was, or which managed the person last
	Emails     []string `json:"emails,omitempty"`
	ExternalID string   `json:"externalId,omitempty"`
	Name       string   `json:"name,omitempty"`    // sealed: the person's name, to show beside records of applications
	Profile    string   `json:"profile,omitempty"` // sealed
	Erased     bool     `json:"erased,omitempty"`
	Traces     []trace  `json:"traces,omitempty"` // what else was erased with them
}

// remains are what a tombstone has sealed.
type remains struct {
	Doc     json.RawMessage `json:"doc"`
	Secrets json.RawMessage `json:"secrets,omitempty"`
	Groups  []string        `json:"groups,omitempty"`
}

const typeTombstone = scim.TypeName(resources.TypeTombstone)

// tombstoneKey is where the remains of a user lie: one tombstone for each id.
func tombstoneKey(org scim.OrgID, user string) storage.Key {
	return storage.Key{Org: org, Type: typeTombstone, ID: idOf("tombstone", string(org), user)}
}

// bury writes the tombstone of a user who is about to be deleted in the same step.
func (s *Service) bury(ctx context.Context, tx storage.Tx, c scim.Caller, l *leave, keep time.Duration) error {
	rec, err := tx.Get(ctx, l.key, query.Load{Secret: true})
	if err != nil {
		return err
	}
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return err
	}
	t := tombstone{
		User: l.key.ID, RemovedAt: at(l.at), By: Ref{Value: c.Actor.ID, Display: c.Actor.Name, Type: c.Actor.Kind},
	}
	if c.Actor.Kind == actorToken {
		t.Client = c.Actor.ID
	}
	if t.Name, err = s.sealed([]byte(s.registry.Definition(typeUser).Label(doc)), "name "+l.key.ID); err != nil {
		return err
	}
	if keep > 0 {
		t.PurgeAt = at(l.at.Add(keep))
		r := remains{Doc: rec.Doc, Groups: l.groups}
		if len(rec.Secret) > 0 {
			r.Secrets = scim.AppendJSON(nil, rec.Secret)
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if t.Profile, err = s.sealed(b, "profile "+l.key.ID); err != nil {
			return err
		}
	} else if err := dropPhoto(ctx, tx, c, photoKey(l.key.Org, l.key.ID), l.at, 0); err != nil {
		return err
	}
	for _, a := range addresses(doc) {
		t.Emails = append(t.Emails, s.linkDigest("address "+a))
	}
	if id, _ := doc["externalId"].(string); id != "" {
		t.ExternalID = s.linkDigest("externalId " + id)
	}
	k := tombstoneKey(l.key.Org, l.key.ID)
	if _, err = s.insert(ctx, tx, c, k, l.at, t, nil); err != nil || !l.clients {
		return err
	}
	return s.handOver(ctx, tx, c, l.key.ID, l.at)
}

// removeUser deletes a user and what is theirs alone, in the step of l.
func (s *Service) removeUser(ctx context.Context, tx storage.Tx, c scim.Caller, l *leave, keep time.Duration) error {
	if err := s.bury(ctx, tx, c, l, keep); err != nil {
		return err
	}
	return tx.Delete(ctx, l.key, l.at, resources.Deletion(c, scim.Precondition{}))
}

// Removal is what an administrator says when removing somebody.
type Removal struct {
	Acknowledge    []string // ids of the statements that RemovalEffects shows, all of them
	EffectsVersion string   // of those statements
	Confirm        string   // the person's userName, typed: needed for somebody whom a client manages
	Transfer       string   // of the person's work: access is cut now, the removal follows the transfer
}

// Remove takes somebody out of the organization: access ends at once, the profile is sealed for as long as the
// organization keeps it, and what they did stays where it is.
func (s *Service) Remove(ctx context.Context, sub Subject, id string, version int64, r Removal) error {
	p, snap, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return err
	}
	if err := Allowed(sub, ActRemove, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return err
	}
	if err := s.acknowledged(ctx, sub.Org, r); err != nil {
		return err
	}
	if err := s.mayRemove(ctx, sub, p, r.Confirm); err != nil {
		return err
	}
	if r.Transfer != "" {
		return s.removeByTransfer(ctx, sub, p, version, r.Transfer)
	}
	if err := s.clientsProvided(ctx, sub.Org, p.ID, snap.settings); err != nil {
		return err
	}
	_, err = s.leaving(ctx, sub, ActRemove, id, version, func(tx storage.Tx, l *leave) (*storage.Record, error) {
		return nil, s.removeUser(ctx, tx, sub.Caller, l, seconds(snap.settings.Members.RemoveRetention))
	})
	if err != nil {
		return err
	}
	return s.settleClients(ctx, sub.Org, id)
}

// mayRemove refuses to remove somebody whom a client manages without a typed confirmation: the client would bring them
// back at its next sync.
func (s *Service) mayRemove(ctx context.Context, sub Subject, p *Person, confirm string) error {
	name, _ := p.Doc["userName"].(string)
	if confirm == name && name != "" || sub.User == p.ID {
		return nil
	}
	m, err := s.claims(ctx, userKey(sub.Org, p.ID))
	if err != nil {
		return err
	}
	claim := m.any()
	if claim == nil {
		return nil
	}
	return conflict("managed_by_client",
		"this person is provisioned by %s, which may bring them back: deactivate them, or confirm by their userName", claim.Name)
}

// Restore brings somebody back who was removed, with id, profile, roles and groups, as long as the profile is kept.
func (s *Service) Restore(ctx context.Context, sub Subject, id string) (*scim.Resource, error) {
	if err := Allowed(sub, ActRestore, Target{User: id}); err != nil {
		return nil, err
	}
	t, err := load[tombstone](ctx, s.store, tombstoneKey(sub.Org, id))
	if err != nil {
		return nil, fail(typeUser, err)
	}
	if t == nil || t.Value.Erased {
		return nil, notFound(typeUser)
	}
	if t.Value.Profile == "" || !t.Value.PurgeAt.After(s.now()) {
		return nil, refuse(410, "retention_over", "the profile is no longer kept: invite the person again")
	}
	r, doc, secret, err := s.exhume(&t.Value)
	if err != nil {
		return nil, err
	}
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActRestore, Target{User: id, Gives: snap.Grant(FactsOf(doc, nil, s.now()), snap.settings.Plan).Rank()}); err != nil {
		return nil, err
	}
	var rec *storage.Record
	now := s.now()
	err = s.guarded(ctx, sub.Caller, guardSeats, func() error { return s.needSeat(ctx, sub.Org) }, func(tx storage.Tx) (err error) {
		rec, err = s.revive(ctx, tx, sub.Caller, t, now, doc, secret, r.Groups)
		return err
	})
	if err != nil {
		return nil, fail(typeUser, err)
	}
	return resourceOf(rec), s.settleClients(ctx, sub.Org, id)
}

// exhume opens what a tombstone has sealed.
func (s *Service) exhume(t *tombstone) (r *remains, doc, secret scim.Attributes, err error) {
	b, err := s.opened(t.Profile, "profile "+t.User)
	if err != nil {
		return nil, nil, nil, err
	}
	r = &remains{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, nil, nil, err
	}
	if doc, err = scim.DecodeAttributes(r.Doc); err != nil {
		return nil, nil, nil, err
	}
	if len(r.Secrets) > 0 {
		secret, err = scim.DecodeAttributes(r.Secrets)
	}
	return r, doc, secret, err
}

// revive inserts the user of a tombstone again, in a step, and takes the tombstone away.
func (s *Service) revive(ctx context.Context, tx storage.Tx, c scim.Caller, t *record[tombstone], at time.Time, doc, secret scim.Attributes, groups []string) (*storage.Record, error) {
	if err := s.dropTombstone(ctx, tx, c, t, at); err != nil {
		return nil, err
	}
	d := s.registry.Definition(typeUser)
	rec, err := tx.Insert(ctx, userKey(t.Key.Org, t.Value.User), at, d.NewEdit(c, storage.OpCreate, nil, doc, secret))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if err := joinGroup(ctx, tx, c, g, t.Value.User, at); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

func (s *Service) dropTombstone(ctx context.Context, tx storage.Tx, c scim.Caller, t *record[tombstone], at time.Time) error {
	if err := s.handOver(ctx, tx, c, t.Value.User, at); err != nil { // the clients have their owner again
		return err
	}
	return tx.Delete(ctx, t.Key, at, func(cur storage.Current) (storage.Change, error) {
		if cur.Record().Version != t.Version {
			return storage.Change{}, storage.ErrContention
		}
		return storage.Change{Op: storage.OpDelete, Actor: c.Actor, Request: c.RequestID}, nil
	})
}
