package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// maxExport is how many invites one export holds.
const maxExport = 50_000

const (
	ndjsonType = "application/x-ndjson"
	csvType    = "text/csv"
)

type exportInput struct {
	Status string `query:"status" enum:"pending,accepted,declined,revoked,expired,failed"`
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson"`
}

type exportOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) inviteExportEndpoint() {
	o := operation{
		id: "export-invites", method: http.MethodGet, path: "/invites/actions/export", tag: inviteTag, scope: scim.ScopeAdminInvites,
		summary: "All invites, as lines of JSON or as CSV",
	}
	op := a.describe(&o)
	op.Responses["200"] = &huma.Response{
		Description: "The invites.",
		Content: map[string]*huma.MediaType{
			ndjsonType: {Schema: &huma.Schema{Type: huma.TypeString}}, csvType: {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *exportInput) (*exportOutput, error) {
		x := exchangeOf(ctx)
		out, err := a.exportInvites(ctx, x.call(), in)
		if err != nil {
			return nil, x.refuse(err)
		}
		return out, nil
	})
}

func (a *API) exportInvites(ctx context.Context, c *Call, in *exportInput) (*exportOutput, error) {
	var b bytes.Buffer
	n := 0
	write, flush := ndjsonRows(&b)
	out := &exportOutput{ContentType: ndjsonType, Disposition: `attachment; filename="invites.ndjson"`}
	if in.Format == "csv" {
		write, flush = csvRows(&b)
		out.ContentType, out.Disposition = csvType, `attachment; filename="invites.csv"`
	}
	err := a.Lifecycle.ExportInvites(ctx, c.Subject, in.Status, func(r *lifecycle.InviteRecord) error {
		if n++; n > maxExport {
			return scim.TooMany("there are more than %d invites: export them by status", maxExport)
		}
		return write(r)
	})
	if err != nil {
		return nil, err
	}
	if err := flush(); err != nil {
		return nil, err
	}
	out.Body = b.Bytes()
	return out, nil
}

type rowWriter func(*lifecycle.InviteRecord) error

func ndjsonRows(b *bytes.Buffer) (rowWriter, func() error) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return func(r *lifecycle.InviteRecord) error { return e.Encode(showInvite(r)) }, func() error { return nil }
}

func csvRows(b *bytes.Buffer) (rowWriter, func() error) {
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
			row[i] = csvCell(row[i])
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

// csvCell keeps spreadsheets from taking text for a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
