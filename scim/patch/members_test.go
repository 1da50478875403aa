package patch_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
)

func TestMembers(t *testing.T) {
	type change = patch.MemberChange
	rm := []compat.Rule{compat.RemoveWithValue}
	tests := []struct {
		name, profile, ops string
		base               []string // members; nil: they must not be asked for
		want               change
		err                scim.ErrorType
		used               []compat.Rule
	}{
		{name: "add", ops: `[{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"},{"value":"a"}]}]`, want: change{Add: []string{"a", "b"}}},
		{name: "add one object", ops: `[{"op":"add","path":"members","value":{"value":"a","type":"User","display":"x","$ref":null}}]`, want: change{Add: []string{"a"}}},
		{name: "add without path", ops: `[{"op":"add","value":{"members":[{"value":"a"}]}}]`, want: change{Add: []string{"a"}}},
		{name: "add bare id", ops: `[{"op":"add","path":"members","value":["a"]}]`, err: scim.TypeInvalidValue},
		{name: "add bare id, relaxed", profile: "auto", ops: `[{"op":"add","path":"members","value":["a"]}]`, want: change{Add: []string{"a"}}, used: []compat.Rule{compat.BareComplexValue}},
		{name: "add without an id", profile: "auto", ops: `[{"op":"add","path":"members","value":[{"display":"a"}]}]`, err: scim.TypeInvalidValue},
		{name: "add by the filter of its id", ops: `[{"op":"add","path":"members[value eq \"a\"]","value":{"value":"a"}}]`, base: []string{}, want: change{Add: []string{"a"}}},
		{name: "replace", ops: `[{"op":"replace","path":"members","value":[{"value":"a"}]}]`, want: change{Replace: true, Add: []string{"a"}}},
		{name: "replace with []", ops: `[{"op":"replace","path":"members","value":[]}]`, want: change{Replace: true}},
		{name: "replace with null", ops: `[{"op":"replace","path":"members","value":null}]`, want: change{Replace: true}},
		{name: "replace without path", profile: "auto", ops: `[{"op":"replace","value":{"members":[{"value":"a"}],"id":"g"}}]`, want: change{Replace: true, Add: []string{"a"}}, used: []compat.Rule{compat.IgnoreReadOnlyInValue}},
		{name: "remove all", ops: `[{"op":"remove","path":"members"}]`, want: change{Replace: true}},
		{name: "remove by id", ops: `[{"op":"remove","path":"members[value eq \"a\"]"}]`, want: change{Remove: []string{"a"}}},
		{name: "remove by ids", ops: `[{"op":"remove","path":"members[value eq \"a\" or value eq \"b\" or value eq \"A\"]"}]`, want: change{Remove: []string{"A", "a", "b"}}},
		{name: "remove with value", ops: `[{"op":"remove","path":"members","value":[{"value":"a"}]}]`, err: scim.TypeInvalidValue},
		{name: "remove with value, relaxed", profile: "auto", ops: `[{"op":"remove","path":"members","value":[{"value":"a","$ref":null},{"value":"b"}]}]`, want: change{Remove: []string{"a", "b"}}, used: rm},
		{name: "remove with one object, relaxed", profile: "auto", ops: `[{"op":"remove","path":"members","value":{"value":"a"}}]`, want: change{Remove: []string{"a"}}, used: rm},
		{name: "remove with an empty list empties nothing", profile: "auto", ops: `[{"op":"remove","path":"members","value":[]}]`, want: change{}, used: rm},
		{name: "remove with null is refused", profile: "auto", ops: `[{"op":"remove","path":"members","value":null}]`, err: scim.TypeInvalidValue},
		{name: "remove by display", ops: `[{"op":"remove","path":"members[display ew \"OF B\"]"}]`, base: []string{"a", "b"}, want: change{Remove: []string{"b"}}},
		{name: "remove by type", ops: `[{"op":"remove","path":"members[type eq \"User\"]"}]`, base: []string{"a", "b"}, want: change{Remove: []string{"a", "b"}}},
		{name: "remove by id and type", ops: `[{"op":"remove","path":"members[value eq \"a\" and type eq \"Group\"]"}]`, base: []string{"a"}, want: change{}},
		{name: "remove by prefix", ops: `[{"op":"remove","path":"members[value sw \"b\"]"}]`, base: []string{"a", "b", "bb"}, want: change{Remove: []string{"b", "bb"}}},
		{name: "a filter sees what was added", ops: `[{"op":"add","path":"members","value":[{"value":"bz"}]},{"op":"remove","path":"members[value sw \"b\"]"}]`, base: []string{"a", "b"}, want: change{Remove: []string{"b", "bz"}}},
		{name: "a filter does not see what was removed", ops: `[{"op":"remove","path":"members[value eq \"b\"]"},{"op":"replace","path":"members[value sw \"b\"]","value":{"value":"c"}}]`, base: []string{"b"}, err: scim.TypeNoTarget},
		{name: "a filter after a replace", ops: `[{"op":"replace","path":"members","value":[{"value":"b"},{"value":"c"}]},{"op":"remove","path":"members[display pr]"}]`, base: []string{"a", "b"}, want: change{Replace: true, Add: []string{"c"}}},
		{name: "replace the match", ops: `[{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}]`, base: []string{"a", "x"}, want: change{Add: []string{"b"}, Remove: []string{"a"}}},
		{name: "replace without a match", profile: "auto", ops: `[{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}]`, base: []string{"x"}, err: scim.TypeNoTarget},
		{name: "replace by its own id", ops: `[{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"a"}}]`, base: []string{}, err: scim.TypeNoTarget},
		{name: "replace by its own id, relaxed", profile: "entra", ops: `[{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"a"}}]`, base: []string{}, want: change{Add: []string{"a"}}, used: []compat.Rule{compat.CreateOnReplace}},
		{name: "another id for a match", ops: `[{"op":"add","path":"members[value eq \"a\"]","value":{"value":"b"}}]`, base: []string{"a"}, err: scim.TypeMutability},
		{name: "two for a match", profile: "auto", ops: `[{"op":"replace","path":"members[value eq \"a\"]","value":[{"value":"b"},{"value":"c"}]}]`, err: scim.TypeInvalidValue},
		{name: "display of a member", profile: "auto", ops: `[{"op":"replace","path":"members[value eq \"a\"].display","value":"x"}]`, err: scim.TypeMutability},
		{name: "value of a member", profile: "auto", ops: `[{"op":"replace","path":"members[value eq \"a\"].value","value":"x"}]`, err: scim.TypeMutability},
		{name: "value of all members", profile: "auto", ops: `[{"op":"remove","path":"members.value"}]`, err: scim.TypeMutability},
		{name: "by reference", profile: "auto", ops: `[{"op":"remove","path":"members[not (type pr and $ref eq \"x\")]"}]`, err: scim.TypeInvalidFilter},
		{name: "by unknown", profile: "auto", ops: `[{"op":"remove","path":"members[nope eq \"x\"]"}]`, err: scim.TypeInvalidFilter},
		{name: "add, remove", ops: `[{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"}]},{"op":"remove","path":"members[value eq \"a\"]"}]`, want: change{Add: []string{"b"}, Remove: []string{"a"}}},
		{name: "remove, add", ops: `[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":[{"value":"a"}]}]`, want: change{Add: []string{"a"}}},
		{name: "remove all, add", ops: `[{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"a"}]}]`, want: change{Replace: true, Add: []string{"a"}}},
		{name: "add, replace, remove", ops: `[{"op":"add","path":"members","value":[{"value":"x"}]},{"op":"replace","path":"members","value":[{"value":"a"},{"value":"b"}]},{"op":"remove","path":"members[value eq \"b\"]"}]`, want: change{Replace: true, Add: []string{"a"}}},
	}
	_, rt := types(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.profile == "" {
				tt.profile = "strict"
			}
			s := session(t, tt.profile)
			plan, err := patch.Compile(rt, tree(t, message(tt.ops)), patch.Options{Session: s, MaxValues: 1})
			var r patch.Result
			if err == nil {
				if !plan.MembersOnly() {
					t.Error("the plan is about more than members")
				}
				calls := 0
				r, err = plan.Apply(nil, func() ([]scim.Attributes, error) {
					if calls++; tt.base == nil || calls > 1 {
						t.Errorf("members were asked for, call %d", calls)
					}
					return source(tt.base...)()
				})
			}
			if errorType(err) != tt.err || (err != nil) != (tt.err != "") {
				t.Fatalf("got error %v, want %q", err, tt.err)
			}
			if used := append(s.Used(), r.Used...); err == nil && !slices.Equal(used, tt.used) {
				t.Errorf("used %v, want %v", used, tt.used)
			}
			if diff := cmp.Diff(tt.want, r.Members); diff != "" {
				t.Error(diff)
			}
			if err == nil && (!r.HasMembers || r.Changed) {
				t.Errorf("HasMembers %v, Changed %v", r.HasMembers, r.Changed)
			}
		})
	}
}

