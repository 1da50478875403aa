package admin

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/sheet"
	"rollcall/lifecycle"
	"rollcall/scim"
	"rollcall/scim/query"
)

const jobTag = "Jobs"

// Job is something that is done to many, bit by bit.
type Job struct {
	ID        string      `json:"id" format:"uuid"`
	Kind      string      `json:"kind" enum:"import-invites,members"`
	State     string      `json:"state" enum:"uploaded,previewing,ready,running,done,cancelled,failed"`
	Total     int         `json:"total" doc:"How many things it is about."`
	Done      int         `json:"done" doc:"How many of them are decided; in a preview, worked out."`
	Outcomes  []BulkTotal `json:"outcomes" nullable:"false" doc:"What became of those."`
	By        Reference   `json:"by" doc:"In whose name it is done."`
	Created   time.Time   `json:"created"`
	StartedAt *time.Time  `json:"startedAt,omitempty"`
	EndedAt   *time.Time  `json:"endedAt,omitempty"`
	ResumesAt *time.Time  `json:"resumesAt,omitempty" doc:"It waits until then, for a limit of the organization."`
	ExpiresAt *time.Time  `json:"expiresAt,omitempty" doc:"When it is thrown away, with its rows."`
	Code      string      `json:"code,omitempty" doc:"Why it failed."`
	Detail    string      `json:"detail,omitempty" doc:"The same for people."`

	Columns []string `json:"columns,omitempty" nullable:"false" doc:"Of the file of an import."`
	Mapping *Mapping `json:"mapping,omitempty"`

	Action string `json:"action,omitempty" doc:"What is done to members."`
	DryRun bool   `json:"dryRun,omitempty" doc:"Nothing is done: the outcomes are what would become of each."`
}

// Mapping says what the columns of a file hold.
type Mapping = lifecycle.Mapping

func showJob(r *lifecycle.JobRecord) Job {
	out := Job{
		ID: r.ID, Kind: r.Kind, State: r.State, Total: r.Total, Done: r.Done, Outcomes: []BulkTotal{}, By: *showRef(&r.By), Created: r.Created,
		StartedAt: showTime(r.Started), EndedAt: showTime(r.Ended), ResumesAt: showTime(r.Due), ExpiresAt: showTime(r.Until),
		Code: r.Code, Detail: r.Detail, Columns: r.Columns, Mapping: r.Mapping, Action: r.Action, DryRun: r.DryRun,
	}
	for o, n := range r.Outcomes {
		out.Outcomes = append(out.Outcomes, BulkTotal{o, n})
	}
	slices.SortFunc(out.Outcomes, func(a, b BulkTotal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Outcome, b.Outcome))
	})
	return out
}

// JobRow is one thing that a job is about, and what became of it.
type JobRow struct {
	Line        int      `json:"line,omitempty" doc:"Of the file."`
	About       string   `json:"about" doc:"The address as the file has it, or the id of the member."`
	Outcome     string   `json:"outcome,omitempty" doc:"None while it is not decided. Of invites as in a bulk request, and invalid_value; of members done, would_be_done or the code of a refusal."`
	Email       string   `json:"email,omitempty"`
	Detail      string   `json:"detail,omitempty" doc:"A sentence for people."`
	Warnings    []string `json:"warnings" nullable:"false"`
	Invite      string   `json:"invite,omitempty" doc:"Id of the invite."`
	JoinRequest string   `json:"joinRequest,omitempty"`
	User        string   `json:"user,omitempty" doc:"Id of the member."`
	Lost        []string `json:"lost,omitempty" nullable:"false" doc:"What the member loses by it."`
}

func showJobRow(r *lifecycle.JobRow) JobRow {
	return JobRow{
		r.Line, r.About, r.Outcome, r.Email, r.Detail, none(r.Warnings), r.Invite, r.JoinRequest, r.User, r.Lost,
	}
}

// JobPath is embedded by the input of what is about one job.
type JobPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the job."`
}

type jobOutput struct {
	ETag string `header:"ETag"`
	Body Job
}

func jobAnswer(r *lifecycle.JobRecord, err error) (*jobOutput, error) {
	if err != nil {
		return nil, err
	}
	return &jobOutput{scim.ETag(r.Version), showJob(r)}, nil
}

type startedJobOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     Job
}

func startedJob(r *lifecycle.JobRecord, err error) (*startedJobOutput, error) {
	if err != nil {
		return nil, err
	}
	return &startedJobOutput{scim.ETag(r.Version), DefaultBasePath + "/jobs/" + r.ID, showJob(r)}, nil
}

