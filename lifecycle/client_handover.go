package lifecycle

import (
	"context"
	"errors"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// clientHandover says that the clients of somebody are to be looked at, because the person has just been removed or
// brought back: it is written in the step that does so, and lives until nothing is left to do.
type clientHandover struct {
	User  string  `json:"user"`
	Since Instant `json:"since"`
	DueAt Instant `json:"dueAt"`
}

// handoverGrace is how long after a removal the clients are looked at once more: a step that gave the person a client at
// the same time did not see the removal.
const handoverGrace = 2 * time.Minute

func handoverKey(org scim.OrgID, user string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeClientHandover, ID: idOf("handover", string(org), user)}
}

// handOver writes down, in a step, that the clients of a user are to be looked at.
func (s *Service) handOver(ctx context.Context, tx storage.Writer, c scim.Caller, user string, now time.Time) error {
	k, v := handoverKey(c.Org, user), clientHandover{User: user, Since: at(now), DueAt: at(now)}
	_, err := change(ctx, s, tx, c, k, now, func(r *record[clientHandover]) error { r.Value = v; return nil })
	if errors.Is(err, storage.ErrNotFound) {
		_, err = s.insert(ctx, tx, c, k, now, v, nil)
	}
	return err
}

// fallbackOwner is the member who gets the clients of people who leave; nil if there is none who can.
func (s *Service) fallbackOwner(ctx context.Context, org scim.OrgID, set Settings) (*Person, error) {
	if set.Clients.FallbackOwner == "" {
		return nil, nil //nolint:nilnil // nobody is an answer here
	}
	p, _, err := s.person(ctx, org, set.Clients.FallbackOwner)
	if known, ok := errors.AsType[*scim.Error](err); ok && known.Status == 404 {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil || !p.Facts.Active {
		return nil, err
	}
	return p, nil
}

// checkFallback refuses settings whose fallback owner cannot get clients.
func (s *Service) checkFallback(ctx context.Context, sub Subject, patch map[string]any) error {
	clients, _ := patch["clients"].(map[string]any)
	id, _ := clients["fallbackOwner"].(string)
	if id == "" {
		return nil
	}
	_, err := s.receiver(ctx, sub.Org, id, "clients.fallbackOwner", "")
	return err
}

// clientsProvided refuses to remove somebody whose clients would be left to nobody.
func (s *Service) clientsProvided(ctx context.Context, org scim.OrgID, user string, set Settings) error {
	n, err := s.ClientCount(ctx, org, user)
	if err != nil || n == 0 {
		return err
	}
	to, err := s.fallbackOwner(ctx, org, set)
	if err != nil || to != nil && to.ID != user {
		return err
	}
	return conflict("clients_must_be_reassigned",
		"the person looks after %d clients: reassign them, remove the person by a transfer, or name a fallback owner in the settings", n)
}

// clientStatement is what the removal effects say of clients, in an organization that keeps some.
func (s *Service) clientStatement(ctx context.Context, org scim.OrgID, set Settings) ([]Statement, error) {
	has, err := s.hasClients(ctx, org)
	if err != nil || !has {
		return nil, err
	}
	to, err := s.fallbackOwner(ctx, org, set)
	if err != nil {
		return nil, err
	}
	text := "Their clients must be reassigned first: nobody is named who gets them."
	if to != nil {
		text = "Clients that nobody else looks after go to " + to.Label + "."
	}
	return []Statement{{ID: "clients", Verb: "keeps", Text: text}}, nil
}

// settleClients does at once what is due for the clients of one user.
func (s *Service) settleClients(ctx context.Context, org scim.OrgID, user string) error {
	r, err := load[clientHandover](ctx, s.store, handoverKey(org, user))
	if err != nil || r == nil {
		return fail(resources.TypeClientHandover, err)
	}
	return fail(typeClient, s.settleHandover(ctx, System(org, "sweeper"), r))
}

// sweepHandovers looks after the clients of people who were removed or brought back.
func (s *Service) sweepHandovers(ctx context.Context, sub Subject) error {
	due, err := find[clientHandover](ctx, s, sub.Org, resources.TypeClientHandover, s.when(resources.TypeClientHandover, "dueAt", query.Le, s.now()), dueAtOnce)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range due {
		errs = append(errs, s.settleHandover(ctx, sub, r))
	}
	return errors.Join(errs...)
}

// handoverStep is how many clients one step hands over.
const handoverStep = 200

// settleHandover goes through the clients of a user, in steps that each look anew whether the person is there.
func (s *Service) settleHandover(ctx context.Context, sub Subject, h *record[clientHandover]) error {
	user := h.Value.User
	waits, err := s.handsOverClients(ctx, sub.Org, user)
	if err != nil || waits {
		return err
	}
	set, _, err := s.Settings(ctx, sub.Org)
	if err != nil {
		return err
	}
	to, err := s.fallbackOwner(ctx, sub.Org, set)
	if err != nil {
		return err
	}
	err = s.eachClient(ctx, sub.Org, s.eq(typeClient, "owners.value", user), func(page []*record[Client]) error {
		for len(page) > 0 {
			n := min(handoverStep, len(page))
			if err := s.handOverStep(ctx, sub, user, to, page[:n]); err != nil {
				return err
			}
			page = page[n:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.handedOver(ctx, sub, h)
}

func (s *Service) handOverStep(ctx context.Context, sub Subject, user string, to *Person, clients []*record[Client]) error {
	now := s.now()
	return s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		_, err := tx.Get(ctx, userKey(sub.Org, user), query.Load{})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		there := err == nil
		for _, c := range clients {
			_, err := change(ctx, s, tx, sub.Caller, c.Key, now, func(r *record[Client]) error {
				r.Value.settle(user, there, to)
				return nil
			})
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// settle is what becomes of a client whose owner was removed, or is there again. One that only the person looked after
// goes to the fallback owner; without one it stays with the name that was there, marked as nobody's.
func (c *Client) settle(user string, there bool, to *Person) {
	switch {
	case !c.owns(user):
	case there:
		c.Unowned = false
	case len(c.Owners) > 1:
		c.take(user)
	case to != nil && to.ID != user && to.belongs(c.SubAccount):
		c.take(user)
		c.give(ClientOwner{Value: to.ID, Relation: relationOwner})
	default:
		c.Unowned = true
	}
}

// handedOver ends a handover, or says when the clients are looked at once more.
func (s *Service) handedOver(ctx context.Context, sub Subject, h *record[clientHandover]) error {
	now := s.now()
	if again := h.Value.Since.Add(handoverGrace); again.After(now) {
		_, err := change(ctx, s, s.store, sub.Caller, h.Key, now, func(r *record[clientHandover]) error {
			if r.Version == h.Version {
				r.Value.DueAt = at(again)
			}
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	}
	err := s.store.Delete(ctx, h.Key, now, func(cur storage.Current) (storage.Change, error) {
		if cur.Record().Version != h.Version {
			return storage.Change{}, errKept
		}
		return storage.Change{Op: storage.OpDelete, Actor: sub.Actor}, nil
	})
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errKept) {
		return nil
	}
	return err
}

// handsOverClients reports whether an open transfer says who gets the clients of a user: nobody else does until it has ended.
func (s *Service) handsOverClients(ctx context.Context, org scim.OrgID, user string) (bool, error) {
	open, err := find[Transfer](ctx, s, org, typeTransfer, s.eq(typeTransfer, "openFor", user), 1)
	if err != nil || len(open) == 0 {
		return false, err
	}
	return open[0].Value.covers(directoryApp, workClients), nil
}
