// Package conformance is the exported suite that every adapter of package storage must pass: one subtest for each
// MUST of the contract, under the name that the contract's comments give it. It is imported by tests only. It knows
// the contract and nothing of any adapter or database.
//
// An adapter's test is
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(t testing.TB) storage.Store { return open(t, conformance.Types()) })
//	}
package conformance

import (
	"context"
	"os"
	"strconv"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/storage"
)

// SeedVariable is the environment variable that sets the seed of the random tests; they print the one they ran with.
const SeedVariable = "ROLLCALL_TEST_SEED"

// Run runs the suite. open returns a new, empty store that was opened with [Types]; it closes it by t.Cleanup and
// may find it closed already.
func Run(t *testing.T, open func(t testing.TB) storage.Store) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			c.run(newEnv(t, open(t), open))
		})
	}
}

// RunCopy runs the tests of copies from one kind of store to another. Run has them for two of one kind.
func RunCopy(t *testing.T, from, to func(t testing.TB) storage.Store) {
	t.Helper()
	for _, c := range copyCases() {
		t.Run(c.name, func(t *testing.T) {
			c.run(newEnv(t, from(t), to))
		})
	}
}

// Names returns the names of the suite's tests, in the order in which they run.
func Names() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

// testCase is one test of the suite. Its name stands in the contract's comments; a test that no comment names says
// in extra what it is for.
type testCase struct {
	name  string
	extra string
	run   func(*env)
}

// cases lists the suite from the simple to the composed, so that the first failure is the one to read.
func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		insertCases(), valueCases(), updateCases(), memberCases(), deleteCases(), stepCases(),
		orderCases(), matchCases(), feedCases(), tenantCases(), ruleCases(), isolationCases(), copyCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// env is what one test works with: a fresh store and one organization in it.
type env struct {
	*testing.T
	store storage.Store
	// another opens a second store, empty as the first one was.
	another func(t testing.TB) storage.Store
	org     scim.OrgID
	ids     *testkit.IDs
	clock   *testkit.Clock
}

func newEnv(t *testing.T, s storage.Store, another func(t testing.TB) storage.Store) *env {
	e := &env{T: t, store: s, another: another, ids: testkit.NewIDs(), clock: testkit.NewClock()}
	e.org = e.newOrg("default")
	return e
}

func (e *env) ctx() context.Context { return e.Context() }

// newOrg inserts an organization.
func (e *env) newOrg(slug string) scim.OrgID {
	e.Helper()
	o := storage.Organization{ID: scim.OrgID(e.ids.New()), Slug: slug, Name: "Organization " + slug, Created: e.clock.Now()}
	if err := e.store.InsertOrganization(e.ctx(), o); err != nil {
		e.Fatalf("InsertOrganization(%s): %v", slug, err)
	}
	return o.ID
}

// seed returns the seed of a random test and has it printed if the test fails.
func (e *env) seed() uint64 {
	e.Helper()
	seed := uint64(20260102)
	if s := os.Getenv(SeedVariable); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			e.Fatalf("%s is not a number", SeedVariable)
		}
		seed = n
	}
	e.Logf("%s=%d", SeedVariable, seed)
	return seed
}

// Extras returns the tests that no MUST of the contract names, each with what it is for.
func Extras() map[string]string {
	extras := map[string]string{}
	for _, c := range cases() {
		if c.extra != "" {
			extras[c.name] = c.extra
		}
	}
	return extras
}
