package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// partRows is how many things a part of a job has: as many as share a step.
const partRows = inviteChunk

// partsAtOnce is how many parts are stored in one step.
const partsAtOnce = 20

// jobPart is a part of a job, without what it is about and what became of that.
type jobPart struct {
	Job      string         `json:"job"`
	N        int            `json:"n"`
	Round    int            `json:"round"`              // in which it was decided
	Left     int            `json:"left"`               // of its things, that are not decided in that round
	Outcomes map[string]int `json:"outcomes,omitempty"` // of those that are
}

// The secrets of a part, sealed.
const (
	secretRows    = "rows"    // []partRow
	secretResults = "results" // []JobResult, one for each row
)

// partRow is one thing that a job is about.
type partRow struct {
	Line  int      `json:"l,omitempty"` // of the file that it comes from
	Cells []string `json:"c"`
}

// JobResult is what became of one thing.
type JobResult struct {
	Outcome     string   `json:"o,omitempty"` // empty: it is not decided
	Email       string   `json:"e,omitempty"`
	Detail      string   `json:"d,omitempty"`
	Warnings    []string `json:"w,omitempty"`
	Invite      string   `json:"i,omitempty"`
	JoinRequest string   `json:"j,omitempty"`
	User        string   `json:"u,omitempty"`
	Lost        []string `json:"x,omitempty"` // what somebody loses by it
}

func partKey(job storage.Key, n int) storage.Key {
	return storage.Key{Org: job.Org, Type: resources.TypeJobPart, ID: idOf("job-part", string(job.Org), job.ID, strconv.Itoa(n))}
}

// insertParts stores what a job is about.
func (s *Service) insertParts(ctx context.Context, c scim.Caller, job storage.Key, rows []partRow) error {
	n := 0
	for group := range slices.Chunk(rows, partRows*partsAtOnce) {
		type fresh struct {
			key    storage.Key
			doc    jobPart
			secret scim.Attributes
		}
		var list []fresh
		for chunk := range slices.Chunk(group, partRows) {
			k := partKey(job, n)
			text, err := s.sealJSON(chunk, k, secretRows)
			if err != nil {
				return err
			}
			list = append(list, fresh{k, jobPart{Job: job.ID, N: n, Left: len(chunk)}, scim.Attributes{secretRows: text}})
			n++
		}
		err := s.store.Within(ctx, job.Org, func(tx storage.Tx) error {
			for _, f := range list {
				if _, err := s.insert(ctx, tx, c, f.key, s.now(), f.doc, f.secret); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openPart is a part with what is sealed in it.
type openPart struct {
	*record[jobPart]
	rows    []partRow
	results []JobResult // one for each row; of an earlier round, if that is the part's
}

// part reads a part of a job.
func (s *Service) part(ctx context.Context, job storage.Key, n int) (*openPart, error) {
	r, err := load[jobPart](ctx, s.store, partKey(job, n))
	if err != nil {
		return nil, fail(typeJob, err)
	}
	if r == nil {
		return nil, errPartGone
	}
	p := &openPart{record: r}
	if err := s.openJSON(r.Secret, r.Key, secretRows, &p.rows); err != nil {
		return nil, err
	}
	if err := s.openJSON(r.Secret, r.Key, secretResults, &p.results); err != nil {
		return nil, err
	}
	if len(p.results) != len(p.rows) {
		p.results = make([]JobResult, len(p.rows))
	}
	return p, nil
}

var errPartGone = errors.New("lifecycle: a part of a job is gone")

// errDecided ends a step whose things somebody else has decided, or whose job is no longer this process's.
var errDecided = errors.New("lifecycle: another process was faster, or the job has ended")

// decided writes down what became of things of a part, in the step that did it: each is decided once in a round. Steps of
// a job that has ended, or is another process's by now, fail.
func (w *work) decided(ctx context.Context, tx storage.Tx, p *openPart, results map[int]JobResult) error {
	if len(results) == 0 {
		return nil
	}
	rec, err := tx.Get(ctx, w.key, query.Load{})
	if err != nil {
		return errDecided
	}
	job, err := decode[Job](rec)
	if err != nil {
		return err
	}
	if job.Value.Lease != w.lease || !job.Value.active() {
		return errDecided
	}
	_, err = change(ctx, w.Service, tx, w.sub.Caller, p.Key, w.now(), func(r *record[jobPart]) error {
		var have []JobResult
		if err := w.openJSON(r.Secret, r.Key, secretResults, &have); err != nil {
			return err
		}
		if len(have) != len(p.rows) || r.Value.Round != w.job.Round {
			have = make([]JobResult, len(p.rows))
		}
		for i, v := range results {
			if have[i].Outcome != "" {
				return errDecided
			}
			have[i] = v
		}
		v := &r.Value
		v.Round, v.Left, v.Outcomes = w.job.Round, 0, map[string]int{}
		for i := range have {
			if have[i].Outcome == "" {
				v.Left++
			} else {
				v.Outcomes[have[i].Outcome]++
			}
		}
		text, err := w.sealJSON(have, r.Key, secretResults)
		r.Secret[secretResults] = text
		return err
	})
	return err
}

// JobRow is one thing that a job is about, and what became of it.
type JobRow struct {
	N     int // from 0
	Line  int // of the file; 0: there is none
	About string
	JobResult
}

// rowsAtOnce bounds how many parts are read for one page of rows.
const rowsAtOnce = 100

// JobRows returns up to count rows of a job from the row after on, those of an outcome if one is named, and where to go
// on: -1 at the end. A page may be short of rows, and there may be more nevertheless.
func (s *Service) JobRows(ctx context.Context, sub Subject, id, outcome string, after, count int) ([]JobRow, int, error) {
	job, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return nil, 0, err
	}
	list := []JobRow{}
	columns := job.Value.Mapping.places(job.Value.Columns)
	read := 0
	for n := after / partRows; n < job.Value.Parts; n++ {
		if read++; read > rowsAtOnce {
			return list, n * partRows, nil
		}
		p, err := s.part(ctx, job.Key, n)
		if err != nil {
			return nil, 0, fail(typeJob, err)
		}
		for i := range p.rows {
			at := n*partRows + i
			if at < after {
				continue
			}
			row := s.jobRow(job, columns, p, i)
			if outcome != "" && row.Outcome != outcome {
				continue
			}
			if len(list) == count {
				return list, at, nil
			}
			list = append(list, row)
		}
	}
	return list, -1, nil
}

// jobRow shows one row of a part.
func (s *Service) jobRow(job *record[Job], at places, p *openPart, i int) JobRow {
	row := JobRow{N: p.Value.N*partRows + i, Line: p.rows[i].Line}
	if p.Value.Round == job.Value.Round {
		row.JobResult = p.results[i]
	}
	if job.Value.Kind == JobImport {
		row.About = at.cell(p.rows[i].Cells, "email")
	} else if len(p.rows[i].Cells) > 0 {
		row.About = p.rows[i].Cells[0]
	}
	return row
}

// EachJobRow calls fn with every row of a job, in order.
func (s *Service) EachJobRow(ctx context.Context, sub Subject, id string, fn func(*JobRow) error) error {
	job, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return err
	}
	columns := job.Value.Mapping.places(job.Value.Columns)
	for n := range job.Value.Parts {
		p, err := s.part(ctx, job.Key, n)
		if err != nil {
			return fail(typeJob, err)
		}
		for i := range p.rows {
			row := s.jobRow(job, columns, p, i)
			if err := fn(&row); err != nil {
				return err
			}
		}
	}
	return nil
}
