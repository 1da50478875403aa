package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const joinTag = "Join requests"

// JoinDecision is who decided a request, and why.
type JoinDecision struct {
	By                 string     `json:"by,omitempty"`
	Display            string     `json:"display,omitempty"`
	At                 *time.Time `json:"at,omitempty"`
	ReasonCode         string     `json:"reasonCode,omitempty"`
	Note               string     `json:"note,omitempty"`
	VisibleToRequester bool       `json:"visibleToRequester"`
}

// JoinGrant is what an approval gives.
type JoinGrant = lifecycle.Given

// JoinSignals help to decide.
type JoinSignals = lifecycle.Signals

// JoinRequest is a request to be let in.
type JoinRequest struct {
	ID                  string        `json:"id" format:"uuid"`
	ExternalID          string        `json:"externalId,omitempty"`
	Email               string        `json:"email"`
	Status              string        `json:"status" enum:"pending,approved,declined,withdrawn,expired,superseded"`
	Source              string        `json:"source" enum:"public,domain,appLink,member"`
	Name                *PersonName   `json:"name,omitempty"`
	Message             string        `json:"message,omitempty" doc:"Plain text."`
	OccupationRequested string        `json:"occupationRequested,omitempty"`
	RoleRequested       string        `json:"roleRequested,omitempty"`
	Requester           *Reference    `json:"requester,omitempty"`
	OnBehalfOf          *Reference    `json:"onBehalfOf,omitempty"`
	Verified            *time.Time    `json:"verifiedAt,omitempty" doc:"When the person proved the address; none if somebody else asks."`
	Decision            *JoinDecision `json:"decision,omitempty"`
	Grant               *JoinGrant    `json:"grant,omitempty"`
	Result              string        `json:"result,omitempty" doc:"Id of the user or invite that it led to."`
	ExpiresAt           *time.Time    `json:"expiresAt,omitempty"`
	DecidedAt           *time.Time    `json:"decidedAt,omitempty"`
	Signals             *JoinSignals  `json:"signals,omitempty"`
	Created             time.Time     `json:"created"`
	Modified            time.Time     `json:"modified"`
}

func showJoin(r *lifecycle.JoinRecord) JoinRequest {
	j := &r.JoinRequest
	out := JoinRequest{
		ID: r.ID, ExternalID: j.ExternalID, Email: j.Email, Status: j.Status, Source: j.Source, Name: j.Name, Message: j.Message,
		OccupationRequested: j.OccupationRequested, RoleRequested: j.RoleRequested, Requester: showRef(j.Requester),
		OnBehalfOf: showRef(j.OnBehalfOf), Verified: showTime(j.VerifiedAt), Grant: j.Grant, Result: j.Result,
		ExpiresAt: showTime(j.ExpiresAt), DecidedAt: showTime(j.DecidedAt), Signals: j.Signals, Created: r.Created, Modified: r.Modified,
	}
	if d := j.Decision; d != nil {
		out.Decision = &JoinDecision{d.By, d.Display, showTime(d.At), d.ReasonCode, d.Note, d.VisibleToRequester}
	}
	return out
}

// JoinPath is embedded by the input of what is done to one request.
type JoinPath struct {
	ID string `path:"id" minLength:"1" maxLength:"36" doc:"Id of the request."`
}

type joinOutput struct {
	ETag string `header:"ETag"`
	Body JoinRequest
}

func joinAnswer(r *lifecycle.JoinRecord, err error) (*joinOutput, error) {
	if err != nil {
		return nil, err
	}
	return &joinOutput{scim.ETag(r.Version), showJoin(r)}, nil
}

