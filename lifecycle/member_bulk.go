package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// What can be done to many members.
const (
	BulkDeactivate       = "deactivate"
	BulkActivate         = "activate"
	BulkRemove           = "remove"
	BulkChangeRole       = "change-role"
	BulkChangeOccupation = "change-occupation"
)

// What became of a member, beside the codes of refusals.
const (
	OutcomeDone      = "done"
	OutcomeWouldDone = "would_be_done" // of a dry run
)

// MemberBulk is one thing that is to be done to many members.
type MemberBulk struct {
	IDs    []string     // of users; or
	Filter *MemberQuery // who they are: View, Role, Occupation and Text count
	Action string
	DryRun bool // says what would become of each, and does nothing
	BulkArguments
}

// BulkArguments are what the action needs to know.
type BulkArguments struct {
	Deactivation Deactivation `json:"deactivation,omitzero"`
	Removal      Removal      `json:"removal,omitzero"`
	Roles        []string     `json:"roles,omitempty"`
	Primary      string       `json:"primary,omitempty"`
	Occupation   string       `json:"occupation,omitempty"`
	AckLosses    []string     `json:"ackLosses,omitempty"`
	From         string       `json:"from,omitempty"` // id of the occupation that is replaced
}

// StartMemberBulk starts a job that does it. Each member has an outcome of their own: what is refused for one is done for
// the others.
func (s *Service) StartMemberBulk(ctx context.Context, sub Subject, b MemberBulk) (*JobRecord, error) {
	if err := s.checkBulk(ctx, sub, &b); err != nil {
		return nil, err
	}
	ids := b.IDs
	if b.Filter != nil {
		var err error
		if ids, err = s.membersLike(ctx, sub, *b.Filter); err != nil {
			return nil, err
		}
	}
	rows := make([]partRow, 0, len(ids))
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			rows = append(rows, partRow{Cells: []string{id}})
		}
	}
	switch {
	case len(rows) == 0:
		return nil, invalid("filter", "nobody", "there is nobody to do it to")
	case len(rows) > MaxJobItems:
		return nil, tooManyMembers()
	}
	j := Job{Kind: JobMembers, State: JobRunning, Action: b.Action, DryRun: b.DryRun}
	return s.openJob(ctx, sub, j, b.BulkArguments, rows)
}

func tooManyMembers() *scim.Error {
	return refuse(http.StatusRequestEntityTooLarge, "too_many_members", "one job is for %d people at most", MaxJobItems)
}

// checkBulk refuses what would be refused for every member.
func (s *Service) checkBulk(ctx context.Context, sub Subject, b *MemberBulk) error {
	acts := map[string]Action{
		BulkDeactivate: ActSetActive, BulkActivate: ActSetActive, BulkRemove: ActRemove, BulkChangeRole: ActChangeRole,
		BulkChangeOccupation: ActChangeOccupation,
	}
	act, ok := acts[b.Action]
	if !ok {
		return invalid("action", "not_a_choice", "must be deactivate, activate, remove, change-role or change-occupation")
	}
	if err := Allowed(sub, act, Target{}); err != nil {
		return err
	}
	if f := b.Filter; (f == nil) == (len(b.IDs) == 0) {
		return invalid("ids", "ids_or_filter", "say who is meant, by ids or by a filter")
	} else if f != nil && f.View == "" && f.Role == "" && f.Occupation == "" && f.Text == "" {
		return invalid("filter", "everybody", "must not be empty: say who is meant")
	}
	snap, err := s.fresh(ctx, sub.Org)
	if err != nil {
		return err
	}
	switch b.Action {
	case BulkDeactivate:
		_, err = s.reasonOf(sub, &b.Deactivation)
	case BulkRemove:
		err = s.acknowledged(ctx, sub.Org, b.Removal)
	case BulkChangeRole:
		for _, key := range b.Roles {
			if _, err := snap.assignable(sub, "roles", key); err != nil {
				return err
			}
		}
	case BulkChangeOccupation:
		if o := snap.Occupation(b.Occupation); b.Occupation != "" && (o == nil || !o.Active) {
			err = invalid("occupation", "unknown_occupation", "is not an occupation that can be given")
		}
	}
	return err
}

