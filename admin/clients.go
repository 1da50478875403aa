package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const clientsTag = "Clients"

func (a *API) clientEndpoints() {
	// Which tokens read is for the matrix to say.
	read := func(o operation) operation {
		o.scope = ""
		return o
	}
	op := func(id, method, path, summary string) operation {
		return operation{
			id: id, method: method, path: path, tag: clientsTag, summary: summary, scope: scim.ScopeAdminClients, apps: true,
		}
	}
	list := read(op("list-clients", http.MethodGet, "/clients", "The clients that people look after"))
	list.detail = "A token of an application sees the application's own."
	handle(a, list, a.listClients)
	create := op("create-client", http.MethodPost, "/clients", "Enter a client")
	create.status = http.StatusCreated
	create.detail = "A client is an id and a label: what an application knows of it stays there. `externalRef` is unique in an application."
	handle(a, create, a.createClient)
	handle(a, read(op("get-client", http.MethodGet, "/clients/{id}", "A client")), func(ctx context.Context, c *Call, in *IDPath) (*entry[Client], error) {
		r, err := a.Lifecycle.GetClient(ctx, c.Subject, in.ID)
		return clientAnswer(r, err)
	})
	change := op("change-client", http.MethodPatch, "/clients/{id}", "Change a client")
	change.conditional = true
	handle(a, change, a.changeClient)
	drop := op("delete-client", http.MethodDelete, "/clients/{id}", "Take a client out of the registry")
	drop.conditional = true
	handle(a, drop, func(ctx context.Context, c *Call, in *IDPath) (*struct{}, error) {
		return nil, a.Lifecycle.DeleteClient(ctx, c.Subject, in.ID, c.If)
	})
	handle(a, read(op("list-member-clients", http.MethodGet, "/members/{id}/clients", "The clients that a person looks after")), a.listMemberClients)
	set := op("set-member-clients", http.MethodPut, "/members/{id}/clients", "Set the clients that a person looks after")
	set.detail = "They are all that the person looks after from then on. For people with more than 1000 clients, add and remove some instead."
	handle(a, set, func(ctx context.Context, c *Call, in *setMemberClientsInput) (*clientChangeOutput, error) {
		return clientChange(a.Lifecycle.SetClientsOf(ctx, c.Subject, in.ID, in.Body.Clients))
	})
	patch := op("change-member-clients", http.MethodPatch, "/members/{id}/clients", "Give a person clients, and take others")
	patch.detail = "All of it or nothing. What is so already is no mistake."
	handle(a, patch, func(ctx context.Context, c *Call, in *changeMemberClientsInput) (*clientChangeOutput, error) {
		return clientChange(a.Lifecycle.ChangeClientsOf(ctx, c.Subject, in.ID, in.Body.Add, in.Body.Remove))
	})
}

// Client is a customer that people of the organization look after.
type Client struct {
	ID          string        `json:"id" format:"uuid"`
	Display     string        `json:"display"`
	ExternalRef string        `json:"externalRef,omitempty" doc:"What the application knows the client by."`
	App         string        `json:"app,omitempty" doc:"Key of the application that the client is of."`
	SubAccount  string        `json:"subAccount,omitempty" doc:"Key of the sub-account that it belongs to."`
	Owners      []ClientOwner `json:"owners" nullable:"false"`
	Unowned     bool          `json:"unowned" doc:"Nobody looks after it."`
	Created     time.Time     `json:"created"`
	Modified    time.Time     `json:"modified"`
}

// ClientOwner is somebody who looks after a client.
type ClientOwner struct {
	Value    string `json:"value" doc:"Id of the user."`
	Display  string `json:"display,omitempty"`
	Relation string `json:"relation" enum:"owner,delegate"`
	For      string `json:"for,omitempty" doc:"Of a delegate: id of the owner who is away."`
	State    string `json:"state" enum:"here,away,gone" doc:"away: deactivated. gone: removed."`
}

func showClient(r *lifecycle.ClientRecord) Client {
	c := Client{
		ID: r.ID, Display: r.Display, ExternalRef: r.ExternalRef, App: r.App, SubAccount: r.SubAccount, Owners: []ClientOwner{},
		Unowned: r.Unowned, Created: r.Created, Modified: r.Modified,
	}
	for _, o := range r.Owners {
		shown := ClientOwner{Value: o.Value, Relation: o.Relation, For: o.For, State: "gone"}
		if p := r.People[o.Value]; p != nil {
			if shown.Display, shown.State = p.Label, "here"; !p.Active {
				shown.State = "away"
			}
		}
		c.Owners = append(c.Owners, shown)
	}
	return c
}

func clientAnswer(r *lifecycle.ClientRecord, err error) (*entry[Client], error) {
	if err != nil {
		return nil, err
	}
	return &entry[Client]{tag(r.Version), showClient(r)}, nil
}

