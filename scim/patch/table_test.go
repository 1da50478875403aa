package patch_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
)

const enterprise = scim.SchemaEnterpriseUser

// test is one PATCH of a user. before and after are canonical documents without schemas; userName is put in.
type test struct {
	name    string
	profile string // strict if empty
	before  string
	ops     string
	after   string         // empty: as before
	err     scim.ErrorType // of compiling or applying
	used    []compat.Rule  // all relaxations that were met
}

const (
	none  = `{}`
	mails = `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","value":"h@x.example"}]}`
	named = `{"name":{"givenName":"Ada","familyName":"King"}}`
	dept  = `{"` + enterprise + `":{"department":"R","manager":{"value":"m1"}}}`
)

func runTable(t *testing.T, tests []test) {
	t.Helper()
	rt, _ := types(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.profile == "" {
				tt.profile = "strict"
			}
			load := func(text string) scim.Attributes {
				doc := canonical(t, text)
				if doc["userName"] == nil {
					doc["userName"] = "ada"
				}
				rt.SetSchemas(doc)
				return doc
			}
			s := session(t, tt.profile)
			before, untouched := load(tt.before), load(tt.before)
			plan, err := patch.Compile(rt, tree(t, message(tt.ops)), patch.Options{Session: s, MaxOperations: 10, MaxValues: 5})
			var r patch.Result
			if err == nil {
				r, err = plan.Apply(before, nil)
			}
			if diff := cmp.Diff(untouched, before); diff != "" {
				t.Fatalf("the document passed in was modified: %s", diff)
			}
			if errorType(err) != tt.err || (err != nil) != (tt.err != "") {
				t.Fatalf("got error %v, want %q", err, tt.err)
			}
			if used := append(s.Used(), r.Used...); !slices.Equal(used, tt.used) {
				t.Errorf("used %v, want %v", used, tt.used)
			}
			if err != nil {
				return
			}
			want := untouched
			if tt.after != "" {
				want = load(tt.after)
			}
			if !scim.Equal(want, r.Doc) {
				t.Errorf("(-want +got) %s", cmp.Diff(want, r.Doc))
			}
			if r.Changed != (tt.after != "") {
				t.Errorf("Changed = %v", r.Changed)
			}
		})
	}
}

