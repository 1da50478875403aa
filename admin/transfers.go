package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const transfersTag = "Transfers"

func (a *API) transferEndpoints() {
	handle(a, operation{
		id: "list-work-types", method: http.MethodGet, path: "/work-types", tag: transfersTag, summary: "What of a person's work can be handed over",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*appsOutput, error) {
		list, err := a.Lifecycle.WorkTypes(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		out := &appsOutput{}
		out.Body.Items = list
		return out, nil
	})
	handle(a, operation{
		id: "list-transfers", method: http.MethodGet, path: "/transfers", tag: transfersTag, summary: "Work that is handed over, or was",
	}, a.listTransfers)
	handle(a, operation{
		id: "create-transfer", method: http.MethodPost, path: "/transfers", tag: transfersTag, summary: "Begin to hand over a person's work",
		status: http.StatusCreated,
		detail: "A draft: `collect` asks the applications what there is, `selection` says who gets what, `run` hands it over. With `temporary` everything comes back at `until`.",
	}, a.createTransfer)
	handle(a, operation{
		id: "get-transfer", method: http.MethodGet, path: "/transfers/{id}", tag: transfersTag, summary: "A transfer",
	}, func(ctx context.Context, c *Call, in *IDPath) (*entry[Transfer], error) {
		return transferAnswer(a.Lifecycle.GetTransfer(ctx, c.Subject, in.ID))
	})
	handle(a, operation{
		id: "select-transfer", method: http.MethodPut, path: "/transfers/{id}/selection", tag: transfersTag, conditional: true,
		summary: "Say by rules who gets what",
		detail:  "The rule of a work type counts before that of its application, and that before one for all; then `to`. What no rule is about stays where it is. An approval lapses.",
	}, func(ctx context.Context, c *Call, in *selectionInput) (*entry[Transfer], error) {
		return transferAnswer(a.Lifecycle.SelectTransfer(ctx, c.Subject, in.ID, c.If, in.Body.To, in.Body.rules()))
	})
	a.transferActions()
	a.transferItemEndpoints()
}

func (a *API) transferActions() {
	act := func(action, summary, detail string) operation {
		return operation{
			id: action + "-transfer", method: http.MethodPost, path: "/transfers/{id}/actions/" + action, tag: transfersTag, summary: summary, detail: detail,
		}
	}
	handle(a, act("collect", "Ask the applications what there is", "They have until `answerBy`, three days if it was left out. Who has not answered by then is shown as silent, which does not say that there is nothing."),
		func(ctx context.Context, c *Call, in *IDPath) (*entry[Transfer], error) {
			return transferAnswer(a.Lifecycle.CollectTransfer(ctx, c.Subject, in.ID))
		})
	approve := act("approve", "Approve what somebody else has chosen", "Needed if the organization, or the transfer, asks for four eyes.")
	approve.conditional = true
	handle(a, approve, func(ctx context.Context, c *Call, in *IDPath) (*entry[Transfer], error) {
		return transferAnswer(a.Lifecycle.ApproveTransfer(ctx, c.Subject, in.ID, c.If))
	})
	handle(a, act("run", "Hand the work over", "Applications first; what Rollcall itself has comes last, in one step. If applications give up on something the transfer is failed and nothing of Rollcall's own has moved: retry, run with `acceptErrors`, or cancel."),
		func(ctx context.Context, c *Call, in *runTransferInput) (*entry[Transfer], error) {
			return transferAnswer(a.Lifecycle.RunTransfer(ctx, c.Subject, in.ID, in.Body != nil && in.Body.AcceptErrors))
		})
	handle(a, act("retry", "Ask again for what has failed", "And for nothing else."),
		func(ctx context.Context, c *Call, in *IDPath) (*entry[Transfer], error) {
			return transferAnswer(a.Lifecycle.RetryTransfer(ctx, c.Subject, in.ID))
		})
	handle(a, act("cancel", "Call a transfer off", "Applications give back what they can. A removal that waited for it is called off; the person stays deactivated."),
		func(ctx context.Context, c *Call, in *IDPath) (*entry[Transfer], error) {
			return transferAnswer(a.Lifecycle.CancelTransfer(ctx, c.Subject, in.ID))
		})
}

// Transfer is the work of one person on its way to others.
type Transfer struct {
	ID         string           `json:"id" format:"uuid"`
	State      string           `json:"state" enum:"draft,collecting,ready,approved,running,failed,done,doneWithErrors,cancelling,cancelled"`
	Phase      string           `json:"phase,omitempty" doc:"Of a running one: what is being done."`
	From       TransferPerson   `json:"from"`
	Scope      []string         `json:"scope" nullable:"false" doc:"Work types, as app/workType; empty: all."`
	To         string           `json:"to,omitempty"`
	Rules      []TransferRule   `json:"rules" nullable:"false"`
	Reason     string           `json:"reason,omitempty"`
	AnswerBy   *time.Time       `json:"answerBy,omitempty"`
	Deadline   *time.Time       `json:"deadline,omitempty"`
	Temporary  bool             `json:"temporary"`
	Until      *time.Time       `json:"until,omitempty"`
	FourEyes   bool             `json:"fourEyes"`
	CreatedBy  TransferPerson   `json:"createdBy"`
	SelectedBy *TransferPerson  `json:"selectedBy,omitempty"`
	ApprovedBy *TransferPerson  `json:"approvedBy,omitempty"`
	BackOf     string           `json:"backOf,omitempty" doc:"Id of the temporary transfer that this one takes back."`
	Back       string           `json:"back,omitempty" doc:"Id of the transfer that took this one back; none if the person was gone."`
	Removal    *TransferRemoval `json:"removal,omitempty"`
	Created    time.Time        `json:"created"`
	Modified   time.Time        `json:"modified"`
}

// TransferPerson is somebody, or something, in a transfer.
type TransferPerson struct {
	Value   string `json:"value"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

// TransferRemoval says that the person is removed when their work is handed over.
type TransferRemoval struct {
	By    TransferPerson `json:"by"`
	At    time.Time      `json:"at" doc:"When access was cut."`
	State string         `json:"state" enum:"waiting,done,calledOff"`
}

// TransferRule says who gets what.
type TransferRule struct {
	App      string        `json:"app,omitempty" maxLength:"50" doc:"directory for what Rollcall itself has; empty: all."`
	WorkType string        `json:"workType,omitempty" maxLength:"50"`
	To       []ClientShare `json:"to,omitempty" nullable:"false" maxItems:"100" doc:"Who gets it, by shares."`
	Keep     bool          `json:"keep,omitempty" doc:"It stays where it is."`
}

func person(r lifecycle.Ref) TransferPerson { return TransferPerson{r.Value, r.Display, r.Type} }

func someBody(r *lifecycle.Ref) *TransferPerson {
	if r == nil {
		return nil
	}
	p := person(*r)
	return &p
}

func showTransfer(r *lifecycle.TransferRecord) Transfer {
	t := Transfer{
		ID: r.ID, State: r.State, Phase: r.Phase, From: person(r.From), Scope: none(r.Scope), To: r.To, Rules: []TransferRule{}, Reason: r.Reason,
		AnswerBy: present(r.AnswerBy.Time), Deadline: present(r.Deadline.Time), Temporary: r.Temporary, Until: present(r.Until.Time),
		FourEyes: r.FourEyes, CreatedBy: person(r.CreatedBy), SelectedBy: someBody(r.SelectedBy), ApprovedBy: someBody(r.ApprovedBy),
		BackOf: r.BackOf, Back: r.Back, Created: r.Created, Modified: r.Modified,
	}
	for _, x := range r.Rules {
		rule := TransferRule{App: x.App, WorkType: x.WorkType, Keep: x.Keep}
		for _, s := range x.To {
			rule.To = append(rule.To, ClientShare(s))
		}
		t.Rules = append(t.Rules, rule)
	}
	if x := r.Removal; x != nil {
		t.Removal = &TransferRemoval{person(x.By), x.At.Time, x.State}
	}
	return t
}

func transferAnswer(r *lifecycle.TransferRecord, err error) (*entry[Transfer], error) {
	if err != nil {
		return nil, err
	}
	return &entry[Transfer]{tag(r.Version), showTransfer(r)}, nil
}

type listTransfersInput struct {
	PageInput
	State string `query:"state" enum:"draft,collecting,ready,approved,running,failed,done,doneWithErrors,cancelling,cancelled"`
	From  string `query:"from" maxLength:"36" doc:"Id of the person."`
}

type transfersOutput struct {
	Body struct {
		Items []Transfer `json:"items" nullable:"false"`
		Next  string     `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listTransfers(ctx context.Context, c *Call, in *listTransfersInput) (*transfersOutput, error) {
	of := "transfers\x00" + in.State + "\x00" + in.From
	after, err := openCursor[query.Position](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.PageTransfers(ctx, c.Subject, in.State, in.From, after, in.Count)
	if err != nil {
		return nil, err
	}
	out := &transfersOutput{}
	out.Body.Items = make([]Transfer, len(list))
	for i, r := range list {
		out.Body.Items[i] = showTransfer(r)
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

type createTransferInput struct {
	Body struct {
		From      string    `json:"from" maxLength:"36" doc:"Id of the person."`
		Scope     []string  `json:"scope,omitempty" nullable:"false" maxItems:"200" doc:"Work types, as app/workType, or applications; all if left out."`
		To        string    `json:"to,omitempty" maxLength:"36" doc:"Id of who gets what no rule is about."`
		Reason    string    `json:"reason,omitempty" maxLength:"1000"`
		AnswerBy  time.Time `json:"answerBy,omitzero" doc:"Until when applications may say what there is."`
		Deadline  time.Time `json:"deadline,omitzero" doc:"Until when they may hand it over."`
		Temporary bool      `json:"temporary,omitempty"`
		Until     time.Time `json:"until,omitzero" doc:"Of a temporary one: when everything comes back."`
		FourEyes  bool      `json:"fourEyes,omitempty" doc:"Somebody else must approve it."`
	}
}

func (a *API) createTransfer(ctx context.Context, c *Call, in *createTransferInput) (*createdEntry[Transfer], error) {
	r, err := a.Lifecycle.CreateTransfer(ctx, c.Subject, lifecycle.NewTransfer(in.Body))
	if err != nil {
		return nil, err
	}
	return &createdEntry[Transfer]{scim.ETag(r.Version), DefaultBasePath + "/transfers/" + r.ID, showTransfer(r)}, nil
}

// SelectionBody says who gets what.
type SelectionBody struct {
	To    string         `json:"to,omitempty" maxLength:"36" doc:"Id of who gets what no rule is about; empty: it stays."`
	Rules []TransferRule `json:"rules,omitempty" nullable:"false" maxItems:"100"`
}

func (b *SelectionBody) rules() []lifecycle.TransferRule {
	list := make([]lifecycle.TransferRule, len(b.Rules))
	for i, r := range b.Rules {
		list[i] = lifecycle.TransferRule{App: r.App, WorkType: r.WorkType, Keep: r.Keep}
		for _, s := range r.To {
			list[i].To = append(list[i].To, lifecycle.Share(s))
		}
	}
	return list
}

type selectionInput struct {
	IDPath
	Body SelectionBody
}

// RunBody says how a transfer is run.
type RunBody struct {
	AcceptErrors bool `json:"acceptErrors,omitempty" doc:"What applications give up on is left, and the rest is done."`
}

type runTransferInput struct {
	IDPath
	Body *RunBody
}
