package lifecycle

import (
	"context"
	"errors"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Bounds of what Rollcall itself moves. The clients of a person may be many: a step moves so many, and the last one those
// that are left together with all else.
const (
	ownClients = 1000
	maxOwn     = 2000 // people managed, open invites, join requests: of each kind
)

const managerPath = scim.SchemaEnterpriseUser + ":manager"

// ownWork is what Rollcall itself has of a person, as items.
func (s *Service) ownWork(ctx context.Context, org scim.OrgID, t *Transfer) ([]TransferItem, error) {
	var list []TransferItem
	for _, w := range directoryTypes() {
		if !t.covers(directoryApp, w.Key) {
			continue
		}
		typ, where := s.ownOf(w.Key, t.Person)
		n, err := s.count(ctx, org, typ, where)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			list = append(list, TransferItem{
				App: directoryApp, WorkType: w.Key, Label: w.Display, Count: n, State: itemFound, From: t.Person, Undo: w.Undo,
			})
		}
	}
	return list, nil
}

// ownOf is where what a kind of Rollcall's own stands of a person.
func (s *Service) ownOf(kind, person string) (scim.TypeName, query.Expr) {
	switch kind {
	case workClients:
		return typeClient, s.eq(typeClient, "owners.value", person)
	case workReports:
		return typeUser, s.eq(typeUser, managerPath+".value", person)
	case workInvites:
		return typeInvite, query.And{s.eq(typeInvite, "inviter.value", person), s.eq(typeInvite, "status", invitePending)}
	default:
		return typeJoinRequest, query.And{s.eq(typeJoinRequest, "requester.value", person), s.eq(typeJoinRequest, "status", joinPending)}
	}
}

// ownMove is one item of Rollcall's own on its way.
type ownMove struct {
	item   *record[TransferItem]
	things []storage.Key
	more   bool // there are things after these
	people map[string]*Person
	skip   map[string]bool   // things that are not ours to write
	name   string            // of the person
	was    map[string]string // of a transfer that takes another back: who has got each thing
}

// moveOwn moves what Rollcall itself has. It comes last, when nothing can fail any more, and in one step with the end of the
// transfer; only of more than ownClients clients the first are moved in steps before.
func (a *advance) moveOwn(ctx context.Context) (bool, error) {
	var moves []*ownMove
	items, err := a.pageItems(ctx, a.sub.Org, query.And{a.stateIs(itemPending)}, "", len(directoryTypes()))
	if err != nil {
		return false, err
	}
	for _, i := range items {
		if i.Value.App != directoryApp {
			continue
		}
		m, err := a.ownMove(ctx, i)
		if err != nil {
			return false, err
		}
		if m.more {
			moves = []*ownMove{m}
			break
		}
		moves = append(moves, m)
	}
	failed, err := a.withState(ctx, itemFailed)
	if err != nil {
		return false, err
	}
	return a.step(ctx, func(tx storage.Tx, v *Transfer) error {
		left := failed
		for _, m := range moves {
			n, err := a.moveThings(ctx, tx, v, m)
			if err != nil {
				return err
			}
			left += n
			if m.more {
				v.Cursor = m.things[len(m.things)-1].ID
				return nil
			}
		}
		v.Moved = true
		state := transferDone
		if left > 0 {
			state = transferErrors
		}
		v.end(a.now, a.by(), state)
		return nil
	})
}

// stateIs is true for the items of the transfer in a state.
func (a *advance) stateIs(state string) query.Expr {
	return query.And{a.eq(typeTransferItem, "transfer", a.id()), a.eq(typeTransferItem, "state", state)}
}

// ownMove reads the next things of an item, and who gets them.
func (a *advance) ownMove(ctx context.Context, i *record[TransferItem]) (*ownMove, error) {
	m := &ownMove{item: i, people: map[string]*Person{}, skip: map[string]bool{}}
	for _, t := range i.Value.Shares {
		p, err := a.member(ctx, t.User)
		if err != nil {
			return nil, err
		}
		if p != nil && p.Facts.Active {
			m.people[t.User] = p
		}
	}
	typ, where := a.ownOf(i.Value.WorkType, i.Value.From)
	limit, after := maxOwn, ""
	switch {
	case a.t.Value.BackOf != "":
		return m, a.thingsBack(ctx, m)
	case i.Value.WorkType == workClients:
		limit, after = ownClients, a.t.Value.Cursor
	}
	if after != "" {
		where = query.And{where, query.Compare{Field: a.field(typ, "id"), Op: query.Gt, Value: query.Value{Str: after}}}
	}
	page, err := a.store.Query(ctx, a.sub.Org, query.Query{Sources: []query.Source{{Type: typ, Where: where}}, Limit: limit})
	if err != nil {
		return nil, err
	}
	for k := range page.Records {
		m.things = append(m.things, page.Records[k].Key)
	}
	m.more = page.More && i.Value.WorkType == workClients
	return m, a.managedReports(ctx, m)
}

