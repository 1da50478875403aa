package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
)

const invitesPath = "/invites"

func (a *app) invite() *cobra.Command {
	return group("invite", "Invite people, and look after open invites",
		"An invite is a mail, or a link to hand out, by which somebody becomes a member of the organization.",
		a.inviteList(), a.inviteShow(), a.inviteCreate(), a.inviteBulk(), a.inviteImport(), a.inviteChange(), a.inviteResend(), a.inviteRevoke(),
		a.inviteLink(), a.inviteReissue(), a.inviteExport())
}

func (a *app) inviteList() *cobra.Command {
	var status, q, inviter, sort string
	var desc bool
	cmd := &cobra.Command{
		Use: "list", Short: "List invites", Args: cobra.NoArgs,
		Example: "  rollcall invite list --status pending --sort expiresAt",
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only those that are pending, accepted, declined, revoked, expired or failed")
	f.StringVar(&q, "query", "", "only those with this in the address")
	f.StringVar(&inviter, "inviter", "", "only those by this person or token, by id")
	f.StringVar(&sort, "sort", "", "email, status, expiresAt, created or occupation")
	f.BoolVar(&desc, "desc", false, "the other way round")
	query := func() url.Values {
		v := url.Values{}
		setQuery(v, "status", status)
		setQuery(v, "q", q)
		setQuery(v, "inviter", inviter)
		setQuery(v, "sort", sort)
		if desc {
			v.Set("desc", "true")
		}
		return v
	}
	return listing(a, cmd, always(invitesPath), query,
		[]string{"ID", "EMAIL", "STATUS", "ROLES", "OCCUPATION", "EXPIRES", "SENT", "MAIL"},
		func(i *admin.Invite) []string {
			mailed := ""
			if i.Mail != nil {
				mailed = i.Mail.State
			}
			return []string{
				i.ID, i.Email, i.Status, values(i.Roles), i.Occupation, formatTime(i.ExpiresAt), strconv.Itoa(i.SendCount), mailed,
			}
		})
}

func (a *app) inviteShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show an invite", Args: cobra.ExactArgs(1)}
	return showing(a, cmd, one(invitesPath+"/", ""), inviteDetails)
}

func inviteDetails(i *admin.Invite) []string {
	pairs := []string{
		"ID", i.ID, "Email", i.Email, "Kind", i.Kind, "Status", i.Status, "Why", i.Reason, "Name", nameOf(i.Name), "Roles", values(i.Roles),
		"Occupation", i.Occupation, "Entitlements", values(i.Entitlements), "Groups", values(i.Groups), "Clients", values(i.Clients),
		"Delivery", i.Delivery, "Expires", formatTime(i.ExpiresAt), "Sent", strconv.Itoa(i.SendCount) + " times", "Last sent", formatTime(i.LastSentAt),
	}
	if m := i.Mail; m != nil {
		pairs = append(pairs, "Mail", m.State, "Server said", strings.TrimSpace(m.Code+" "+m.Detail), "Meant", m.Suggestion)
	}
	if i.Inviter != nil {
		pairs = append(pairs, "Invited by", i.Inviter.Display)
	}
	if i.AcceptedUser != nil {
		pairs = append(pairs, "Member", i.AcceptedUser.Value)
	}
	if i.MaxUses > 0 {
		pairs = append(pairs, "Used", fmt.Sprintf("%d of %d times", i.Uses, i.MaxUses))
	}
	return append(pairs, "Created", formatTime(&i.Created))
}

// made is a result that tells what was made, with the link if there is one.
func made(raw json.RawMessage) (*result, error) {
	var m admin.InviteMade
	if json.Unmarshal(raw, &m) != nil {
		return nil, errNotCompanion
	}
	return &result{raw, func(w io.Writer) error {
		pairs := []string{"Outcome", m.Outcome, "Join request", m.JoinRequest, "Warnings", strings.Join(m.Warnings, ", ")}
		if m.Invite != nil {
			pairs = append(pairs, "Invite", m.Invite.ID, "Email", m.Invite.Email, "Expires", formatTime(m.Invite.ExpiresAt))
		}
		return details(w, append(pairs, "Link, shown only now", m.Link)...)
	}}, nil
}