// TestMessage is about the form of the message (RFC 7644 3.5.2, 3.12).
func TestMessage(t *testing.T) {
	rt, _ := types(t)
	op := `{"op":"replace","path":"title","value":"x"}`
	eleven := op
	for range 10 {
		eleven += "," + op
	}
	tests := []struct {
		name, profile, body string
		err                 scim.ErrorType
		used                []compat.Rule
	}{
		{"not an object", "auto", `[]`, scim.TypeInvalidSyntax, nil},
		{"no schemas", "auto", `{"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, nil},
		{"other schemas", "auto", `{"schemas":["x"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, nil},
		{"schemas in another case", "strict", `{"schemas":["URN:ietf:params:scim:api:messages:2.0:patchop"],"Operations":[` + op + `]}`, "", nil},
		{"no operations", "auto", `{"schemas":["` + scim.MessagePatchOp + `"]}`, scim.TypeInvalidSyntax, nil},
		{"operations no array", "auto", `{"schemas":["` + scim.MessagePatchOp + `"],"Operations":` + op + `}`, scim.TypeInvalidSyntax, nil},
		{"empty operations, strict", "strict", message(`[]`), scim.TypeInvalidSyntax, nil},
		{"empty operations, relaxed", "entra", message(`[]`), "", []compat.Rule{compat.EmptyOperations}},
		{"operations in lower case, strict", "strict", `{"schemas":["` + scim.MessagePatchOp + `"],"operations":[` + op + `]}`, scim.TypeInvalidSyntax, nil},
		{"operations in lower case, relaxed", "auto", `{"schemas":["` + scim.MessagePatchOp + `"],"operations":[` + op + `]}`, "", []compat.Rule{compat.OpCase}},
		{"op in upper case, strict", "strict", message(`[{"op":"Replace","path":"title","value":"x"}]`), scim.TypeInvalidSyntax, nil},
		{"op in upper case, relaxed", "auto", message(`[{"op":"Replace","path":"title","value":"x"}]`), "", []compat.Rule{compat.OpCase}},
		{"Path in upper case, relaxed", "auto", message(`[{"op":"replace","Path":"title","value":"x"}]`), "", []compat.Rule{compat.OpCase}},
		{"unknown op", "auto", message(`[{"op":"move","path":"title","value":"x"}]`), scim.TypeInvalidSyntax, nil},
		{"op no string", "auto", message(`[{"op":1,"path":"title","value":"x"}]`), scim.TypeInvalidSyntax, nil},
		{"no op", "auto", message(`[{"path":"title","value":"x"}]`), scim.TypeInvalidSyntax, nil},
		{"operation no object", "auto", message(`["add"]`), scim.TypeInvalidSyntax, nil},
		{"path no string", "auto", message(`[{"op":"add","path":1,"value":"x"}]`), scim.TypeInvalidPath, nil},
		{"path null is none", "strict", message(`[{"op":"add","path":null,"value":{"title":"x"}}]`), "", nil},
		{"path empty", "auto", message(`[{"op":"add","path":"","value":{"title":"x"}}]`), scim.TypeInvalidPath, nil},
		{"add without value", "auto", message(`[{"op":"add","path":"title"}]`), scim.TypeInvalidValue, nil},
		{"replace without value", "auto", message(`[{"op":"replace","path":"title"}]`), scim.TypeInvalidValue, nil},
		{"remove without path", "auto", message(`[{"op":"remove"}]`), scim.TypeNoTarget, nil},
		{"remove without path, with value", "auto", message(`[{"op":"remove","value":{"title":"x"}}]`), scim.TypeNoTarget, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := session(t, tt.profile)
			_, err := patch.Compile(rt, tree(t, tt.body), patch.Options{Session: s})
			if errorType(err) != tt.err || (err != nil) != (tt.err != "") {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if !slices.Equal(s.Used(), tt.used) {
				t.Errorf("used %v, want %v", s.Used(), tt.used)
			}
		})
	}
	if _, err := patch.Compile(rt, tree(t, message("["+eleven+"]")), patch.Options{MaxOperations: 11}); err != nil {
		t.Errorf("at the limit of operations: %v", err)
	}
	_, err := patch.Compile(rt, tree(t, message("["+eleven+"]")), patch.Options{MaxOperations: 10})
	if e, ok := errors.AsType[*scim.Error](err); !ok || e.Status != 413 {
		t.Errorf("one past the limit of operations: %v", err)
	}
}

// TestAttribute is about targets without a value filter (scim-protocol 2.10, first half of the table).
func TestAttribute(t *testing.T) {
	runTable(t, []test{
		{name: "add single", before: none, ops: `[{"op":"add","path":"title","value":"x"}]`, after: `{"title":"x"}`},
		{name: "add single replaces", before: `{"title":"a"}`, ops: `[{"op":"add","path":"title","value":"x"}]`, after: `{"title":"x"}`},
		{name: "the same is no change", before: `{"title":"x"}`, ops: `[{"op":"replace","path":"TITLE","value":"x"}]`},
		{name: "there and back is no change", before: `{"title":"x"}`, ops: `[{"op":"remove","path":"title"},{"op":"add","path":"title","value":"x"}]`},
		{name: "externalId", before: none, ops: `[{"op":"add","path":"externalId","value":"e"}]`, after: `{"externalId":"e"}`},
		{name: "core URN", before: none, ops: `[{"op":"add","path":"` + scim.SchemaUser + `:title","value":"x"}]`, after: `{"title":"x"}`},
		{name: "replace absent adds", before: none, ops: `[{"op":"replace","path":"title","value":"x"}]`, after: `{"title":"x"}`},
		{name: "replace with null un-assigns", before: `{"title":"x"}`, ops: `[{"op":"replace","path":"title","value":null}]`, after: none},
		{name: "replace with [] un-assigns", before: mails, ops: `[{"op":"replace","path":"emails","value":[]}]`, after: none},
		{name: "replace required with null", before: none, ops: `[{"op":"replace","path":"userName","value":null}]`, err: scim.TypeInvalidValue},
		{name: "wrong type", before: none, ops: `[{"op":"add","path":"title","value":5}]`, err: scim.TypeInvalidValue},
		{name: "array for single", before: none, ops: `[{"op":"add","path":"title","value":["a","b"]}]`, err: scim.TypeInvalidValue},
		{name: "unknown", profile: "auto", before: none, ops: `[{"op":"add","path":"nope","value":1}]`, err: scim.TypeInvalidPath},
		{name: "unknown sub", profile: "auto", before: none, ops: `[{"op":"add","path":"name.nope","value":1}]`, err: scim.TypeInvalidPath},
		{name: "unknown URN", profile: "auto", before: none, ops: `[{"op":"add","path":"urn:x:y:title","value":1}]`, err: scim.TypeInvalidPath},
		{name: "JSON pointer", profile: "auto", before: none, ops: `[{"op":"add","path":"/title","value":"x"}]`, err: scim.TypeInvalidPath},

		{name: "add complex merges", before: named, ops: `[{"op":"add","path":"name","value":{"givenName":"B"}}]`, after: `{"name":{"givenName":"B","familyName":"King"}}`},
		{name: "replace complex merges", before: named, ops: `[{"op":"replace","path":"name","value":{"familyName":"L"}}]`, after: `{"name":{"givenName":"Ada","familyName":"L"}}`},
		{name: "null inside a complex", before: named, ops: `[{"op":"replace","path":"name","value":{"familyName":null,"middleName":"M"}}]`, after: `{"name":{"givenName":"Ada","middleName":"M"}}`},
		{name: "nothing but nulls", before: named, ops: `[{"op":"replace","path":"name","value":{"familyName":null,"givenName":null}}]`, after: none},
		{name: "empty object merges nothing", before: named, ops: `[{"op":"replace","path":"name","value":{}}]`},
		{name: "complex with null", before: named, ops: `[{"op":"replace","path":"name","value":null}]`, after: none},
		{name: "sub of complex", before: named, ops: `[{"op":"replace","path":"name.givenName","value":"B"}]`, after: `{"name":{"givenName":"B","familyName":"King"}}`},
		{name: "sub of absent complex", before: none, ops: `[{"op":"add","path":"name.givenName","value":"B"}]`, after: `{"name":{"givenName":"B"}}`},
		{name: "string for complex", before: none, ops: `[{"op":"add","path":"name","value":"x"}]`, err: scim.TypeInvalidValue},
		{name: "name twice in a complex", before: none, ops: `[{"op":"add","path":"name","value":{"givenName":"a","GIVENNAME":"b"}}]`, err: scim.TypeInvalidSyntax},

		{
			name: "add to many: one object", before: mails, ops: `[{"op":"add","path":"emails","value":{"value":"n","type":"other"}}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","value":"h@x.example"},{"value":"n","type":"other"}]}`,
		},
		{name: "add to many: array", before: none, ops: `[{"op":"add","path":"emails","value":[{"value":"a"},{"value":"b"},{"value":"a"}]}]`, after: `{"emails":[{"value":"a"},{"value":"b"}]}`},
		{name: "add what is there", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"h@x.example","type":"home"}]}]`},
		{name: "add [] adds nothing", before: mails, ops: `[{"op":"add","path":"emails","value":[]}]`},
		{name: "add null adds nothing", before: mails, ops: `[{"op":"add","path":"emails","value":null}]`},
		{
			name: "add what is there with more", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"h@x.example","type":"home","display":"D"}]}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true},{"type":"home","value":"h@x.example","display":"D"}]}`,
		},
		{name: "replace many", before: mails, ops: `[{"op":"replace","path":"emails","value":[{"value":"n"}]}]`, after: `{"emails":[{"value":"n"}]}`},
		{name: "order is no change", before: mails, ops: `[{"op":"replace","path":"emails","value":[{"type":"home","value":"h@x.example"},{"type":"work","value":"w@x.example","primary":true}]}]`},
		{name: "add simple value to many", before: `{"` + gadgetURN + `":{"tags":["a"]}}`, ops: `[{"op":"add","path":"` + gadgetURN + `:tags","value":"b"}]`, after: `{"` + gadgetURN + `":{"tags":["a","b"]}}`},
		{
			name: "sub of every element", before: mails, ops: `[{"op":"replace","path":"emails.display","value":"D"}]`,
			after: `{"emails":[{"type":"work","value":"w@x.example","primary":true,"display":"D"},{"type":"home","value":"h@x.example","display":"D"}]}`,
		},
		{name: "sub of no element", before: none, ops: `[{"op":"add","path":"emails.value","value":"n"}]`, after: `{"emails":[{"value":"n"}]}`},
		{name: "remove sub of every element", before: mails, ops: `[{"op":"remove","path":"emails.value"}]`, after: `{"emails":[{"type":"work","primary":true},{"type":"home"}]}`},
		{name: "too many values", before: mails, ops: `[{"op":"add","path":"emails","value":[{"value":"1"},{"value":"2"},{"value":"3"},{"value":"4"}]}]`, err: scim.TypeInvalidValue},
		{
			name: "as many values as allowed", before: none, ops: `[{"op":"add","path":"emails","value":[{"value":"1"},{"value":"2"},{"value":"3"},{"value":"4"},{"value":"5"}]}]`,
			after: `{"emails":[{"value":"1"},{"value":"2"},{"value":"3"},{"value":"4"},{"value":"5"}]}`,
		},

		{name: "remove", before: `{"title":"x"}`, ops: `[{"op":"remove","path":"title"}]`, after: none},
		{name: "remove absent", before: none, ops: `[{"op":"remove","path":"title"}]`},
		{name: "remove with null", before: `{"title":"x"}`, ops: `[{"op":"remove","path":"title","value":null}]`, after: none},
		{name: "remove complex", before: named, ops: `[{"op":"remove","path":"name"}]`, after: none},
		{name: "remove sub", before: named, ops: `[{"op":"remove","path":"name.givenName"}]`, after: `{"name":{"familyName":"King"}}`},
		{name: "remove last sub", before: `{"name":{"givenName":"A"}}`, ops: `[{"op":"remove","path":"name.givenName"}]`, after: none},
		{name: "remove many", before: mails, ops: `[{"op":"remove","path":"emails"}]`, after: none},
		{name: "remove required", profile: "auto", before: none, ops: `[{"op":"remove","path":"userName"}]`, err: scim.TypeMutability},
		{name: "remove core URN", before: none, ops: `[{"op":"remove","path":"` + scim.SchemaUser + `"}]`, err: scim.TypeNoTarget},
		{name: "in order", before: none, ops: `[{"op":"add","path":"title","value":"a"},{"op":"remove","path":"title"},{"op":"add","path":"title","value":"b"}]`, after: `{"title":"b"}`},
		{name: "all or nothing", before: mails, ops: `[{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"add","path":"title","value":"x"},{"op":"replace","path":"emails[type eq \"x\"].value","value":"x"}]`, err: scim.TypeNoTarget},
	})
}

