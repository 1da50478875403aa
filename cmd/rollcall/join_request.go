package main

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

const joinsPath = "/join-requests"

func (a *app) joinRequest() *cobra.Command {
	return group("join-request", "Decide who is let in that asked to be",
		"A join request is somebody's wish to become a member of the organization. None is listed before its address is proved.",
		a.joinList(), a.joinShow(), a.joinApprove(), a.joinDecline())
}

func (a *app) joinList() *cobra.Command {
	var status, q, sort string
	var desc bool
	cmd := &cobra.Command{
		Use: "list", Short: "List join requests", Args: cobra.NoArgs, Example: "  rollcall join-request list --status pending",
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only those that are pending, approved, declined, withdrawn, expired or superseded")
	f.StringVar(&q, "query", "", "only those with this in the address")
	f.StringVar(&sort, "sort", "", "email, status, expiresAt, created or decidedAt")
	f.BoolVar(&desc, "desc", false, "the other way round")
	query := func() url.Values {
		v := url.Values{}
		setQuery(v, "status", status)
		setQuery(v, "q", q)
		setQuery(v, "sort", sort)
		if desc {
			v.Set("desc", "true")
		}
		return v
	}
	return listing(a, cmd, always(joinsPath), query, []string{"ID", "EMAIL", "NAME", "STATUS", "SOURCE", "CREATED", "EXPIRES"},
		func(j *admin.JoinRequest) []string {
			return []string{j.ID, j.Email, nameOf(j.Name), j.Status, j.Source, formatTime(&j.Created), formatTime(j.ExpiresAt)}
		})
}

func (a *app) joinShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show a join request", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(joinsPath+"/", ""), joinDetails)
}

func joinDetails(j *admin.JoinRequest) []string {
	pairs := []string{
		"ID", j.ID, "Email", j.Email, "Status", j.Status, "Name", nameOf(j.Name), "Message", j.Message, "Source", j.Source,
		"Wants to be", j.OccupationRequested, "Wants the role", j.RoleRequested, "Created", formatTime(&j.Created), "Expires", formatTime(j.ExpiresAt),
	}
	if d := j.Decision; d != nil {
		pairs = append(pairs, "Decided by", d.Display, "Reason", d.ReasonCode, "Note", d.Note)
	}
	return append(pairs, "Led to", j.Result)
}

func (a *app) joinApprove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve ID...", Short: "Let people in who asked",
		Long: `Let people in: at once if they have proved the address and signed in, else by an invite. Without flags they get
what was proposed, else what invites give.`,
		Example: "  rollcall join-request approve 0198c0de-0000-7000-8000-000000000000 --role member --occupation nurse",
	}
	g := bindGiven(cmd)
	return a.many(cmd, "approved", one(joinsPath+"/", "/actions/approve"), func() any {
		if given := g.read(); given != nil {
			return given
		}
		return nil
	})
}

func (a *app) joinDecline() *cobra.Command {
	var why admin.DeclineBody
	cmd := &cobra.Command{Use: "decline ID...", Short: "Refuse join requests", Args: cobra.MinimumNArgs(1)}
	f := cmd.Flags()
	f.StringVar(&why.ReasonCode, "reason-code", "", "why in a word, for programs")
	f.StringVar(&why.Note, "note", "", "why, for people")
	f.BoolVar(&why.Visible, "tell", false, "whoever asked is told the note")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		return each(args, "declined", func(id string) (json.RawMessage, error) {
			var raw json.RawMessage
			err := r.do(cmd.Context(), http.MethodPost, one(joinsPath+"/", "/actions/decline")([]string{id}), nil, &why, &raw)
			return raw, err
		})
	})
}
