package lifecycle

import (
	"cmp"
	"context"
	"slices"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Policies: who may edit what a connection has written.
const (
	policyStrict  = "strict"  // the connection has the say over the standard attributes of the people that it provisions
	policyClaimed = "claimed" // the connection has the say over what it has written
	policyShared  = "shared"  // the last writer wins
)

// connection is what administrators have decided about a provisioning client. Its id is that of its first token, so that a
// token about which nobody has decided anything is a connection by itself.
type connection struct {
	Tokens []string `json:"tokens"` // ids, the newest last
	Name   string   `json:"name"`

	Policy      string    `json:"policy,omitempty"` // empty: the setting provisioning.authority
	Adopt       string    `json:"adopt,omitempty"`  // empty: ownedDomain
	Exclusive   bool      `json:"exclusive,omitempty"`
	OnlyManaged bool      `json:"onlyManaged,omitempty"`
	Unknown     string    `json:"unknownOccupation,omitempty"` // empty: the setting occupation.unknown
	Default     string    `json:"defaultOccupation,omitempty"` // for mapToDefault; empty: the setting occupation.default
	PausedAt    time.Time `json:"pausedAt,omitzero"`
}

// maxConnections bounds the connections of an organization about which something was decided.
const maxConnections = 200

// connections are those of an organization about which something was decided.
type connections struct {
	list    []*record[connection]
	byToken map[string]*record[connection]
}

func connectionKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeConnection, ID: id}
}

func (s *Service) readConnections(ctx context.Context, org scim.OrgID) (*connections, error) {
	list, err := find[connection](ctx, s, org, resources.TypeConnection, nil, maxConnections)
	if err != nil {
		return nil, fail(resources.TypeConnection, err)
	}
	c := &connections{list: list, byToken: map[string]*record[connection]{}}
	for _, r := range list {
		for _, t := range r.Value.Tokens {
			c.byToken[t] = r
		}
	}
	return c, nil
}

// of is the connection that a token belongs to: its id, and what was decided about it, nothing if it is a connection by
// itself.
func (c *connections) of(token string) (id string, v connection) {
	if r := c.byToken[token]; r != nil {
		return r.Key.ID, r.Value
	}
	return token, connection{}
}

// create reports whether a connection brings new occupations into the catalogue.
func (c *connections) create() bool {
	return slices.ContainsFunc(c.list, func(r *record[connection]) bool { return r.Value.Unknown == "create" })
}

// policy is the one that a connection follows.
func (c *connection) policy(set Settings) string { return cmp.Or(c.Policy, set.Provision.Authority) }

// provisioners are the connections of an organization that are there, by the id of each of their tokens that may write.
// A token that was revoked has no say any more, unless it was rotated: then the connection is there by another token.
type provisioners map[string]provisioner

type provisioner struct {
	id, name, policy string
}

func (s *Service) provisioners(ctx context.Context, org scim.OrgID) (provisioners, error) {
	snap, err := s.fresh(ctx, org)
	if err != nil {
		return nil, err
	}
	tokens, err := s.store.ListTokens(ctx, org)
	if err != nil {
		return nil, fail(resources.TypeConnection, err)
	}
	alive := map[string]bool{}
	for i := range tokens {
		id, _ := snap.connections.of(tokens[i].ID)
		alive[id] = alive[id] || tokens[i].Revoked.IsZero()
	}
	all := provisioners{}
	for i := range tokens {
		t := &tokens[i]
		id, c := snap.connections.of(t.ID)
		if alive[id] {
			all[t.ID] = provisioner{id, cmp.Or(c.Name, t.Name), c.policy(snap.settings)}
		}
	}
	return all, nil
}
