package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// giveClients makes a new member the owner of what the invite names, in the step that makes them a member.
func (p *entrant) giveClients(ctx context.Context, tx storage.Tx) error {
	for _, c := range p.clients {
		_, err := change(ctx, p.Service, tx, p.caller, clientKey(p.org.ID, c), p.now, func(r *record[Client]) error {
			if r.Value.give(ClientOwner{Value: p.id, Relation: relationOwner}); len(r.Value.Owners) > maxClientOwners {
				return errMoved
			}
			return nil
		})
		if err != nil {
			return moved(err)
		}
	}
	return nil
}

// grantClients says which clients of an invite can be given to who accepts it. Some may be gone by then, or be of a
// sub-account that the person does not belong to; nobody is kept out for that.
func (p *entrant) grantClients(ctx context.Context) error {
	p.clients = nil
	if len(p.grant.Clients) == 0 {
		return nil
	}
	who, err := p.becomes(ctx)
	if err != nil {
		return err
	}
	have, err := p.clientsByID(ctx, p.org.ID, idsOf(p.grant.Clients))
	if err != nil {
		return err
	}
	for _, ref := range p.grant.Clients {
		r := have[ref.Value]
		if r == nil || !who.belongs(r.Value.SubAccount) || len(r.Value.Owners) >= maxClientOwners && !r.Value.owns(p.id) {
			p.out.Dropped = append(p.out.Dropped, "client:"+ref.Value)
			continue
		}
		p.clients = append(p.clients, ref.Value)
	}
	return nil
}

// becomes is the person that the acceptance leads to.
func (p *entrant) becomes(ctx context.Context) (*Person, error) {
	doc := scim.Attributes{}
	who := &Person{ID: p.id}
	if p.out.Existing {
		have, _, err := p.person(ctx, p.org.ID, p.id)
		if err != nil {
			return nil, err
		}
		who, doc = have, scim.CloneAttributes(have.Doc)
	}
	if !p.strict {
		addGrant(doc, p.grant)
	}
	groups := slices.Clone(who.Groups)
	for _, g := range p.groups {
		groups = append(groups, scim.Membership{ID: g, Direct: true})
	}
	who.Facts = FactsOf(doc, groups, p.now)
	who.Grant = p.policy.catalogue.Grant(who.Facts, p.policy.settings.Plan)
	return who, nil
}

// checkClients says whether the clients are there, and gives them their names.
func (x *inviting) checkClients(ctx context.Context, clients []Ref) error {
	if len(clients) == 0 {
		return nil
	}
	if x.sub.Rank < RankManager {
		return forbidden("clients_not_yours", "your role does not let you assign clients")
	}
	var ids []string
	for _, c := range clients {
		if _, known := x.clients[c.Value]; !known {
			ids = append(ids, c.Value)
		}
	}
	have, err := x.clientsByID(ctx, x.sub.Org, ids)
	if err != nil {
		return err
	}
	if x.clients == nil {
		x.clients = map[string]string{}
	}
	for id, r := range have {
		x.clients[id] = r.Value.Display
	}
	for i := range clients {
		name, known := x.clients[clients[i].Value]
		if !known {
			return invalid(fmt.Sprintf("clients[%d]", i), "unknown_client", "there is no such client")
		}
		clients[i] = Ref{Value: clients[i].Value, Display: name}
	}
	return nil
}

func idsOf(refs []Ref) []string {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.Value
	}
	return ids
}

// clientsByID reads clients; those that are not there are not in it.
func (s *Service) clientsByID(ctx context.Context, org scim.OrgID, ids []string) (map[string]*record[Client], error) {
	have := make(map[string]*record[Client], len(ids))
	for some := range slices.Chunk(ids, idsAtOnce) {
		var or query.Or
		for _, id := range some {
			or = append(or, s.eq(typeClient, "id", id))
		}
		list, err := find[Client](ctx, s, org, typeClient, or, len(some))
		if err != nil {
			return nil, fail(typeClient, err)
		}
		for _, r := range list {
			have[r.Key.ID] = r
		}
	}
	return have, nil
}