func (a *app) inviteCreate() *cobra.Command {
	var delivery, expires string
	var link bool
	var uses int
	cmd := &cobra.Command{
		Use: "create [ADDRESS]", Short: "Invite a person, or make a link for several", Args: cobra.MaximumNArgs(1),
		Example: `  rollcall invite create ada@example.com --role admin --given-name Ada --family-name Lovelace
  rollcall invite create ada@example.com --delivery link
  rollcall invite create --link --max-uses 25 --expires 3d`,
	}
	f := cmd.Flags()
	g := bindGrant(cmd)
	f.StringVar(&delivery, "delivery", "", "email, link or none; email if empty")
	f.StringVar(&expires, "expires", "", "until when it can be accepted: 3d, 12h, 2027-01-31 or an RFC 3339 instant")
	f.BoolVar(&link, "link", false, "a link for several people, without an address")
	f.IntVar(&uses, "max-uses", 0, "how many people may use the link")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		if link == (len(args) == 1) {
			return nil, usageError{errNoAddress}
		}
		grant, err := g.read()
		if err != nil {
			return nil, err
		}
		at, err := parseExpiry(expires, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		in := struct {
			Email     string     `json:"email,omitempty"`
			Kind      string     `json:"kind,omitempty"`
			Delivery  string     `json:"delivery,omitempty"`
			ExpiresAt *time.Time `json:"expiresAt,omitempty"`
			MaxUses   int        `json:"maxUses,omitempty"`
			admin.InviteGrant
		}{Delivery: delivery, ExpiresAt: at, MaxUses: uses, InviteGrant: grant}
		if link {
			in.Kind = "link"
		} else {
			in.Email = args[0]
		}
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodPost, invitesPath, nil, in, &raw); err != nil {
			return nil, err
		}
		return made(raw)
	})
}

// maxPasted is how many bytes of addresses one request takes.
const maxPasted = 200_000

func (a *app) inviteBulk() *cobra.Command {
	var delivery, expires, duplicates string
	var dry bool
	cmd := &cobra.Command{
		Use: "bulk [FILE]", Short: "Invite up to 500 people, from a file or from standard input", Args: cobra.MaximumNArgs(1),
		Long: `Invite up to 500 people. The addresses are read from FILE, from standard input without one, as people write
them: separated by comma, semicolon, line end or tab, with or without names.`,
		Example: "  rollcall invite bulk team.txt --role member --dry-run",
	}
	f := cmd.Flags()
	g := bindGrant(cmd)
	f.StringVar(&delivery, "delivery", "", "email, link or none; email if empty")
	f.StringVar(&expires, "expires", "", "until when they can be accepted: 3d, 12h, 2027-01-31 or an RFC 3339 instant")
	f.StringVar(&duplicates, "on-duplicate", "", "what an address with an open invite gets: skip, resend, replace or fail; the organization's setting if empty")
	f.BoolVar(&dry, "dry-run", false, "say what would happen, and do nothing")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		grant, err := g.read()
		if err != nil {
			return nil, err
		}
		at, err := parseExpiry(expires, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		text, err := readInput(cmd, args, maxPasted)
		if err != nil {
			return nil, err
		}
		in := map[string]any{
			"recipients": string(text), "dryRun": dry,
			"common": admin.BulkCommon{Delivery: delivery, ExpiresAt: at, InviteGrant: grant},
		}
		if duplicates != "" {
			in["onDuplicate"] = duplicates
		}
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodPost, invitesPath+"/actions/bulk", nil, in, &raw); err != nil {
			return nil, err
		}
		return bulkOutcomes(raw)
	})
}

// readInput reads a file that an argument names, or standard input without one or with "-".
func readInput(cmd *cobra.Command, args []string, most int64) ([]byte, error) {
	in := cmd.InOrStdin()
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, usageError{err}
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, usageError{fmt.Errorf("the input has more than %d bytes", most)}
	}
	return text, nil
}

func bulkOutcomes(raw json.RawMessage) (*result, error) {
	var b struct {
		Outcomes []admin.BulkOutcome `json:"outcomes"`
		Totals   []admin.BulkTotal   `json:"totals"`
		DryRun   bool                `json:"dryRun"`
	}
	if json.Unmarshal(raw, &b) != nil {
		return nil, errNotCompanion
	}
	return &result{raw, func(w io.Writer) error {
		t := newTable(w, "EMAIL", "OUTCOME", "INVITE", "WARNINGS", "DETAIL")
		for _, o := range b.Outcomes {
			email := o.Email
			if email == "" {
				email = o.Input
			}
			detail := o.Detail
			if o.Link != "" {
				detail = o.Link
			}
			t.row(email, o.Outcome, o.Invite, strings.Join(o.Warnings, ","), detail)
		}
		if err := t.flush(); err != nil {
			return err
		}
		totals := make([]string, len(b.Totals))
		for i, n := range b.Totals {
			totals[i] = fmt.Sprintf("%s %d", n.Outcome, n.Count)
		}
		dry := ""
		if b.DryRun {
			dry = " (nothing was done)"
		}
		_, err := fmt.Fprintf(w, "\n%d addresses: %s%s\n", len(b.Outcomes), strings.Join(totals, ", "), dry)
		return err
	}}, nil
}

func (a *app) inviteChange() *cobra.Command {
	var expires string
	cmd := &cobra.Command{
		Use: "change ID", Short: "Change what an open invite gives and says", Args: cobra.ExactArgs(1),
		Example: "  rollcall invite change 0198c0de-0000-7000-8000-000000000000 --role manager",
	}
	g := bindGrant(cmd)
	cmd.Flags().StringVar(&expires, "expires", "", "until when it can be accepted")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		grant, err := g.read()
		if err != nil {
			return nil, err
		}
		at, err := parseExpiry(expires, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		in := struct {
			ExpiresAt *time.Time `json:"expiresAt,omitempty"`
			admin.InviteGrant
		}{at, grant}
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodPatch, one(invitesPath+"/", "")(args), nil, in, &raw); err != nil {
			return nil, err
		}
		return shown(raw, inviteDetails)
	})
}

