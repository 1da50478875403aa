package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) reassignEndpoint() {
	handle(a, operation{
		id: "reassign-clients", method: http.MethodPost, path: "/clients/actions/reassign", tag: clientsTag, scope: scim.ScopeAdminClients, apps: true,
		summary: "Give clients to other people",
		detail: "Those that are named, or all of one person's, page by page: send the same request with the `next` of the answer as `cursor` until there is none. " +
			"With `dryRun` the answer says what would be done, and nothing is. A client that has been moved already is not moved again, so a request " +
			"that was interrupted is simply sent again.",
	}, a.reassign)
}

type reassignInput struct {
	Body struct {
		Clients []string      `json:"clients,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of the clients; without any, all clients of from."`
		From    string        `json:"from,omitempty" maxLength:"36" doc:"Id of the person whose place the receivers take; without it, that of all owners."`
		To      []ClientShare `json:"to,omitempty" nullable:"false" maxItems:"100" doc:"Who gets them."`
		Method  string        `json:"method,omitempty" enum:"roundRobin,leastLoad" doc:"In turn, or to whom has fewest clients; both by the shares. roundRobin if left out."`
		Pairs   []ClientPair  `json:"pairs,omitempty" nullable:"false" maxItems:"1000" doc:"Instead of clients and to: who gets which."`
		DryRun  bool          `json:"dryRun,omitempty"`
		Cursor  string        `json:"cursor,omitempty" maxLength:"8192" doc:"The next of the answer before."`
		Count   int           `json:"count,omitempty" minimum:"0" maximum:"1000" doc:"Most clients of a page; 1000 if left out."`
	}
}

// ClientShare is somebody who gets clients.
type ClientShare struct {
	User  string `json:"user" maxLength:"36" doc:"Id of the person."`
	Share int    `json:"share,omitempty" minimum:"1" maximum:"1000" doc:"With 2 the person gets twice as many as one with 1; 1 if left out."`
}

// ClientPair says who gets which client.
type ClientPair struct {
	Client string `json:"client" maxLength:"36" doc:"Id of the client."`
	User   string `json:"user" maxLength:"36" doc:"Id of the person who gets it."`
}

// ReassignedClient is what became of one client, or would.
type ReassignedClient struct {
	Client  string `json:"client"`
	Display string `json:"display,omitempty"`
	To      string `json:"to,omitempty" doc:"Id of the person who gets it."`
	ToName  string `json:"toName,omitempty"`
	Outcome string `json:"outcome" enum:"moved,already,not_owner,unknown_client,sub_account_missing,too_many_owners,changed"`
}

type reassignOutput struct {
	Body struct {
		Items     []ReassignedClient `json:"items" nullable:"false"`
		Moved     int                `json:"moved" doc:"How many were moved, or would be."`
		Remaining int                `json:"remaining" doc:"How many clients of from are still to come."`
		Next      string             `json:"next,omitempty" doc:"The cursor of the next page; none after the last."`
	}
}

func (a *API) reassign(ctx context.Context, c *Call, in *reassignInput) (*reassignOutput, error) {
	b := &in.Body
	r := lifecycle.Reassignment{Clients: b.Clients, From: b.From, ByLoad: b.Method == "leastLoad", DryRun: b.DryRun, Count: b.Count}
	for _, t := range b.To {
		r.To = append(r.To, lifecycle.Share(t))
	}
	for _, p := range b.Pairs {
		r.Pairs = append(r.Pairs, lifecycle.ClientPair(p))
	}
	same, err := json.Marshal([]any{b.From, b.To, b.Method, b.DryRun})
	if err != nil {
		return nil, err
	}
	of := "reassign " + string(same)
	if r.After, err = openCursor[lifecycle.Dealing](a, c, of, b.Cursor); err != nil {
		return nil, err
	}
	done, err := a.Lifecycle.Reassign(ctx, c.Subject, r)
	if err != nil {
		return nil, err
	}
	out := &reassignOutput{}
	out.Body.Items, out.Body.Moved, out.Body.Remaining = make([]ReassignedClient, len(done.Items)), done.Moved, done.Remaining
	for i, x := range done.Items {
		out.Body.Items[i] = ReassignedClient{x.Client, x.Display, x.To, x.ToLabel, x.Outcome}
	}
	if done.Next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *done.Next)
	}
	return out, err
}
