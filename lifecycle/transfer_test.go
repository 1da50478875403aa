package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// anotherProcess is one more process on the database of a fixture, with a registry of its own.
func (f *fixture) anotherProcess(store storage.Store) *Service {
	f.Helper()
	reg, err := resources.NewRegistry(resources.Default()...)
	if err != nil {
		f.Fatal(err)
	}
	rs, err := resources.NewService(resources.Options{Store: store, Registry: reg, Now: f.clock.Now, NewID: f.newID, Random: f.random})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(rs.Close)
	s, err := New(f.Context(), Options{
		Store: store, Registry: reg, Resources: rs, Now: f.clock.Now, NewID: f.newID, Random: f.random, Domains: domains(),
	})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

var errKilled = errors.New("the process was killed")

// dying is a store whose process is killed at a step: before it, or after the database has committed it.
type dying struct {
	storage.Store
	mu    sync.Mutex
	left  int // steps until then
	after bool
	steps int
}

func (d *dying) Within(ctx context.Context, org scim.OrgID, step storage.Step) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		return errKilled
	}
	d.left--
	d.steps++
	if d.left == 0 && !d.after {
		return errKilled
	}
	err := d.Store.Within(ctx, org, step)
	if d.left == 0 && err == nil {
		return errKilled
	}
	return err
}

// saga is a transfer with an application and whoever drives it. It goes by what is stored, as people and programs do.
type saga struct {
	*fixture
	id       string
	back     string // of the one that takes it back
	person   string
	to       []string
	executed map[string]int
	mu       sync.Mutex
}

const sagaClients, sagaReports = 25, 3

