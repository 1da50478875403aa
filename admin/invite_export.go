package admin

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/sheet"
	"rollcall/lifecycle"
	"rollcall/scim"
)

const (
	ndjsonType = "application/x-ndjson"
	csvType    = "text/csv"
)

type exportInput struct {
	Status string `query:"status" enum:"pending,accepted,declined,revoked,expired,failed"`
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson"`
}

func (a *API) inviteExportEndpoint() {
	download(a, operation{
		id: "export-invites", method: http.MethodGet, path: "/invites/actions/export", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "All invites, as lines of JSON or as CSV",
	}, "The invites.", []string{ndjsonType, csvType}, a.exportInvites)
}

func (a *API) exportInvites(ctx context.Context, c *Call, in *exportInput) (*file, error) {
	f := &file{mediaType: ndjsonType, name: "invites.ndjson"}
	rows := ndjsonRows
	if in.Format == "csv" {
		f, rows = &file{mediaType: csvType, name: "invites.csv"}, csvRows
	}
	f.write = func(w io.Writer) error {
		write, flush := rows(w)
		if err := a.Lifecycle.ExportInvites(ctx, c.Subject, in.Status, write); err != nil {
			return err
		}
		return flush()
	}
	return f, nil
}

type rowWriter = func(*lifecycle.InviteRecord) error

func ndjsonRows(b io.Writer) (rowWriter, func() error) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return func(r *lifecycle.InviteRecord) error { return e.Encode(showInvite(r)) }, func() error { return nil }
}

func csvRows(b io.Writer) (rowWriter, func() error) {
	w := csv.NewWriter(b)
	head := []string{
		"id", "email", "kind", "status", "givenName", "familyName", "roles", "occupation", "delivery", "created", "expiresAt",
		"sendCount", "lastSentAt", "acceptedAt", "acceptedUser", "inviter", "mailState", "reason",
	}
	first := true
	begin := func() error {
		if !first {
			return nil
		}
		first = false
		return w.Write(head)
	}
	write := func(r *lifecycle.InviteRecord) error {
		if err := begin(); err != nil {
			return err
		}
		v := showInvite(r)
		var roles []string
		for _, x := range v.Roles {
			roles = append(roles, x.Value)
		}
		given, family, user, inviter, mailed := "", "", "", "", ""
		if v.Name != nil {
			given, family = v.Name.GivenName, v.Name.FamilyName
		}
		if v.AcceptedUser != nil {
			user = v.AcceptedUser.Value
		}
		if v.Inviter != nil {
			inviter = v.Inviter.Display
		}
		if v.Mail != nil {
			mailed = v.Mail.State
		}
		row := []string{
			v.ID, v.Email, v.Kind, v.Status, given, family, strings.Join(roles, " "), v.Occupation, v.Delivery, csvTime(&v.Created),
			csvTime(v.ExpiresAt), strconv.Itoa(v.SendCount), csvTime(v.LastSentAt), csvTime(v.AcceptedAt), user, inviter, mailed, v.Reason,
		}
		for i := range row {
			row[i] = sheet.Cell(row[i])
		}
		return w.Write(row)
	}
	return write, func() error {
		if err := begin(); err != nil {
			return err
		}
		w.Flush()
		return w.Error()
	}
}

func csvTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return scim.FormatTime(*t)
}
