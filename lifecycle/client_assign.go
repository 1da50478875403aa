package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/storage"
)

// ClientChange is what a change of a person's clients came to.
type ClientChange struct {
	Added   int `json:"added" doc:"Clients that the person looks after since."`
	Removed int `json:"removed" doc:"Clients that the person no longer looks after."`
	Total   int `json:"clientCount" doc:"How many the person has now."`
}

// SetClientsOf makes these the clients that a person looks after, and no others: up to 1000. Whose clients are more than
// that are changed by ChangeClientsOf.
func (s *Service) SetClientsOf(ctx context.Context, sub Subject, user string, clients []string) (*ClientChange, error) {
	if err := s.mayAssign(ctx, sub, user, len(clients) > 0); err != nil {
		return nil, err
	}
	q := ClientQuery{Owner: user}
	have, err := find[Client](ctx, s, sub.Org, typeClient, s.clientsWhere(sub, q), maxClientWrite+1)
	if err != nil {
		return nil, fail(typeClient, err)
	}
	if len(have) > maxClientWrite {
		return nil, conflict("too_many_clients", "the person has more than %d clients: add and remove some instead of setting all", maxClientWrite)
	}
	var add, remove []string
	for _, r := range have {
		if !slices.Contains(clients, r.Key.ID) {
			remove = append(remove, r.Key.ID)
		}
	}
	for _, id := range clients {
		if !slices.ContainsFunc(have, func(r *record[Client]) bool { return r.Key.ID == id }) {
			add = append(add, id)
		}
	}
	return s.assignClients(ctx, sub, user, add, remove)
}

// ChangeClientsOf gives a person clients and takes others: up to 1000 of each, all or none.
func (s *Service) ChangeClientsOf(ctx context.Context, sub Subject, user string, add, remove []string) (*ClientChange, error) {
	if err := s.mayAssign(ctx, sub, user, len(add) > 0); err != nil {
		return nil, err
	}
	return s.assignClients(ctx, sub, user, add, remove)
}

// mayAssign says whether the subject may change the clients of a person, who must be able to sign in to get any.
func (s *Service) mayAssign(ctx context.Context, sub Subject, user string, gives bool) error {
	p, _, err := s.person(ctx, sub.Org, user)
	if err != nil {
		return err
	}
	if err := mayGive(sub, p); err != nil {
		return err
	}
	if gives && !p.Facts.Active {
		return conflict("receiver_inactive", "the person is deactivated: activate them first, or give the clients to somebody else")
	}
	return nil
}

func (s *Service) assignClients(ctx context.Context, sub Subject, user string, add, remove []string) (*ClientChange, error) {
	if len(add) > maxClientWrite || len(remove) > maxClientWrite {
		return nil, invalid("clients", "too_many", "must be at most %d at once", maxClientWrite)
	}
	add, remove = slices.Compact(slices.Sorted(slices.Values(add))), slices.Compact(slices.Sorted(slices.Values(remove)))
	for _, id := range add {
		if _, both := slices.BinarySearch(remove, id); both {
			return nil, invalid("add", "contradiction", "names a client that remove names too")
		}
	}
	p, _, err := s.person(ctx, sub.Org, user)
	if err != nil {
		return nil, err
	}
	now := s.now()
	out := &ClientChange{}
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		*out = ClientChange{}
		if len(add) > 0 {
			if err := s.stillActive(ctx, tx, sub.Org, []ClientOwner{{Value: user, Relation: relationOwner}}); err != nil {
				return err
			}
		}
		for _, id := range remove {
			n, err := s.editClient(ctx, tx, sub, "remove", id, now, func(c *Client) (bool, error) { return c.take(user), nil })
			if err != nil {
				return err
			}
			out.Removed += n
		}
		for _, id := range add {
			n, err := s.editClient(ctx, tx, sub, "add", id, now, func(c *Client) (bool, error) {
				if !p.belongs(c.SubAccount) {
					return false, conflict("sub_account_missing", "the person does not belong to the sub-account of a client: %s", c.SubAccount)
				}
				return c.give(ClientOwner{Value: user, Relation: relationOwner}), c.checkOwners()
			})
			if err != nil {
				return err
			}
			out.Added += n
		}
		return nil
	})
	if err != nil {
		return nil, fail(typeClient, err)
	}
	out.Total, err = s.ClientCount(ctx, sub.Org, user)
	return out, err
}

// editClient changes a client in a step, and returns 1 if there was anything to change. One that is not there, or not the
// subject's to change, is a mistake in the attribute at path.
func (s *Service) editClient(ctx context.Context, tx storage.Writer, sub Subject, path, id string, at time.Time, fn func(*Client) (bool, error)) (int, error) {
	changed := 0
	_, err := change(ctx, s, tx, sub.Caller, clientKey(sub.Org, id), at, func(r *record[Client]) error {
		changed = 0
		if !ownClient(sub, &r.Value) {
			return storage.ErrNotFound
		}
		ok, err := fn(&r.Value)
		if ok {
			changed = 1
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return 0, invalid(path, "unknown_client", "there is no such client")
	}
	return changed, err
}