// ClientFilter is embedded by the input of lists of clients.
type ClientFilter struct {
	App         string `query:"app" maxLength:"50"`
	SubAccount  string `query:"subAccount" maxLength:"100"`
	ExternalRef string `query:"externalRef" maxLength:"200"`
	Q           string `query:"q" maxLength:"200" doc:"Part of the name."`
	Sort        string `query:"sort" enum:"display"`
	Desc        bool   `query:"desc"`
}

type listClientsInput struct {
	PageInput
	ClientFilter
	Owner   string `query:"owner" maxLength:"36" doc:"Id of who looks after them."`
	Unowned bool   `query:"unowned" doc:"Only those that nobody looks after."`
}

type listMemberClientsInput struct {
	MemberPath
	PageInput
	ClientFilter
}

type clientsOutput struct {
	Body struct {
		Items []Client `json:"items" nullable:"false"`
		Next  string   `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (f *ClientFilter) query() lifecycle.ClientQuery {
	return lifecycle.ClientQuery{
		App: f.App, SubAccount: f.SubAccount, ExternalRef: f.ExternalRef, Text: f.Q, Sort: f.Sort, Desc: f.Desc,
	}
}

func (a *API) listClients(ctx context.Context, c *Call, in *listClientsInput) (*clientsOutput, error) {
	q := in.query()
	q.Owner, q.Unowned = in.Owner, in.Unowned
	return a.pageClients(ctx, c, &in.PageInput, q)
}

func (a *API) listMemberClients(ctx context.Context, c *Call, in *listMemberClientsInput) (*clientsOutput, error) {
	q := in.query()
	q.Owner = in.ID
	return a.pageClients(ctx, c, &in.PageInput, q)
}

func (a *API) pageClients(ctx context.Context, c *Call, p *PageInput, q lifecycle.ClientQuery) (*clientsOutput, error) {
	of := fmt.Sprintf("clients %#v", q)
	after, err := openCursor[query.Position](a, c, of, p.Cursor)
	if err != nil {
		return nil, err
	}
	q.After, q.Count = after, p.Count
	list, next, err := a.Lifecycle.PageClients(ctx, c.Subject, q)
	if err != nil {
		return nil, err
	}
	out := &clientsOutput{}
	out.Body.Items = make([]Client, len(list))
	for i, r := range list {
		out.Body.Items[i] = showClient(r)
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

// ClientBody is a client as it is written.
type ClientBody struct {
	Display     *string   `json:"display,omitempty" minLength:"1" maxLength:"200" doc:"Name for people. Keep what identifies a person out of it."`
	ExternalRef *string   `json:"externalRef,omitempty" maxLength:"200"`
	App         *string   `json:"app,omitempty" maxLength:"50"`
	SubAccount  *string   `json:"subAccount,omitempty" maxLength:"100"`
	Owners      *[]string `json:"owners,omitempty" nullable:"false" maxItems:"20" doc:"Ids of all who look after the client."`
}

func (b *ClientBody) on(c *lifecycle.Client) {
	c.Display, c.ExternalRef = or(b.Display, c.Display), or(b.ExternalRef, c.ExternalRef)
	c.App, c.SubAccount = or(b.App, c.App), or(b.SubAccount, c.SubAccount)
	if b.Owners == nil {
		return
	}
	c.Owners = nil
	for _, id := range *b.Owners {
		c.Owners = append(c.Owners, lifecycle.ClientOwner{Value: id})
	}
}

type createClientInput struct{ Body ClientBody }

func (a *API) createClient(ctx context.Context, c *Call, in *createClientInput) (*createdEntry[Client], error) {
	var v lifecycle.Client
	in.Body.on(&v)
	r, err := a.Lifecycle.CreateClient(ctx, c.Subject, v)
	if err != nil {
		return nil, err
	}
	return &createdEntry[Client]{tag(r.Version), DefaultBasePath + "/clients/" + r.ID, showClient(r)}, nil
}

type changeClientInput struct {
	IDPath
	Body ClientBody
}

func (a *API) changeClient(ctx context.Context, c *Call, in *changeClientInput) (*entry[Client], error) {
	r, err := a.Lifecycle.ChangeClient(ctx, c.Subject, in.ID, c.If, in.Body.on)
	return clientAnswer(r, err)
}

type setMemberClientsInput struct {
	MemberPath
	Body struct {
		Clients []string `json:"clients" nullable:"false" maxItems:"1000" doc:"Ids of the clients."`
	}
}

type changeMemberClientsInput struct {
	MemberPath
	Body struct {
		Add    []string `json:"add,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of clients."`
		Remove []string `json:"remove,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of clients."`
	}
}

type clientChangeOutput struct{ Body lifecycle.ClientChange }

func clientChange(x *lifecycle.ClientChange, err error) (*clientChangeOutput, error) {
	if err != nil {
		return nil, err
	}
	return &clientChangeOutput{*x}, nil
}
