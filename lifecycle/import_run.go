package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/mail"
	"rollcall/scim"
	"rollcall/storage"
)

// importJob does the parts of an import.
type importJob struct {
	*work
	x       *inviting
	options ImportOptions
	columns places
	seen    map[string]bool // keys of the addresses of earlier rows, in a preview
}

func (w *work) importing(ctx context.Context) (jobKind, error) {
	i := &importJob{work: w, columns: w.job.Mapping.places(w.job.Columns), seen: map[string]bool{}}
	if err := w.openJSON(w.options, w.key, secretOptions, &i.options); err != nil {
		return nil, err
	}
	x, err := w.importer(ctx, w.sub)
	if err != nil {
		return nil, err
	}
	x.dry, x.mass = w.job.State == JobPreviewing, &mass{}
	if x.dup = i.options.OnDuplicate; x.dup == "" {
		if x.dup = x.policy.settings.Invite.OnDuplicate; x.dup == "fail" {
			x.dup = "skip"
		}
	}
	if x.mass.pending, err = w.count(ctx, w.key.Org, typeInvite, w.pending(x.now)); err != nil {
		return nil, err
	}
	i.x = x
	// Which rows name an address again is found out by the preview, which a carried out job has in its parts.
	for n := 0; x.dry && n < w.job.Next; n++ {
		p, err := w.Service.part(ctx, w.key, n)
		if err != nil {
			return nil, err
		}
		i.passed(p)
	}
	return i, nil
}

// passed tells about a part that was decided before this turn.
func (i *importJob) passed(p *openPart) {
	for n := 0; i.x.dry && n < len(p.rows); n++ {
		i.again(i.columns.cell(p.rows[n].Cells, "email"))
		i.x.mass.promise(p.results[n].Outcome)
	}
}

// again notes an address and reports whether an earlier row has it.
func (i *importJob) again(cell string) bool {
	list, err := mail.ParseRecipients(cell, 1)
	if err != nil || len(list) != 1 || list[0].Problem != "" {
		return false
	}
	key := list[0].Address.Key()
	was := i.seen[key]
	i.seen[key] = true
	return was
}

// part decides the rows of a part.
func (i *importJob) part(ctx context.Context, p *openPart) (time.Duration, error) {
	x := i.x
	x.now, x.mass.after = i.now(), 0
	rows, items, err := i.items(p)
	if err != nil {
		return 0, err
	}
	for _, step := range []func(context.Context, []*inviteItem) error{x.judge, x.sift, x.bound} {
		if err := step(ctx, items); err != nil {
			return 0, err
		}
	}
	written := false
	write := func(tx storage.Tx) error {
		results := map[int]JobResult{}
		for at, n := range rows {
			if items[at].Outcome != "" {
				results[n] = items[at].result()
			}
		}
		written = true
		return i.decided(ctx, tx, p, results)
	}
	if err := x.run(together(ctx, write), items); err != nil {
		return 0, err
	}
	if !written {
		if err := i.store.Within(ctx, i.key.Org, write); err != nil {
			return 0, err
		}
	}
	x.report(items)
	for _, item := range items {
		x.mass.promise(item.Outcome)
	}
	if x.mass.after == 0 {
		return 0, nil
	}
	return min(max(x.mass.after, minJobWait), maxJobWait), nil
}

// A job that waits for a limit looks again after a while: limits can be raised meanwhile.
const (
	minJobWait = time.Minute
	maxJobWait = time.Hour
)

// items are the rows of a part of which nothing is decided in this round, and which rows they are.
func (i *importJob) items(p *openPart) (rows []int, items []*inviteItem, err error) {
	again := p.Value.Round == i.job.Round // some are decided
	for n, row := range p.rows {
		had := p.results[n].Outcome
		if again && had != "" {
			continue
		}
		r, err := i.columns.recipient(row.Cells)
		var bad *scim.Error
		if err != nil && !errors.As(err, &bad) {
			return nil, nil, err
		}
		list, err := i.x.items(InviteBatch{Common: i.options.Common, Recipients: []InviteRecipient{r}})
		if err != nil {
			return nil, nil, err
		}
		item := list[0]
		if bad != nil && item.Outcome == "" {
			item.set(OutcomeInvalidValue, bad.Detail)
		}
		if named := i.x.dry && i.again(r.Email); item.Outcome == "" && (named || !i.x.dry && had == OutcomeDuplicate) {
			item.set(OutcomeDuplicate, "an earlier row names the address")
		}
		rows, items = append(rows, n), append(items, item)
	}
	return rows, items, nil
}

// result is what became of the item, as a job keeps it.
func (i *inviteItem) result() JobResult {
	r := JobResult{
		Outcome: i.Outcome, Email: i.Email, Detail: i.Detail, Invite: i.Invite, JoinRequest: i.JoinRequest, User: i.User,
	}
	if i.Made() {
		r.Warnings = slices.Concat(i.Warnings, i.hints)
	}
	return r
}

// mass is what an import knows beside what a batch knows: it goes over many batches, and waits instead of refusing.
type mass struct {
	pending  int           // open invites when the turn began, and those that were made since
	promised int           // seats that a preview has given away
	after    time.Duration // how long the rest must wait for a limit; 0: nothing waits
}

// promise counts what was made of a row.
func (m *mass) promise(outcome string) {
	switch outcome {
	case OutcomeCreated, OutcomeConvertedJoin:
		m.pending++
		m.promised++
	}
}
