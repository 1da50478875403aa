package lifecycle

import (
	"fmt"
	"maps"
	"testing"

	"rollcall/storage"
)

// localUsers makes n users whom no client manages, and returns their ids.
func (f *fixture) localUsers(n int) []string {
	f.Helper()
	ids := make([]string, n)
	by := f.admin
	f.admin.Actor.Kind = actorApp
	defer func() { f.admin = by }()
	for i := range ids {
		ids[i] = f.create(typeUser, fmt.Sprintf(`"userName":"u%d@example.com"`, i))
	}
	return ids
}

// TestMembersSurviveDeath: whoever removes many people dies again and again; each is removed once, and their outcome says
// so: nobody is found to be gone already.
func TestMembersSurviveDeath(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.outbox = &letters{}
		const n = 60
		ids := f.localUsers(n)
		st, err := f.RemovalEffects(t.Context(), f.admin)
		if err != nil {
			t.Fatal(err)
		}
		r := Removal{EffectsVersion: st.Version}
		for _, s := range st.Statements {
			r.Acknowledge = append(r.Acknowledge, s.ID)
		}
		j, err := f.StartMemberBulk(t.Context(), f.admin, MemberBulk{IDs: ids, Action: BulkRemove, BulkArguments: BulkArguments{Removal: r}})
		if err != nil {
			t.Fatal(err)
		}
		for calls := int64(1); !f.job(j.ID).over(); calls += 7 {
			m := &mortal{Store: open(f.registry.StorageTypes())}
			m.left.Store(1 << 40)
			s := f.process(m)
			m.left.Store(calls)
			_, _ = s.RunJobsOnce(t.Context())
			f.clock.Advance(2 * jobLease)
			if calls > 1000 {
				t.Fatalf("the job does not come to its end: %+v", f.job(j.ID))
			}
		}
		if got := f.job(j.ID); got.State != JobDone || !maps.Equal(got.Outcomes, map[string]int{OutcomeDone: n}) {
			t.Errorf("the job is %s (%s), %v", got.State, got.Detail, got.Outcomes)
		}
		gone, _, err := f.Removed(t.Context(), f.admin, "", 2*n)
		if err != nil || len(gone) != n {
			t.Errorf("%d people were removed, %v", len(gone), err)
		}
	})
}

// TestMemberBulkDryRun: a dry run finds out what the real one does, and leaves no trace of its own.
func TestMemberBulkDryRun(t *testing.T) {
	f := newInviteFixture(t)
	ids := append(f.localUsers(3), "00000000-0000-7000-8000-00000000ffff")
	before, err := f.store.Changes(t.Context(), f.org, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []MemberBulk{
		{Action: BulkDeactivate},
		{Action: BulkActivate},
		{Action: BulkChangeRole, BulkArguments: BulkArguments{Roles: []string{"guest"}}},
		{Action: BulkChangeOccupation},
	} {
		b.IDs, b.DryRun = ids, true
		j, err := f.StartMemberBulk(t.Context(), f.admin, b)
		if err != nil {
			t.Fatal(err)
		}
		workOff(t, f.Service)
		if got := f.job(j.ID); !maps.Equal(got.Outcomes, map[string]int{OutcomeWouldDone: 3, "not_found": 1}) {
			t.Errorf("%s: %s, %v", b.Action, got.State, got.Outcomes)
		}
	}
	after, err := f.store.Changes(t.Context(), f.org, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	users := func(list []storage.Change) (n int) {
		for i := range list {
			if list[i].Key.Type == typeUser {
				n++
			}
		}
		return n
	}
	if users(after) != users(before) {
		t.Errorf("%d changes of users, %d before", users(after), users(before))
	}
}
