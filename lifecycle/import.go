package lifecycle

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"rollcall/internal/sheet"
)

// Bounds of a file that is imported.
const (
	// MaxImport is how many bytes it may have.
	MaxImport     = 16 << 20
	maxImportCell = 4000
	maxColumns    = 100
)

// ImportOptions say what an import is to do.
type ImportOptions struct {
	Mapping     *Mapping `json:"mapping,omitempty"` // nil: as it is
	Common      Invite   `json:"common"`            // what all invites say; what a row says goes before it
	OnDuplicate string   `json:"onDuplicate,omitempty"`
}

// Import takes a file of people who are to be invited: CSV, with the names of the columns in the first row or without.
// Nothing is done with it before PreviewImport. A file that cannot be read is refused whole: the error names row and
// column, never a value.
func (s *Service) Import(ctx context.Context, sub Subject, file []byte) (*JobRecord, error) {
	if _, err := s.importer(ctx, sub); err != nil {
		return nil, err
	}
	if len(file) > MaxImport {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", "a file may have %d bytes", MaxImport)
	}
	t, err := sheet.Read(file, sheet.Limits{Rows: MaxJobItems, Columns: maxColumns, Cell: maxImportCell}, looksLikeHeader)
	if err != nil {
		bad, _ := errors.AsType[*sheet.Error](err)
		if bad != nil && bad.Rows {
			return nil, refuse(http.StatusRequestEntityTooLarge, "too_many_rows", "%s", bad)
		}
		return nil, refuse(http.StatusBadRequest, "unreadable_file", "%s", err)
	}
	rows := make([]partRow, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = partRow{r.Line, r.Cells}
	}
	j := Job{Kind: JobImport, State: JobUploaded, Columns: t.Header, Named: t.Named, Mapping: &Mapping{}}
	for i, name := range j.Columns {
		j.Columns[i] = string([]rune(name)[:min(len([]rune(name)), maxColumnName)])
	}
	if t.Named {
		j.Mapping = detect(j.Columns)
	}
	if j.Mapping.Email == "" {
		j.Mapping.byContent(j.Columns, rows)
	}
	return s.openJob(ctx, sub, j, ImportOptions{}, rows)
}

// importer is inviting for who may import. Members whom the organization lets invite may not: what bounds them, invites in
// an hour, does not bound a file.
func (s *Service) importer(ctx context.Context, sub Subject) (*inviting, error) {
	x, err := s.opening(ctx, sub, false)
	if err == nil && sub.Rank < RankManager {
		err = forbidden("not_allowed", "files of people are for managers and administrators: invite them by name")
	}
	return x, err
}

// maxColumnName bounds the name of a column, in characters.
const maxColumnName = 200

// PreviewImport works out what would become of each row. It may be called again with other options, until the job is
// carried out.
func (s *Service) PreviewImport(ctx context.Context, sub Subject, id string, o ImportOptions) (*JobRecord, error) {
	r, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if r.Value.Kind != JobImport {
		return nil, notInState(r.Value.State, "only imports are previewed")
	}
	x, err := s.importer(ctx, sub)
	if err != nil {
		return nil, err
	}
	if o.Mapping == nil {
		o.Mapping = r.Value.Mapping
	}
	if err := o.check(ctx, x, r.Value.Columns); err != nil {
		return nil, err
	}
	mapping := o.Mapping
	o.Mapping = nil // which is no secret
	secret, err := s.jobSecrets(r.Key, sub, o)
	if err != nil {
		return nil, err
	}
	return s.changeJob(ctx, sub.Caller, r.Key, func(r *record[Job]) error {
		switch r.Value.State {
		case JobUploaded, JobPreviewing, JobReady:
		default:
			return notInState(r.Value.State, "it cannot be previewed any more")
		}
		maps.Copy(r.Secret, secret)
		r.Value.Mapping = mapping
		r.Value.begin(JobPreviewing, s.now())
		return nil
	})
}

// check refuses what would be refused for every row.
func (o *ImportOptions) check(ctx context.Context, x *inviting, columns []string) error {
	if err := o.Mapping.check(columns); err != nil {
		return err
	}
	if o.OnDuplicate != "" && !slices.Contains(duplicateChoices(), o.OnDuplicate) {
		return invalid("onDuplicate", "not_a_choice", "must be skip, resend or replace")
	}
	switch o.Common.Delivery {
	case "", deliverEmail, deliverNone:
	default:
		return invalid("common.delivery", "not_allowed_here", "links to hand out are made for one invite, or for up to %d at once", MaxRecipients)
	}
	probe := merge(o.Common, Invite{})
	probe.Kind, probe.Name = kindPerson, &Name{GivenName: "x", FamilyName: "x"} // which rows may bring
	_, _, err := x.policy.complete(&probe, x.sub, x.now)
	if refused, ok := errors.AsType[*grantError](err); ok {
		return refused.err
	}
	if err != nil {
		return err
	}
	if err := x.checkGroups(ctx, x.sub.Org, probe.Groups); err != nil {
		return err
	}
	o.Common.Groups = probe.Groups // with their names
	return x.checkClients(ctx, probe.Clients)
}

// duplicateChoices are what an address with an open invite may get in an import; "fail" would undo what is done.
func duplicateChoices() []string { return []string{"skip", "resend", "replace"} }
