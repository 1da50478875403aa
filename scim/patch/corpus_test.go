package patch_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
	"rollcall/scim/schema"
)

// elsewhere are cases that only a store can decide.
var elsewhere = map[string]string{
	"p185": "uniqueness is the store's: the plan applies, the write is refused",
	"p186": "uniqueness is the store's: the plan applies, the write is refused",
}

type outcome struct {
	after scim.Attributes // nil for an error
	same  bool
	errs  []string
}

func TestCorpus(t *testing.T) {
	text, err := os.ReadFile("testdata/patches.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	user, group := types(t)
	rows := 0
	for line := range strings.Lines(string(text)) {
		rows++
		row := tree(t, tokens(line)).(scim.Object)
		rt := user
		if get(row, "resource_type") == "Group" {
			rt = group
		}
		id := get(row, "id").(string)
		for _, profile := range []string{"strict", "auto"} {
			t.Run(id+"/"+profile, func(t *testing.T) { corpusCase(t, rt, id, profile, row) })
		}
	}
	if rows != 141 {
		t.Errorf("%d rows were read, want 141", rows)
	}
}

func corpusCase(t *testing.T, rt *schema.ResourceType, id, profile string, row scim.Object) {
	before := decode(t, rt, get(row, "resource_before"))
	body := get(row, "request_body")
	if body == nil {
		body = scim.Object{
			{Name: "schemas", Value: []any{scim.MessagePatchOp}},
			{Name: "Operations", Value: get(row, "operations")},
		}
	}
	allowed := []outcome{expectation(t, rt, get(row, "expect"))}
	also, _ := get(row, "also_acceptable").([]any)
	for _, v := range also {
		allowed = append(allowed, expectation(t, rt, v))
	}
	s := session(t, profile)
	got, err := run(rt, before, body, s)
	if elsewhere[id] != "" {
		if err != nil {
			t.Fatalf("the plan does not apply: %v", err)
		}
		return
	}
	for _, o := range allowed {
		if o.after == nil && err != nil && slices.Contains(o.errs, string(errorType(err))) {
			return
		}
		if o.after == nil || err != nil {
			continue
		}
		if o.same && got.changed {
			t.Errorf("changed, want no change")
		}
		if scim.Equal(o.after, got.after) {
			return
		}
	}
	t.Errorf("err %v\n%s", err, cmp.Diff(allowed[0].after, got.after))
}

type applied struct {
	after   scim.Attributes
	changed bool
	used    []compat.Rule
}

// run patches a test document, whose members lie in it, and validates the result as resources do.
func run(rt *schema.ResourceType, before scim.Attributes, body any, s *compat.Session) (applied, error) {
	doc := scim.CloneAttributes(before)
	var ids []string
	list, _ := doc["members"].([]any)
	for _, m := range list {
		ids = append(ids, m.(scim.Attributes)["value"].(string))
	}
	delete(doc, "members")
	plan, err := patch.Compile(rt, body, patch.Options{Session: s, MaxOperations: 1000, MaxValues: 500})
	if err != nil {
		return applied{}, err
	}
	r, err := plan.Apply(doc, source(ids...))
	if err != nil {
		return applied{}, err
	}
	if err := rt.Validate(r.Doc); err != nil {
		return applied{}, err
	}
	after := scim.CloneAttributes(r.Doc)
	members := []any{}
	for id := range join(r.Members, ids) {
		members = append(members, scim.Attributes{"value": id})
	}
	if len(members) > 0 {
		after["members"] = members
	}
	changed := r.Changed || !scim.Equal(after["members"], before["members"])
	return applied{after, changed, r.Used}, nil
}

func expectation(t *testing.T, rt *schema.ResourceType, v any) outcome {
	o := v.(scim.Object)
	if e, ok := o.Get("error"); ok {
		var out outcome
		for _, s := range get(e.(scim.Object), "scimType").([]any) {
			out.errs = append(out.errs, s.(string))
		}
		return out
	}
	same, _ := get(o, "no_change").(bool)
	return outcome{after: decode(t, rt, get(o, "resource_after")), same: same}
}

// decode reads a resource of the corpus; its members go into the document for comparing.
func decode(t *testing.T, rt *schema.ResourceType, v any) scim.Attributes {
	t.Helper()
	d, err := schema.Decoder{Session: session(t, "auto")}.Resource(rt, v)
	if err != nil {
		t.Fatal(err)
	}
	members := []any{}
	for _, id := range d.Members {
		members = append(members, scim.Attributes{"value": id})
	}
	if len(members) > 0 {
		d.Attrs["members"] = members
	}
	return d.Attrs
}

func get(o scim.Object, name string) any {
	v, _ := o.Get(name)
	return v
}

// tokens puts in the helper users of the corpus.
func tokens(s string) string {
	return strings.NewReplacer(
		"$U1.userName", "helper1", "$U1.USERNAME", "HELPER1", "$SELF", "id-self", "$U1", "id-1", "$U2", "id-2", "$U3", "id-3",
	).Replace(s)
}