// TestMutability is about what may not be changed (RFC 7643 2.2, RFC 7644 3.5.2).
func TestMutability(t *testing.T) {
	g := func(s string) string { return `{"` + gadgetURN + `":` + s + `}` }
	runTable(t, []test{
		{name: "readOnly path", profile: "auto", before: none, ops: `[{"op":"replace","path":"id","value":"x"}]`, err: scim.TypeMutability},
		{name: "readOnly sub path", profile: "auto", before: none, ops: `[{"op":"replace","path":"meta.created","value":"2020-01-01T00:00:00Z"}]`, err: scim.TypeMutability},
		{name: "remove readOnly", profile: "auto", before: none, ops: `[{"op":"remove","path":"meta"}]`, err: scim.TypeMutability},
		{name: "groups of a user", profile: "auto", before: none, ops: `[{"op":"add","path":"groups","value":[{"value":"g"}]}]`, err: scim.TypeMutability},
		{name: "groups by filter", profile: "auto", before: none, ops: `[{"op":"remove","path":"groups[value eq \"g\"]"}]`, err: scim.TypeMutability},
		{name: "manager.displayName", profile: "auto", before: dept, ops: `[{"op":"add","path":"` + enterprise + `:manager.displayName","value":"x"}]`, err: scim.TypeMutability},
		{name: "readOnly sub in a value", before: none, ops: `[{"op":"add","path":"` + enterprise + `:manager","value":{"value":"m","displayName":"x"}}]`, after: `{"` + enterprise + `":{"manager":{"value":"m"}}}`},
		{name: "readOnly of an extension", profile: "auto", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:serial","value":"x"}]`, err: scim.TypeMutability},
		{name: "immutable without value", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:badge","value":"b"}]`, after: g(`{"badge":"b"}`)},
		{name: "immutable, the same", before: g(`{"badge":"b"}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:badge","value":"b"}]`},
		{name: "immutable, another", before: g(`{"badge":"b"}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:badge","value":"c"}]`, err: scim.TypeMutability},
		{name: "immutable removed", before: g(`{"badge":"b"}`), ops: `[{"op":"remove","path":"` + gadgetURN + `:badge"}]`, err: scim.TypeMutability},
		{name: "immutable removed while absent", before: none, ops: `[{"op":"remove","path":"` + gadgetURN + `:badge"}]`},
		{name: "immutable set twice", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:badge","value":"b"},{"op":"add","path":"` + gadgetURN + `:badge","value":"c"}]`, err: scim.TypeMutability},
		{name: "immutable removed with its extension", before: g(`{"badge":"b"}`), ops: `[{"op":"remove","path":"` + gadgetURN + `"}]`, err: scim.TypeMutability},
		{name: "immutable sub without value", before: g(`{"home":{"city":"c"}}`), ops: `[{"op":"add","path":"` + gadgetURN + `:home.plot","value":"p"}]`, after: g(`{"home":{"city":"c","plot":"p"}}`)},
		{name: "immutable sub set to null", before: g(`{"home":{"plot":"p","city":"c"}}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:home","value":{"plot":null}}]`, err: scim.TypeMutability},
		{name: "immutable sub by path", before: g(`{"home":{"plot":"p"}}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:home.plot","value":"q"}]`, err: scim.TypeMutability},
		{name: "immutable sub changed", before: g(`{"home":{"plot":"p"}}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:home","value":{"plot":"q"}}]`, err: scim.TypeMutability},
		{name: "immutable sub of an element changed", before: g(`{"rooms":[{"value":"r","key":"k"}]}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:rooms[value eq \"r\"].key","value":"l"}]`, err: scim.TypeMutability},
		{name: "immutable sub of an element merged", before: g(`{"rooms":[{"value":"r","key":"k"}]}`), ops: `[{"op":"add","path":"` + gadgetURN + `:rooms[value eq \"r\"]","value":{"key":"l"}}]`, err: scim.TypeMutability},
		{name: "the element may be replaced", before: g(`{"rooms":[{"value":"r","key":"k"}]}`), ops: `[{"op":"replace","path":"` + gadgetURN + `:rooms[value eq \"r\"]","value":{"value":"s","key":"l"}}]`, after: g(`{"rooms":[{"value":"s","key":"l"}]}`)},
		{name: "readOnly stays when its extension goes", before: g(`{"level":1,"serial":"s"}`), ops: `[{"op":"remove","path":"` + gadgetURN + `"}]`, after: g(`{"serial":"s"}`)},
		{name: "schemas, known", before: none, ops: `[{"op":"add","path":"schemas","value":["` + enterprise + `"]}]`},
		{name: "schemas, unknown", before: none, ops: `[{"op":"add","path":"schemas","value":["urn:x"]}]`, err: scim.TypeInvalidValue},
		{name: "schemas, unknown, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"schemas","value":["urn:x"]}]`, used: []compat.Rule{compat.IgnoreUnknownSchemas}},
		{name: "schemas, wrong type", before: none, ops: `[{"op":"add","path":"schemas","value":[1]}]`, err: scim.TypeInvalidValue},
		{name: "schemas removed", before: none, ops: `[{"op":"remove","path":"schemas"}]`, err: scim.TypeMutability},
		{name: "schemas by filter", before: none, ops: `[{"op":"remove","path":"schemas[value eq \"urn:x\"]"}]`, err: scim.TypeMutability},
	})
}

// TestRequired is about what must not go away (RFC 7644 3.5.2.2): a remove is a mutability error, a null no value.
func TestRequired(t *testing.T) {
	u := strictURN
	full := `{"` + u + `":{"code":"c","desk":{"value":"d"},"keys":[{"value":"k","type":"t"},{"value":"l"}]}}`
	runTable(t, []test{
		{name: "attribute", before: full, ops: `[{"op":"remove","path":"` + u + `:code"}]`, err: scim.TypeMutability},
		{name: "attribute, null", before: full, ops: `[{"op":"replace","path":"` + u + `:code","value":null}]`, err: scim.TypeInvalidValue},
		{name: "extension", before: full, ops: `[{"op":"remove","path":"` + u + `"}]`, err: scim.TypeMutability},
		{name: "extension, null", before: full, ops: `[{"op":"replace","value":{"` + u + `":null}}]`, err: scim.TypeMutability},
		{name: "extension, adding null", before: full, ops: `[{"op":"add","value":{"` + u + `":null}}]`},
		{name: "complex, emptied", profile: "auto", before: full, ops: `[{"op":"replace","path":"` + u + `:desk","value":{"value":""}}]`, err: scim.TypeInvalidValue, used: []compat.Rule{compat.NullReference}},
		{name: "complex, last sub-attribute", before: full, ops: `[{"op":"remove","path":"` + u + `:desk.value"}]`, err: scim.TypeMutability},
		{name: "all elements", before: full, ops: `[{"op":"remove","path":"` + u + `:keys"}]`, err: scim.TypeMutability},
		{name: "all elements by filter", before: full, ops: `[{"op":"remove","path":"` + u + `:keys[value pr]"}]`, err: scim.TypeMutability},
		{name: "some elements by filter", before: full, ops: `[{"op":"remove","path":"` + u + `:keys[type pr]"}]`, after: `{"` + u + `":{"code":"c","desk":{"value":"d"},"keys":[{"value":"l"}]}}`},
		{name: "all listed elements", profile: "auto", before: full, ops: `[{"op":"remove","path":"` + u + `:keys","value":["k","l"]}]`, err: scim.TypeMutability, used: []compat.Rule{compat.RemoveWithValue, compat.BareComplexValue}},
		{name: "sub-attribute of every element", before: full, ops: `[{"op":"remove","path":"` + u + `:keys.value"}]`, err: scim.TypeMutability},
		{name: "sub-attribute of some", before: full, ops: `[{"op":"remove","path":"` + u + `:keys[type pr].value"}]`, err: scim.TypeMutability},
		{name: "sub-attribute of some, null", before: full, ops: `[{"op":"replace","path":"` + u + `:keys[type pr].value","value":null}]`, err: scim.TypeInvalidValue},
		{name: "readOnly inside an extension object", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `","value":{"serial":"x"}}]`, err: scim.TypeMutability},
	})
}

// TestExtension is about extensions as targets; `schemas` follows their content, which runTable checks.
func TestExtension(t *testing.T) {
	runTable(t, []test{
		{name: "attribute", before: none, ops: `[{"op":"add","path":"` + enterprise + `:department","value":"R"}]`, after: `{"` + enterprise + `":{"department":"R"}}`},
		{name: "URN in another case", before: none, ops: `[{"op":"add","path":"URN:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:user:DEPARTMENT","value":"R"}]`, after: `{"` + enterprise + `":{"department":"R"}}`},
		{name: "sub-attribute", before: dept, ops: `[{"op":"replace","path":"` + enterprise + `:manager.value","value":"m2"}]`, after: `{"` + enterprise + `":{"department":"R","manager":{"value":"m2"}}}`},
		{name: "last attribute gone", before: `{"` + enterprise + `":{"department":"R"}}`, ops: `[{"op":"remove","path":"` + enterprise + `:department"}]`, after: none},
		{name: "remove from absent", before: none, ops: `[{"op":"remove","path":"` + enterprise + `:department"}]`},
		{name: "whole, add", before: dept, ops: `[{"op":"add","path":"` + enterprise + `","value":{"costCenter":"4"}}]`, after: `{"` + enterprise + `":{"department":"R","costCenter":"4","manager":{"value":"m1"}}}`},
		{name: "whole, replace", before: dept, ops: `[{"op":"replace","path":"` + enterprise + `","value":{"department":"S"}}]`, after: `{"` + enterprise + `":{"department":"S","manager":{"value":"m1"}}}`},
		{name: "whole, null", before: dept, ops: `[{"op":"replace","path":"` + enterprise + `","value":null}]`, after: none},
		{name: "whole, remove", before: dept, ops: `[{"op":"remove","path":"` + enterprise + `"}]`, after: none},
		{name: "whole, remove absent", before: none, ops: `[{"op":"remove","path":"` + enterprise + `"}]`},
		{name: "whole, no object", before: none, ops: `[{"op":"add","path":"` + enterprise + `","value":"x"}]`, err: scim.TypeInvalidValue},
		{name: "whole, unknown attribute", before: none, ops: `[{"op":"add","path":"` + enterprise + `","value":{"nope":1}}]`, err: scim.TypeInvalidPath},
		{name: "whole, unknown attribute, relaxed", profile: "auto", before: none, ops: `[{"op":"add","path":"` + enterprise + `","value":{"nope":1}}]`, used: []compat.Rule{compat.IgnoreUnknownAttributes}},
		{name: "whole, name twice", before: none, ops: `[{"op":"add","path":"` + enterprise + `","value":{"department":"a","Department":"b"}}]`, err: scim.TypeInvalidSyntax},
		{
			name: "many in an extension", before: none, ops: `[{"op":"add","path":"` + gadgetURN + `:rooms[value eq \"a\"].labels","value":["x"]},{"op":"add","path":"` + gadgetURN + `:rooms[value eq \"a\"].labels","value":["y","x"]}]`,
			after: `{"` + gadgetURN + `":{"rooms":[{"value":"a","labels":["x","y"]}]}}`,
		},
		{name: "core and extension", before: none, ops: `[{"op":"add","path":"title","value":"x"},{"op":"add","path":"` + gadgetURN + `:level","value":3}]`, after: `{"title":"x","` + gadgetURN + `":{"level":3}}`},
	})
}
