package lifecycle

import (
	"context"
	"strings"
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

// Claim is a client's claim on an attribute of a person: it has written it.
type Claim struct {
	Client scim.Actor
	Since  time.Time
}

// historyRead bounds how far back claims are looked for: changes of one person.
const historyRead = 1000

// originPath is the attribute by which a change row shows that an administrator has taken a person over from the client.
const originPath = scim.SchemaRollcallUser + ":origin"

// claimOn returns the newest claim of a client on an attribute of a person, or with an empty path on anything of them;
// nil if there is none. It is read from the history: what a client wrote is its own from then on.
func (s *Service) claimOn(ctx context.Context, k storage.Key, path string) (*Claim, error) {
	list, err := s.store.History(ctx, k, 0, historyRead)
	if err != nil {
		return nil, fail(k.Type, err)
	}
	for i := range list {
		ch := &list[i]
		if ch.Actor.Kind != actorToken {
			if detached(ch) {
				return nil, nil //nolint:nilnil // absence is an answer here
			}
			continue
		}
		if path == "" || writes(ch, path) {
			return &Claim{Client: ch.Actor, Since: ch.At}, nil
		}
	}
	return nil, nil //nolint:nilnil // absence is an answer here
}

// detached reports whether a change took the person over from the client.
func detached(ch *storage.Change) bool {
	for _, v := range ch.Values {
		if v.Path == originPath && v.New == "admin" {
			return true
		}
	}
	return false
}

// writes reports whether a change wrote the attribute at path, a part of it or the whole that it is part of.
func writes(ch *storage.Change, path string) bool {
	for _, v := range ch.Values {
		if v.New != nil && (pathIn(v.Path, path) || pathIn(path, v.Path)) {
			return true
		}
	}
	return false
}

// pathIn reports whether path is outer or lies in it.
func pathIn(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == ':')
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
	claim, err := s.claimOn(ctx, k, "")
	if err != nil {
		return nil, err
	}
	if claim == nil {
		return nil, conflict("not_managed", "no client provisions this person")
	}
	rec, err := s.changeUser(ctx, s.store, sub.Caller, k, s.now(), version, func(doc scim.Attributes) error {
		if extension(doc, "origin") == "admin" {
			// Taken over before: the row must show that it happened again.
			setExtension(doc, "origin", nil)
			return nil
		}
		setExtension(doc, "origin", "admin")
		return nil
	})
	if err != nil {
		return nil, fail(typeUser, err)
	}
	if extension(mustDoc(rec), "origin") == nil {
		rec, err = s.changeUser(ctx, s.store, sub.Caller, k, s.now(), 0, func(doc scim.Attributes) error {
			setExtension(doc, "origin", "admin")
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
