package lifecycle

import (
	"fmt"
	"sync"
	"testing"

	"rollcall/scim"
)

// client makes a client that the users look after.
func (f *fixture) client(name string, owners ...string) *ClientRecord {
	f.Helper()
	c := Client{Display: name}
	for _, o := range owners {
		c.Owners = append(c.Owners, ClientOwner{Value: o})
	}
	r, err := f.CreateClient(f.Context(), f.admin, c)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// Whoever writes an owner at the same time as others takes nobody else away, and of two writes with one version one fails.
func TestClientOwnersAreNotLostToEachOther(t *testing.T) {
	f := newFixture(t)
	c := f.client("Northwind")
	var (
		users []string
		wg    sync.WaitGroup
	)
	for i := range 10 {
		users = append(users, f.scimUser(fmt.Sprintf("u%d", i), nil))
	}
	for _, u := range users {
		wg.Go(func() {
			if _, err := f.ChangeClientsOf(t.Context(), f.admin, u, []string{c.ID}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	now, err := f.GetClient(t.Context(), f.admin, c.ID)
	if err != nil || len(now.Owners) != len(users) || now.Unowned {
		t.Fatalf("%d owners of %d, %v", len(now.Owners), len(users), err)
	}
	_, err = f.ChangeClient(t.Context(), f.admin, c.ID, scim.Precondition{IfMatch: `W/"1"`}, func(c *Client) { c.Owners = nil })
	if err == nil {
		t.Error("a write under an old version went through")
	}
}

// A client that is given to somebody while they are removed does not stay with nobody unnoticed, and a fallback owner gets
// the others, each once.
func TestClientsOfSomebodyWhoIsRemoved(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.scimUser("ann", nil), f.scimUser("bob", nil)
	for i := range 30 {
		f.client(fmt.Sprint("c", i), ann)
	}
	late := f.client("late")
	set := func(id string) error {
		_, _, err := f.MergeSettings(t.Context(), f.admin, scim.Precondition{}, map[string]any{"clients": map[string]any{"fallbackOwner": id}})
		return err
	}
	if err := set(bob); err != nil {
		t.Fatal(err)
	}
	st, err := f.RemovalEffects(t.Context(), f.admin)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range st.Statements {
		ids = append(ids, x.ID)
	}
	if err := f.Remove(t.Context(), f.admin, ann, 0, Removal{Acknowledge: ids, EffectsVersion: st.Version, Confirm: "ann"}); err != nil {
		t.Fatal(err)
	}
	// As a step that did not see the removal leaves it.
	_, err = change(t.Context(), f.Service, f.store, f.admin.Caller, clientKey(f.org, late.ID), f.now(), func(r *record[Client]) error {
		r.Value.give(ClientOwner{Value: ann, Relation: relationOwner})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(handoverGrace)
	for range 2 {
		if err := f.SweepMembers(t.Context(), f.org); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.ClientCount(t.Context(), f.org, bob); err != nil || n != 31 {
		t.Errorf("bob has %d clients, %v", n, err)
	}
	if left, err := load[clientHandover](t.Context(), f.store, handoverKey(f.org, ann)); err != nil || left != nil {
		t.Errorf("the handover is still there: %+v, %v", left, err)
	}
}

// An approval gives the clients that it names, be the person let in at once or by the invite that is mailed instead.
func TestApprovalGivesClients(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(v *Settings) { v.Join.Policy = policyRequest })
	north, south := f.client("Northwind"), f.client("Southwind")
	asked := f.ask(Visitor{Login: &Login{Issuer: "i", Subject: "1"}}, "ann@example.com")
	got, err := f.ApproveJoin(t.Context(), f.admin, asked.ID, &Given{Clients: []string{north.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := f.GetClient(t.Context(), f.admin, north.ID); err != nil || !c.owns(got.User) {
		t.Errorf("the client of who was let in: %+v, %v", c, err)
	}
	asked = f.ask(Visitor{}, "bob@example.com")
	_, err = f.ApproveJoin(t.Context(), f.admin, asked.ID, &Given{Clients: []string{f.newID()}})
	wantCode(t, "a client that is not there", err, 400, "unknown_client")
	got, err = f.ApproveJoin(t.Context(), f.admin, asked.ID, &Given{Clients: []string{south.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if i := f.getInvite(got.Invite); len(i.Clients) != 1 || i.Clients[0].Display != "Southwind" {
		t.Errorf("the invite gives %+v", i.Clients)
	}
	link := f.mailed(&InviteOutcome{Invite: got.Invite}, "bob@example.com")
	in, err := f.AcceptInvite(t.Context(), Visitor{}, Acceptance{InviteLink: link})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := f.GetClient(t.Context(), f.admin, south.ID); err != nil || !c.owns(in.User) {
		t.Errorf("the client of who accepted: %+v, %v", c, err)
	}
}
