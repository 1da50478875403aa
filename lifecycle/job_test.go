package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// mortal is a store whose process can die: from then on it does nothing any more.
type mortal struct {
	storage.Store
	left   atomic.Int64  // calls until it dies
	stop   func()        // ends the process as an operator does, instead of killing it
	err    error         // of all steps: the store cannot be reached
	once   sync.Once     // the first step ...
	paused chan struct{} // ... says that it waits, if this is not nil,
	resume chan struct{} // until it may go on
}

var errDead = errors.New("the process is dead")

func (m *mortal) live() error {
	switch n := m.left.Add(-1); {
	case m.stop != nil:
		if n == 0 {
			m.stop()
		}
	case n < 0 && m.paused == nil:
		return errDead
	}
	return nil
}

func (m *mortal) Within(ctx context.Context, org scim.OrgID, step storage.Step) error {
	m.once.Do(func() {
		if m.paused != nil {
			close(m.paused)
			<-m.resume
		}
	})
	if err := m.live(); err != nil {
		return err
	}
	if m.err != nil {
		return m.err
	}
	err := m.Store.Within(ctx, org, step)
	return errors.Join(err, m.dead())
}

// dead is what a process that died in a call learns of its outcome: nothing.
func (m *mortal) dead() error {
	if m.paused == nil && m.stop == nil && m.left.Load() < 0 {
		return errDead
	}
	return nil
}

func (m *mortal) Insert(ctx context.Context, k storage.Key, at time.Time, e *storage.Edit) (*storage.Record, error) {
	if err := m.live(); err != nil {
		return nil, err
	}
	return m.Store.Insert(ctx, k, at, e)
}

func (m *mortal) Update(ctx context.Context, k storage.Key, at time.Time, fn storage.UpdateFunc) (*storage.Record, bool, error) {
	if err := m.live(); err != nil {
		return nil, false, err
	}
	return m.Store.Update(ctx, k, at, fn)
}

// process is one more process on the database, on a store of its own if one is given.
func (f *fixture) process(store storage.Store) *Service {
	f.Helper()
	rs, err := resources.NewService(resources.Options{Store: store, Registry: f.registry, Now: f.clock.Now, NewID: f.newID, Random: f.random})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(rs.Close)
	s, err := New(f.ctx(), Options{
		Store: store, Registry: f.registry, Resources: rs, Now: f.clock.Now, NewID: f.newID, Random: f.random, Domains: domains(),
		Outbox: f.outbox,
	})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// people is a file of n people.
func people(n int) []byte {
	var b strings.Builder
	b.WriteString("email,name\n")
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.com,Person %d\n", i, i)
	}
	return []byte(b.String())
}

