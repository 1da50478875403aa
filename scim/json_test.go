package scim_test

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
)

func TestParseJSON(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     any
	}{
		{"null", `null`, nil},
		{"booleans", `[true,false]`, []any{true, false}},
		{"numbers keep their spelling", `[1,1.0,1e3,-0,12345678901234567890]`, []any{
			scim.Number("1"), scim.Number("1.0"), scim.Number("1e3"), scim.Number("-0"), scim.Number("12345678901234567890"),
		}},
		{"escapes", `"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "a\"\\/\b\f\n\r\té😀"},
		{"order and spelling of names", `{"b":1,"A":2,"a":3}`, scim.Object{
			{Name: "b", Value: scim.Number("1")}, {Name: "A", Value: scim.Number("2")}, {Name: "a", Value: scim.Number("3")},
		}},
		{"nested", `{"a":[{"b":null},[]],"c":{}}`, scim.Object{
			{Name: "a", Value: []any{scim.Object{{Name: "b"}}, []any{}}}, {Name: "c", Value: scim.Object{}},
		}},
		{"white space around", " \t\r\n{ } \n", scim.Object{}},
		{"empty name", `{"":1}`, scim.Object{{Name: "", Value: scim.Number("1")}}},
		{"same name at different depths", `{"a":{"a":1}}`, scim.Object{{Name: "a", Value: scim.Object{{Name: "a", Value: scim.Number("1")}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scim.ParseJSON([]byte(c.in), 8)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, detail string }{
		{"nothing", "", "ends before"},
		{"white space only", " \n", "ends before"},
		{"half an object", `{"a":1`, "ends before"},
		{"half an array", `[1,`, "ends before"},
		{"half a string", `"secret`, "ends before"},
		{"half a literal", `tru`, "ends before"},
		{"same name twice", `{"secret":1,"secret":2}`, "same name twice"},
		{"same name twice by an escape", `{"secret":1,"\u0073ecret":2}`, "same name twice"},
		{"same name twice, nested", `{"a":[{"secret":1,"b":2,"secret":1}]}`, "same name twice"},
		{"second value", `{} {}`, "data after"},
		{"trailing letter", `{}x`, "data after"},
		{"trailing bracket", `{}}`, "data after"},
		{"trailing NUL", "{}\x00", "data after"},
		{"NUL in a string", `{"a":"sec\u0000ret"}`, "NUL"},
		{"NUL in an array", `["\u0000"]`, "NUL"},
		{"NUL in a name", `{"sec\u0000ret":1}`, "NUL"},
		{"bare NUL in a string", "\"a\x00b\"", "not valid JSON"},
		{"control character in a string", "\"a\nb\"", "not valid JSON"},
		{"invalid UTF-8", "{\"a\":\"sec\xffret\"}", "not valid JSON"},
		{"invalid UTF-8 in a name", "{\"sec\xc3\":1}", "not valid JSON"},
		{"encoded surrogate", "\"\xed\xa0\x80\"", "not valid JSON"},
		{"overlong UTF-8", "\"\xc0\x80\"", "not valid JSON"},
		{"lone surrogate escape", `"\ud800"`, "not valid JSON"},
		{"byte order mark", "\ufeff{}", "not valid JSON"},
		{"unknown escape", `"\x41"`, "not valid JSON"},
		{"leading zero", `[01]`, "not valid JSON"},
		{"trailing point", `[1.]`, "not valid JSON"},
		{"plus sign", `[+1]`, "not valid JSON"},
		{"not a number", `[NaN]`, "not valid JSON"},
		{"single quotes", `{'a':1}`, "not valid JSON"},
		{"name without quotes", `{secret:1}`, "not valid JSON"},
		{"trailing comma in an object", `{"a":1,}`, "not valid JSON"},
		{"trailing comma in an array", `[1,]`, "not valid JSON"},
		{"missing comma", `[1 2]`, "not valid JSON"},
		{"missing colon", `{"a" 1}`, "not valid JSON"},
		{"wrong bracket", `[1}`, "not valid JSON"},
		{"number as name", `{1:2}`, "not valid JSON"},
		{"comment", `{} // secret`, "data after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := scim.ParseJSON([]byte(c.in), 8)
			refused(t, v, err, c.detail)
		})
	}
}

// refused checks that err is the protocol's answer to a bad body and tells nothing of what was in it.
func refused(t *testing.T, v any, err error, detail string) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) {
		t.Fatalf("ParseJSON = %v, %v, want a *scim.Error", v, err)
	}
	if v != nil {
		t.Errorf("ParseJSON returned %v beside the error", v)
	}
	if e.Status != http.StatusBadRequest || e.Type != scim.TypeInvalidSyntax {
		t.Errorf("error %v, want 400 invalidSyntax", e)
	}
	if !strings.Contains(e.Detail, detail) {
		t.Errorf("detail %q, want one with %q", e.Detail, detail)
	}
	if strings.Contains(e.Error(), "secret") {
		t.Errorf("the error shows the body: %q", e)
	}
}

