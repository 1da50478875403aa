package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

const typeJob = scim.TypeName(resources.TypeJob)

// The kinds of jobs.
const (
	JobImport  = "import-invites" // invites people from a file
	JobMembers = "members"        // does one thing to many members
)

// The states of a job.
const (
	JobUploading  = "uploading"  // its parts are being stored
	JobUploaded   = "uploaded"   // nothing was worked out yet
	JobPreviewing = "previewing" // what would happen is being worked out
	JobReady      = "ready"      // that is known; it waits for somebody to say go
	JobRunning    = "running"
	JobDone       = "done"
	JobCancelled  = "cancelled"
	JobFailed     = "failed"
)

// Bounds of jobs.
const (
	MaxJobItems   = 50_000
	maxOpenJobs   = 20                  // of an organization, that are not over
	keepUploads   = 7 * 24 * time.Hour  // that nobody says go to
	keepJobs      = 30 * 24 * time.Hour // after their end
	keepWorking   = 400 * 24 * time.Hour
	uploadPatient = time.Hour // after which an upload that did not end is thrown away
)

// Job is something that is done to many, bit by bit, by whichever process has time. What it is about, and what became of
// each thing, is in its parts.
type Job struct {
	Kind     string         `json:"kind"`
	State    string         `json:"state"`
	Owner    string         `json:"owner"`
	By       Ref            `json:"by"` // who started it, or said go
	Total    int            `json:"total"`
	Parts    int            `json:"parts"`
	Done     int            `json:"done"`               // things that are decided, of parts before Next
	Outcomes map[string]int `json:"outcomes,omitempty"` // how many of them had each outcome
	Next     int            `json:"next"`               // the first part that is not decided
	Round    int            `json:"round"`              // what is decided in an earlier round is decided anew
	Started  Instant        `json:"started,omitzero"`
	Ended    Instant        `json:"ended,omitzero"`
	Due      Instant        `json:"due,omitzero"` // it waits until then, for a limit
	Code     string         `json:"code,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Until    Instant        `json:"until,omitzero"`

	Lease      string  `json:"lease,omitempty"` // of the process that works on it
	LeaseUntil Instant `json:"leaseUntil,omitzero"`
	Failures   int     `json:"failures,omitempty"` // attempts in a row that ended with an error of ours

	// Of an import.
	Columns []string `json:"columns,omitempty"`
	Named   bool     `json:"named,omitempty"` // the file has a header
	Mapping *Mapping `json:"mapping,omitempty"`

	// Of a job about members.
	Action string `json:"action,omitempty"`
	DryRun bool   `json:"dryRun,omitempty"`
}

// active reports whether there is something to work on.
func (j *Job) active() bool { return j.State == JobPreviewing || j.State == JobRunning }

// over reports whether nothing will happen any more.
func (j *Job) over() bool {
	return j.State == JobDone || j.State == JobCancelled || j.State == JobFailed
}

// JobRecord is a job with what the store knows of it.
type JobRecord struct {
	Job
	ID      string
	Version int64
	Created time.Time
}

// The secrets of a job, sealed.
const (
	secretOptions = "options" // what is to be done
	secretSubject = "subject" // by whom
)

func jobKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: org, Type: typeJob, ID: id}
}

// ticketKey is where workers of all organizations learn of a job.
func ticketKey(org scim.OrgID, id string) storage.Key {
	return storage.Key{Org: scim.SystemOrg, Type: resources.TypeJobTicket, ID: idOf("job-ticket", string(org), id)}
}

type ticket struct {
	Org scim.OrgID `json:"org"`
	Job string     `json:"job"`
}

func jobRecord(r *record[Job]) *JobRecord {
	return &JobRecord{Job: r.Value, ID: r.Key.ID, Version: r.Version, Created: r.Created}
}

// mayJob says whether the subject may look at a job and decide about it: who administers, and whose it is.
func mayJob(sub Subject, owner string) error {
	return Allowed(sub, ActJobs, Target{Type: typeJob, User: owner})
}

// GetJob reads a job.
func (s *Service) GetJob(ctx context.Context, sub Subject, id string) (*JobRecord, error) {
	r, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	return jobRecord(r), nil
}

// jobOf reads a job for somebody who may. Whoever may not does not learn that there is one.
func (s *Service) jobOf(ctx context.Context, sub Subject, id string) (*record[Job], error) {
	r, err := load[Job](ctx, s.store, jobKey(sub.Org, id))
	if err != nil {
		return nil, fail(typeJob, err)
	}
	if r == nil || r.Value.State == JobUploading || !r.Value.Until.After(s.now()) || mayJob(sub, r.Value.Owner) != nil {
		return nil, notFound(typeJob)
	}
	return r, nil
}

// JobQuery asks for a page of jobs.
type JobQuery struct {
	Kind, State string // empty: any
	After       *query.Position
	Count       int
}

// Jobs returns a page of jobs in the order in which they were made, and where the next page begins, nil after the last.
// Whoever does not administer sees their own.
func (s *Service) Jobs(ctx context.Context, sub Subject, q JobQuery) ([]JobRecord, *query.Position, error) {
	where := query.And{query.Not{Expr: s.eq(typeJob, "state", JobUploading)}, s.when(typeJob, "until", query.Gt, s.now())}
	if mayJob(sub, "") != nil {
		if err := mayJob(sub, sub.actorID()); err != nil {
			return nil, nil, err
		}
		where = append(where, s.eq(typeJob, "owner", sub.actorID()))
	}
	if q.Kind != "" {
		where = append(where, s.eq(typeJob, "kind", q.Kind))
	}
	if q.State != "" {
		where = append(where, s.eq(typeJob, "state", q.State))
	}
	page, err := s.store.Query(ctx, sub.Org, query.Query{
		Sources: []query.Source{{Type: typeJob, Where: where}}, Limit: q.Count, After: q.After,
	})
	if err != nil {
		return nil, nil, fail(typeJob, err)
	}
	list := make([]JobRecord, len(page.Records))
	for i := range page.Records {
		r, err := decode[Job](&page.Records[i])
		if err != nil {
			return nil, nil, err
		}
		list[i] = *jobRecord(r)
	}
	if !page.More {
		return list, nil, nil
	}
	return list, &page.Sort[len(page.Sort)-1], nil
}

// openJob stores a job with its parts. It is there for everybody, and worked on, once all of it is stored.
func (s *Service) openJob(ctx context.Context, sub Subject, j Job, options any, rows []partRow) (*JobRecord, error) {
	n, err := s.count(ctx, sub.Org, typeJob, query.Or{
		s.eq(typeJob, "state", JobUploaded), s.eq(typeJob, "state", JobPreviewing), s.eq(typeJob, "state", JobReady),
		s.eq(typeJob, "state", JobRunning), s.eq(typeJob, "state", JobUploading),
	})
	if err != nil {
		return nil, err
	}
	if n >= maxOpenJobs {
		return nil, conflict("too_many_jobs", "the organization has %d jobs that are not over: cancel some, or wait", n)
	}
	state, now, k := j.State, s.now(), jobKey(sub.Org, s.newID())
	j.Owner, j.By, j.Total, j.Round = sub.actorID(), *inviterOf(sub), len(rows), 1
	j.Parts = (len(rows) + partRows - 1) / partRows
	j.State, j.Until = JobUploading, at(now.Add(uploadPatient))
	secret, err := s.jobSecrets(k, sub, options)
	if err != nil {
		return nil, err
	}
	if _, err := s.insert(ctx, s.store, sub.Caller, k, now, j, secret); err != nil {
		return nil, fail(typeJob, err)
	}
	if err := s.insertParts(ctx, sub.Caller, k, rows); err != nil {
		return nil, fail(typeJob, err)
	}
	return s.changeJob(ctx, sub.Caller, k, func(r *record[Job]) error {
		r.Value.State = state
		if r.Value.Until = at(now.Add(keepUploads)); r.Value.active() {
			r.Value.Started, r.Value.Until = at(now), at(now.Add(keepWorking))
		}
		return nil
	})
}

// jobSecrets are what a job knows of whoever started it, and of what is to be done; nil options stay as they are.
func (s *Service) jobSecrets(k storage.Key, sub Subject, options any) (scim.Attributes, error) {
	out := scim.Attributes{}
	for name, v := range map[string]any{secretOptions: options, secretSubject: keptSubject(sub)} {
		if v == nil {
			continue
		}
		text, err := s.sealJSON(v, k, name)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// sealJSON hides a value in a record.
func (s *Service) sealJSON(v any, k storage.Key, name string) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write a job: %w", err)
	}
	return s.sealed(b, string(k.Org)+"/"+k.ID+"/"+name)
}

// openJSON is the reverse of sealJSON. Nothing was hidden: out stays as it is.
func (s *Service) openJSON(secret scim.Attributes, k storage.Key, name string, out any) error {
	text, ok := secret[name].(string)
	if !ok {
		return nil
	}
	b, err := s.opened(text, string(k.Org)+"/"+k.ID+"/"+name)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// changeJob changes a job and tells the workers if there is something to work on.
func (s *Service) changeJob(ctx context.Context, c scim.Caller, k storage.Key, fn func(*record[Job]) error) (*JobRecord, error) {
	var next Job
	rec, err := change(ctx, s, s.store, c, k, s.now(), func(r *record[Job]) error {
		err := fn(r)
		next = r.Value
		return err
	})
	if err != nil {
		return nil, fail(typeJob, err)
	}
	if next.active() {
		if err := s.announce(ctx, k); err != nil {
			return nil, err
		}
	}
	return &JobRecord{Job: next, ID: k.ID, Version: rec.Version, Created: rec.Created}, nil
}

// announce tells the workers of all processes about a job. Where that fails the sweep does it.
func (s *Service) announce(ctx context.Context, k storage.Key) error {
	t := ticketKey(k.Org, k.ID)
	_, err := s.insert(ctx, s.store, System(scim.SystemOrg, "jobs").Caller, t, s.now(), ticket{k.Org, k.ID}, nil)
	if err != nil && !errors.Is(err, storage.ErrExists) {
		return fail(typeJob, err)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// CommitJob says go to what a preview has worked out. It is done in the name of whoever says so.
func (s *Service) CommitJob(ctx context.Context, sub Subject, id string) (*JobRecord, error) {
	r, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.importer(ctx, sub); err != nil {
		return nil, err
	}
	secret, err := s.jobSecrets(r.Key, sub, nil)
	if err != nil {
		return nil, err
	}
	return s.changeJob(ctx, sub.Caller, r.Key, func(r *record[Job]) error {
		switch {
		case r.Value.State == JobRunning || r.Value.State == JobDone:
			return nil // somebody said so before
		case r.Value.State != JobReady:
			return notInState(r.Value.State, "only what was previewed can be carried out")
		}
		maps.Copy(r.Secret, secret)
		r.Value.begin(JobRunning, s.now())
		r.Value.By = *inviterOf(sub)
		return nil
	})
}

// begin starts a round.
func (j *Job) begin(state string, now time.Time) {
	j.State, j.Round, j.Next, j.Done, j.Outcomes = state, j.Round+1, 0, 0, nil
	j.Due, j.Failures, j.Lease, j.LeaseUntil = Instant{}, 0, "", Instant{}
	j.Code, j.Detail = "", ""
	j.Started, j.Ended, j.Until = at(now), Instant{}, at(now.Add(keepWorking))
}

// end is how a job ends.
func (j *Job) end(state string, now time.Time) {
	j.State, j.Ended, j.Until = state, at(now), at(now.Add(keepJobs))
	j.Lease, j.LeaseUntil, j.Due = "", Instant{}, Instant{}
}

// CancelJob ends a job: what was done stays, and nothing more is done. Cancelling twice is no error.
func (s *Service) CancelJob(ctx context.Context, sub Subject, id string) (*JobRecord, error) {
	r, err := s.jobOf(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	return s.changeJob(ctx, sub.Caller, r.Key, func(r *record[Job]) error {
		switch {
		case r.Value.State == JobCancelled:
			return nil
		case r.Value.over():
			return notInState(r.Value.State, "it has come to its end already")
		}
		r.Value.end(JobCancelled, s.now())
		return nil
	})
}

// notInState refuses what a job's state does not allow.
func notInState(state, why string) *scim.Error {
	return refuse(http.StatusConflict, "job_"+state, "the job is %s: %s", state, why)
}
