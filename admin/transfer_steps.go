package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) transferStepEndpoints() {
	op := func(id, method, path, summary, detail string) operation {
		return operation{
			id: id, method: method, path: "/apps/{key}/transfer-steps" + path, tag: transfersTag, summary: summary, detail: detail,
			scope: scim.ScopeAdminClients, apps: true,
		}
	}
	handle(a, op("list-transfer-steps", http.MethodGet, "", "What an application has to do",
		"For the application itself, which asks every minute or so. A step has the same id however often it is asked for, so that it is done once."), a.listTransferSteps)
	handle(a, op("list-transfer-step-items", http.MethodGet, "/{step}/items", "What is to be handed over, or given back, now",
		"`to` is who gets an item. Items that went wrong come again when their time has come."), a.listStepItems)
	handle(a, op("answer-inventory", http.MethodPost, "/{step}/inventory", "Say what a person has",
		"Up to 500 things a request, in any number of requests; `complete` with the last. To say the same again changes nothing."), a.answerInventory)
	handle(a, op("acknowledge-transfer-items", http.MethodPost, "/{step}/acks", "Say what has become of items",
		"To say the same again changes nothing. What failed is asked for again, up to five times in all."), a.ackItems)
}

// TransferStep is what an application is asked to do.
type TransferStep struct {
	ID        string         `json:"id" format:"uuid"`
	Transfer  string         `json:"transfer" format:"uuid"`
	App       string         `json:"app"`
	Kind      string         `json:"kind" enum:"inventory,execute,undo" doc:"Say what there is, hand it over, or give it back."`
	State     string         `json:"state" enum:"open,answered,silent,cancelled" doc:"silent: there was no answer in time, which does not say that there is nothing."`
	Person    TransferPerson `json:"person" doc:"Whose work it is."`
	WorkTypes []string       `json:"workTypes" nullable:"false" doc:"What is asked for."`
	Answer    string         `json:"answer,omitempty" enum:"items,none,unknown"`
	Items     int            `json:"items"`
	Acks      int            `json:"acks" doc:"How often the application has said something."`
	DueBy     *time.Time     `json:"dueBy,omitempty"`
	OpenedAt  *time.Time     `json:"openedAt,omitempty"`
	LastAt    *time.Time     `json:"lastAt,omitempty" doc:"When it last did."`
}

func showTransferStep(r lifecycle.TransferStepRecord) TransferStep {
	return TransferStep{
		ID: r.ID, Transfer: r.Transfer, App: r.App, Kind: r.Kind, State: r.State, Person: person(r.From), WorkTypes: none(r.WorkTypes),
		Answer: r.Answer, Items: r.Items, Acks: r.Acks, DueBy: present(r.DueBy.Time), OpenedAt: present(r.OpenedAt.Time), LastAt: present(r.LastAt.Time),
	}
}

// AppPath is embedded by the input of what is about one application.
type AppPath struct {
	Key string `path:"key" minLength:"1" maxLength:"50" pattern:"^[a-z0-9.-]+$" doc:"Key of the application."`
}

// StepPath is embedded by the input of what is about one step.
type StepPath struct {
	AppPath
	Step string `path:"step" minLength:"1" maxLength:"36" doc:"Id of the step."`
}

type listStepsInput struct {
	AppPath
	PageInput
}