// managedReports finds out whose manager is not ours to write: a client that provisions them does.
func (a *advance) managedReports(ctx context.Context, m *ownMove) error {
	if m.item.Value.WorkType != workReports {
		return nil
	}
	for _, k := range m.things {
		err := a.mayEdit(ctx, a.sub.Org, k.ID, managerPath)
		known, refused := errors.AsType[*scim.Error](err)
		switch {
		case err == nil:
		case refused && known.Status < 500:
			m.skip[k.ID] = true
		default:
			return err
		}
	}
	return nil
}

// moveThings moves the things of an item in a step, and returns how many of the item have been left so far.
func (a *advance) moveThings(ctx context.Context, tx storage.Tx, v *Transfer, m *ownMove) (int, error) {
	next := m.item.Value
	for _, k := range m.things {
		from, to := next.From, Ref{Value: next.From, Display: m.name, Type: "user"}
		if v.BackOf != "" {
			from = m.was[k.ID]
		} else if to = a.ownReceiver(v, m); to.Value == "" || m.skip[k.ID] {
			next.Left++
			continue
		}
		ok, err := a.moveThing(ctx, tx, v, m, k, from, to)
		switch {
		case errors.Is(err, storage.ErrNotFound): // gone since
		case err != nil:
			return 0, err
		case !ok:
			next.Left++
		default:
			next.MovedCount++
			if next.WorkType != workClients {
				next.Moved = append(slices.Clip(next.Moved), MovedThing{k.ID, to.Value})
			}
		}
	}
	switch {
	case m.more:
	case next.Left > 0:
		next.State, next.Code = itemFailed, "left"
		next.Detail = "some of it was left: who gets it may not have it, or a client writes it"
	default:
		next.State = itemDone
	}
	return next.Left, a.onItem(ctx, tx, m.item, func(r *TransferItem) { *r = next })
}

// ownReceiver says whose turn it is; nobody if none of those who may get it is there any more.
func (a *advance) ownReceiver(v *Transfer, m *ownMove) Ref {
	var fits []int
	for k, t := range m.item.Value.Shares {
		if m.people[t.User] != nil {
			fits = append(fits, k)
		}
	}
	if len(fits) == 0 {
		return Ref{}
	}
	id := m.item.Value.Shares[v.deal(directoryApp+"/"+m.item.Value.WorkType+"/", m.item.Value.Shares, fits)].User
	return Ref{Value: id, Display: m.people[id].Label, Type: "user"}
}

// moveThing moves one thing from who has it to somebody, and reports whether it could.
func (a *advance) moveThing(ctx context.Context, tx storage.Tx, v *Transfer, m *ownMove, k storage.Key, from string, to Ref) (ok bool, err error) {
	switch m.item.Value.WorkType {
	case workClients:
		_, err = change(ctx, a.Service, tx, a.sub.Caller, k, a.now, func(r *record[Client]) error {
			ok = a.moveClient(v, m, &r.Value, to.Value)
			return nil
		})
	case workReports:
		_, err = a.changeUser(ctx, tx, a.sub.Caller, k, a.now, 0, func(doc scim.Attributes) error {
			ok = moveReport(doc, from, to)
			return nil
		})
	case workInvites:
		_, err = change(ctx, a.Service, tx, a.sub.Caller, k, a.now, func(r *record[Invite]) error {
			ok = moveRef(&r.Value.Inviter, from, to)
			return nil
		})
	case workJoins:
		_, err = change(ctx, a.Service, tx, a.sub.Caller, k, a.now, func(r *record[JoinRequest]) error {
			ok = moveRef(&r.Value.Requester, from, to)
			return nil
		})
	}
	return ok, err
}

func moveRef(r **Ref, from string, to Ref) bool {
	if *r == nil || (*r).Value != from {
		return false
	}
	*r = &to
	return true
}

// moveClient puts a receiver in the person's place, or beside them while they are away.
func (a *advance) moveClient(v *Transfer, m *ownMove, c *Client, to string) bool {
	if v.BackOf != "" {
		return c.giveBack(v.BackOf)
	}
	if p := m.people[to]; p == nil || !p.belongs(c.SubAccount) || !c.owns(m.item.Value.From) {
		return false
	}
	if v.Temporary {
		was := c.Owners
		if c.give(ClientOwner{Value: to, Relation: relationDelegate, For: m.item.Value.From, Transfer: a.id()}); len(c.Owners) > maxClientOwners {
			c.Owners = was
			return false
		}
		return true
	}
	switch c.handTo(m.item.Value.From, ClientOwner{Value: to, Relation: relationOwner}, c) {
	case ReassignMoved, ReassignAlready:
		return true
	}
	return false
}

// moveReport gives somebody another manager, if they still have the one they had.
func moveReport(doc scim.Attributes, from string, to Ref) bool {
	ext, _ := doc[scim.SchemaEnterpriseUser].(scim.Attributes)
	old, _ := ext["manager"].(scim.Attributes)
	if old["value"] != from {
		return false
	}
	next := scim.CloneAttributes(ext)
	manager := scim.Attributes{"value": to.Value}
	if to.Display != "" {
		manager["displayName"] = to.Display
	}
	next["manager"] = manager
	doc[scim.SchemaEnterpriseUser] = next
	return true
}
