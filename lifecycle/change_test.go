package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollcall/resources"
	"rollcall/scim"
)

// person makes a user with roles and returns them as a subject.
func (f *fixture) asPerson(name string, roles ...string) Subject {
	f.Helper()
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = fmt.Sprintf(`{"value":%q}`, r)
	}
	id := f.create(typeUser, fmt.Sprintf(`"userName":%q,"roles":[%s]`, name, strings.Join(list, ",")))
	sub, err := f.PersonSubject(f.Context(), scim.Caller{Org: f.org, Actor: scim.Actor{Kind: "user", ID: id, Name: name}}, id)
	if err != nil {
		f.Fatal(err)
	}
	return sub
}

func (f *fixture) rolesOf(id string) []string {
	f.Helper()
	return values(f.get(typeUser, id)["roles"])
}

func TestChangeRole(t *testing.T) {
	f := newFixture(t)
	owner, admin, agent := f.asPerson("olga", "owner"), f.asPerson("ada", "admin"), f.asPerson("tom", "Agent")
	other, manager := f.asPerson("alan", "admin"), f.asPerson("max", "manager")
	f.create(typeRole, `"value":"cashier","`+scim.SchemaRollcallRole+`":{"maxAssignments":1,"assignableBy":["manager"]}`)
	change := func(sub Subject, id string, acks []string, roles ...string) error {
		t.Helper()
		_, err := f.ChangeRole(t.Context(), sub, id, scim.Precondition{}, RoleChange{Roles: roles, AckLosses: acks})
		return err
	}
	for _, tt := range []struct {
		name  string
		sub   Subject
		user  string
		roles []string
		code  string
	}{
		{"admin gives owner", admin, agent.User, []string{"owner"}, "role_above_yours"},
		{"admin changes an owner", admin, owner.User, []string{"member"}, "person_above_you"},
		{"admin changes another", admin, other.User, []string{"member"}, "person_above_you"},
		{"admin changes herself", admin, admin.User, []string{"admin", "manager"}, "person_above_you"},
		{"manager changes anybody", manager, agent.User, []string{"guest"}, "not_allowed"},
		{"people change themselves", agent, agent.User, []string{"admin"}, "not_allowed"},
		{"a role for some to give", admin, agent.User, []string{"cashier"}, "role_not_yours_to_give"},
	} {
		wantCode(t, tt.name, change(tt.sub, tt.user, nil, tt.roles...), 403, tt.code)
	}
	wantCode(t, "unknown", change(admin, agent.User, nil, "wizard"), 400, "unknown_role")
	wantCode(t, "last owner", change(owner, owner.User, []string{"*"}, "member"), 409, "last_owner")

	// Agent becomes administrator: the preview says what that costs, and it must be acknowledged.
	roles := []string{"agent", "admin"}
	c, err := f.RolePreview(t.Context(), admin, agent.User, &roles, nil)
	if err != nil || !slices.Equal(c.Lost, []string{"documents.own.*", "forms.own.*"}) || len(c.Orphans) != 2 || !slices.Contains(c.Gained, "users.*") {
		t.Fatalf("preview: %+v, %v", c, err)
	}
	wantCode(t, "not acknowledged", change(admin, agent.User, c.Lost[:1], roles...), 409, "losses_not_acknowledged")
	if err := change(admin, agent.User, c.Lost, roles...); err != nil {
		t.Fatal(err)
	}
	doc := f.get(typeUser, agent.User)
	first, second := doc["roles"].([]any)[0].(scim.Attributes), doc["roles"].([]any)[1].(scim.Attributes)
	if first["value"] != "Agent" || first["primary"] != nil || second["value"] != "admin" || second["primary"] != true {
		t.Errorf("roles %v", doc["roles"])
	}
	// Only so many can have the role.
	if err := change(owner, manager.User, []string{"*", "clients.*", "documents.*", "forms.*", "product.*", "profile.own.*"}, "cashier"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "full", change(owner, other.User, nil, "admin", "cashier"), 409, "role_full")
	_, err = f.ChangeRole(t.Context(), owner, other.User, scim.Precondition{IfMatch: `W/"99"`}, RoleChange{Roles: []string{"admin"}})
	wantCode(t, "stale", err, 412, "")
}

