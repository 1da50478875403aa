//go:build unix

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"rollcall/internal/testkit"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
	"rollcall/storage/conformance"
	"rollcall/storage/sqlite"
)

// TestConformanceUncached is TestConformance without the cache, which is on by default.
func TestConformanceUncached(t *testing.T) {
	conformance.Run(t, func(t testing.TB) storage.Store { return open(t, sqlite.Options{Cache: -1}) })
}

// raceWorld is people and groups that writers change while readers look. Each person belongs to one writer, so that
// writer knows what must be read after its last acknowledged write.
type raceWorld struct {
	*sqlite.Store
	ids    *testkit.IDs
	clock  *testkit.Clock
	people [][]person // by writer
	groups []storage.Key
	seen   sync.Map // reader's and record's key -> newest version seen
}

type person struct {
	key    atomic.Pointer[storage.Key]
	serial int // what the user's name is made of
	groups map[int]bool
}

var errWrong = errors.New("wrong")

func personEdit(name string, version int64) *storage.Edit {
	e := benchUser(1)
	e.Doc["externalId"] = name
	e.Doc["userName"], e.Doc["title"], e.Doc["active"] = name, fmt.Sprint(version), version%2 == 0
	e.Unique = []query.UniqueKey{{Attr: "userName", Value: name}}
	e.Label = name
	return e
}

func groupEdit(label string) *storage.Edit {
	return &storage.Edit{
		Doc:   scim.Attributes{"schemas": []any{scim.SchemaGroup}, "displayName": label},
		Label: label, Change: storage.Change{Op: storage.OpCreate},
	}
}

func TestCacheUnderRace(t *testing.T) {
	for _, nested := range []bool{false, true} {
		t.Run(fmt.Sprintf("nested=%t", nested), func(t *testing.T) { raceCache(t, nested) })
	}
}

