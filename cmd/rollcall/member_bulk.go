package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
	"rollcall/lifecycle"
)

// maxIDs is how many bytes of ids one request takes.
const maxIDs = 4 << 20

func (a *app) memberBulk() *cobra.Command {
	var filter admin.BulkFilter
	var args admin.BulkArgs
	var ids, until string
	var yes bool
	cmd := &cobra.Command{
		Use: "bulk ACTION", Short: "Do one thing to many members", Args: cobra.ExactArgs(1),
		Long: `Do one thing to many members: deactivate, activate, remove, change-role or change-occupation. Who is meant is said
by a file of ids or by --status, --with-role, --with-occupation and --query. What would become of each is worked
out and printed; --yes does it. What is refused for one is done for the others.`,
		Example: `  rollcall member bulk deactivate --with-occupation seasonal --reason leave --until 2027-04-01
  rollcall member bulk change-role --ids ids.txt --role member --yes`,
	}
	f := cmd.Flags()
	f.StringVar(&ids, "ids", "", "file with the ids of the members, - for standard input")
	f.StringVar(&filter.Status, "status", "", "who is active or deactivated")
	f.StringVar(&filter.Role, "with-role", "", "who has this role")
	f.StringVar(&filter.Occupation, "with-occupation", "", "who has this occupation")
	f.StringVar(&filter.Q, "query", "", "who has this in a name or an address")
	f.StringVar(&args.Reason, "reason", "", "of deactivate: leave, terminated, expired or other")
	f.StringVar(&until, "until", "", "of deactivate: when access comes back by itself")
	f.StringVar(&args.Note, "note", "", "of deactivate: for administrators")
	f.StringSliceVar(&args.Roles, "role", nil, "of change-role: key of a role that they are to have; may be repeated")
	f.StringVar(&args.Primary, "primary", "", "of change-role: key of the main one")
	f.StringVar(&args.Occupation, "occupation", "", "of change-occupation: the one that they are to have")
	f.StringSliceVar(&args.AckLosses, "ack-loss", nil, "what they are known to lose; may be repeated")
	f.BoolVar(&yes, "yes", false, "do it")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, words []string) (*result, error) {
		ctx := cmd.Context()
		at, err := parseInstant("--until", until, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		args.Until = at
		in := map[string]any{"action": words[0], "args": &args, "dryRun": !yes}
		switch {
		case (ids != "") == (filter != admin.BulkFilter{}):
			return nil, usageError{errors.New("say who is meant, by --ids or by --status, --with-role, --with-occupation, --query")}
		case ids != "":
			text, err := readInput(cmd, []string{ids}, maxIDs)
			if err != nil {
				return nil, err
			}
			in["ids"] = strings.Fields(string(text))
		default:
			in["filter"] = filter
		}
		if words[0] == lifecycle.BulkRemove {
			if err := a.acknowledgeRemovals(ctx, r, &args); err != nil {
				return nil, err
			}
		}
		return a.startBulk(ctx, r, membersPath+"/actions/bulk", in, yes)
	})
}

// acknowledgeRemovals shows what removing means; that it is done at all takes --yes.
func (a *app) acknowledgeRemovals(ctx context.Context, r *remote, args *admin.BulkArgs) error {
	var st lifecycle.Statements
	if err := r.do(ctx, http.MethodGet, "/removal-effects", nil, nil, &st); err != nil {
		return err
	}
	texts := make([]string, len(st.Statements))
	for i, s := range st.Statements {
		args.Acknowledge, texts[i] = append(args.Acknowledge, s.ID), s.Text
	}
	args.EffectsVersion = st.Version
	return a.confirm(true, "Removing somebody means:", texts...)
}

// startBulk starts a job about members and waits for it.
func (a *app) startBulk(ctx context.Context, r *remote, path string, in map[string]any, yes bool) (*result, error) {
	var job admin.Job
	if err := r.do(ctx, http.MethodPost, path, nil, in, &job); err != nil {
		return nil, err
	}
	res, err := a.awaitJob(ctx, r, job.ID)
	if err != nil {
		return nil, err
	}
	text := res.text
	res.text = func(w io.Writer) error {
		if err := a.problemRows(ctx, r, job.ID, w); err != nil {
			return err
		}
		if err := text(w); err != nil || yes {
			return err
		}
		_, err := io.WriteString(w, "Nothing was done: add --yes if that is what you want\n")
		return err
	}
	return res, nil
}
