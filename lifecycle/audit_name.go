package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/storage"
)

// names finds the names of people by their ids, each once. Change rows hold the ids only: they are sealed, and the name of
// somebody who is erased must not stay in them.
type names struct {
	s     *Service
	org   scim.OrgID
	known map[string]string
}

func (s *Service) names(org scim.OrgID) *names {
	return &names{s: s, org: org, known: map[string]string{}}
}

// of is the name of a user who is there or was removed; empty for somebody who is not known.
func (n *names) of(ctx context.Context, id string) (string, error) {
	if name, ok := n.known[id]; ok {
		return name, nil
	}
	name := ""
	rec, err := load[scim.Attributes](ctx, n.s.store, userKey(n.org, id))
	if err != nil {
		return "", fail(typeUser, err)
	}
	if rec != nil {
		name = n.s.registry.Definition(typeUser).Label(rec.doc)
	} else {
		t, err := load[tombstone](ctx, n.s.store, tombstoneKey(n.org, id))
		if err != nil {
			return "", fail(typeUser, err)
		}
		if t != nil {
			name = n.s.remainsOf(&t.Value).Name
		}
	}
	n.known[id] = name
	return name, nil
}

// actor is who made a change, as people see them.
func (n *names) actor(ctx context.Context, ch *storage.Change) (Ref, error) {
	r := Ref{Value: ch.Actor.ID, Display: ch.Actor.Name, Type: ch.Actor.Kind}
	if ch.Actor.Kind != actorUser || r.Display != "" {
		return r, nil
	}
	name, err := n.of(ctx, ch.Actor.ID)
	r.Display = name
	return r, err
}

// buried is the id of the user of a tombstone; empty if they have come back.
func (n *names) buried(ctx context.Context, k storage.Key) (string, error) {
	t, err := load[tombstone](ctx, n.s.store, k)
	if err != nil || t == nil {
		return "", fail(typeUser, err)
	}
	return t.Value.User, nil
}
