package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const connectionsTag = "Connections"

func (a *API) connectionEndpoints() {
	op := func(id, method, path, summary string) operation {
		return operation{id: id, method: method, path: "/connections" + path, tag: connectionsTag, summary: summary}
	}
	act := func(id, action, summary string) operation {
		o := op(id, http.MethodPost, "/{id}/actions/"+action, summary)
		o.conditional = true
		return o
	}
	handle(a, op("list-connections", http.MethodGet, "", "List the provisioning clients"), a.listConnections)
	create := op("create-connection", http.MethodPost, "", "Make a connection")
	create.status = http.StatusCreated
	create.detail = "For an identity provider. The text of the token is shown in this answer only."
	handle(a, create, a.createConnection)
	handle(a, op("get-connection", http.MethodGet, "/{id}", "Read a connection"), a.getConnection)
	change := op("change-connection", http.MethodPatch, "/{id}", "Decide what a connection may do")
	change.conditional = true
	change.detail = "What is left out stays."
	handle(a, change, a.changeConnection)
	rotate := act("rotate-connection", "rotate", "Give a connection another token")
	rotate.detail = "The old tokens go on working, so that there is no gap, until they are retired; `revokeOld` does it at once. The connection stays the same: what it has written remains its own."
	handle(a, rotate, a.rotateConnection)
	retire := act("retire-connection-tokens", "retire-old-tokens", "Revoke all tokens of a connection but the newest")
	retire.conditional = false
	handle(a, retire, a.retireTokens)
	pause := act("pause-connection", "pause", "Keep a connection's client out")
	pause.detail = "Its requests answer 503 with Retry-After, so that it tries again and nothing is lost."
	handle(a, pause, a.pauseConnection(true))
	handle(a, act("resume-connection", "resume", "Let a paused connection go on"), a.pauseConnection(false))
	remove := op("delete-connection", http.MethodDelete, "/{id}", "End a connection")
	remove.conditional = true
	remove.detail = "Its tokens are revoked. Its people stay as they are, and what it has written of them is the organization's from then on."
	handle(a, remove, a.deleteConnection)
}

// ConnectionPath is embedded by the input of what is about one connection.
type ConnectionPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the connection: that of its first token."`
}

// ConnectionInfo is a connection.
type ConnectionInfo struct {
	ID      string `json:"id" format:"uuid"`
	Name    string `json:"name"`
	Profile string `json:"profile" doc:"The compatibility profile of the client."`
	lifecycle.ConnectionRules
	EffectivePolicy string                `json:"effectivePolicy" enum:"strict,claimed,shared" doc:"The policy that counts: its own, or that of the settings."`
	PausedAt        *time.Time            `json:"pausedAt,omitempty"`
	Tokens          []ConnectionTokenInfo `json:"tokens" nullable:"false" doc:"The newest first."`
}

// ConnectionTokenInfo is a token of a connection.
type ConnectionTokenInfo struct {
	ID       string     `json:"id" format:"uuid"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"lastUsed,omitempty" doc:"To the minute."`
}

func connectionInfo(c *lifecycle.Connection) ConnectionInfo {
	info := ConnectionInfo{
		ID: c.ID, Name: c.Name, Profile: c.Profile, ConnectionRules: c.ConnectionRules, EffectivePolicy: c.EffectivePolicy,
		PausedAt: present(c.PausedAt), Tokens: make([]ConnectionTokenInfo, len(c.Tokens)),
	}
	for i, t := range c.Tokens {
		info.Tokens[i] = ConnectionTokenInfo{t.ID, t.Created, present(t.Expires), present(t.LastUsed)}
	}
	return info
}

type connectionOutput struct {
	ETag string `header:"ETag"`
	Body ConnectionInfo
}

func connectionAnswer(c *lifecycle.Connection, err error) (*connectionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &connectionOutput{scim.ETag(c.Version), connectionInfo(c)}, nil
}