func (a *app) inviteResend() *cobra.Command {
	return a.many(&cobra.Command{
		Use: "resend ID...", Short: "Mail invites again, with new links",
		Long: "Mail invites again. Earlier links are dead, and the time to accept starts again. At most once a minute each.",
	}, "sent again", one(invitesPath+"/", "/actions/resend"), nil)
}

func (a *app) inviteRevoke() *cobra.Command {
	var all, yes bool
	var inviter, reason string
	cmd := &cobra.Command{
		Use: "revoke ID... | --all", Short: "End open invites: their links are dead at once",
		Example: "  rollcall invite revoke 0198c0de-0000-7000-8000-000000000000 --reason \"wrong address\"\n  rollcall invite revoke --all --inviter 0198c0de-0000-7000-8000-000000000001 --yes",
		Args:    cobra.ArbitraryArgs,
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "why, for administrators")
	f.BoolVar(&all, "all", false, "every open invite")
	f.StringVar(&inviter, "inviter", "", "with --all: only those by this person or token, by id")
	f.BoolVar(&yes, "yes", false, "with --all: do it")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		ctx := cmd.Context()
		switch {
		case all == (len(args) > 0):
			return nil, usageError{errors.New("name the invites, or all of them by --all")}
		case all:
			return a.revokeAll(ctx, r, yes, inviter, reason)
		}
		return each(args, "revoked", func(id string) (json.RawMessage, error) {
			var raw json.RawMessage
			err := r.do(ctx, http.MethodPost, one(invitesPath+"/", "/actions/revoke")([]string{id}), nil, map[string]string{"reason": reason}, &raw)
			return raw, err
		})
	})
}

func (a *app) revokeAll(ctx context.Context, r *remote, yes bool, inviter, reason string) (*result, error) {
	q := url.Values{"status": {"pending"}}
	setQuery(q, "inviter", inviter)
	open, more, err := r.list(ctx, invitesPath, q, pageSize)
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(len(open))
	if more {
		n = "more than " + n
	}
	if err := a.confirm(yes, "Open invites that this ends: "+n+". Their links are dead at once and stay so."); err != nil {
		return nil, err
	}
	var out struct {
		Revoked int `json:"revoked"`
	}
	in := map[string]string{"inviter": inviter, "reason": reason}
	if err := r.do(ctx, http.MethodPost, invitesPath+"/actions/revoke-all", nil, in, &out); err != nil {
		return nil, err
	}
	return said(out, "Revoked %d invites.", out.Revoked), nil
}

func (a *app) inviteLink() *cobra.Command {
	cmd := &cobra.Command{
		Use: "link ID", Short: "Make a link of an invite to hand out; it is shown this once", Args: cobra.ExactArgs(1),
		Long: `Make a link to hand out. Whoever holds it proves the address by a mailed code or by a login. The link that was
mailed works on; one handed out before is dead.`,
	}
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodPost, one(invitesPath+"/", "/actions/link")(args), nil, nil, &raw); err != nil {
			return nil, err
		}
		return shown(raw, func(l *struct {
			Link string `json:"link"`
		},
		) []string {
			return []string{"Link, shown only now", l.Link}
		})
	})
}

func (a *app) inviteReissue() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reissue ID ADDRESS", Short: "Replace an invite by one to the right address", Args: cobra.ExactArgs(2),
	}
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var raw json.RawMessage
		in := map[string]string{"email": args[1]}
		if err := r.do(cmd.Context(), http.MethodPost, one(invitesPath+"/", "/actions/reissue")(args), nil, in, &raw); err != nil {
			return nil, err
		}
		return made(raw)
	})
}

func (a *app) inviteExport() *cobra.Command {
	var status, format, output string
	cmd := &cobra.Command{
		Use: "export", Short: "Write all invites as CSV or as lines of JSON", Args: cobra.NoArgs,
		Example: "  rollcall invite export --format csv --output invites.csv",
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only those of this status")
	f.StringVar(&format, "format", "ndjson", "ndjson or csv")
	f.StringVar(&output, "output", "", "file to write, which must not exist; standard output if empty")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, _ []string) (*result, error) {
		q := url.Values{"format": {format}}
		setQuery(q, "status", status)
		return a.download(cmd.Context(), r, invitesPath+"/actions/export", q, output)
	})
}

// download writes an answer to a file that must not exist, or to standard output.
func (a *app) download(ctx context.Context, r *remote, path string, q url.Values, output string) (*result, error) {
	resp, err := r.send(ctx, http.MethodGet, path, q, "", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	to := a.stdout
	var file *os.File
	if output != "" {
		if file, err = os.OpenFile(output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return nil, err
		}
		to = file
	}
	n, err := io.Copy(to, resp.Body)
	if file == nil {
		return nil, err
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("the file is not complete: %w", err), os.Remove(output))
	}
	return said(map[string]any{"file": output, "bytes": n}, "Wrote %d bytes to %s.", n, output), nil
}