// work lets a process work until it has nothing to do.
func workOff(t testing.TB, s *Service) {
	t.Helper()
	for {
		n, err := s.RunJobsOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// imported uploads a file, previews it and says go.
func (f *fixture) imported(sub Subject, n int) string { return f.importedBy(sub, n, deliverEmail) }

func (f *fixture) importedBy(sub Subject, n int, delivery string) string {
	f.Helper()
	j, err := f.Import(f.ctx(), sub, people(n))
	if err != nil {
		f.Fatal(err)
	}
	if _, err = f.PreviewImport(f.ctx(), sub, j.ID, ImportOptions{Common: Invite{Delivery: delivery}}); err != nil {
		f.Fatal(err)
	}
	workOff(f, f.Service)
	if j, err = f.CommitJob(f.ctx(), sub, j.ID); err != nil {
		f.Fatal(err)
	}
	return j.ID
}

func (f *fixture) job(id string) *JobRecord {
	f.Helper()
	j, err := f.GetJob(f.ctx(), f.admin, id)
	if err != nil {
		f.Fatal(err)
	}
	return j
}

// wantImported wants each of n people invited exactly once, and the job and its rows to say so.
func (f *fixture) wantImported(id string, n int) {
	f.Helper()
	j := f.job(id)
	if j.State != JobDone || j.Done != n || !maps.Equal(j.Outcomes, map[string]int{OutcomeCreated: n}) {
		f.Errorf("the job is %s (%s), %d of %d, %v", j.State, j.Detail, j.Done, n, j.Outcomes)
	}
	seen := map[string]int{}
	if _, err := f.ListInvites(f.ctx(), f.org, nil, func(r *InviteRecord) error {
		seen[r.Email]++
		if r.Status != invitePending || r.SendCount > 1 || r.Supersedes != "" {
			f.Errorf("%s: %s, sent %d times, supersedes %q", r.Email, r.Status, r.SendCount, r.Supersedes)
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	for i := range n {
		if email := fmt.Sprintf("p%d@example.com", i); seen[email] != 1 {
			f.Errorf("%s has %d invites", email, seen[email])
		}
	}
	if len(seen) != n {
		f.Errorf("%d people were invited, want %d", len(seen), n)
	}
	rows := 0
	if err := f.EachJobRow(f.ctx(), f.admin, id, func(r *JobRow) error {
		if r.Outcome != OutcomeCreated || r.About != fmt.Sprintf("p%d@example.com", rows) || r.Invite == "" {
			f.Errorf("row %d: %+v", rows, r)
		}
		rows++
		return nil
	}); err != nil || rows != n {
		f.Errorf("%d rows, %v", rows, err)
	}
}

// TestImportSurvivesDeath: the process that works on an import dies after each of the first writes; another one goes on
// once the lease is over. Everybody is invited once.
func TestImportSurvivesDeath(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.outbox = &letters{}
		// What a process that dies has taken from the limits is gone with it.
		f.settings(func(s *Settings) { s.Plan.InvitesPerDay = 100_000 })
		id := f.importedBy(f.admin, 130, deliverNone)
		for calls := int64(1); ; calls += 3 {
			m := &mortal{Store: open(f.registry.StorageTypes())}
			m.left.Store(1 << 40)
			s := f.process(m)
			m.left.Store(calls)
			_, err := s.RunJobsOnce(t.Context())
			if f.clock.Advance(2 * jobLease); err == nil && f.job(id).over() {
				break
			}
			if calls > 2000 {
				t.Fatalf("the job does not come to its end: %+v, %v", f.job(id), err)
			}
		}
		f.wantImported(id, 130)
	})
}

// TestImportOfASlowProcess: a process is so slow that another one takes the job over and finishes it. What the slow one
// then does is not done twice.
func TestImportOfASlowProcess(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.outbox = &letters{}
		id := f.imported(f.admin, 70)
		m := &mortal{Store: open(f.registry.StorageTypes())}
		m.left.Store(1 << 40)
		m.paused, m.resume = make(chan struct{}), make(chan struct{})
		slow := f.process(m)
		done := make(chan error)
		go func() {
			_, err := slow.RunJobsOnce(t.Context())
			done <- err
		}()
		<-m.paused
		f.clock.Advance(2 * jobLease)
		workOff(t, f.Service)
		close(m.resume)
		if err := <-done; err != nil {
			t.Errorf("the slow process: %v", err)
		}
		f.wantImported(id, 70)
	})
}

// TestImportOfAServerThatStops: another one goes on at once, and nothing counts as a failure. Nor does it if the store
// cannot be reached.
func TestImportOfAServerThatStops(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.outbox = &letters{}
		id := f.importedBy(f.admin, 120, deliverNone)
		for _, calls := range []int64{2, 3, 4} {
			ctx, cancel := context.WithCancel(t.Context())
			m := &mortal{Store: open(f.registry.StorageTypes()), stop: cancel}
			s := f.process(m)
			m.left.Store(calls)
			if _, err := s.RunJobsOnce(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("stopped at call %d: %v", calls, err)
			}
			if j := f.job(id); j.Lease != "" || j.Failures != 0 || !j.Due.IsZero() || j.State != JobRunning {
				t.Errorf("stopped at call %d: %s, lease %q, %d failures, due %v", calls, j.State, j.Lease, j.Failures, j.Due)
			}
		}
		m := &mortal{Store: open(f.registry.StorageTypes())}
		m.left.Store(1 << 40)
		s := f.process(m)
		m.err = storage.ErrUnavailable
		for range 2 * maxJobFailures {
			if _, err := s.RunJobsOnce(t.Context()); err == nil {
				t.Fatal("no error without a store")
			}
			f.clock.Advance(2 * jobLease)
		}
		workOff(t, f.Service)
		f.wantImported(id, 120)
	})
}