// TestMembersSequence compares the composed change with operations applied one by one.
func TestMembersSequence(t *testing.T) {
	_, rt := types(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return string(rune('a' + rnd.IntN(6))) }
	for round := range 2000 {
		base := []string{}
		now := map[string]bool{}
		for range rnd.IntN(5) {
			id := pick()
			if !now[id] {
				base, now[id] = append(base, id), true
			}
		}
		var ops []string
		for range 1 + rnd.IntN(6) {
			x, y := pick(), pick()
			pair := fmt.Sprintf(`[{"value":%q},{"value":%q}]`, x, y)
			switch rnd.IntN(6) {
			case 0:
				ops = append(ops, `{"op":"add","path":"members","value":`+pair+`}`)
				now[x], now[y] = true, true
			case 1:
				ops = append(ops, `{"op":"remove","path":"members","value":`+pair+`}`)
				delete(now, x)
				delete(now, y)
			case 2:
				ops = append(ops, fmt.Sprintf(`{"op":"remove","path":"members[value eq %s]"}`, quoted(x)))
				delete(now, x)
			case 3:
				ops = append(ops, `{"op":"replace","path":"members","value":`+pair+`}`)
				now = map[string]bool{x: true, y: true}
			case 4:
				ops = append(ops, `{"op":"remove","path":"members"}`)
				now = map[string]bool{}
			case 5:
				ops = append(ops, fmt.Sprintf(`{"op":"remove","path":"members[value ge %s]"}`, quoted(x)))
				maps.DeleteFunc(now, func(id string, _ bool) bool { return id >= x })
			}
		}
		text := message("[" + strings.Join(ops, ",") + "]")
		plan, err := patch.Compile(rt, tree(t, text), patch.Options{Session: session(t, "auto")})
		if err != nil {
			t.Fatal(err)
		}
		r, err := plan.Apply(nil, source(base...))
		if err != nil {
			t.Fatal(err)
		}
		if got := join(r.Members, base); !maps.Equal(got, now) {
			t.Fatalf("round %d: from %v by %s\n got %v\nwant %v", round, base, text, got, now)
		}
		for _, id := range r.Members.Add {
			if slices.Contains(r.Members.Remove, id) {
				t.Fatalf("%s is added and removed", id)
			}
		}
	}
}

func quoted(s string) string { return `\"` + s + `\"` }

func TestMemberSourceFails(t *testing.T) {
	_, rt := types(t)
	plan, err := patch.Compile(rt, tree(t, message(`[{"op":"remove","path":"members[type eq \"User\"]"}]`)), patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk on fire")
	if _, err := plan.Apply(nil, func() ([]scim.Attributes, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := plan.Apply(nil, nil); err == nil {
		t.Error("no source is no error")
	}
}

func TestMembersBesideOthers(t *testing.T) {
	_, rt := types(t)
	doc := scim.Attributes{"schemas": []any{scim.SchemaGroup}, "displayName": "G"}
	plan, err := patch.Compile(rt, tree(t, message(`[{"op":"add","value":{"displayName":"H","members":[{"value":"a"}]}}]`)), patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.MembersOnly() || !slices.Contains(plan.Wrote(), "displayName") {
		t.Error("a plan about more than members is taken for one about members")
	}
	r, err := plan.Apply(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := patch.Result{
		Doc: scim.Attributes{"schemas": []any{scim.SchemaGroup}, "displayName": "H"}, Changed: true,
		Members: patch.MemberChange{Add: []string{"a"}}, HasMembers: true,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}