func (f *fixture) saga(n int) *saga {
	f.Helper()
	name := func(who string) string { return fmt.Sprint(who, n) }
	g := &saga{fixture: f, person: f.scimUser(name("ann"), nil), to: []string{f.scimUser(name("bob"), nil), f.scimUser(name("cat"), nil)}, executed: map[string]int{}}
	f.clients(sagaClients, g.person)
	doc := func() scim.Attributes {
		return scim.Attributes{"userName": f.newID(), "active": true, scim.SchemaEnterpriseUser: scim.Attributes{"manager": scim.Attributes{"value": g.person}}}
	}
	for range sagaReports {
		c, err := f.resources.NewCreation(f.Context(), f.admin.Caller, typeUser, f.newID(), doc())
		if err == nil {
			err = f.store.Within(f.Context(), f.org, func(tx storage.Tx) error { _, err := c.Insert(f.Context(), tx); return err })
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	t, err := f.CreateTransfer(f.Context(), f.admin, NewTransfer{From: g.person})
	if err != nil {
		f.Fatal(err)
	}
	g.id = t.ID
	return g
}

// goOn does one thing that is to be done now, by this process. ended says that there is none.
func (g *saga) goOn(s *Service) (ended bool, err error) {
	ctx := g.Context()
	t, err := g.GetTransfer(ctx, g.admin, g.id)
	if err != nil {
		return false, err
	}
	switch t.State {
	case transferDraft:
		_, err = s.CollectTransfer(ctx, g.admin, g.id)
	case transferReady:
		if t.SelectedBy == nil {
			rule := TransferRule{To: []Share{{User: g.to[0], Share: 2}, {User: g.to[1], Share: 1}}}
			_, err = s.SelectTransfer(ctx, g.admin, g.id, scim.Precondition{}, "", []TransferRule{rule})
		} else {
			_, err = s.RunTransfer(ctx, g.admin, g.id, false)
		}
	case transferDone:
		if t.Removal != nil && t.Removal.State == removalWaiting {
			return false, s.SweepTransfers(ctx, g.org)
		}
		return true, nil
	case transferErrors, transferFailed, transferCancelled:
		return false, fmt.Errorf("the transfer is %s", t.State)
	default:
		if err = g.app(s); err == nil {
			err = s.SweepTransfers(ctx, g.org)
		}
	}
	return false, err
}

// removed lets the person be removed when the transfer has ended.
func (g *saga) removed() *saga {
	g.Helper()
	st, err := g.RemovalEffects(g.Context(), g.admin)
	if err != nil {
		g.Fatal(err)
	}
	r := Removal{EffectsVersion: st.Version, Transfer: g.id}
	for _, x := range st.Statements {
		r.Acknowledge = append(r.Acknowledge, x.ID)
	}
	p, _, err := g.Service.person(g.Context(), g.org, g.person)
	if err == nil {
		r.Confirm, _ = p.Doc["userName"].(string)
		err = g.Remove(g.Context(), g.admin, g.person, 0, r)
	}
	if err != nil {
		g.Fatal(err)
	}
	if a := g.access(g.person); a != AccessDeactivated {
		g.Errorf("before the transfer the person is %s", a)
	}
	return g
}

// app is the application: it answers what it is asked, and hands each thing over once.
func (g *saga) app(s *Service) error {
	ctx := g.Context()
	steps, _, err := s.PageTransferSteps(ctx, g.admin, "crm", "", 1000)
	if err != nil {
		return err
	}
	for _, st := range steps {
		if st.Transfer != g.id && st.Transfer != g.back {
			continue
		}
		if st.Kind == stepInventory {
			for i := range 3 {
				found := []FoundItem{{WorkType: "flows", Ref: fmt.Sprint(2 * i)}, {WorkType: "flows", Ref: fmt.Sprint(2*i + 1)}}
				if _, err := s.AnswerInventory(ctx, g.admin, "crm", st.ID, AnswerItems, found, i == 2); err != nil {
					return err
				}
			}
			continue
		}
		items, _, err := s.PageStepItems(ctx, g.admin, "crm", st.ID, "", 1000)
		if err != nil {
			return err
		}
		for _, i := range items {
			g.mu.Lock()
			if g.executed[i.ID] == 0 { // it knows what it has done
				g.executed[i.ID]++
			}
			g.mu.Unlock()
			if _, err := s.AckItems(ctx, g.admin, "crm", st.ID, []ItemAck{{ID: i.ID, State: AckDone}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// check says that everything has happened once.
func (g *saga) check(name string) {
	g.Helper()
	t, err := g.GetTransfer(g.Context(), g.admin, g.id)
	if err != nil {
		g.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range t.Log {
		seen[e.What]++
	}
	for _, what := range []string{transferDraft, transferCollecting, transferReady, "selected", "run", stepExecute, transferDone} {
		if seen[what] != 1 {
			g.Errorf("%s: %d times %s: %v", name, seen[what], what, seen)
		}
	}
	if t.State != transferDone || len(g.executed) != 6 {
		g.Errorf("%s: %s, %d things handed over", name, t.State, len(g.executed))
	}
	got := map[string]int{}
	err = g.eachClient(g.Context(), g.org, nil, func(page []*record[Client]) error {
		for _, c := range page {
			for _, o := range c.Value.Owners {
				got[o.Value]++
			}
			if c.Value.owns(g.to[0]) || c.Value.owns(g.to[1]) {
				if c.Version != 2 || len(c.Value.Owners) != 1 {
					g.Errorf("%s: a client of version %d has the owners %+v", name, c.Version, c.Value.Owners)
				}
			}
		}
		return nil
	})
	if err != nil || got[g.person] != 0 || got[g.to[0]]+got[g.to[1]] != sagaClients || got[g.to[0]] < 16 || got[g.to[0]] > 17 {
		g.Errorf("%s: clients %d, %d, %d left, %v", name, got[g.to[0]], got[g.to[1]], got[g.person], err)
	}
	for i, want := range []int{2, 1} {
		typ, where := g.ownOf(workReports, g.to[i])
		if n, err := g.count(g.Context(), g.org, typ, where); err != nil || n != want {
			g.Errorf("%s: %d people have the manager, %v", name, n, err)
		}
	}
}

func (f *fixture) registerCRM() {
	f.Helper()
	app := App{Key: "crm", Display: "CRM", Effects: []Effect{}, WorkTypes: []WorkType{{Key: "flows", Display: "Flows", Itemised: true, Undo: true}}}
	if err := f.PutApp(f.Context(), f.admin, app); err != nil {
		f.Fatal(err)
	}
}

// A process is killed before each step of a transfer, and after each, when the database has it and nobody was told. Another
// process goes on, and everything has happened once.
func TestTransferIsResumedAfterEachStep(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.registerCRM()
		next := f.anotherProcess(f.store)
		run := 0
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				run++
				name := fmt.Sprintf("killed at step %d (after: %v)", at, after)
				g := f.saga(run).removed()
				d := &dying{Store: f.store, left: at, after: after}
				s, killed := f.anotherProcess(d), false
				for range 100 {
					ended, err := g.goOn(s)
					if errors.Is(err, errKilled) {
						s, killed, err = next, true, nil
					}
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if ended {
						break
					}
				}
				g.check(name)
				if a := g.access(g.person); a != AccessRevoked {
					t.Errorf("%s: after it the person is %s", name, a)
				}
				if t.Failed() {
					t.FailNow()
				}
				if !killed {
					if at < 12 {
						t.Errorf("a transfer has only %d steps", d.steps)
					}
					break
				}
			}
		}
		t.Logf("%d runs", run)
	})
}

// Several processes drive one transfer at once.
func TestTransferByTwoProcesses(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.registerCRM()
		g := f.saga(0)
		var wg sync.WaitGroup
		for range 4 {
			s := f.anotherProcess(f.store)
			wg.Go(func() {
				for range 200 {
					ended, err := g.goOn(s)
					if known, ok := errors.AsType[*scim.Error](err); ok && (known.Status == 409 || known.Status == 503) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if ended {
						return
					}
				}
				t.Error("the transfer does not end")
			})
		}
		wg.Wait()
		g.check("four at once")
	})
}

// More clients than one step moves go in several, each client once.
func TestTransferOfManyClients(t *testing.T) {
	f := newFixture(t)
	f.registerCRM()
	g := f.saga(0)
	f.clients(2*ownClients, g.person)
	for range 20 {
		ended, err := g.goOn(f.Service)
		if err != nil {
			t.Fatal(err)
		}
		if ended {
			break
		}
	}
	items, _, err := f.PageTransferItems(t.Context(), f.admin, g.id, itemDone, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.WorkType == workClients && i.MovedCount != 2*ownClients+sagaClients {
			t.Errorf("%d clients moved", i.MovedCount)
		}
	}
	if n, err := f.ClientCount(t.Context(), f.org, g.person); err != nil || n != 0 {
		t.Errorf("%d are left, %v", n, err)
	}
}

// An application that answers while the transfer is called off: what it has handed over it is asked to give back, be the
// answer before or after.
func TestTransferIsCancelledWhileAnApplicationAnswers(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := fixtureOn(t, open)
		f.registerCRM()
		for n := range 5 {
			g := f.saga(n)
			for {
				if _, err := g.goOn(f.Service); err != nil {
					t.Fatal(err)
				}
				if x, err := f.GetTransfer(t.Context(), f.admin, g.id); err != nil || x.Phase == phaseApps {
					break
				}
			}
			steps, _, err := f.PageTransferSteps(t.Context(), f.admin, "crm", "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			step := ""
			for _, st := range steps {
				if st.Transfer == g.id {
					step = st.ID
				}
			}
			items, _, err := f.PageStepItems(t.Context(), f.admin, "crm", step, "", 100)
			if err != nil || len(items) != 6 {
				t.Fatalf("%d items, %v", len(items), err)
			}
			var wg sync.WaitGroup
			for _, i := range items {
				wg.Go(func() {
					if _, err := f.AckItems(context.Background(), f.admin, "crm", step, []ItemAck{{ID: i.ID, State: AckDone}}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				for {
					_, err := f.CancelTransfer(context.Background(), f.admin, g.id)
					known, ok := errors.AsType[*scim.Error](err)
					switch {
					case ok && known.Code == "transfer_changed":
						continue
					case err != nil && (!ok || known.Code != "transfer_moved"):
						t.Error(err)
					}
					return
				}
			})
			wg.Wait()
			x, err := f.GetTransfer(t.Context(), f.admin, g.id)
			if err != nil {
				t.Fatal(err)
			}
			if x.State == transferDone { // the answers were faster
				continue
			}
			for range 3 {
				if err := g.app(f.Service); err != nil {
					t.Fatal(err)
				}
			}
			all, _, err := f.PageTransferItems(t.Context(), f.admin, g.id, "", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range all {
				if i.App == "crm" && i.State != itemUndone {
					t.Errorf("run %d: a thing that was handed over is %s", n, i.State)
				}
			}
		}
	})
}

// The evidence outlives the person, their name does not.
func TestTransferOfSomebodyWhoIsErased(t *testing.T) {
	f := newFixture(t)
	f.registerCRM()
	g := f.saga(0).removed()
	for range 20 {
		ended, err := g.goOn(f.Service)
		if err != nil {
			t.Fatal(err)
		}
		if ended {
			break
		}
	}
	name := func() string {
		r, err := f.ReportTransfer(t.Context(), f.admin, g.id)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Steps) != 2 || r.Steps[0].From != r.Transfer.From {
			t.Errorf("steps %+v", r.Steps)
		}
		return r.Transfer.From.Display
	}
	if got := name(); got != "ann0" {
		t.Errorf("after the removal it is the work of %q", got)
	}
	if err := f.Erase(t.Context(), f.admin, g.person, ""); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != FormerMember {
		t.Errorf("after the erasure it is the work of %q", got)
	}
	list, err := f.store.History(t.Context(), transferKey(f.org, g.id), 0, 100)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d changes, %v", len(list), err)
	}
	for _, ch := range list {
		for _, v := range ch.Values {
			if v.Old == "ann0" || v.New == "ann0" {
				t.Errorf("the history of the transfer has the name, at %s", v.Path)
			}
		}
	}
}

// goBack drives a temporary transfer to its end, and the one that takes it back.
func (g *saga) goBack(s *Service) (ended bool, err error) {
	ended, err = g.goOn(s)
	if err != nil || !ended {
		return false, err
	}
	t, err := g.GetTransfer(g.Context(), g.admin, g.id)
	if err != nil {
		return false, err
	}
	if t.Back == "" {
		g.clock.Advance(max(0, t.Until.Sub(g.now())))
		return false, s.SweepTransfers(g.Context(), g.org)
	}
	g.back = t.Back
	back, err := g.GetTransfer(g.Context(), g.admin, g.back)
	if err != nil || back.State == transferDone {
		return err == nil, err
	}
	if err := g.app(s); err != nil {
		return false, err
	}
	return false, s.SweepTransfers(g.Context(), g.org)
}

// What was lent comes back once, whenever a process is killed on the way.
func TestTemporaryTransferIsResumedAfterEachStep(t *testing.T) {
	f := newFixture(t)
	f.registerCRM()
	next, run := f.anotherProcess(f.store), 0
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			run++
			name := fmt.Sprintf("killed at step %d (after: %v)", at, after)
			g := f.saga(run)
			_, err := change(t.Context(), f.Service, f.store, f.admin.Caller, transferKey(f.org, g.id), f.now(), func(r *record[Transfer]) error {
				r.Value.Temporary, r.Value.Until = true, Instant{f.now().Add(24 * time.Hour)}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			d := &dying{Store: f.store, left: at, after: after}
			s, killed, ended := f.anotherProcess(d), false, false
			for range 100 {
				ended, err = g.goBack(s)
				if errors.Is(err, errKilled) {
					s, killed, err = next, true, nil
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if ended {
					break
				}
			}
			if !ended || len(g.executed) != 12 {
				t.Fatalf("%s: ended %v, %d things handed over", name, ended, len(g.executed))
			}
			typ, where := f.ownOf(workReports, g.person)
			if n, err := f.count(t.Context(), f.org, typ, where); err != nil || n != sagaReports {
				t.Fatalf("%s: %d people have their manager back, %v", name, n, err)
			}
			list, err := find[Client](t.Context(), f.Service, f.org, typeClient, f.eq(typeClient, "owners.value", g.person), 100)
			if err != nil || len(list) != sagaClients {
				t.Fatalf("%s: %d clients, %v", name, len(list), err)
			}
			for _, c := range list {
				if len(c.Value.Owners) != 1 || c.Version != 3 {
					t.Fatalf("%s: a client of version %d has the owners %+v", name, c.Version, c.Value.Owners)
				}
			}
			if !killed {
				break
			}
		}
	}
	t.Logf("%d runs", run)
}
