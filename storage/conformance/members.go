package conformance

import (
	"fmt"
	"slices"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func memberCases() []testCase {
	return []testCase{
		{name: "MemberDelta", run: testMemberDelta},
		{name: "MemberDeltaCost", extra: "the second half of MemberDelta: the price of a change in a large group", run: testMemberDeltaCost},
		{name: "PendingMemberBecomesReal", run: testPendingMember},
		{name: "GroupsDirectAndIndirect", extra: "Record.Groups through nested groups, direct before indirect", run: testGroups},
		{name: "CyclicGroups", run: testCyclicGroups},
		{name: "MemberLimit", extra: "query.Load.MemberLimit bounds the members of each group", run: testMemberLimit},
	}
}

func testMemberDelta(e *env) {
	a, b, c, d := e.ids.New(), e.ids.New(), e.ids.New(), e.ids.New()
	g := e.insert(typeGroup, group("staff", b, a, b))
	e.diff("inserted", []string{a, b}, memberIDs(e.get(g.Key)))
	if first := e.changesOf(g.Key); len(first) != 1 {
		e.Fatalf("%d changes after the insert", len(first))
	} else {
		e.diff("MembersAdded of the insert", []string{a, b}, sorted(first[0].MembersAdded))
	}
	version := int64(1)
	for _, step := range []struct {
		name                 string
		delta                storage.MemberDelta
		added, removed, want []string
	}{
		{"add one", storage.MemberDelta{Add: []string{c}}, []string{c}, nil, []string{a, b, c}},
		{"add two, one is there", storage.MemberDelta{Add: []string{a, d}}, []string{d}, nil, []string{a, b, c, d}},
		{"add twice in one delta", storage.MemberDelta{Add: []string{a, a, b}}, nil, nil, []string{a, b, c, d}},
		{"remove two, one is not there", storage.MemberDelta{Remove: []string{d, e.ids.New()}}, nil, []string{d}, []string{a, b, c}},
		{"remove twice in one delta", storage.MemberDelta{Remove: []string{c, c}}, nil, []string{c}, []string{a, b}},
		{"remove what is gone", storage.MemberDelta{Remove: []string{c}}, nil, nil, []string{a, b}},
		{"remove, then add the same", storage.MemberDelta{Remove: []string{a}, Add: []string{a}}, nil, nil, []string{a, b}},
		{"remove, then add one that is not there", storage.MemberDelta{Remove: []string{c}, Add: []string{c}}, []string{c}, nil, []string{a, b, c}},
		{"replace by the same", storage.MemberDelta{Replace: true, Add: []string{c, b, a}}, nil, nil, []string{a, b, c}},
		{"replace", storage.MemberDelta{Replace: true, Add: []string{b, d, d}}, []string{d}, []string{a, c}, []string{b, d}},
		{"replace by nothing", storage.MemberDelta{Replace: true}, nil, []string{b, d}, nil},
		{"replace nothing by nothing", storage.MemberDelta{Replace: true}, nil, nil, nil},
		{"fill again", storage.MemberDelta{Replace: true, Add: []string{a}}, []string{a}, nil, []string{a}},
	} {
		before := e.get(g.Key)
		rec, changed := e.update(g.Key, always(members(step.delta)))
		effective := len(step.added)+len(step.removed) > 0
		if changed != effective {
			e.Errorf("%s: changed %v, want %v", step.name, changed, effective)
		}
		if effective {
			version++
		} else if !rec.Modified.Equal(before.Modified) {
			e.Errorf("%s: no change moved Modified", step.name)
		}
		if rec.Version != version {
			e.Errorf("%s: version %d, want %d", step.name, rec.Version, version)
		}
		if string(rec.Doc) != string(g.Doc) {
			e.Errorf("%s: the document became %s", step.name, rec.Doc)
		}
		e.diff(step.name, step.want, memberIDs(e.get(g.Key)))
		changes := e.changesOf(g.Key)
		if len(changes) != int(version) {
			e.Fatalf("%s: %d changes, want %d", step.name, len(changes), version)
		}
		if effective {
			last := changes[len(changes)-1]
			e.diff(step.name+": MembersAdded", sorted(step.added), sorted(last.MembersAdded))
			e.diff(step.name+": MembersRemoved", sorted(step.removed), sorted(last.MembersRemoved))
		}
	}
	// One edit may change the document and the members.
	rec, _ := e.update(g.Key, func(cur storage.Current) (*storage.Edit, error) {
		edit, err := mapDoc(func(doc scim.Attributes) { doc["note"] = "x" })(cur)
		edit.Members = storage.MemberDelta{Add: []string{b}}
		return edit, err
	})
	if rec.Version != version+1 {
		e.Errorf("one edit of both: version %d, want %d", rec.Version, version+1)
	}
	e.diff("one edit of both", []string{a, b}, memberIDs(e.get(g.Key)))
	testCurrentMembers(e, g.Key, a, b, c)
}

// testCurrentMembers looks at a group with members a and b from inside a callback.
func testCurrentMembers(e *env, k storage.Key, a, b, c string) {
	look := func(cur storage.Current) error {
		has, err := cur.HasMembers([]string{a, c, b, ""})
		if err != nil {
			return err
		}
		if !has[a] || !has[b] || has[c] || has[""] {
			e.Errorf("HasMembers = %v, want the first and third only", has)
		}
		all, err := cur.Members()
		e.diff("Current.Members", []storage.Member{{ID: a}, {ID: b}}, all)
		return err
	}
	e.update(k, func(cur storage.Current) (*storage.Edit, error) { return nil, look(cur) })
	refused := e.store.Delete(e.ctx(), k, e.clock.Tick(), func(cur storage.Current) (storage.Change, error) {
		if err := look(cur); err != nil {
			return storage.Change{}, err
		}
		return storage.Change{}, storage.ErrExists
	})
	e.wantErr("Delete that its callback refuses", refused, storage.ErrExists)
}

// largeGroup is how many members the suite's large group has.
const largeGroup = 20_000

// testMemberDeltaCost compares the best of several single adds to a small and to a large group. A delta that reads or
// writes all members is hundreds of times dearer in the large one; the bound is far from both.
func testMemberDeltaCost(e *env) {
	ids := make([]string, largeGroup)
	for i := range ids {
		ids[i] = e.ids.New()
	}
	small := e.insert(typeGroup, group("small", ids[:10]...))
	large := e.insert(typeGroup, group("large", ids...))
	best := func(k storage.Key) time.Duration {
		times := make([]time.Duration, 15)
		for i := range times {
			fn := always(members(storage.MemberDelta{Add: []string{e.ids.New()}, Remove: ids[i : i+1]}))
			start := time.Now()
			_, changed := e.update(k, fn)
			times[i] = time.Since(start)
			if !changed {
				e.Errorf("a new member is no change")
			}
		}
		return slices.Min(times)
	}
	a, b := best(small.Key), best(large.Key)
	e.Logf("one member in a group of 10: %v, of %d: %v", a, largeGroup, b)
	if b > 10*a+time.Millisecond {
		e.Errorf("a delta costs %v in a group of 10 and %v in one of %d", a, b, largeGroup)
	}
	rec := e.get(large.Key)
	if len(rec.Members) != largeGroup || rec.Version != 16 {
		e.Errorf("the large group has %d members at version %d, want %d at 16", len(rec.Members), rec.Version, largeGroup)
	}
	if !slices.IsSortedFunc(rec.Members, memberOrder) {
		e.Errorf("members are not ordered by type and id")
	}
	changes := e.changesOf(large.Key)
	if n := len(changes[0].MembersAdded); n != largeGroup {
		e.Errorf("the insert's change names %d members, want %d", n, largeGroup)
	}
	for _, c := range changes[1:] {
		if len(c.MembersAdded) != 1 || len(c.MembersRemoved) != 1 {
			e.Fatalf("change %d names %d added and %d removed members, want 1 and 1", c.Version, len(c.MembersAdded), len(c.MembersRemoved))
		}
	}
	// Without the members asked for, a list of groups does not bring them.
	page := e.query(query.Query{Sources: []query.Source{{Type: typeGroup}}, Limit: 10})
	for i := range page.Records {
		if page.Records[i].Members != nil {
			e.Errorf("a query without Load.Members brings %d members", len(page.Records[i].Members))
		}
	}
}

func memberOrder(a, b storage.Member) int {
	switch {
	case a.Type != b.Type && a.Type < b.Type, a.Type == b.Type && a.ID < b.ID:
		return -1
	case a == b:
		return 0
	}
	return 1
}

func testPendingMember(e *env) {
	uk, gk := e.key(typeUser), e.key(typeGroup)
	known := e.insert(typeUser, user("zoe"))
	g := e.insert(typeGroup, group("staff", uk.ID, gk.ID, known.ID))
	e.diff("pending members have an id only, and come first", []storage.Member{
		{ID: uk.ID}, {ID: gk.ID}, {ID: known.ID, Type: typeUser, Display: "zoe"},
	}, e.get(g.Key).Members)
	e.diff("groups with a pending member of type User", nil,
		e.find(typeGroup, query.Any{Field: field(typeGroup, "members"), Where: query.And{
			eq(relative(typeGroup, "members.value"), uk.ID), eq(relative(typeGroup, "members.type"), "User"),
		}}))
	e.diff("groups that name the pending id", []string{g.ID}, e.find(typeGroup, eq(field(typeGroup, "members.value"), uk.ID)))

	e.insertAt(uk, user("ada"))
	e.insertAt(gk, group("board", uk.ID))
	e.diff("members after their resources came", []storage.Member{
		{ID: gk.ID, Type: typeGroup, Display: "board"},
		{ID: uk.ID, Type: typeUser, Display: "ada"},
		{ID: known.ID, Type: typeUser, Display: "zoe"},
	}, e.get(g.Key).Members)
	e.diff("groups of the user", []storage.Membership{
		{ID: gk.ID, Display: "board", Direct: true}, {ID: g.ID, Display: "staff", Direct: true},
	}, e.get(uk).Groups)
	e.diff("groups of the group", []storage.Membership{{ID: g.ID, Display: "staff", Direct: true}}, e.get(gk).Groups)
	e.diff("groups with a member of type Group", []string{g.ID}, e.find(typeGroup, eq(field(typeGroup, "members.type"), "Group")))

	// An insert that fails makes nothing known.
	pending := e.key(typeUser)
	e.update(g.Key, always(members(storage.MemberDelta{Replace: true, Add: []string{pending.ID}})))
	_, err := e.store.Insert(e.ctx(), pending, e.clock.Tick(), user("ADA"))
	e.wantUnique("Insert", err, "userName")
	e.diff("members after a failed insert", []storage.Member{{ID: pending.ID}}, e.get(g.Key).Members)
	// Ids of the client's own making differ by their bytes and are found by them.
	odd := []string{"BJensen", "a b", "bjensen", "ABCDEF00-0000-7000-8000-000000000001", "abcdef00-0000-7000-8000-000000000001"}
	e.update(g.Key, always(members(storage.MemberDelta{Add: odd})))
	e.diff("members with odd ids", sorted(append(odd, pending.ID)), memberIDs(e.get(g.Key)))
	byCase := field(typeGroup, "members.value")
	byCase.CaseExact = true
	for _, id := range odd {
		e.diff("groups with an odd member", []string{g.ID}, e.find(typeGroup, eq(field(typeGroup, "members.value"), id)))
		e.diff("groups with an odd member, exactly", []string{g.ID}, e.find(typeGroup, eq(byCase, id)))
	}
	e.diff("groups with a member in other case", []string{g.ID}, e.find(typeGroup, eq(field(typeGroup, "members.value"), "BJENSEN")))
	e.diff("groups with exactly a member in other case", nil, e.find(typeGroup, eq(byCase, "BJENSEN")))
	e.update(g.Key, always(members(storage.MemberDelta{Remove: odd})))
	// The same id in another organization is somebody else.
	other := storage.Key{Org: e.newOrg("other"), Type: typeUser, ID: pending.ID}
	e.insertAt(other, user("ada"))
	e.diff("members after an insert elsewhere", []storage.Member{{ID: pending.ID}}, e.get(g.Key).Members)
	if n := len(e.get(other).Groups); n != 0 {
		e.Errorf("a user is in %d groups of another organization", n)
	}
}

// relative returns a sub-attribute's field as it stands inside a value path of its parent.
func relative(t scim.TypeName, path string) query.Field {
	f := field(t, path)
	f.Steps = f.Steps[len(f.Steps)-1:]
	f.Multi = false
	return f
}

func testGroups(e *env) {
	u := e.insert(typeUser, user("ada"))
	a := e.insert(typeGroup, group("a", u.ID))
	b := e.insert(typeGroup, group("b", a.ID))
	c := e.insert(typeGroup, group("c", b.ID, u.ID))
	lone := e.insert(typeGroup, group("lone"))
	e.diff("groups of the user", []storage.Membership{
		{ID: a.ID, Display: "a", Direct: true}, {ID: c.ID, Display: "c", Direct: true}, {ID: b.ID, Display: "b"},
	}, e.get(u.Key).Groups)
	e.diff("groups of a", []storage.Membership{{ID: b.ID, Display: "b", Direct: true}, {ID: c.ID, Display: "c"}}, e.get(a.Key).Groups)
	e.diff("groups of nobody's member", nil, e.get(lone.Key).Groups)

	value, kind := field(typeUser, "groups.value"), field(typeUser, "groups.type")
	e.diff("users of b", []string{u.ID}, e.find(typeUser, eq(value, b.ID)))
	e.diff("users with an indirect group", []string{u.ID}, e.find(typeUser, eq(kind, "indirect")))
	e.diff("users that have c indirectly", nil, e.find(typeUser, query.Any{Field: field(typeUser, "groups"), Where: query.And{
		eq(relative(typeUser, "groups.value"), c.ID), eq(relative(typeUser, "groups.type"), "indirect"),
	}}))
	e.diff("users of the group labelled B", []string{u.ID}, e.find(typeUser, eq(field(typeUser, "groups.display"), "B")))

	// A query brings the same relations as a Get.
	page := e.query(query.Query{Sources: []query.Source{{Type: typeUser}, {Type: typeGroup}}, Limit: 10, Load: everything})
	for i := range page.Records {
		e.diff("relations from a query", e.get(page.Records[i].Key), &page.Records[i])
	}
	// Labels are those of now, and a link that goes takes what it carried along.
	e.update(a.Key, func(cur storage.Current) (*storage.Edit, error) {
		edit, err := mapDoc(func(d scim.Attributes) { d["displayName"] = "A2" })(cur)
		edit.Label = "A2"
		return edit, err
	})
	e.update(c.Key, always(members(storage.MemberDelta{Remove: []string{u.ID}})))
	e.diff("groups after a rename and a removal", []storage.Membership{
		{ID: a.ID, Display: "A2", Direct: true}, {ID: b.ID, Display: "b"}, {ID: c.ID, Display: "c"},
	}, e.get(u.Key).Groups)
	e.remove(b.Key)
	e.diff("groups after the link in the middle is gone", []storage.Membership{{ID: a.ID, Display: "A2", Direct: true}}, e.get(u.Key).Groups)
}

func testCyclicGroups(e *env) {
	u := e.insert(typeUser, user("ada"))
	ak, bk, ck := e.key(typeGroup), e.key(typeGroup), e.key(typeGroup)
	e.insertAt(ak, group("a", ck.ID, u.ID))
	e.insertAt(bk, group("b", ak.ID))
	e.insertAt(ck, group("c", bk.ID))
	self := e.key(typeGroup)
	e.insertAt(self, group("self", self.ID))
	e.diff("groups of the user", []storage.Membership{
		{ID: ak.ID, Display: "a", Direct: true}, {ID: bk.ID, Display: "b"}, {ID: ck.ID, Display: "c"},
	}, e.get(u.Key).Groups)
	// Membership is the transitive closure of "is listed by", so on a cycle a group is in itself.
	e.diff("groups of a", []storage.Membership{
		{ID: bk.ID, Display: "b", Direct: true}, {ID: ak.ID, Display: "a"}, {ID: ck.ID, Display: "c"},
	}, e.get(ak).Groups)
	e.diff("groups of itself", []storage.Membership{{ID: self.ID, Display: "self", Direct: true}}, e.get(self).Groups)
	e.diff("groups in b", []string{ak.ID, bk.ID, ck.ID}, e.find(typeGroup, eq(field(typeGroup, "groups.value"), bk.ID)))
	e.diff("users in b", []string{u.ID}, e.find(typeUser, eq(field(typeUser, "groups.value"), bk.ID)))
	e.remove(self)
	e.gone(self)
	e.remove(bk)
	e.diff("groups of the user after the cycle is cut", []storage.Membership{{ID: ak.ID, Display: "a", Direct: true}}, e.get(u.Key).Groups)
	e.diff("members of c", nil, memberIDs(e.get(ck)))
}

func testMemberLimit(e *env) {
	a, b := e.insert(typeUser, user("a")), e.insert(typeUser, user("b"))
	pending := e.ids.New()
	inner := e.insert(typeGroup, group("inner", b.ID, a.ID))
	outer := e.insert(typeGroup, group("outer", b.ID, pending, inner.ID, a.ID))
	for limit := range 6 {
		load := query.Load{Members: true, MemberLimit: limit}
		page := e.query(query.Query{Sources: []query.Source{{Type: typeGroup}}, Limit: 10, Load: load})
		for i, k := range []storage.Key{inner.Key, outer.Key} {
			want := e.get(k).Members
			if limit > 0 {
				want = want[:min(limit, len(want))]
			}
			rec, err := e.store.Get(e.ctx(), k, load)
			if err != nil {
				e.Fatalf("Get: %v", err)
			}
			e.diff(fmt.Sprintf("Get with MemberLimit %d", limit), want, rec.Members)
			e.diff(fmt.Sprintf("Query with MemberLimit %d", limit), want, page.Records[i].Members)
			if s, ok := e.store.(storage.MemberLists); ok {
				members, err := s.Members(e.ctx(), k, load)
				if err != nil {
					e.Fatalf("Members: %v", err)
				}
				e.diff(fmt.Sprintf("Members with MemberLimit %d", limit), want, members)
			}
			few := load
			few.FewMembers = true
			if rec, err = e.store.Get(e.ctx(), k, few); err != nil {
				e.Fatalf("Get: %v", err)
			}
			if limit > 0 && len(want) == limit { // of these only the number counts
				e.diff(fmt.Sprintf("number of Get with FewMembers and MemberLimit %d", limit), limit, len(rec.Members))
			} else {
				e.diff(fmt.Sprintf("Get with FewMembers and MemberLimit %d", limit), want, rec.Members)
			}
		}
	}
}
