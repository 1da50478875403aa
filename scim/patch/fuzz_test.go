package patch_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/schema"
)

// FuzzApply holds what is true of every PATCH whatever it asks.
func FuzzApply(f *testing.F) {
	corpus, err := os.ReadFile("testdata/patches.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(corpus)) {
		row := tree(f, tokens(line)).(scim.Object)
		f.Add(string(scim.AppendJSON(nil, get(row, "operations"))))
	}
	for _, ops := range bodies {
		f.Add(ops)
	}
	for _, attr := range []string{"rooms", "tags", "home", "badge", "serial", "level"} {
		f.Add(`[{"op":"replace","path":"` + gadgetURN + ":" + attr + `","value":[{"value":"a","primary":true}]}]`)
	}
	f.Add(`[{"op":"add","path":"emails[type eq \"home\" and primary eq true]","value":{"value":"x"}},{"op":"remove","path":"emails.type"}]`)
	user, _ := types(f)
	f.Fuzz(func(t *testing.T, ops string) { holds(t, user, ops) })
}

// TestRandomOperations asks the same of operations put together at random: valid ones far more often than a fuzzer
// finds them.
func TestRandomOperations(t *testing.T) {
	g := gadgetURN + ":"
	paths := []string{
		"", "title", "userName", "active", "name", "name.givenName", "emails", "emails.type", "emails.primary",
		`emails[type eq "home"]`, `emails[type eq "work"].value`, `emails[primary eq true].display`,
		`emails[type eq "other" and primary eq true]`, `emails[value eq "h" or type pr].primary`, `emails[not (type eq "work")]`,
		enterprise, enterprise + ":department", enterprise + ":manager", enterprise + ":manager.value",
		gadgetURN, g + "badge", g + "serial", g + "level", g + "tags", g + `tags[value eq "a"]`, g + "home", g + "home.plot", g + "home.city",
		g + "rooms", g + `rooms[value eq "r"]`, g + `rooms[value eq "r"].key`, g + "rooms.labels", g + `rooms[key pr].labels`, "id", "password",
	}
	values := []string{
		`null`, `[]`, `{}`, `"x"`, `"h"`, `"True"`, `true`, `false`, `7`, `1.5`, `["a"]`, `["a","c"]`,
		`{"value":"h","type":"home"}`, `[{"value":"n","primary":true}]`, `[{"value":"h","type":"home","primary":true},{"value":"n"}]`,
		`{"value":"w","type":"work","primary":false,"display":null}`, `{"value":""}`, `{"givenName":"B","familyName":null}`, `{"city":"d","plot":"p","area":"y"}`,
		`{"value":"r","key":"k2","labels":["l"],"seen":"s"}`, `{"title":null,"emails":{"value":"z"},"name.familyName":"K","id":"i"}`,
		`{"` + enterprise + `":{"department":null},"` + g + `level":3}`, `{"department":"S","serial":"no"}`,
	}
	user, _ := types(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		var ops []string
		for range 1 + rnd.IntN(4) {
			op := `{"op":"` + []string{"add", "replace", "remove"}[rnd.IntN(3)] + `"`
			if path := paths[rnd.IntN(len(paths))]; path != "" {
				op += `,"path":` + string(scim.AppendString(nil, path))
			}
			if rnd.IntN(8) > 0 {
				op += `,"value":` + values[rnd.IntN(len(values))]
			}
			ops = append(ops, op+"}")
		}
		text := "[" + strings.Join(ops, ",") + "]"
		if holds(t, user, text); t.Failed() {
			return
		}
	}
}

// rich is a user with something of everything.
func rich() scim.Attributes {
	return scim.Attributes{
		"schemas": []any{scim.SchemaUser, enterprise, gadgetURN}, "userName": "ada", "title": "t", "active": true,
		"name": scim.Attributes{"givenName": "Ada", "familyName": "King"},
		"emails": []any{
			scim.Attributes{"value": "w", "type": "work", "primary": true},
			scim.Attributes{"value": "h", "type": "home"},
			scim.Attributes{"value": "h", "type": "other"},
		},
		enterprise: scim.Attributes{"department": "R", "manager": scim.Attributes{"value": "m"}},
		gadgetURN: scim.Attributes{
			"serial": "s", "badge": "b", "level": int64(1), "tags": []any{"a", "b"},
			"rooms": []any{scim.Attributes{"value": "r", "key": "k", "primary": true}, scim.Attributes{"value": "q"}},
			"home":  scim.Attributes{"city": "c", "area": "x"},
		},
	}
}