// membersLike are the ids of the members that a filter means.
func (s *Service) membersLike(ctx context.Context, sub Subject, q MemberQuery) ([]string, error) {
	switch q.View {
	case "", ViewActive, ViewDeactivated:
	default:
		return nil, invalid("filter.status", "not_a_choice", "must be active or deactivated")
	}
	q.Invites, q.Sort, q.Count, q.After = false, "", exportPage, nil
	var ids []string
	for {
		list, next, err := s.Members(ctx, sub, q)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if l.Member != nil {
				ids = append(ids, l.Member.ID)
			}
		}
		if len(ids) > MaxJobItems {
			return nil, tooManyMembers()
		}
		if next == nil {
			return ids, nil
		}
		q.After = next
	}
}

// memberJob does one thing to many members.
type memberJob struct {
	*work
	args BulkArguments
}

func (w *work) changingMembers(context.Context) (jobKind, error) {
	m := &memberJob{work: w}
	if w.job.Action == bulkReplaceOccupation { // the others ask for each member
		if err := Allowed(w.sub, ActWriteCatalog, Target{}); err != nil {
			return nil, err
		}
	}
	return m, w.openJSON(w.options, w.key, secretOptions, &m.args)
}

func (m *memberJob) passed(*openPart) {}

// errDryRun undoes a step that has shown that it would work.
var errDryRun = errors.New("lifecycle: a dry run")

// part does it to the members of a part. What is done to one is written down in the step that does it; refusals, which
// have changed nothing, are written down together.
func (m *memberJob) part(ctx context.Context, p *openPart) (time.Duration, error) {
	refused := map[int]JobResult{}
	for n, row := range p.rows {
		if p.Value.Round == m.job.Round && p.results[n].Outcome != "" {
			continue
		}
		r, done, err := m.one(ctx, p, n, row.Cells[0])
		if err != nil {
			return 0, err
		}
		if !done {
			refused[n] = r
		}
	}
	return 0, m.store.Within(ctx, m.key.Org, func(tx storage.Tx) error { return m.decided(ctx, tx, p, refused) })
}

// one does it to one member; done says that the result is written down already.
func (m *memberJob) one(ctx context.Context, p *openPart, n int, id string) (r JobResult, done bool, err error) {
	r = JobResult{User: id, Outcome: OutcomeDone}
	if m.job.DryRun && (m.job.Action == BulkChangeRole || m.job.Action == BulkChangeOccupation) {
		m.losses(ctx, id, &r)
	}
	err = m.do(together(ctx, func(tx storage.Tx) error {
		if m.job.DryRun {
			return errDryRun
		}
		done = true
		return m.decided(ctx, tx, p, map[int]JobResult{n: r})
	}), id)
	var known *scim.Error
	switch {
	case err == nil && done:
	case err == nil, errors.Is(err, errDryRun): // what is as it should be needs no step
		if done = false; m.job.DryRun {
			r.Outcome = OutcomeWouldDone
		}
	case errors.As(err, &known) && known.Status < http.StatusInternalServerError && known.RetryAfter == 0:
		done = false
		r.Outcome, r.Detail = cmp.Or(known.Code, "refused"), known.Detail
		if known.Code == codeLosses {
			m.losses(ctx, id, &r)
		}
	default:
		return r, false, err
	}
	return r, done, nil
}

// losses says what somebody would lose.
func (m *memberJob) losses(ctx context.Context, id string, r *JobResult) {
	var (
		c   *Consequences
		err error
	)
	if m.job.Action == BulkChangeRole {
		c, err = m.RolePreview(ctx, m.sub, id, &m.args.Roles, nil)
	} else {
		c, err = m.RolePreview(ctx, m.sub, id, nil, &m.args.Occupation)
	}
	if err == nil { // else the change itself says why not
		r.Lost = c.Lost
	}
}

func (m *memberJob) do(ctx context.Context, id string) (err error) {
	a := &m.args
	switch m.job.Action {
	case BulkDeactivate:
		_, err = m.Deactivate(ctx, m.sub, id, 0, a.Deactivation)
	case BulkActivate:
		_, err = m.Activate(ctx, m.sub, id, 0)
	case BulkRemove:
		err = m.Remove(ctx, m.sub, id, 0, a.Removal)
	case BulkChangeRole:
		_, err = m.ChangeRole(ctx, m.sub, id, scim.Precondition{}, RoleChange{a.Roles, a.Primary, a.AckLosses})
	case bulkReplaceOccupation:
		err = m.replaceOccupation(ctx, m.sub, id, a)
	case BulkChangeOccupation:
		_, _, err = m.ChangeOccupation(ctx, m.sub, id, scim.Precondition{}, a.Occupation, a.AckLosses)
	}
	return err
}
