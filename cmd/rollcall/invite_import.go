package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/admin"
	"rollcall/lifecycle"
)

func (a *app) inviteImport() *cobra.Command {
	var delivery, expires, duplicates string
	var columns []string
	var yes bool
	cmd := &cobra.Command{
		Use: "import [FILE]", Short: "Invite up to 50,000 people from a file of CSV", Args: cobra.MaximumNArgs(1),
		Long: `Invite people from a file: CSV in UTF-8 from FILE, or from standard input. The first row may name the columns,
in any of the usual words; --map says what a column holds that is called otherwise. What would become of each
row is worked out and printed; --yes carries it out.`,
		Example: `  rollcall invite import team.csv
  rollcall invite import team.csv --map email=Kontakt --map occupation=Beruf --role member --yes`,
	}
	f := cmd.Flags()
	g := bindGrant(cmd)
	f.StringSliceVar(&columns, "map", nil, "TARGET=COLUMN: what a column holds, by its name or as #2; the targets are email, name, givenName, familyName, roles, occupation, modules, subAccounts, title, phoneNumber, locale, timezone, externalId, message, membershipExpiresAt; may be repeated")
	f.StringVar(&delivery, "delivery", "", "email or none; email if empty")
	f.StringVar(&expires, "expires", "", "until when the invites can be accepted: 3d, 12h, 2027-01-31 or an RFC 3339 instant")
	f.StringVar(&duplicates, "on-duplicate", "", "what an address with an open invite gets: skip, resend or replace; the organization's setting if empty")
	f.BoolVar(&yes, "yes", false, "carry it out")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		ctx := cmd.Context()
		grant, err := g.read()
		if err != nil {
			return nil, err
		}
		at, err := parseExpiry(expires, time.Now())
		if err != nil {
			return nil, usageError{err}
		}
		file, err := readInput(cmd, args, lifecycle.MaxImport)
		if err != nil {
			return nil, err
		}
		job, err := upload(cmd, r, file)
		if err != nil {
			return nil, err
		}
		in := map[string]any{"common": admin.BulkCommon{Delivery: delivery, ExpiresAt: at, InviteGrant: grant}}
		if duplicates != "" {
			in["onDuplicate"] = duplicates
		}
		if in["mapping"], err = mapped(job.Mapping, columns); err != nil {
			return nil, err
		}
		path := jobsPath + "/" + url.PathEscape(job.ID)
		if err := r.do(ctx, http.MethodPost, path+"/actions/preview", nil, in, nil); err != nil {
			return nil, err
		}
		res, err := a.awaitJob(ctx, r, job.ID)
		if err != nil {
			return nil, err
		}
		if yes {
			return a.carryOut(ctx, r, job.ID)
		}
		text := res.text
		res.text = func(w io.Writer) error {
			if err := a.problemRows(ctx, r, job.ID, w); err != nil {
				return err
			}
			if err := text(w); err != nil {
				return err
			}
			_, err := fmt.Fprintf(w, "Nothing was done yet: rollcall job commit %s\n", job.ID)
			return err
		}
		return res, nil
	})
}

// upload sends a file.
func upload(cmd *cobra.Command, r *remote, file []byte) (*admin.Job, error) {
	resp, err := r.send(cmd.Context(), http.MethodPost, invitesPath+"/actions/import", nil, "text/csv", file)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	job := &admin.Job{}
	if json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(job) != nil {
		return nil, errNotCompanion
	}
	return job, nil
}

// mapped is the mapping that was found out, with what the command line says.
func mapped(found *admin.Mapping, columns []string) (map[string]string, error) {
	text, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	for _, c := range columns {
		target, column, ok := strings.Cut(c, "=")
		if !ok || target == "" {
			return nil, usageError{errors.New("--map: write TARGET=COLUMN")}
		}
		m[target] = column
	}
	return m, nil
}