// TestImportByManyProcesses: many processes at once.
func TestImportByManyProcesses(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.outbox = &letters{}
		ids := []string{f.imported(f.admin, 160)}
		var all []*Service
		for range 4 {
			all = append(all, f.process(open(f.registry.StorageTypes()))) // before any of them works: they share the registry
		}
		var wg sync.WaitGroup
		for _, s := range all {
			wg.Go(func() { workOff(t, s) })
		}
		wg.Wait()
		f.wantImported(ids[0], 160)
	})
}

// TestImportWaitsForTheLimit: what is beyond the invites of a day waits, it is not refused.
func TestImportWaitsForTheLimit(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(s *Settings) { s.Plan.InvitesPerDay = 60 })
	id := f.imported(f.admin, 100)
	workOff(t, f.Service)
	if j := f.job(id); j.State != JobRunning || j.Due.IsZero() {
		t.Fatalf("the job is %s, due %v", j.State, j.Due)
	}
	if n, err := f.count(t.Context(), f.org, typeInvite, nil); err != nil || n != 60 {
		t.Errorf("%d invites on the first day, %v", n, err)
	}
	for range 30 {
		f.clock.Advance(time.Hour)
		workOff(t, f.Service)
	}
	f.wantImported(id, 100)
}

// TestImportTellsBounds: what may not be is in the preview already.
func TestImportTellsBounds(t *testing.T) {
	f := newInviteFixture(t)
	j, err := f.Import(f.ctx(), f.admin, people(120))
	if err != nil {
		t.Fatal(err)
	}
	preview := func(seats, pending int) map[string]int {
		t.Helper()
		f.settings(func(s *Settings) {
			s.Plan.Seats.Limit, s.Plan.Seats.CountPending, s.Invite.MaxPending = seats, true, pending
		})
		if _, err = f.PreviewImport(f.ctx(), f.admin, j.ID, ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		workOff(t, f.Service)
		return f.job(j.ID).Outcomes
	}
	if got := preview(0, 70); got[OutcomeCreated] != 70 || got[OutcomeOverRate] != 50 {
		t.Errorf("with room for 70 open invites: %v", got)
	}
	if got := preview(55, 500); got[OutcomeCreated] != 55 || got[OutcomeOverSeats] != 65 {
		t.Errorf("with 55 seats: %v", got)
	}
}

// TestJobOfWhoLost: who has lost access since does nothing more.
func TestJobOfWhoLost(t *testing.T) {
	f := newInviteFixture(t)
	tok, _, err := f.resources.CreateToken(t.Context(), f.org, resources.NewToken{Name: "console", Scopes: []string{scim.ScopeAdmin}})
	if err != nil {
		t.Fatal(err)
	}
	sub := TokenSubject(scim.Caller{Org: f.org, Actor: scim.Actor{Kind: "token", ID: tok.ID, Name: "console"}},
		&scim.Client{Org: f.org, Actor: scim.Actor{Name: "console"}, Scopes: tok.Scopes})
	id := f.imported(sub, 10)
	if err := f.resources.RevokeToken(t.Context(), f.org, tok.ID); err != nil {
		t.Fatal(err)
	}
	person := f.asPerson("owner@example.com", RoleOwner)
	other := f.imported(person, 10)
	if _, err := f.Deactivate(t.Context(), f.admin, person.User, 0, Deactivation{}); err == nil {
		t.Fatal("the last owner was deactivated")
	}
	f.asPerson("second@example.com", RoleOwner)
	if _, err := f.Deactivate(t.Context(), f.admin, person.User, 0, Deactivation{}); err != nil {
		t.Fatal(err)
	}
	workOff(t, f.Service)
	if j := f.job(id); j.State != JobFailed || j.Code != "token_ended" {
		t.Errorf("of a revoked token: %s, %s", j.State, j.Code)
	}
	if j := f.job(other); j.State != JobFailed || j.Code != "deactivated" {
		t.Errorf("of somebody who was deactivated: %s, %s", j.State, j.Code)
	}
	if n, err := f.count(t.Context(), f.org, typeInvite, nil); err != nil || n != 0 {
		t.Errorf("%d invites, %v", n, err)
	}
}

// TestCancelledJob: what was done stays done, nothing more is done.
func TestCancelledJob(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(s *Settings) { s.Plan.InvitesPerDay = 60 })
	id := f.imported(f.admin, 100)
	workOff(t, f.Service)
	if _, err := f.CancelJob(t.Context(), f.admin, id); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(48 * time.Hour)
	workOff(t, f.Service)
	if n, err := f.count(t.Context(), f.org, typeInvite, nil); err != nil || n != 60 {
		t.Errorf("%d invites, %v", n, err)
	}
	decided := 0
	if err := f.EachJobRow(t.Context(), f.admin, id, func(r *JobRow) error {
		if r.Outcome != "" {
			decided++
		}
		return nil
	}); err != nil || decided != 60 {
		t.Errorf("%d rows are decided, %v", decided, err)
	}
}