func (a *API) joinRequestEndpoints() {
	handle(a, operation{
		id: "list-join-requests", method: http.MethodGet, path: "/join-requests", tag: joinTag, scope: scim.ScopeAdminInvites,
		summary: "Requests to be let in",
		detail:  "None is listed before its address is proved. `open` counts those that wait for a decision, whatever the page shows.",
	}, a.listJoins)
	handle(a, operation{
		id: "get-join-request", method: http.MethodGet, path: "/join-requests/{id}", tag: joinTag, scope: scim.ScopeAdminInvites,
		summary: "A request to be let in",
	}, func(ctx context.Context, c *Call, in *JoinPath) (*joinOutput, error) {
		return joinAnswer(a.Lifecycle.GetJoin(ctx, c.Subject, in.ID))
	})
	handle(a, operation{
		id: "create-join-request", method: http.MethodPost, path: "/join-requests", tag: joinTag, scope: scim.ScopeAdminInvites,
		summary: "Ask that somebody else be let in", status: http.StatusCreated,
	}, a.createJoin)
	handle(a, operation{
		id: "approve-join-request", method: http.MethodPost, path: "/join-requests/{id}/actions/approve", tag: joinTag,
		scope: scim.ScopeAdminInvites, summary: "Let the person in",
		detail: "At once if they have proved the address and signed in, else by an invite. Without a grant it gives what was proposed, " +
			"else what invites give.",
	}, func(ctx context.Context, c *Call, in *approveInput) (*approvedOutput, error) {
		d, err := a.Lifecycle.ApproveJoin(ctx, c.Subject, in.ID, in.Body)
		if err != nil {
			return nil, err
		}
		out := &approvedOutput{ETag: scim.ETag(d.Version)}
		out.Body.JoinRequest, out.Body.User, out.Body.Invite = showJoin(&d.JoinRecord), d.User, d.Invite
		return out, nil
	})
	handle(a, operation{
		id: "decline-join-request", method: http.MethodPost, path: "/join-requests/{id}/actions/decline", tag: joinTag,
		scope: scim.ScopeAdminInvites, summary: "Refuse a request",
	}, func(ctx context.Context, c *Call, in *declineJoinInput) (*joinOutput, error) {
		var why lifecycle.Refusal
		if in.Body != nil {
			why = in.Body.refusal()
		}
		return joinAnswer(a.Lifecycle.DeclineJoin(ctx, c.Subject, in.ID, why))
	})
	handle(a, operation{
		id: "decide-join-requests", method: http.MethodPost, path: "/join-requests/actions/bulk", tag: joinTag,
		scope: scim.ScopeAdminInvites, summary: "Decide up to 200 requests alike",
	}, a.decideJoins)
}

type listJoinsInput struct {
	PageInput
	Status string `query:"status" enum:"pending,approved,declined,withdrawn,expired,superseded"`
	Q      string `query:"q" maxLength:"200" doc:"Part of the address."`
	Sort   string `query:"sort" enum:"email,status,expiresAt,created,decidedAt"`
	Desc   bool   `query:"desc"`
}