func raceCache(t *testing.T, nested bool) {
	const writers, peopleEach, groups, rounds, readers = 3, 12, 6, 120, 4
	w := &raceWorld{Store: open(t, sqlite.Options{Types: benchTypes()}), ids: testkit.NewIDs(), clock: testkit.NewClock()}
	ctx := t.Context()
	for i := range groups {
		k := storage.Key{Org: benchOrg, Type: "Group", ID: w.ids.New()}
		e := groupEdit(fmt.Sprintf("label %d", i))
		if i > 0 && nested {
			e.Members.Add = []string{w.groups[i-1].ID}
		}
		if _, err := w.Insert(ctx, k, w.clock.Tick(), e); err != nil {
			t.Fatal(err)
		}
		w.groups = append(w.groups, k)
	}
	w.people = make([][]person, writers)
	for i := range w.people {
		w.people[i] = make([]person, peopleEach)
		for j := range w.people[i] {
			if err := w.hire(ctx, i, j); err != nil {
				t.Fatal(err)
			}
		}
	}
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for i := range writers {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range rounds {
				if err := w.change(ctx, random, i); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	// Labels change, too, which no person is touched for.
	writing.Go(func() {
		for n := range rounds {
			k := w.groups[n%groups]
			label := fmt.Sprintf("label %d", n)
			_, _, err := w.Update(ctx, k, w.clock.Tick(), func(storage.Current) (*storage.Edit, error) { return groupEdit(label), nil })
			if err != nil {
				t.Errorf("rename: %v", err)
				return
			}
			if err := w.labelIs(ctx, k.ID, label); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range readers {
		reading.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.look(ctx, random, i); err != nil {
					t.Errorf("reader %d: %v", i, err)
					return
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	wantSound(t, w.Store)
}

func nameOf(writer, j, serial int) string {
	return fmt.Sprintf("u%d.%d.%d@example.com", writer, j, serial)
}

// hire makes a person, in one group from the start.
func (w *raceWorld) hire(ctx context.Context, i, j int) error {
	p := &w.people[i][j]
	p.serial++
	k := storage.Key{Org: benchOrg, Type: "User", ID: w.ids.New()}
	p.groups = map[int]bool{}
	if _, err := w.Insert(ctx, k, w.clock.Tick(), personEdit(nameOf(i, j, p.serial), 1)); err != nil {
		return err
	}
	p.key.Store(&k)
	return nil
}

// change does one thing to one of the writer's people and reads it back.
func (w *raceWorld) change(ctx context.Context, random *rand.Rand, i int) error {
	j := random.IntN(len(w.people[i]))
	p := &w.people[i][j]
	k := *p.key.Load()
	old := nameOf(i, j, p.serial)
	switch random.IntN(6) {
	case 0:
		err := w.Delete(ctx, k, w.clock.Tick(), func(storage.Current) (storage.Change, error) { return storage.Change{}, nil })
		if err != nil {
			return err
		}
		if _, err := w.Get(ctx, k, query.Load{Groups: true}); !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("%w: a deleted person is read: %w", errWrong, err)
		}
		if err := w.holds(ctx, old, ""); err != nil {
			return err
		}
		if err := w.hire(ctx, i, j); err != nil {
			return err
		}
	case 1, 2: // join or leave
		g := random.IntN(len(w.groups))
		delta := storage.MemberDelta{Add: []string{k.ID}}
		if p.groups[g] {
			delta = storage.MemberDelta{Remove: []string{k.ID}}
		}
		_, _, err := w.Update(ctx, w.groups[g], w.clock.Tick(), func(storage.Current) (*storage.Edit, error) {
			return &storage.Edit{Members: delta}, nil
		})
		if err != nil {
			return err
		}
		p.groups[g] = !p.groups[g]
	default: // rename, always: the filter by name must follow
		p.serial++
		var rec *storage.Record
		rec, _, err := w.Update(ctx, k, w.clock.Tick(), func(c storage.Current) (*storage.Edit, error) {
			return personEdit(nameOf(i, j, p.serial), c.Record().Version+1), nil
		})
		if err != nil {
			return err
		}
		got, err := w.Get(ctx, k, query.Load{Groups: true})
		if err != nil {
			return err
		}
		if got.Version != rec.Version || string(got.Doc) != string(rec.Doc) {
			return fmt.Errorf("%w: version %d is read after version %d was acknowledged", errWrong, got.Version, rec.Version)
		}
		if err := w.holds(ctx, old, ""); err != nil {
			return err
		}
	}
	k = *p.key.Load()
	if err := w.holds(ctx, nameOf(i, j, p.serial), k.ID); err != nil {
		return err
	}
	rec, err := w.Get(ctx, k, query.Load{Groups: true})
	if err != nil {
		return err
	}
	direct := map[string]bool{}
	for _, g := range rec.Groups {
		if g.Direct {
			direct[g.ID] = true
		}
	}
	for g, in := range p.groups {
		if direct[w.groups[g].ID] != in {
			return fmt.Errorf("%w: member of group %d: %t, want %t", errWrong, g, !in, in)
		}
	}
	return nil
}

// byName is the filter that the cache answers.
func byName(name string) query.Query {
	f := query.Field{Path: "userName", Steps: []string{"userName"}, Kind: query.String}
	return query.Query{
		Sources: []query.Source{{Type: "User", Where: query.Compare{Field: f, Op: query.Eq, Value: query.Value{Kind: query.String, Str: name}}}},
		Limit:   10, Total: true, Load: query.Load{Groups: true},
	}
}

// holds demands that the name, which is the externalId as well, is that of the record, of none if id is empty.
func (w *raceWorld) holds(ctx context.Context, name, id string) error {
	for _, q := range []query.Query{byName(name), byValue("externalId", name, 10)} {
		page, err := w.Query(ctx, benchOrg, q)
		if err != nil {
			return err
		}
		var got string
		if len(page.Records) > 0 {
			got = page.Records[0].ID
		}
		if got != id || page.Total != len(page.Records) {
			return fmt.Errorf("%w: %s is held by %q, total %d, want %q", errWrong, name, got, page.Total, id)
		}
	}
	return nil
}

// labelIs demands that all members show a group's label.
func (w *raceWorld) labelIs(ctx context.Context, group, label string) error {
	page, err := w.Query(ctx, benchOrg, query.Query{Sources: []query.Source{{Type: "User"}}, Limit: 1000, Load: query.Load{Groups: true}})
	if err != nil {
		return err
	}
	for _, r := range page.Records {
		for _, g := range r.Groups {
			if g.ID == group && g.Display != label {
				return fmt.Errorf("%w: a member shows label %q, want %q", errWrong, g.Display, label)
			}
		}
	}
	return nil
}

// look reads something and demands that it fits together: a document belongs to its version, a hit to its filter,
// and nothing is older than what this reader has seen.
func (w *raceWorld) look(ctx context.Context, random *rand.Rand, reader int) error {
	i := random.IntN(len(w.people))
	j := random.IntN(len(w.people[i]))
	active := query.Field{Path: "active", Steps: []string{"active"}, Kind: query.Boolean}
	everybody := query.Query{Sources: []query.Source{{Type: "User"}}, Limit: 20, Total: true, Load: query.Load{Groups: true}}
	switch random.IntN(5) {
	case 0, 1:
		rec, err := w.Get(ctx, *w.people[i][j].key.Load(), query.Load{Groups: true})
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = w.fits(rec, reader)
		return err
	case 2:
		name := nameOf(i, j, 1+random.IntN(40))
		q := byName(name)
		if random.IntN(2) == 0 {
			q = byValue("externalId", name, 10)
		}
		page, err := w.Query(ctx, benchOrg, q)
		if err != nil {
			return err
		}
		for n := range page.Records {
			doc, err := w.fits(&page.Records[n], reader)
			if err != nil {
				return err
			}
			if doc["userName"] != name {
				return fmt.Errorf("%w: %v is found as %s", errWrong, doc["userName"], name)
			}
		}
	case 3:
		everybody.Sources[0].Where = query.Compare{Field: active, Op: query.Eq, Value: query.Value{Kind: query.Boolean, Bool: true}}
		fallthrough
	default:
		page, err := w.Query(ctx, benchOrg, everybody)
		if err != nil {
			return err
		}
		if !slices.IsSortedFunc(page.Records, func(a, b storage.Record) int { return cmpText(a.ID, b.ID) }) {
			return fmt.Errorf("%w: not in order", errWrong)
		}
		labels := map[string]string{}
		for n := range page.Records {
			doc, err := w.fits(&page.Records[n], reader)
			if err != nil {
				return err
			}
			// All of a page is one state, so a group has one label in it.
			for _, g := range page.Records[n].Groups {
				if have, ok := labels[g.ID]; ok && have != g.Display {
					return fmt.Errorf("%w: labels %q and %q of one group in one page", errWrong, have, g.Display)
				}
				labels[g.ID] = g.Display
			}
			if everybody.Sources[0].Where != nil && doc["active"] != true {
				return fmt.Errorf("%w: an inactive person is found as active", errWrong)
			}
		}
	}
	return nil
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (w *raceWorld) fits(rec *storage.Record, reader int) (scim.Attributes, error) {
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return nil, err
	}
	if doc["title"] != fmt.Sprint(rec.Version) {
		return nil, fmt.Errorf("%w: version %d with the document of version %v", errWrong, rec.Version, doc["title"])
	}
	key := fmt.Sprint(reader, rec.ID)
	if last, ok := w.seen.Load(key); ok && last.(int64) > rec.Version {
		return nil, fmt.Errorf("%w: version %d after version %d", errWrong, rec.Version, last)
	}
	w.seen.Store(key, rec.Version)
	return doc, nil
}