func (a *API) jobEndpoints() {
	handle(a, operation{
		id: "list-jobs", method: http.MethodGet, path: "/jobs", tag: jobTag, summary: "Jobs, the newest last",
		detail: "Whoever does not administer the organization sees their own.",
	}, a.listJobs)
	handle(a, operation{
		id: "get-job", method: http.MethodGet, path: "/jobs/{id}", tag: jobTag, summary: "A job, with how far it is",
	}, func(ctx context.Context, c *Call, in *JobPath) (*jobOutput, error) {
		return jobAnswer(a.Lifecycle.GetJob(ctx, c.Subject, in.ID))
	})
	handle(a, operation{
		id: "list-job-rows", method: http.MethodGet, path: "/jobs/{id}/rows", tag: jobTag, summary: "What became of each thing",
		detail: "In the order of the file or the request. A page may be short, also empty, while there is a next one.",
	}, a.listJobRows)
	download(a, operation{
		id: "export-job", method: http.MethodGet, path: "/jobs/{id}/actions/export", tag: jobTag, summary: "What became of each thing, as CSV",
	}, "One row for each thing.", []string{csvType}, a.exportJob)
	act := func(id, action, summary, detail string, fn func(context.Context, lifecycle.Subject, string) (*lifecycle.JobRecord, error)) {
		handle(a, operation{
			id: id, method: http.MethodPost, path: "/jobs/{id}/actions/" + action, tag: jobTag, summary: summary, detail: detail,
			status: http.StatusAccepted,
		}, func(ctx context.Context, c *Call, in *JobPath) (*jobOutput, error) {
			return jobAnswer(fn(ctx, c.Subject, in.ID))
		})
	}
	act("commit-job", "commit", "Carry out what was previewed",
		"In the name of whoever says so. What is true then decides, which may have changed since the preview. Twice is no error.",
		a.Lifecycle.CommitJob)
	act("cancel-job", "cancel", "End a job", "What was done stays done. Twice is no error.", a.Lifecycle.CancelJob)
}

type listJobsInput struct {
	PageInput
	Kind  string `query:"kind" enum:"import-invites,members"`
	State string `query:"state" enum:"uploaded,previewing,ready,running,done,cancelled,failed"`
}

type jobsOutput struct {
	Body struct {
		Items []Job  `json:"items" nullable:"false"`
		Next  string `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listJobs(ctx context.Context, c *Call, in *listJobsInput) (*jobsOutput, error) {
	of := "jobs\x00" + in.Kind + "\x00" + in.State
	after, err := openCursor[query.Position](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.Jobs(ctx, c.Subject, lifecycle.JobQuery{Kind: in.Kind, State: in.State, After: after, Count: in.Count})
	if err != nil {
		return nil, err
	}
	out := &jobsOutput{}
	out.Body.Items = make([]Job, len(list))
	for i := range list {
		out.Body.Items[i] = showJob(&list[i])
	}
	if next != nil {
		out.Body.Next, err = sealCursor(a, c, of, *next)
	}
	return out, err
}

type listJobRowsInput struct {
	JobPath
	PageInput
	Outcome string `query:"outcome" maxLength:"100" doc:"Only those with this outcome."`
}

type jobRowsOutput struct {
	Body struct {
		Items []JobRow `json:"items" nullable:"false"`
		Next  string   `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listJobRows(ctx context.Context, c *Call, in *listJobRowsInput) (*jobRowsOutput, error) {
	of := "job-rows\x00" + in.ID + "\x00" + in.Outcome
	after, err := openCursor[int](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := a.Lifecycle.JobRows(ctx, c.Subject, in.ID, in.Outcome, or(after, 0), in.Count)
	if err != nil {
		return nil, err
	}
	out := &jobRowsOutput{}
	out.Body.Items = make([]JobRow, len(list))
	for i := range list {
		out.Body.Items[i] = showJobRow(&list[i])
	}
	if next >= 0 {
		out.Body.Next, err = sealCursor(a, c, of, next)
	}
	return out, err
}

func (a *API) exportJob(ctx context.Context, c *Call, in *JobPath) (*file, error) {
	return &file{mediaType: csvType, name: "job-" + in.ID + ".csv", write: func(to io.Writer) error {
		w := csv.NewWriter(to)
		if err := w.Write([]string{"row", "about", "outcome", "detail", "email", "warnings", "invite", "joinRequest", "user", "lost"}); err != nil {
			return err
		}
		err := a.Lifecycle.EachJobRow(ctx, c.Subject, in.ID, func(r *lifecycle.JobRow) error {
			line := r.Line
			if line == 0 {
				line = r.N + 1
			}
			cells := []string{
				strconv.Itoa(line), r.About, r.Outcome, r.Detail, r.Email, strings.Join(r.Warnings, " "), r.Invite, r.JoinRequest, r.User,
				strings.Join(r.Lost, " "),
			}
			for i := range cells {
				cells[i] = sheet.Cell(cells[i])
			}
			return w.Write(cells)
		})
		if err != nil {
			return err
		}
		w.Flush()
		return w.Error()
	}}, nil
}