type stepsOutput struct {
	Body struct {
		Items []TransferStep `json:"items" nullable:"false"`
		Next  string         `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listTransferSteps(ctx context.Context, c *Call, in *listStepsInput) (*stepsOutput, error) {
	of := "transfer-steps\x00" + in.Key
	after, err := openCursor[string](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.PageTransferSteps(ctx, c.Subject, in.Key, or(after, ""), in.Count)
	if err != nil {
		return nil, err
	}
	out := &stepsOutput{}
	out.Body.Items = make([]TransferStep, len(list))
	for i, r := range list {
		out.Body.Items[i] = showTransferStep(r)
	}
	if next != "" {
		out.Body.Next, err = sealCursor(a, c, of, next)
	}
	return out, err
}

type listStepItemsInput struct {
	StepPath
	PageInput
}

func (a *API) listStepItems(ctx context.Context, c *Call, in *listStepItemsInput) (*transferItemsOutput, error) {
	return a.itemsPage(c, "step-items\x00"+in.Key+"\x00"+in.Step, in.Cursor, func(after string) ([]lifecycle.TransferItemRecord, string, error) {
		return a.Lifecycle.PageStepItems(ctx, c.Subject, in.Key, in.Step, after, in.Count)
	})
}

// FoundItem is a thing that a person has.
type FoundItem struct {
	WorkType    string `json:"workType" maxLength:"50"`
	Ref         string `json:"ref,omitempty" maxLength:"500" doc:"What the application knows it by; not of work types that are not itemised."`
	Label       string `json:"label,omitempty" maxLength:"500" doc:"What people know it by."`
	SubAccount  string `json:"subAccount,omitempty" maxLength:"100" doc:"Key of the sub-account that it is of."`
	SuggestedTo string `json:"suggestedTo,omitempty" maxLength:"36" doc:"Id of who would do well to get it."`
	Count       int    `json:"count,omitempty" minimum:"0" maximum:"1000000000" doc:"How many things it stands for."`
}

type inventoryInput struct {
	StepPath
	Body struct {
		Answer   string      `json:"answer" enum:"items,none,unknown" doc:"unknown: the application does not know the person."`
		Items    []FoundItem `json:"items,omitempty" nullable:"false" maxItems:"500"`
		Complete bool        `json:"complete,omitempty" doc:"There are no more."`
	}
}

type stepOutput struct{ Body TransferStep }

func (a *API) answerInventory(ctx context.Context, c *Call, in *inventoryInput) (*stepOutput, error) {
	found := make([]lifecycle.FoundItem, len(in.Body.Items))
	for i, f := range in.Body.Items {
		found[i] = lifecycle.FoundItem(f)
	}
	r, err := a.Lifecycle.AnswerInventory(ctx, c.Subject, in.Key, in.Step, in.Body.Answer, found, in.Body.Complete)
	if err != nil {
		return nil, err
	}
	return &stepOutput{showTransferStep(*r)}, nil
}

// ItemAck is what an application says of one item.
type ItemAck struct {
	ID     string `json:"id" maxLength:"36" doc:"Id of the item."`
	State  string `json:"state" enum:"done,failed,partial" doc:"partial: some of it was done, and the rest is to be asked for again."`
	Detail string `json:"detail,omitempty" maxLength:"500" doc:"For people."`
}

// AckedItem is what was made of it.
type AckedItem struct {
	ID      string `json:"id"`
	State   string `json:"state,omitempty" doc:"Of the item."`
	Outcome string `json:"outcome" enum:"recorded,already,unknown_item,not_asked"`
}

type ackInput struct {
	StepPath
	Body struct {
		Items []ItemAck `json:"items" nullable:"false" minItems:"1" maxItems:"500"`
	}
}

type ackOutput struct {
	Body struct {
		Items []AckedItem `json:"items" nullable:"false"`
	}
}

func (a *API) ackItems(ctx context.Context, c *Call, in *ackInput) (*ackOutput, error) {
	acks := make([]lifecycle.ItemAck, len(in.Body.Items))
	for i, k := range in.Body.Items {
		acks[i] = lifecycle.ItemAck(k)
	}
	list, err := a.Lifecycle.AckItems(ctx, c.Subject, in.Key, in.Step, acks)
	if err != nil {
		return nil, err
	}
	out := &ackOutput{}
	out.Body.Items = make([]AckedItem, len(list))
	for i, k := range list {
		out.Body.Items[i] = AckedItem(k)
	}
	return out, nil
}
