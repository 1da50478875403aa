package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// bulkReplaceOccupation is what a job does to people whose occupation is replaced.
const bulkReplaceOccupation = "replace-occupation"

// ReplaceOccupation retires an occupation and starts a job that gives its people another. What a connection has the say
// over stays. A dry run retires nothing either.
func (s *Service) ReplaceOccupation(ctx context.Context, sub Subject, id, by string, dry bool) (*JobRecord, error) {
	snap, err := s.writable(ctx, sub)
	if err != nil {
		return nil, err
	}
	from, to := snap.OccupationByID(id), snap.Occupation(by)
	switch {
	case from == nil:
		return nil, notFound(typeOccupation)
	case to == nil || to == from || !to.Active:
		return nil, invalid("by", "unknown_occupation", "must be another occupation that can be given")
	}
	if from.Active && !dry {
		retired := *from
		retired.Active = false
		if _, err := s.SaveOccupation(ctx, sub, id, scim.Precondition{}, retired); err != nil {
			return nil, err
		}
	}
	rows, err := s.peopleIn(ctx, sub.Org, from)
	if err != nil {
		return nil, err
	}
	j := Job{Kind: JobMembers, State: JobRunning, Action: bulkReplaceOccupation, DryRun: dry}
	return s.openJob(ctx, sub, j, BulkArguments{From: id, Occupation: to.Key}, rows)
}

// peopleIn are the people of an occupation as rows of a job, up to MaxJobItems: the rest is for the next job.
func (s *Service) peopleIn(ctx context.Context, org scim.OrgID, o *Occupation) ([]partRow, error) {
	var rows []partRow
	q := query.Query{Sources: []query.Source{{Type: typeUser, Where: s.hasOccupation(o)}}, Limit: exportPage}
	for len(rows) < MaxJobItems {
		page, err := s.store.Query(ctx, org, q)
		if err != nil {
			return nil, fail(typeUser, err)
		}
		for i := range page.Records {
			rows = append(rows, partRow{Cells: []string{page.Records[i].ID}})
		}
		if !page.More {
			break
		}
		q.After = &page.Sort[len(page.Sort)-1]
	}
	return rows, nil
}

// replaceOccupation gives a person the other occupation, if they still have the one that is replaced.
func (s *Service) replaceOccupation(ctx context.Context, sub Subject, id string, a *BulkArguments) error {
	for range maxGuardRuns {
		p, snap, err := s.person(ctx, sub.Org, id)
		if err != nil {
			return err
		}
		from := snap.OccupationByID(a.From)
		if from == nil || snap.Occupation(p.Facts.Occupation) != from {
			return nil
		}
		if err := s.mayEdit(ctx, sub.Org, id, pathOccupation); err != nil {
			return err
		}
		err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
			return s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) { setOccupation(doc, a.Occupation) })
		})
		if err == nil || lookAgain(err) != nil {
			return fail(typeUser, err)
		}
	}
	return lostRaces()
}
