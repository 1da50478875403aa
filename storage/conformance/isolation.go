package conformance

import (
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

func isolationCases() []testCase {
	return []testCase{{name: "OrganizationIsolation", run: testOrganizationIsolation}}
}

// testOrganizationIsolation fills two organizations with the same ids, names and keys, then reads and writes the
// one and looks at the other.
func testOrganizationIsolation(e *env) {
	other := e.newOrg("other")
	u, g, only := e.ids.New(), e.ids.New(), e.ids.New()
	lone, hollow := e.ids.New(), e.ids.New() // a user in no group and a group without members, but theirs are
	fill := func(org scim.OrgID, mark string) {
		edit := user("ada")
		edit.Doc["nickName"] = mark
		edit.Secret = scim.Attributes{"password": mark}
		edit.Label = "ada of " + mark
		e.insertAt(storage.Key{Org: org, Type: typeUser, ID: u}, edit)
		staff := group("staff", u, only)
		staff.Label = "staff of " + mark
		e.insertAt(storage.Key{Org: org, Type: typeGroup, ID: g}, staff)
		e.insertAt(storage.Key{Org: org, Type: typeUser, ID: lone}, user("lone"))
		e.insertAt(storage.Key{Org: org, Type: typeGroup, ID: hollow}, group("hollow"))
	}
	fill(e.org, "ours")
	fill(other, "theirs")
	for _, id := range []string{g, hollow} {
		e.update(storage.Key{Org: other, Type: typeGroup, ID: id}, always(members(storage.MemberDelta{Add: []string{lone, hollow}})))
	}
	theirs := storage.Key{Org: other, Type: typeUser, ID: only}
	secret := user("only theirs")
	e.insertAt(theirs, secret)
	foreign := e.token(other, "foreign")
	e.insertToken(foreign)
	mine := storage.Key{Org: e.org, Type: typeUser, ID: only} // their id under our name

	e.unchanged("an organization", other, func() {
		e.readIsolated(u, g, only, lone, hollow)
		e.gone(mine)
		_, _, err := e.store.Update(e.ctx(), mine, e.clock.Tick(), increment)
		e.wantErr("Update of another organization's id", err, storage.ErrNotFound)
		e.wantErr("Delete of another organization's id", e.store.Delete(e.ctx(), mine, e.clock.Tick(), allow), storage.ErrNotFound)
		e.wantErr("RevokeToken of another organization", e.store.RevokeToken(e.ctx(), e.org, foreign.ID, e.clock.Tick()), storage.ErrNotFound)
		for _, err := range e.store.Batch(e.ctx(), e.org, []storage.Step{
			func(tx storage.Tx) error { return tx.Delete(e.ctx(), mine, e.clock.Tick(), allow) },
			func(tx storage.Tx) error { return third(tx.Update(e.ctx(), mine, e.clock.Tick(), increment)) },
			func(tx storage.Tx) error { return second(tx.Get(e.ctx(), mine, everything)) },
		}, nil) {
			e.wantErr("a step on another organization's id", err, storage.ErrNotFound)
		}
		e.stepsStayInside(theirs)

		// Now our side moves: values, members, deletes, an insert under their id.
		e.update(storage.Key{Org: e.org, Type: typeUser, ID: u}, mapDoc(func(d scim.Attributes) { d["userName"] = "moved" }))
		e.update(storage.Key{Org: e.org, Type: typeGroup, ID: g}, always(members(storage.MemberDelta{Add: []string{e.ids.New()}, Remove: []string{only}})))
		e.insertAt(mine, user("only ours"))
		e.remove(mine)
		e.remove(storage.Key{Org: e.org, Type: typeUser, ID: u})
		e.remove(storage.Key{Org: e.org, Type: typeGroup, ID: g})
	})
	if t := e.tokenByDigest(foreign.Digest); !t.Revoked.IsZero() || t.Org != other {
		e.Errorf("the other organization's token changed")
	}
	for _, c := range e.changes(e.org) {
		if c.Key.Org != e.org {
			e.Errorf("the feed shows a change of %s", c.Key.Org)
		}
	}
	if n := len(e.changes(scim.OrgID(e.ids.New()))); n != 0 {
		e.Errorf("an organization that does not exist has %d changes", n)
	}
}

// readIsolated reads our organization in every way: each answer must be ours alone.
func (e *env) readIsolated(u, g, only, lone, hollow string) {
	e.Helper()
	rec := e.get(storage.Key{Org: e.org, Type: typeUser, ID: u})
	if e.doc(rec)["nickName"] != "ours" || rec.Secret["password"] != "ours" {
		e.Errorf("Get reads another organization's user")
	}
	e.diff("groups", []storage.Membership{{ID: g, Display: "staff of ours", Direct: true}}, rec.Groups)
	e.diff("members", []storage.Member{{ID: only}, {ID: u, Type: typeUser, Display: "ada of ours"}},
		e.get(storage.Key{Org: e.org, Type: typeGroup, ID: g}).Members)
	e.update(storage.Key{Org: e.org, Type: typeGroup, ID: g}, func(cur storage.Current) (*storage.Edit, error) {
		all, err := cur.Members()
		e.diff("Current.Members", []storage.Member{{ID: only}, {ID: u, Type: typeUser, Display: "ada of ours"}}, all)
		return nil, err
	})
	page := e.query(query.Query{Sources: []query.Source{{Type: typeUser}, {Type: typeGroup}}, Limit: 10, Total: true, Load: everything})
	if got, want := recordIDs(page), []string{u, g, lone, hollow}; !slices.Equal(got, want) || page.Total != len(want) {
		e.Errorf("Query finds %v of %d, want %v", got, page.Total, want)
	}
	e.diff("users in a group", []string{u}, e.find(typeUser, query.Present{Field: field(typeUser, "groups")}))
	e.diff("users in staff", []string{u}, e.find(typeUser, eq(field(typeUser, "groups.value"), g)))
	e.diff("users in hollow", nil, e.find(typeUser, eq(field(typeUser, "groups.value"), hollow)))
	e.diff("users directly in a group", []string{u}, e.find(typeUser, eq(field(typeUser, "groups.type"), "direct")))
	e.diff("groups in a group", nil, e.find(typeGroup, query.Present{Field: field(typeGroup, "groups.value")}))
	e.diff("groups with members", []string{g}, e.find(typeGroup, query.Present{Field: field(typeGroup, "members.value")}))
	e.diff("groups of lone", nil, e.find(typeGroup, eq(field(typeGroup, "members.value"), lone)))
	e.diff("relations of lone", nil, e.get(storage.Key{Org: e.org, Type: typeUser, ID: lone}).Groups)
	e.diff("members of hollow", nil, e.get(storage.Key{Org: e.org, Type: typeGroup, ID: hollow}).Members)
	for i := range page.Records {
		if page.Records[i].Org != e.org {
			e.Errorf("Query returns a record of %s", page.Records[i].Org)
		}
	}
	for what, n := range map[string]int{
		"ids":           len(e.find(typeUser, eq(field(typeUser, "id"), only))),
		"names":         len(e.find(typeUser, eq(field(typeUser, "userName"), "only theirs"))),
		"plain values":  len(e.find(typeUser, eq(field(typeUser, "nickName"), "theirs"))),
		"member labels": len(e.find(typeGroup, eq(field(typeGroup, "members.display"), "ada of theirs"))),
		"group labels":  len(e.find(typeUser, eq(field(typeUser, "groups.display"), "staff of theirs"))),
		"pending's type": len(e.find(typeGroup, query.Any{Field: field(typeGroup, "members"), Where: query.And{
			eq(relative(typeGroup, "members.value"), only), query.Present{Field: relative(typeGroup, "members.type")},
		}})),
	} {
		if n != 0 {
			e.Errorf("a filter on %s finds %d records by what another organization holds", what, n)
		}
	}
	exists, err := e.store.Exists(e.ctx(), e.org, []string{u, g, only})
	if err != nil {
		e.Fatalf("Exists: %v", err)
	}
	e.diff("Exists", map[string]scim.TypeName{u: typeUser, g: typeGroup}, exists)
	tokens, err := e.store.ListTokens(e.ctx(), e.org)
	if err != nil || len(tokens) != 0 {
		e.Errorf("%d tokens of another organization, %v", len(tokens), err)
	}
}

// stepsStayInside gives the steps of one organization the keys of another.
func (e *env) stepsStayInside(theirs storage.Key) {
	e.Helper()
	fresh := theirs
	fresh.ID = e.ids.New()
	for name, step := range map[string]storage.Step{
		"Get":    func(tx storage.Tx) error { return second(tx.Get(e.ctx(), theirs, everything)) },
		"Insert": func(tx storage.Tx) error { return second(tx.Insert(e.ctx(), fresh, e.clock.Tick(), user("planted"))) },
		"Update": func(tx storage.Tx) error { return third(tx.Update(e.ctx(), theirs, e.clock.Tick(), increment)) },
		"Delete": func(tx storage.Tx) error { return tx.Delete(e.ctx(), theirs, e.clock.Tick(), allow) },
	} {
		if err := e.store.Within(e.ctx(), e.org, step); err == nil {
			e.Errorf("a step of one organization may %s under a key of another", name)
		}
		if errs := e.store.Batch(e.ctx(), e.org, []storage.Step{step}, nil); len(errs) != 1 || errs[0] == nil {
			e.Errorf("a batch of one organization may %s under a key of another", name)
		}
	}
}