// holds applies operations under several profiles and checks what must be true whatever they are.
func holds(t *testing.T, user *schema.ResourceType, ops string) {
	t.Helper()
	doc, untouched := rich(), rich()
	body, err := scim.ParseJSON([]byte(message(ops)), 32)
	if err != nil {
		return
	}
	results := map[string]*patch.Result{}
	for _, profile := range []string{"strict", "auto", "ping"} {
		plan, err := patch.Compile(user, body, patch.Options{Session: session(t, profile), MaxOperations: 50, MaxValues: 20})
		if err != nil {
			if e, ok := errors.AsType[*scim.Error](err); !ok || e.Type == "" && e.Status != 413 {
				t.Fatalf("%s: error without a type: %v", ops, err)
			}
			continue
		}
		r, err := plan.Apply(doc, nil)
		if diff := cmp.Diff(untouched, doc); diff != "" {
			t.Fatalf("%s: the document passed in was modified: %s", ops, diff)
		}
		if err != nil {
			if errorType(err) == "" {
				t.Fatalf("%s: error without a type: %v", ops, err)
			}
			continue
		}
		results[profile] = &r
		check(t, ops, doc, r)
		again, err := plan.Apply(doc, nil)
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("%s: the same plan on the same document: %v %s", ops, err, cmp.Diff(r, again))
		}
		list, _ := get(body.(scim.Object), "Operations").([]any)
		if len(list) == 1 && strings.EqualFold(get(list[0].(scim.Object), "op").(string), "replace") && !strings.Contains(ops, "[t") {
			twice(t, ops, plan, r)
		}
	}
	// A relaxation accepts more; what was accepted without it keeps its meaning.
	if s := results["strict"]; s != nil {
		a := results["auto"]
		if a == nil || !scim.Equal(s.Doc, a.Doc) {
			t.Fatalf("%s: strict and auto differ on what strict accepts: %v %v", ops, s, a)
		}
	}
}

// check holds the invariants of one result.
func check(t *testing.T, ops string, doc scim.Attributes, r patch.Result) {
	t.Helper()
	if r.Changed == scim.Equal(doc, r.Doc) {
		t.Fatalf("%s: Changed = %v: %s", ops, r.Changed, cmp.Diff(doc, r.Doc))
	}
	x, _ := r.Doc[gadgetURN].(scim.Attributes)
	if x["serial"] != "s" || x["badge"] != "b" {
		t.Fatalf("%s: a readOnly or an immutable attribute changed: %v", ops, x)
	}
	if r.Doc["id"] != nil || r.Doc["meta"] != nil || r.Doc["groups"] != nil || r.Doc["password"] != nil {
		t.Fatalf("%s: the document holds what no document does: %v", ops, r.Doc)
	}
	for _, o := range []scim.Attributes{r.Doc, x} {
		for name, v := range o {
			list, _ := v.([]any)
			primaries := 0
			for _, e := range list {
				el, ok := e.(scim.Attributes)
				if ok && len(el) == 0 {
					t.Fatalf("%s: %s has an empty element", ops, name)
				}
				if el["primary"] == true {
					primaries++
				}
			}
			if primaries > 1 || v == nil || list != nil && len(list) == 0 {
				t.Fatalf("%s: %s: %v", ops, name, v)
			}
		}
	}
	stored, err := scim.DecodeAttributes(scim.AppendJSON(nil, r.Doc))
	if err != nil || !scim.Equal(stored, r.Doc) {
		t.Fatalf("%s: the document does not survive storing: %v %s", ops, err, cmp.Diff(r.Doc, stored))
	}
}

// twice: replacing again what was replaced changes nothing, unless its filter finds other elements now.
func twice(t *testing.T, ops string, plan *patch.Plan, first patch.Result) {
	t.Helper()
	second, err := plan.Apply(first.Doc, nil)
	if err != nil {
		return // a value path may have lost its target
	}
	if second.Changed {
		t.Fatalf("%s: replacing twice is not replacing once: %s", ops, cmp.Diff(first.Doc, second.Doc))
	}
}
