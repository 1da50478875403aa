package scim_test

import (
	"testing"

	"rollcall/scim"
)

func TestEqual(t *testing.T) {
	email := func(v, kind string) scim.Attributes { return scim.Attributes{"value": v, "type": kind} }
	for _, c := range []struct {
		name string
		a, b any
		want bool
	}{
		{"texts", "a", "a", true},
		{"case", "a", "A", false},
		{"nil", nil, nil, true},
		{"nil and empty text", nil, "", false},
		{"integer and decimal", int64(1), 1.0, false},
		{"true and text", true, "true", false},
		{"objects", scim.Attributes{"a": int64(1), "b": "x"}, scim.Attributes{"b": "x", "a": int64(1)}, true},
		{"other value", scim.Attributes{"a": int64(1)}, scim.Attributes{"a": int64(2)}, false},
		{"other name", scim.Attributes{"a": int64(1)}, scim.Attributes{"b": int64(1)}, false},
		{"null and absent", scim.Attributes{"a": nil}, scim.Attributes{"b": nil}, false},
		{"fewer names", scim.Attributes{"a": "x", "b": "y"}, scim.Attributes{"a": "x"}, false},
		{"object and text", scim.Attributes{}, "", false},
		{"text and object", "", scim.Attributes{}, false},
		{"array and object", []any{}, scim.Attributes{}, false},
		{"same order", []any{"a", "b"}, []any{"a", "b"}, true},
		{"other order", []any{"a", "b"}, []any{"b", "a"}, true},
		{"shorter", []any{"a", "b"}, []any{"a"}, false},
		{"duplicates count", []any{"a", "a", "b"}, []any{"a", "b", "b"}, false},
		{"duplicates in other order", []any{"a", "b", "a"}, []any{"b", "a", "a"}, true},
		{"objects in other order", []any{email("a", "work"), email("b", "home")}, []any{email("b", "home"), email("a", "work")}, true},
		{"objects that swap values", []any{email("a", "work"), email("b", "home")}, []any{email("b", "work"), email("a", "home")}, false},
		{"nested other order", scim.Attributes{"x": []any{scim.Attributes{"y": []any{int64(1), int64(2)}}}}, scim.Attributes{"x": []any{scim.Attributes{"y": []any{int64(2), int64(1)}}}}, true},
		{"nil and empty array", []any(nil), []any{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := scim.Equal(c.a, c.b); got != c.want {
				t.Errorf("Equal = %v, want %v", got, c.want)
			}
			if got := scim.Equal(c.b, c.a); got != c.want {
				t.Errorf("Equal the other way round = %v, want %v", got, c.want)
			}
		})
	}
}

func TestClone(t *testing.T) {
	doc := scim.Attributes{"a": []any{scim.Attributes{"b": []any{"c"}}}, "d": scim.Attributes{"e": int64(1)}, "f": nil}
	c := scim.CloneAttributes(doc)
	if !scim.Equal(doc, c) {
		t.Fatalf("the copy differs: %v", c)
	}
	c["a"].([]any)[0].(scim.Attributes)["b"].([]any)[0] = "changed"
	c["d"].(scim.Attributes)["e"] = int64(2)
	c["f"] = true
	if want := `{"a":[{"b":["c"]}],"d":{"e":1},"f":null}`; string(scim.AppendJSON(nil, doc)) != want {
		t.Errorf("writing to the copy changed the document: %s", scim.AppendJSON(nil, doc))
	}
	if scim.CloneAttributes(nil) != nil {
		t.Errorf("the copy of nil is not nil")
	}
}
