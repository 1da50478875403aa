package lifecycle

import (
	"context"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// The kinds of actors in change rows that rules tell apart.
const (
	actorToken = "token" // a provisioning client, by SCIM
	actorApp   = "app"   // a token, by the companion API
	actorUser  = "user"  // a person
)

// Claim is a connection's claim on an attribute of a person: it has written it.
type Claim struct {
	Connection string // id
	Name       string // for people
	Since      time.Time
}

// originPath is the attribute by which a change row shows that an administrator has taken a person over from the client.
const originPath = scim.SchemaRollcallUser + ":origin"

// detached reports whether a change took the person over from the client.
func detached(ch *storage.Change) bool {
	if ch.Actor.Kind == actorToken {
		return false
	}
	for _, v := range ch.Values {
		if v.Path == originPath && v.New == originAdmin {
			return true
		}
	}
	return false
}

// Detach takes a person over from the client that provisions them: what the client has written so far no longer binds
// administrators. A client that goes on writing claims anew what it writes.
func (s *Service) Detach(ctx context.Context, sub Subject, id string, version int64) (*scim.Resource, error) {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActResolve, Target{User: id, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	k := userKey(sub.Org, id)
	m, err := s.claims(ctx, k)
	if err != nil {
		return nil, err
	}
	if m.any() == nil && manager(p.Doc) == "" {
		return nil, conflict("not_managed", "no client provisions this person")
	}
	rec, err := s.changeUser(ctx, s.store, sub.Caller, k, s.now(), version, func(doc scim.Attributes) error {
		setExtension(doc, "managedBy", nil)
		if extension(doc, "origin") == originAdmin {
			// Taken over before: the row must show that it happened again.
			setExtension(doc, "origin", nil)
			return nil
		}
		setExtension(doc, "origin", originAdmin)
		return nil
	})
	if err != nil {
		return nil, fail(typeUser, err)
	}
	if extension(mustDoc(rec), "origin") == nil {
		rec, err = s.changeUser(ctx, s.store, sub.Caller, k, s.now(), 0, func(doc scim.Attributes) error {
			setExtension(doc, "origin", originAdmin)
			return nil
		})
	}
	if err != nil {
		return nil, fail(typeUser, err)
	}
	return resourceOf(rec), nil
}

// mustDoc is the document of a record that was just written.
func mustDoc(rec *storage.Record) scim.Attributes {
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return scim.Attributes{}
	}
	return doc
}