type joinsOutput struct {
	Body struct {
		Items []JoinRequest `json:"items" nullable:"false"`
		Next  string        `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
		Open  int           `json:"open" doc:"How many requests wait for a decision."`
	}
}

func (a *API) listJoins(ctx context.Context, c *Call, in *listJoinsInput) (*joinsOutput, error) {
	of := "joins\x00" + in.Status + "\x00" + in.Q + "\x00" + in.Sort + "\x00" + cmp.Or(map[bool]string{true: "desc"}[in.Desc], "asc")
	after, err := openCursor[query.Position](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.PageJoins(ctx, c.Subject, lifecycle.ArrivalQuery{
		Status: in.Status, Text: in.Q, Sort: sortPath(in.Sort), Desc: in.Desc, After: after, Count: in.Count,
	})
	if err != nil {
		return nil, err
	}
	out := &joinsOutput{}
	out.Body.Items = make([]JoinRequest, len(list))
	for i := range list {
		out.Body.Items[i] = showJoin(&list[i])
	}
	if out.Body.Open, err = a.Lifecycle.OpenJoins(ctx, c.Subject.Org); err != nil {
		return nil, err
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

// JoinAskBody is what somebody says who asks to be let in.
type JoinAskBody struct {
	Email      string      `json:"email" minLength:"1" maxLength:"1024"`
	Name       *PersonName `json:"name,omitempty"`
	Message    string      `json:"message,omitempty" maxLength:"500" doc:"Plain text."`
	Occupation string      `json:"occupation,omitempty" maxLength:"200" doc:"The occupation that the person would like to have."`
	Role       string      `json:"role,omitempty" maxLength:"100" doc:"The role that the person would like to have."`
}

func (b *JoinAskBody) ask(org string) lifecycle.JoinAsk {
	return lifecycle.JoinAsk{Org: org, Email: b.Email, Name: b.Name, Message: b.Message, Occupation: b.Occupation, Role: b.Role}
}

type createJoinInput struct{ Body JoinAskBody }

type createdJoinOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     JoinRequest
}

func (a *API) createJoin(ctx context.Context, c *Call, in *createJoinInput) (*createdJoinOutput, error) {
	r, err := a.Lifecycle.AskForOther(ctx, c.Subject, in.Body.ask(""))
	if err != nil {
		return nil, err
	}
	return &createdJoinOutput{scim.ETag(r.Version), DefaultBasePath + "/join-requests/" + r.ID, showJoin(r)}, nil
}

type approveInput struct {
	JoinPath
	Body *JoinGrant
}

// JoinApproved is a request after its approval.
type JoinApproved struct {
	JoinRequest
	User   string `json:"user,omitempty" doc:"Id of the member who was let in at once."`
	Invite string `json:"invite,omitempty" doc:"Id of the invite that was mailed instead."`
}

type approvedOutput struct {
	ETag string `header:"ETag"`
	Body JoinApproved
}

// DeclineBody is why a request is refused.
type DeclineBody struct {
	ReasonCode string `json:"reasonCode,omitempty" maxLength:"50" doc:"In a word, for programs."`
	Note       string `json:"note,omitempty" maxLength:"1000" doc:"For people."`
	Visible    bool   `json:"visibleToRequester,omitempty" doc:"Whoever asked is told the note."`
}

func (b *DeclineBody) refusal() lifecycle.Refusal {
	return lifecycle.Refusal{ReasonCode: b.ReasonCode, Note: b.Note, Visible: b.Visible}
}

type declineJoinInput struct {
	JoinPath
	Body *DeclineBody
}

type decideJoinsInput struct {
	Body struct {
		IDs     []string     `json:"ids" nullable:"false" minItems:"1" maxItems:"200" doc:"Of the requests."`
		Action  string       `json:"action" enum:"approve,decline"`
		Grant   *JoinGrant   `json:"grant,omitempty"`
		Refusal *DeclineBody `json:"refusal,omitempty"`
	}
}

// DecidedOne is what became of one request of many.
type DecidedOne struct {
	ID      string `json:"id"`
	Status  string `json:"status,omitempty" doc:"Of the request, if it was decided."`
	Code    string `json:"code,omitempty" doc:"Why it was not."`
	Detail  string `json:"detail,omitempty" doc:"The same for people."`
	Account string `json:"result,omitempty" doc:"Id of the user or invite that it led to."`
}

type decidedOutput struct {
	Body struct {
		Items []DecidedOne `json:"items" nullable:"false"`
	}
}

func (a *API) decideJoins(ctx context.Context, c *Call, in *decideJoinsInput) (*decidedOutput, error) {
	out := &decidedOutput{}
	out.Body.Items = []DecidedOne{}
	for _, id := range in.Body.IDs {
		one := DecidedOne{ID: id}
		var err error
		if in.Body.Action == "approve" {
			var d *lifecycle.JoinDecided
			if d, err = a.Lifecycle.ApproveJoin(ctx, c.Subject, id, in.Body.Grant); err == nil {
				one.Status, one.Account = d.Status, d.Result
			}
		} else {
			var why lifecycle.Refusal
			if in.Body.Refusal != nil {
				why = in.Body.Refusal.refusal()
			}
			var r *lifecycle.JoinRecord
			if r, err = a.Lifecycle.DeclineJoin(ctx, c.Subject, id, why); err == nil {
				one.Status = r.Status
			}
		}
		if err != nil {
			known, ok := errors.AsType[*scim.Error](err)
			if !ok || known.Status >= http.StatusInternalServerError {
				return nil, err
			}
			one.Code, one.Detail = cmp.Or(known.Code, string(known.Type)), known.Detail
		}
		out.Body.Items = append(out.Body.Items, one)
	}
	return out, nil
}
