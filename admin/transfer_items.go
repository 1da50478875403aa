package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
)

func (a *API) transferItemEndpoints() {
	handle(a, operation{
		id: "list-transfer-items", method: http.MethodGet, path: "/transfers/{id}/items", tag: transfersTag, summary: "What a transfer hands over",
	}, a.listTransferItems)
	handle(a, operation{
		id: "choose-transfer-items", method: http.MethodPatch, path: "/transfers/{id}/items", tag: transfersTag, summary: "Say of single items who gets them",
		detail: "Against the rules: up to 500 at once, all or none. An approval lapses.",
	}, a.chooseTransferItems)
	handle(a, operation{
		id: "get-transfer-report", method: http.MethodGet, path: "/transfers/{id}/report", tag: transfersTag, summary: "The evidence of a transfer",
		detail: "Who decided what and when, what each application was asked and said, and what has become of everything.",
	}, a.transferReport)
}

// TransferItem is a thing that is handed over, or all things of a kind.
type TransferItem struct {
	ID          string     `json:"id" format:"uuid"`
	App         string     `json:"app"`
	WorkType    string     `json:"workType"`
	Ref         string     `json:"ref,omitempty" doc:"What the application knows it by."`
	Label       string     `json:"label,omitempty"`
	SubAccount  string     `json:"subAccount,omitempty"`
	SuggestedTo string     `json:"suggestedTo,omitempty" doc:"Whom the application suggests."`
	Count       int        `json:"count,omitempty" doc:"How many things it stands for."`
	Chosen      string     `json:"chosen,omitempty" doc:"Who was chosen for it, against the rules."`
	Keep        bool       `json:"keep,omitempty"`
	State       string     `json:"state" enum:"found,kept,pending,done,failed,cancelled,undoing,undone"`
	From        string     `json:"from,omitempty"`
	To          string     `json:"to,omitempty" doc:"Id of who gets it."`
	Attempts    int        `json:"attempts,omitempty" doc:"How often it went wrong."`
	NextAt      *time.Time `json:"nextAt,omitempty" doc:"When it is tried again."`
	Code        string     `json:"code,omitempty" doc:"Why it went wrong."`
	Detail      string     `json:"detail,omitempty" doc:"The same for people, as the application says it."`
	At          *time.Time `json:"at,omitempty" doc:"Since when it is as it is."`
	Moved       int        `json:"moved,omitempty" doc:"Of what Rollcall itself has: how many have moved."`
	Left        int        `json:"left,omitempty" doc:"How many could not."`
}

func showTransferItem(r lifecycle.TransferItemRecord) TransferItem {
	return TransferItem{
		ID: r.ID, App: r.App, WorkType: r.WorkType, Ref: r.Ref, Label: r.Label, SubAccount: r.SubAccount, SuggestedTo: r.SuggestedTo,
		Count: r.Count, Chosen: r.Chosen, Keep: r.Keep, State: r.State, From: r.From, To: r.To, Attempts: r.Attempts,
		NextAt: present(r.NextAt.Time), Code: r.Code, Detail: r.Detail, At: present(r.At.Time), Moved: r.MovedCount, Left: r.Left,
	}
}

type listTransferItemsInput struct {
	IDPath
	PageInput
	State string `query:"state" enum:"found,kept,pending,done,failed,cancelled,undoing,undone"`
}

type transferItemsOutput struct {
	Body struct {
		Items []TransferItem `json:"items" nullable:"false"`
		Next  string         `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

// itemsPage pages through items by id.
func (a *API) itemsPage(c *Call, of, cursor string, read func(after string) ([]lifecycle.TransferItemRecord, string, error)) (*transferItemsOutput, error) {
	after, err := openCursor[string](a, c, of, cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := read(or(after, ""))
	if err != nil {
		return nil, err
	}
	out := &transferItemsOutput{}
	out.Body.Items = make([]TransferItem, len(list))
	for i, r := range list {
		out.Body.Items[i] = showTransferItem(r)
	}
	if next != "" {
		out.Body.Next, err = sealCursor(a, c, of, next)
	}
	return out, err
}

func (a *API) listTransferItems(ctx context.Context, c *Call, in *listTransferItemsInput) (*transferItemsOutput, error) {
	return a.itemsPage(c, "transfer-items\x00"+in.ID+"\x00"+in.State, in.Cursor, func(after string) ([]lifecycle.TransferItemRecord, string, error) {
		return a.Lifecycle.PageTransferItems(ctx, c.Subject, in.ID, in.State, after, in.Count)
	})
}

type chooseItemsInput struct {
	IDPath
	Body struct {
		Items []ChosenItem `json:"items" nullable:"false" minItems:"1" maxItems:"500"`
	}
}

// ChosenItem says who gets one item.
type ChosenItem struct {
	ID   string `json:"id" maxLength:"36" doc:"Id of the item."`
	To   string `json:"to,omitempty" maxLength:"36" doc:"Id of who gets it; empty: whom the rules say."`
	Keep bool   `json:"keep,omitempty" doc:"It stays where it is."`
}

func (a *API) chooseTransferItems(ctx context.Context, c *Call, in *chooseItemsInput) (*entry[Transfer], error) {
	choices := make([]lifecycle.ItemChoice, len(in.Body.Items))
	for i, x := range in.Body.Items {
		choices[i] = lifecycle.ItemChoice(x)
	}
	return transferAnswer(a.Lifecycle.ChooseItems(ctx, c.Subject, in.ID, choices))
}

// TransferReport is the evidence of a transfer.
type TransferReport struct {
	Transfer Transfer        `json:"transfer"`
	Log      []TransferEvent `json:"log" nullable:"false" doc:"Who decided what, and what the server did."`
	Steps    []TransferStep  `json:"steps" nullable:"false" doc:"What the applications were asked, and said."`
	Counts   []TransferCount `json:"counts" nullable:"false" doc:"What has become of everything."`
}

// TransferEvent is a line of the report.
type TransferEvent struct {
	At   time.Time      `json:"at"`
	By   TransferPerson `json:"by"`
	What string         `json:"what"`
	N    int            `json:"n,omitempty"`
}

// TransferCount is how many items of a work type are in a state.
type TransferCount struct {
	App      string `json:"app"`
	WorkType string `json:"workType"`
	State    string `json:"state"`
	Items    int    `json:"items"`
	Things   int    `json:"things" doc:"How many things they stand for."`
	Left     int    `json:"left,omitempty" doc:"How many of Rollcall's own could not be moved."`
}

type transferReportOutput struct{ Body TransferReport }

func (a *API) transferReport(ctx context.Context, c *Call, in *IDPath) (*transferReportOutput, error) {
	r, err := a.Lifecycle.ReportTransfer(ctx, c.Subject, in.ID)
	if err != nil {
		return nil, err
	}
	out := &transferReportOutput{TransferReport{
		Transfer: showTransfer(r.Transfer), Log: []TransferEvent{}, Steps: []TransferStep{}, Counts: []TransferCount{},
	}}
	for _, e := range r.Transfer.Log {
		out.Body.Log = append(out.Body.Log, TransferEvent{e.At.Time, person(e.By), e.What, e.N})
	}
	for _, s := range r.Steps {
		out.Body.Steps = append(out.Body.Steps, showTransferStep(s))
	}
	for _, n := range r.Counts {
		out.Body.Counts = append(out.Body.Counts, TransferCount(n))
	}
	return out, nil
}