func TestParseJSONDepth(t *testing.T) {
	const limit = 32
	for _, c := range []struct{ name, open, middle, shut string }{
		{"arrays", "[", "1", "]"},
		{"empty arrays", "[", "", "]"},
		{"objects", `{"a":`, "1", "}"},
		{"mixed", `[{"a":`, "1", "}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			per := strings.Count(c.open, "[") + strings.Count(c.open, "{")
			at := func(n int) []byte { return []byte(strings.Repeat(c.open, n) + c.middle + strings.Repeat(c.shut, n)) }
			if _, err := scim.ParseJSON(at(limit/per), limit); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			v, err := scim.ParseJSON([]byte("["+string(at(limit/per))+"]"), limit)
			refused(t, v, err, "nested too deeply")
			// Far beyond, and never closed: the answer is the same and costs no stack.
			v, err = scim.ParseJSON([]byte(strings.Repeat(c.open, 1_000_000)), limit)
			refused(t, v, err, "nested too deeply")
		})
	}
	if v, err := scim.ParseJSON([]byte(`"x"`), 0); err != nil || v != "x" {
		t.Errorf("a scalar at depth 0: %v, %v", v, err)
	}
	v, err := scim.ParseJSON([]byte(`{}`), 0)
	refused(t, v, err, "nested too deeply")
}

func TestObjectGet(t *testing.T) {
	o := scim.Object{{Name: "Operations", Value: "first"}, {Name: "operations", Value: "second"}, {Name: "nothing"}}
	if v, ok := o.Get("OPERATIONS"); !ok || v != "first" {
		t.Errorf("Get = %v, %v, want the first member whatever its case", v, ok)
	}
	if v, ok := o.Get("nothing"); !ok || v != nil {
		t.Errorf("Get of a null = %v, %v", v, ok)
	}
	if _, ok := o.Get("operation"); ok {
		t.Errorf("Get finds a name that is not there")
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		in      scim.Number
		i       int64
		isInt   bool
		f       float64
		isFloat bool
	}{
		{"0", 0, true, 0, true},
		{"-0", 0, true, math.Copysign(0, -1), true},
		{"9223372036854775807", math.MaxInt64, true, 1 << 63, true},
		{"-9223372036854775808", math.MinInt64, true, -1 << 63, true},
		{"9223372036854775808", 0, false, 1 << 63, true},
		{"1.0", 0, false, 1, true},
		{"1e3", 0, false, 1000, true},
		{"1.7976931348623157e308", 0, false, math.MaxFloat64, true},
		{"1e309", 0, false, 0, false},
		{"-1e309", 0, false, 0, false},
		{"1e-400", 0, false, 0, true},
	} {
		if i, ok := c.in.Int(); ok != c.isInt || ok && i != c.i {
			t.Errorf("%s.Int() = %d, %v", c.in, i, ok)
		}
		if f, ok := c.in.Float(); ok != c.isFloat || ok && f != c.f {
			t.Errorf("%s.Float() = %g, %v", c.in, f, ok)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"nil", nil, `null`},
		{"bool", true, `true`},
		{"string", "a\"\\\n\u2028é😀</script>", "\"a\\\"\\\\\\n\u2028é😀</script>\""},
		{"invalid UTF-8", "a\xffb", "\"a\ufffdb\""},
		{"int64", int64(math.MinInt64), `-9223372036854775808`},
		{"int", 7, `7`},
		{"float stays a decimal", 1.0, `1.0`},
		{"negative zero", math.Copysign(0, -1), `-0.0`},
		{"shortest float", 0.1, `0.1`},
		{"large float", 1e21, `1e+21`},
		{"small float", 5e-324, `5e-324`},
		{"number as it was written", scim.Number("1.50"), `1.50`},
		{"names in order", scim.Attributes{"b": int64(1), "a": "x", "B": nil, "é": true}, `{"B":null,"a":"x","b":1,"é":true}`},
		{"empty object", scim.Attributes{}, `{}`},
		{"object as it came", scim.Object{{Name: "b", Value: scim.Number("1")}, {Name: "a", Value: []any{}}}, `{"b":1,"a":[]}`},
		{"array", []any{"a", int64(1), nil, scim.Attributes{"x": []any{false}}}, `["a",1,null,{"x":[false]}]`},
		{"nil array", []any(nil), `[]`},
		{"strings", []string{"a", "b"}, `["a","b"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(scim.AppendJSON([]byte("x"), c.in)); got != "x"+c.want {
				t.Errorf("AppendJSON = %s, want x%s", got, c.want)
			}
		})
	}
	t.Run("foreign type", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("a type that no document holds is written")
			}
		}()
		scim.AppendJSON(nil, struct{}{})
	})
	// More names than fit the buffer on the stack.
	many := scim.Attributes{}
	for c := 'a'; c <= 'z'; c++ {
		many[string(c)], many[string(c)+string(c)] = int64(1), 2.5
	}
	got, err := scim.DecodeAttributes(scim.AppendJSON(nil, many))
	if err != nil || !scim.Equal(many, got) {
		t.Errorf("a wide object comes back as %v, %v", got, err)
	}
}

func TestDecodeAttributes(t *testing.T) {
	want := scim.Attributes{
		"s": "é\"", "t": true, "i": int64(math.MaxInt64), "min": int64(math.MinInt64), "d": 1.0, "big": 1e21, "small": 5e-324,
		"list": []any{"a", int64(1), 0.5, false, scim.Attributes{"x": "y"}},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": scim.Attributes{"manager": scim.Attributes{"value": "1"}},
	}
	got, err := scim.DecodeAttributes(scim.AppendJSON(nil, want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for _, in := range []string{``, `[]`, `null`, `"x"`, `{"a":`, `{"a":[1}`} {
		if v, err := scim.DecodeAttributes([]byte(in)); err == nil {
			t.Errorf("DecodeAttributes(%s) = %v, want an error", in, v)
		}
	}
}

// FuzzParseJSON: whatever is accepted is within the limits and comes back the same when it is written and read again;
// and what canonical documents are written as is a fixpoint, so that equal documents have equal bytes.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","active":true,"n":-1.5e3}`,
		`{"a":{"a":[null,true,"\u0000"]}}`, `[1,[2,[3,[4,[5,[6,[7,[8,[9]]]]]]]]]`, `{"a":1,"a":2}`, "\"\xff\"", `"\ud83d\ude00"`,
		`{} x`, `-0`, `1e400`, `9223372036854775808`, `""`, "\ufeff{}", `{"":{"":[]}}`,
	} {
		f.Add([]byte(s))
	}
	const depth = 8
	f.Fuzz(func(t *testing.T, body []byte) {
		in := string(body)
		v, err := scim.ParseJSON(body, depth)
		if string(body) != in {
			t.Fatalf("ParseJSON wrote to the body")
		}
		if err != nil {
			refused(t, v, err, "")
			return
		}
		if d := nesting(t, v); d > depth {
			t.Fatalf("accepted %d levels", d)
		}
		out := scim.AppendJSON(nil, v)
		again, err := scim.ParseJSON(out, depth)
		if err != nil {
			t.Fatalf("own output refused: %v", err)
		}
		if d := cmp.Diff(v, again); d != "" {
			t.Fatalf("-read +written and read again:\n%s", d)
		}
		if _, ok := v.(scim.Object); !ok || !finite(v) {
			return
		}
		doc, err := scim.DecodeAttributes(out)
		if err != nil {
			t.Fatalf("DecodeAttributes: %v", err)
		}
		canonical := scim.AppendJSON(nil, doc)
		second, err := scim.DecodeAttributes(canonical)
		if err != nil || !scim.Equal(doc, second) {
			t.Fatalf("%s decodes to another document (%v)", canonical, err)
		}
		if b := scim.AppendJSON(nil, scim.Clone(second)); string(b) != string(canonical) {
			t.Fatalf("%s becomes %s", canonical, b)
		}
	})
}

// nesting returns how deep v is, and checks that no text in it has a NUL.
func nesting(t *testing.T, v any) int {
	deepest := 0
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "\x00") {
			t.Errorf("accepted a NUL")
		}
		return 0
	case []any:
		for _, e := range v {
			deepest = max(deepest, nesting(t, e))
		}
	case scim.Object:
		for _, f := range v {
			deepest = max(deepest, nesting(t, f.Name), nesting(t, f.Value))
		}
	default:
		return 0
	}
	return deepest + 1
}

// finite reports whether every number in v is one that a document can hold.
func finite(v any) bool {
	switch v := v.(type) {
	case scim.Number:
		_, ok := v.Float()
		return ok
	case []any:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	case scim.Object:
		for _, f := range v {
			if !finite(f.Value) {
				return false
			}
		}
	}
	return true
}
