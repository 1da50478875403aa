package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

const jobsPath = "/jobs"

func (a *app) job() *cobra.Command {
	return group("job", "Look after what is done to many",
		"A job does one thing to many, bit by bit: imports of people, changes of many members. Each thing has its outcome.",
		a.jobList(), a.jobShow(), a.jobRows(), a.jobCommit(), a.jobCancel(), a.jobExport())
}

func (a *app) jobList() *cobra.Command {
	var kind, state string
	cmd := &cobra.Command{Use: "list", Short: "List jobs", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&kind, "kind", "", "only import-invites or members")
	cmd.Flags().StringVar(&state, "state", "", "only those that are uploaded, previewing, ready, running, done, cancelled or failed")
	query := func() url.Values {
		v := url.Values{}
		setQuery(v, "kind", kind)
		setQuery(v, "state", state)
		return v
	}
	return listing(a, cmd, always(jobsPath), query, []string{"ID", "KIND", "STATE", "DONE", "OF", "CREATED", "BY"},
		func(j *admin.Job) []string {
			return []string{j.ID, j.Kind, j.State, strconv.Itoa(j.Done), strconv.Itoa(j.Total), formatTime(&j.Created), j.By.Display}
		})
}

func (a *app) jobShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show a job, with how far it is", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(jobsPath+"/", ""), jobDetails)
}

func jobDetails(j *admin.Job) []string {
	return []string{
		"Job", j.ID, "Kind", strings.TrimSpace(j.Kind + " " + j.Action), "State", j.State, "Done", fmt.Sprintf("%d of %d", j.Done, j.Total),
		"Outcomes", totalsText(j.Outcomes), "Waits until", optional(j.ResumesAt), "Why", strings.TrimSpace(j.Detail + " " + j.Code),
		"Columns", strings.Join(j.Columns, ", "), "Kept until", optional(j.ExpiresAt),
	}
}

// optional is an instant, or nothing.
func optional(t *time.Time) string {
	if t == nil {
		return ""
	}
	return formatTime(t)
}

func totalsText(list []admin.BulkTotal) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = fmt.Sprintf("%s %d", n.Outcome, n.Count)
	}
	return strings.Join(texts, ", ")
}

func (a *app) jobRows() *cobra.Command {
	outcome := ""
	cmd := &cobra.Command{
		Use: "rows ID", Short: "List what became of each thing", Args: cobra.ExactArgs(1),
		Example: "  rollcall job rows 0198c0de-0000-7000-8000-000000000000 --outcome invalid_address",
	}
	cmd.Flags().StringVar(&outcome, "outcome", "", "only those with this outcome")
	query := func() url.Values {
		v := url.Values{}
		setQuery(v, "outcome", outcome)
		return v
	}
	return listing(a, cmd, one(jobsPath+"/", "/rows"), query, rowHead(), rowCells)
}

func rowHead() []string { return []string{"ROW", "ABOUT", "OUTCOME", "WARNINGS", "DETAIL"} }

func rowCells(r *admin.JobRow) []string {
	line, detail := "", r.Detail
	if r.Line > 0 {
		line = strconv.Itoa(r.Line)
	}
	if len(r.Lost) > 0 {
		detail = strings.TrimSpace(detail + " (" + strings.Join(r.Lost, ", ") + ")")
	}
	return []string{line, r.About, r.Outcome, strings.Join(r.Warnings, ","), detail}
}

func (a *app) jobCommit() *cobra.Command {
	cmd := &cobra.Command{Use: "commit ID", Short: "Carry out what was previewed, and wait for it", Args: cobra.ExactArgs(1)}
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		return a.carryOut(cmd.Context(), r, args[0])
	})
}

func (a *app) carryOut(ctx context.Context, r *remote, id string) (*result, error) {
	if err := r.do(ctx, http.MethodPost, jobsPath+"/"+url.PathEscape(id)+"/actions/commit", nil, nil, nil); err != nil {
		return nil, err
	}
	return a.awaitJob(ctx, r, id)
}

func (a *app) jobCancel() *cobra.Command {
	return a.many(&cobra.Command{Use: "cancel ID...", Short: "End jobs; what was done stays done"},
		"cancelled", one(jobsPath+"/", "/actions/cancel"), nil)
}

func (a *app) jobExport() *cobra.Command {
	output := ""
	cmd := &cobra.Command{Use: "export ID", Short: "Write what became of each thing as CSV", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVar(&output, "output", "", "file to write, which must not exist; standard output if empty")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		return a.download(cmd.Context(), r, one(jobsPath+"/", "/actions/export")(args), nil, output)
	})
}

const (
	// awaitPoll is how often a command asks how far a job is, awaitTold how often it says so.
	awaitPoll = 250 * time.Millisecond
	awaitTold = 5 * time.Second
)

// awaitJob waits until a job is worked out, done, or waits itself for long. Where no server works on it this process does.
func (a *app) awaitJob(ctx context.Context, r *remote, id string) (*result, error) {
	told := time.Now()
	for {
		if r.work != nil {
			if err := r.work(ctx); err != nil {
				return nil, err
			}
		}
		var raw json.RawMessage
		if err := r.do(ctx, http.MethodGet, jobsPath+"/"+url.PathEscape(id), nil, nil, &raw); err != nil {
			return nil, err
		}
		var j admin.Job
		if json.Unmarshal(raw, &j) != nil {
			return nil, errNotCompanion
		}
		switch {
		case j.State == "failed":
			return nil, fmt.Errorf("the job failed: %s (%s)", printable(j.Detail), printable(j.Code))
		case j.State != "previewing" && j.State != "running", j.ResumesAt != nil && time.Until(*j.ResumesAt) > awaitTold:
			return shown(raw, jobDetails)
		}
		if time.Since(told) > awaitTold {
			told = time.Now()
			fmt.Fprintf(a.stderr, "%s: %d of %d\n", j.State, j.Done, j.Total)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(awaitPoll):
		}
	}
}

// problemRows are the rows of a job that nothing would be made of, for people to look at before they say go.
func (a *app) problemRows(ctx context.Context, r *remote, id string, w io.Writer) error {
	const most = 50
	printed := 0
	t := newTable(w, rowHead()...)
	q := url.Values{"count": {"500"}}
	for {
		var p pageOf
		if err := r.do(ctx, http.MethodGet, jobsPath+"/"+url.PathEscape(id)+"/rows", q, nil, &p); err != nil {
			return err
		}
		rows, err := decodeAll[admin.JobRow](p.Items)
		if err != nil {
			return err
		}
		for i := range rows {
			if strings.HasPrefix(rows[i].Outcome, "created") || rows[i].Outcome == "would_be_done" || rows[i].Outcome == "done" {
				continue
			}
			if printed++; printed <= most {
				t.row(rowCells(&rows[i])...)
			}
		}
		if p.Next == "" || printed > most {
			break
		}
		q.Set("cursor", p.Next)
	}
	if printed == 0 {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	if printed > most {
		_, err := fmt.Fprintf(w, "... and more: rollcall job rows %s\n", id)
		return err
	}
	return nil
}
