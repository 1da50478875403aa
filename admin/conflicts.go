package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const conflictsTag = "Conflicts"

func (a *API) conflictEndpoints() {
	handle(a, operation{
		id: "list-conflicts", method: http.MethodGet, path: "/conflicts", tag: conflictsTag, summary: "What clients may not do before an administrator has decided",
		detail: "The newest first. Meanwhile the client is told 409 and tries again.",
	}, a.listConflicts)
	handle(a, operation{
		id: "get-conflict", method: http.MethodGet, path: "/conflicts/{id}", tag: conflictsTag, summary: "Read a conflict",
	}, a.getConflict)
	handle(a, operation{
		id: "resolve-conflict", method: http.MethodPost, path: "/conflicts/{id}/actions/resolve", tag: conflictsTag, summary: "Decide a conflict",
		conditional: true,
		detail:      "`adopt`: the connection manages the person from now on, and its next try succeeds. `decline`: it is kept from them, until somebody who names the version in If-Match thinks better of it. `grant`: the person gets what their invite would have given.",
	}, a.resolveConflict)
}

// ConflictInfo is a conflict.
type ConflictInfo struct {
	ID         string     `json:"id" format:"uuid"`
	Kind       string     `json:"kind" enum:"adoption,claimed,inviteGrant" doc:"A client writes somebody who came another way, or who is another connection's; or it has made somebody who had an invite."`
	Status     string     `json:"status" enum:"open,adopted,declined,granted"`
	User       Reference  `json:"user"`
	Connection Reference  `json:"connection" doc:"Whose client it is."`
	Other      *Reference `json:"other,omitempty" doc:"The connection that the person is of."`
	Invite     *Reference `json:"invite,omitempty"`
	Offered    []string   `json:"offered,omitempty" doc:"What the invite would have given, as role:admin."`
	OpenedAt   time.Time  `json:"openedAt"`
	SeenAt     time.Time  `json:"seenAt" doc:"When the client tried it last, to the hour."`
	ResolvedAt *time.Time `json:"resolvedAt,omitempty"`
	ResolvedBy *Reference `json:"resolvedBy,omitempty"`
	Note       string     `json:"note,omitempty"`
}

func conflictInfo(c *lifecycle.Conflict) ConflictInfo {
	return ConflictInfo{
		ID: c.ID, Kind: c.Kind, Status: c.Status, User: *showRef(&c.User), Connection: *showRef(&c.Connection),
		Other: showRef(c.Other), Invite: showRef(c.Invite), Offered: c.Offered, OpenedAt: c.OpenedAt, SeenAt: c.SeenAt,
		ResolvedAt: present(c.ResolvedAt), ResolvedBy: showRef(c.ResolvedBy), Note: c.Note,
	}
}

type conflictsInput struct {
	PageInput
	Status string `query:"status" enum:"open,adopted,declined,granted" doc:"Only those."`
}

type conflictsOutput struct {
	Body struct {
		Items []ConflictInfo `json:"items" nullable:"false"`
		Next  string         `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) listConflicts(ctx context.Context, c *Call, in *conflictsInput) (*conflictsOutput, error) {
	of := "conflicts " + in.Status
	after, err := openCursor[query.Position](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.Conflicts(ctx, c.Subject, lifecycle.ConflictQuery{Status: in.Status, After: after, Count: in.Count})
	if err != nil {
		return nil, err
	}
	out := &conflictsOutput{}
	out.Body.Items = make([]ConflictInfo, len(list))
	for i, x := range list {
		out.Body.Items[i] = conflictInfo(x)
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

// ConflictPath is embedded by the input of what is about one conflict.
type ConflictPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the conflict."`
}

type conflictOutput struct {
	ETag string `header:"ETag"`
	Body ConflictInfo
}

func conflictAnswer(c *lifecycle.Conflict, err error) (*conflictOutput, error) {
	if err != nil {
		return nil, err
	}
	return &conflictOutput{scim.ETag(c.Version), conflictInfo(c)}, nil
}

func (a *API) getConflict(ctx context.Context, c *Call, in *ConflictPath) (*conflictOutput, error) {
	return conflictAnswer(a.Lifecycle.Conflict(ctx, c.Subject, in.ID))
}

type resolveInput struct {
	ConflictPath
	Body struct {
		Resolution string `json:"resolution" enum:"adopt,decline,grant"`
		Note       string `json:"note,omitempty" maxLength:"1000" doc:"For administrators."`
	}
}

func (a *API) resolveConflict(ctx context.Context, c *Call, in *resolveInput) (*conflictOutput, error) {
	return conflictAnswer(a.Lifecycle.ResolveConflict(ctx, c.Subject, in.ID, c.If, in.Body.Resolution, in.Body.Note))
}
