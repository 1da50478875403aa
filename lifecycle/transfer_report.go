package lifecycle

import (
	"context"
	"slices"
	"strings"
)

// TransferReport is the evidence of a transfer: who decided what and when, what each application was asked and said, and
// what has become of everything.
type TransferReport struct {
	Transfer *TransferRecord
	Steps    []TransferStepRecord
	Counts   []TransferCount
}

// TransferCount is how many items of a work type are in a state.
type TransferCount struct {
	App, WorkType, State string
	Items                int
	Things               int // that they stand for
	Left                 int // of Rollcall's own: that could not be moved
}

// ReportTransfer puts the report of a transfer together. The items themselves are read page by page.
func (s *Service) ReportTransfer(ctx context.Context, sub Subject, id string) (*TransferReport, error) {
	t, err := s.GetTransfer(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	out := &TransferReport{Transfer: t}
	steps, err := s.steps(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	if out.Steps, err = s.showSteps(ctx, sub.Org, steps); err != nil {
		return nil, err
	}
	order := []string{stepInventory, stepExecute, stepUndo}
	slices.SortFunc(out.Steps, func(a, b TransferStepRecord) int {
		if a.App != b.App {
			return strings.Compare(a.App, b.App)
		}
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	out.Counts, err = s.countItems(ctx, sub, id)
	return out, err
}

func (s *Service) countItems(ctx context.Context, sub Subject, id string) ([]TransferCount, error) {
	counts, after := map[[3]string]*TransferCount{}, ""
	for {
		list, err := s.pageItems(ctx, sub.Org, s.eq(typeTransferItem, "transfer", id), after, clientPage)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			after = r.Key.ID
			i := &r.Value
			key := [3]string{i.App, i.WorkType, i.State}
			c := counts[key]
			if c == nil {
				c = &TransferCount{App: i.App, WorkType: i.WorkType, State: i.State}
				counts[key] = c
			}
			c.Items++
			c.Left += i.Left
			switch {
			case i.App == directoryApp && i.MovedCount > 0:
				c.Things += i.MovedCount
			default:
				c.Things += max(i.Count, 1)
			}
		}
		if len(list) < clientPage {
			break
		}
	}
	out := make([]TransferCount, 0, len(counts))
	for _, c := range counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b TransferCount) int {
		return strings.Compare(a.App+" "+a.WorkType+" "+a.State, b.App+" "+b.WorkType+" "+b.State)
	})
	return out, nil
}