type connectionsOutput struct {
	Body struct {
		Items []ConnectionInfo `json:"items" nullable:"false"`
		Next  string           `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) listConnections(ctx context.Context, c *Call, in *PageInput) (*connectionsOutput, error) {
	p, err := openCursor[string](a, c, "connections", in.Cursor)
	if err != nil {
		return nil, err
	}
	after := ""
	if p != nil {
		after = *p
	}
	list, more, err := a.Lifecycle.Connections(ctx, c.Subject, after, in.Count)
	if err != nil {
		return nil, err
	}
	out := &connectionsOutput{}
	out.Body.Items = make([]ConnectionInfo, len(list))
	for i, x := range list {
		out.Body.Items[i] = connectionInfo(x)
	}
	if more {
		out.Body.Next, err = sealCursor(a, c, "connections", list[len(list)-1].ID)
	}
	return out, err
}

type createConnectionInput struct {
	Body struct {
		Name    string    `json:"name" minLength:"1" maxLength:"200"`
		Profile string    `json:"profile,omitempty" maxLength:"50" doc:"The compatibility profile of the client; auto if empty."`
		Expires time.Time `json:"expires,omitzero" doc:"When its token ends; never if absent."`
	}
}

type newTokenOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     struct {
		ConnectionInfo
		Token string `json:"token" doc:"The token's text, which is shown only here."`
	}
}

func newTokenAnswer(c *lifecycle.Connection, token string, err error) (*newTokenOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &newTokenOutput{ETag: scim.ETag(c.Version)}
	out.Body.ConnectionInfo, out.Body.Token = connectionInfo(c), token
	return out, nil
}

func (a *API) createConnection(ctx context.Context, c *Call, in *createConnectionInput) (*newTokenOutput, error) {
	out, err := newTokenAnswer(a.Lifecycle.CreateConnection(ctx, c.Subject, lifecycle.NewConnection{
		Name: in.Body.Name, Profile: in.Body.Profile, Expires: in.Body.Expires,
	}))
	if err == nil {
		out.Location = DefaultBasePath + "/connections/" + out.Body.ID
	}
	return out, err
}

func (a *API) getConnection(ctx context.Context, c *Call, in *ConnectionPath) (*connectionOutput, error) {
	return connectionAnswer(a.Lifecycle.Connection(ctx, c.Subject, in.ID))
}

type changeConnectionInput struct {
	ConnectionPath
	Body struct {
		Name              *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Policy            *string `json:"policy,omitempty" enum:"organization,strict,claimed,shared"`
		Adopt             *string `json:"adopt,omitempty" enum:"ownedDomain,ask,never"`
		Exclusive         *bool   `json:"exclusive,omitempty"`
		OnlyManaged       *bool   `json:"onlyManaged,omitempty"`
		UnknownOccupation *string `json:"unknownOccupation,omitempty" enum:"organization,reject,keepAsText,create,mapToDefault"`
		DefaultOccupation *string `json:"defaultOccupation,omitempty" maxLength:"200"`
	}
}

func (a *API) changeConnection(ctx context.Context, c *Call, in *changeConnectionInput) (*connectionOutput, error) {
	return connectionAnswer(a.Lifecycle.ChangeConnection(ctx, c.Subject, in.ID, c.If, func(name *string, r *lifecycle.ConnectionRules) error {
		b := &in.Body
		set(name, b.Name)
		set(&r.Policy, b.Policy)
		set(&r.Adopt, b.Adopt)
		set(&r.Exclusive, b.Exclusive)
		set(&r.OnlyManaged, b.OnlyManaged)
		set(&r.UnknownOccupation, b.UnknownOccupation)
		set(&r.DefaultOccupation, b.DefaultOccupation)
		return nil
	}))
}

type rotateInput struct {
	ConnectionPath
	Body struct {
		RevokeOld bool `json:"revokeOld,omitempty" doc:"Revoke the old tokens at once."`
	} `required:"false"`
}

func (a *API) rotateConnection(ctx context.Context, c *Call, in *rotateInput) (*newTokenOutput, error) {
	return newTokenAnswer(a.Lifecycle.RotateConnection(ctx, c.Subject, in.ID, c.If, in.Body.RevokeOld))
}

func (a *API) retireTokens(ctx context.Context, c *Call, in *ConnectionPath) (*connectionOutput, error) {
	return connectionAnswer(a.Lifecycle.RetireTokens(ctx, c.Subject, in.ID))
}

func (a *API) pauseConnection(pause bool) func(context.Context, *Call, *ConnectionPath) (*connectionOutput, error) {
	return func(ctx context.Context, c *Call, in *ConnectionPath) (*connectionOutput, error) {
		return connectionAnswer(a.Lifecycle.PauseConnection(ctx, c.Subject, in.ID, c.If, pause))
	}
}

func (a *API) deleteConnection(ctx context.Context, c *Call, in *ConnectionPath) (*struct{}, error) {
	return nil, a.Lifecycle.DeleteConnection(ctx, c.Subject, in.ID, c.If)
}