// TestSweepJobs: a job that no worker knows of is found, and one whose time is over is thrown away whole.
func TestSweepJobs(t *testing.T) {
	f := newInviteFixture(t)
	id := f.imported(f.admin, 60)
	by := func(storage.Current) (storage.Change, error) { return storage.Change{Op: storage.OpDelete}, nil }
	if err := f.store.Delete(t.Context(), ticketKey(f.org, id), f.now(), by); err != nil {
		t.Fatal(err)
	}
	workOff(t, f.Service)
	if j := f.job(id); j.State != JobRunning {
		t.Fatalf("a job without a ticket is %s", j.State)
	}
	if _, err := f.SweepJobs(t.Context(), f.org); err != nil {
		t.Fatal(err)
	}
	workOff(t, f.Service)
	f.wantImported(id, 60)
	left := func() (n int) {
		t.Helper()
		for org, types := range map[scim.OrgID][]scim.TypeName{f.org: {typeJob, resources.TypeJobPart}, scim.SystemOrg: {resources.TypeJobTicket}} {
			for _, typ := range types {
				page, err := f.store.Query(t.Context(), org, query.Query{Sources: []query.Source{{Type: typ}}, Total: true})
				if err != nil {
					t.Fatal(err)
				}
				n += page.Total
			}
		}
		return n
	}
	if n := left(); n != 3 { // the job and its two parts
		t.Errorf("%d records of a job that is done", n)
	}
	f.clock.Advance(keepJobs + time.Second)
	if n, err := f.SweepJobs(t.Context(), f.org); err != nil || n != 1 {
		t.Errorf("swept %d jobs, %v", n, err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// TestMembersDoNotImport: what bounds the invites of a member is not got round by a file.
func TestMembersDoNotImport(t *testing.T) {
	f := newInviteFixture(t)
	f.settings(func(s *Settings) { s.Invite.ByMembers, s.Invite.ByManagers = true, true })
	member, manager := f.asPerson("member@example.com", "member"), f.asPerson("manager@example.com", "manager")
	_, err := f.Import(t.Context(), member, people(3))
	wantCode(t, "a member", err, 403, "not_allowed")
	j, err := f.Import(t.Context(), manager, people(3))
	if err != nil {
		t.Fatalf("a manager: %v", err)
	}
	_, err = f.GetJob(t.Context(), member, j.ID)
	wantCode(t, "another one's job", err, 404, "not_found")
}

// TestTooManyJobs: an organization does not fill the database with uploads.
func TestTooManyJobs(t *testing.T) {
	f := newInviteFixture(t)
	for range maxOpenJobs {
		if _, err := f.Import(t.Context(), f.admin, people(1)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Import(t.Context(), f.admin, people(1))
	wantCode(t, "one more", err, 409, "too_many_jobs")
	_, err = f.Import(t.Context(), f.admin, people(MaxJobItems+1))
	wantCode(t, "too many rows", err, 413, "too_many_rows")
}