// Of two owners who make each other a member at the same time one remains.
func TestLastOwnerUnderRace(t *testing.T) {
	f := newFixture(t)
	var subs []Subject
	for i := range 6 {
		subs = append(subs, f.asPerson(fmt.Sprintf("o%d", i), "owner"))
	}
	var wg sync.WaitGroup
	for i, sub := range subs {
		wg.Go(func() {
			victim := subs[(i+1)%len(subs)].User
			_, _ = f.ChangeRole(t.Context(), sub, victim, scim.Precondition{}, RoleChange{AckLosses: []string{"*"}})
		})
	}
	wg.Wait()
	left := 0
	for _, sub := range subs {
		if slices.Contains(f.rolesOf(sub.User), "owner") {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d owners are left of %d who each took it from the next", left, len(subs))
	}
}

func TestChangeOccupation(t *testing.T) {
	f := newFixture(t)
	admin, ann := f.asPerson("ada", "admin"), f.asPerson("ann", "member")
	f.create(typeOccupation, `"value":"clerk","selfAssignable":true`)
	f.create(typeOccupation, `"value":"nurse","display":"Nurse","selfAssignable":true,"approvalNeeded":true,"permissions":["charts.read"]`)
	f.create(typeOccupation, `"value":"chief","permissions":["*"]`)
	f.create(typeOccupation, `"value":"barber","active":false`)
	change := func(sub Subject, id, occupation string, acks ...string) (*ChangeRequest, error) {
		_, r, err := f.ChangeOccupation(t.Context(), sub, id, scim.Precondition{}, occupation, acks)
		return r, err
	}
	occupation := func(id string) any {
		x, _ := f.get(typeUser, id)[scim.SchemaRollcallUser].(scim.Attributes)
		return x["occupation"]
	}
	if _, err := change(ann, ann.User, "Clerk"); err != nil || occupation(ann.User) != "clerk" {
		t.Errorf("her own choice: %v, %v", occupation(ann.User), err)
	}
	_, err := change(ann, ann.User, "chief")
	wantCode(t, "one that administrators give", err, 403, "not_self_assignable")
	_, err = change(ann, admin.User, "clerk")
	wantCode(t, "of somebody else", err, 403, "not_allowed")
	_, err = change(admin, ann.User, "barber")
	wantCode(t, "retired", err, 400, "occupation_retired")
	_, err = change(admin, ann.User, "seer")
	wantCode(t, "unknown", err, 400, "unknown_occupation")

	r, err := change(ann, ann.User, "nurse")
	if err != nil || r == nil || r.Status != "pending" || occupation(ann.User) != "clerk" {
		t.Fatalf("one that needs approval: %+v, %v, now %v", r, err, occupation(ann.User))
	}
	_, err = f.DecideChange(t.Context(), ann, r.ID, true, "")
	wantCode(t, "approved by herself", err, 403, "not_allowed")
	if list, err := f.ChangeRequests(t.Context(), admin); err != nil || len(list) != 1 || list[0].ID != r.ID || list[0].Gains[0] != "charts.read" {
		t.Errorf("requests %+v, %v", list, err)
	}
	if r, err = f.DecideChange(t.Context(), admin, r.ID, true, "welcome"); err != nil || r.Status != "approved" || occupation(ann.User) != "nurse" {
		t.Errorf("approved: %+v, %v, now %v", r, err, occupation(ann.User))
	}
	_, err = f.DecideChange(t.Context(), admin, r.ID, false, "")
	wantCode(t, "decided twice", err, 409, "already_decided")
	_, err = change(admin, ann.User, "")
	wantCode(t, "loses permissions", err, 409, "losses_not_acknowledged")
	if _, err := change(admin, ann.User, "", "charts.read"); err != nil || occupation(ann.User) != nil {
		t.Errorf("taken away: %v, %v", occupation(ann.User), err)
	}
	if _, _, err := f.ChangeSettings(t.Context(), f.admin, 0, func(v *Settings) error { v.Occupation.SelfService = false; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err = change(ann, ann.User, "clerk")
	wantCode(t, "self-service is off", err, 403, "not_allowed")
}

func TestReplaceOccupation(t *testing.T) {
	f := newFixture(t)
	from := f.create(typeOccupation, `"value":"stewardess","aliases":["air hostess"]`)
	f.create(typeOccupation, `"value":"cabin crew"`)
	var ids []string
	for i, text := range []string{"Stewardess", "AIR HOSTESS", "pilot"} {
		ids = append(ids, f.create(typeUser, fmt.Sprintf(`"userName":"u%d","%s":{"occupation":%q}`, i, scim.SchemaRollcallUser, text)))
	}
	for _, dry := range []bool{true, false} {
		j, err := f.ReplaceOccupation(t.Context(), f.admin, from, "Cabin Crew", dry)
		if err != nil || j.Total != 2 {
			t.Fatalf("%+v, %v", j, err)
		}
		workOff(t, f.Service)
		want := map[bool]string{true: OutcomeWouldDone, false: OutcomeDone}[dry]
		if j := f.job(j.ID); j.State != JobDone || j.Outcomes[want] != 2 {
			t.Fatalf("dry %v: %s, %v", dry, j.State, j.Outcomes)
		}
		if active := f.get(typeOccupation, from)["active"]; dry && active == false {
			t.Error("a dry run has retired the occupation")
		}
	}
	for i, want := range []string{"cabin crew", "cabin crew", "pilot"} {
		if got := f.get(typeUser, ids[i])[scim.SchemaRollcallUser].(scim.Attributes)["occupation"]; got != want {
			t.Errorf("user %d is %v now, want %s", i, got, want)
		}
	}
	if doc := f.get(typeOccupation, from); doc["active"] != false {
		t.Error("the occupation is not retired")
	}
}

func TestChangeEntitlements(t *testing.T) {
	f := newFixture(t)
	admin, ann, tom := f.asPerson("ada", "admin"), f.asPerson("ann", "member"), f.asPerson("max", "manager")
	f.create(typeEntitlement, `"value":"reports"`)
	f.create(typeEntitlement, `"value":"pricing","`+scim.SchemaRollcallEntitlement+`":{"adminOnly":true}`)
	f.create(typeEntitlement, `"value":"emea","type":"subAccount"`)
	change := func(sub Subject, kind string, keys ...string) (*Consequences, error) {
		return f.ChangeEntitlements(t.Context(), sub, ann.User, scim.Precondition{}, kind, keys, nil)
	}
	if c, err := change(admin, resources.EntitlementModule, "Reports:read"); err != nil || !slices.Equal(c.Gained, []string{"module:reports:read"}) {
		t.Errorf("module: %+v, %v", c, err)
	}
	if c, err := change(admin, resources.EntitlementSubAccount, "emea"); err != nil || !slices.Equal(c.Gained, []string{"subAccount:emea"}) {
		t.Errorf("sub-account: %+v, %v", c, err)
	}
	if c, err := change(admin, resources.EntitlementModule, "reports"); err != nil || !slices.Equal(c.Gained, []string{"module:reports"}) || len(c.Lost) != 0 {
		t.Errorf("more of it: %+v, %v", c, err)
	}
	if got := values(f.get(typeUser, ann.User)["entitlements"]); !slices.Equal(got, []string{"emea", "reports"}) {
		t.Errorf("entitlements %v", got)
	}
	for name, tt := range map[string]struct {
		sub    Subject
		kind   string
		keys   []string
		status int
		code   string
	}{
		"for administrators only": {admin, resources.EntitlementModule, []string{"pricing"}, 400, "module_admin_only"},
		"unknown":                 {admin, resources.EntitlementModule, []string{"emea"}, 400, "unknown_entitlement"},
		"twice":                   {admin, resources.EntitlementModule, []string{"reports", "REPORTS:read"}, 400, "twice"},
		"by a manager":            {tom, resources.EntitlementModule, nil, 403, "not_allowed"},
		"not acknowledged":        {admin, resources.EntitlementModule, nil, 409, "losses_not_acknowledged"},
	} {
		_, err := change(tt.sub, tt.kind, tt.keys...)
		wantCode(t, name, err, tt.status, tt.code)
	}
	e, err := f.Explain(t.Context(), admin, ann.User, "", "pricing")
	if err != nil || e.Allowed || !slices.Equal(e.Steps, []string{"Nothing that the person has gives the module."}) {
		t.Errorf("explained: %+v, %v", e, err)
	}
	if e, err = f.Explain(t.Context(), admin, admin.User, "forms.own.edit", ""); err != nil || e.Allowed ||
		!slices.Equal(e.Steps, []string{"Nothing that the person has gives it.", "The role admin takes it away, whatever gives it."}) {
		t.Errorf("explained: %+v, %v", e, err)
	}
	if e, err = f.Explain(t.Context(), admin, ann.User, "product.use", ""); err != nil || !e.Allowed || !slices.Equal(e.Steps, []string{"The role Member gives product.use."}) {
		t.Errorf("explained: %+v, %v", e, err)
	}
}

// Nobody raises themselves by way of a role that they may write.
func TestSaveRole(t *testing.T) {
	f := newFixture(t)
	owner, admin, app := f.asPerson("olga", "owner"), f.asPerson("ada", "admin"), f.admin
	app.Kind, app.Rank, app.Scopes = KindApp, RankAdmin, []string{ScopeCatalog}
	save := func(sub Subject, id string, r Role) error {
		_, err := f.SaveRole(t.Context(), sub, id, scim.Precondition{}, r)
		return err
	}
	for name, sub := range map[string]Subject{"admin": admin, "app": app} {
		wantCode(t, name+": rank", save(sub, "", Role{Key: "x", Rank: 80, Supported: true}), 403, "role_above_yours")
		wantCode(t, name+": admin", save(sub, "", Role{Key: "x", Rank: 10, OrgAdmin: true}), 403, "role_above_yours")
		wantCode(t, name+": permission", save(sub, "", Role{Key: "x", Rank: 10, Permissions: []string{"users.read", "account.close"}}), 403, "permission_not_yours")
		wantCode(t, name+": own role", save(sub, idOf("role", string(f.org), "admin"), Role{Rank: 10}), 403, "role_above_yours")
		if err := save(sub, "", Role{Key: name + "s", Rank: 79, Permissions: []string{"users.read", "till.*"}, Supported: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := f.SaveOccupation(t.Context(), sub, "", scim.Precondition{}, Occupation{Key: "x", Active: true, SelfAssignable: true, Permissions: []string{"*"}})
		wantCode(t, name+": by an occupation", err, 403, "permission_not_yours")
	}
	wantCode(t, "module", save(owner, "", Role{Key: "x", Modules: []string{"gone"}}), 400, "unknown_module")
	if err := save(owner, "", Role{Key: "boss", Rank: 100, OrgAdmin: true, Permissions: []string{"*"}, Supported: true}); err != nil {
		t.Error(err)
	}
	wantCode(t, "the same", save(owner, "", Role{Key: "Boss"}), 409, "already_in_use")
	wantCode(t, "by a member", save(f.asPerson("ann", "member"), "", Role{Key: "x"}), 403, "not_allowed")
}
