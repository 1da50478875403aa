package patch_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/scim"
	"rollcall/scim/patch"
)

func TestSecret(t *testing.T) {
	rt, _ := types(t)
	tests := []struct {
		name, ops string
		want      scim.Attributes
		changed   bool
	}{
		{"set", `[{"op":"replace","path":"password","value":"p"}]`, scim.Attributes{"password": "p"}, false},
		{"in a value", `[{"op":"replace","value":{"password":"p","title":"t"}}]`, scim.Attributes{"password": "p"}, true},
		{"removed", `[{"op":"remove","path":"password"}]`, scim.Attributes{"password": nil}, false},
		{"the last one counts", `[{"op":"remove","path":"password"},{"op":"add","path":"password","value":"q"}]`, scim.Attributes{"password": "q"}, false},
		{"none", `[{"op":"replace","path":"title","value":"t"}]`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := patch.Compile(rt, tree(t, message(tt.ops)), patch.Options{})
			if err != nil {
				t.Fatal(err)
			}
			doc := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": "ada"}
			r, err := plan.Apply(doc, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.Secret); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.want, plan.Secret()); diff != "" {
				t.Error(diff)
			}
			if r.Changed != tt.changed || r.Doc["password"] != nil {
				t.Errorf("changed %v, document %v", r.Changed, r.Doc)
			}
			if plan.MembersOnly() {
				t.Error("a plan about a password is taken for one about members")
			}
		})
	}
}

func TestWrote(t *testing.T) {
	rt, _ := types(t)
	plan, err := patch.Compile(rt, tree(t, message(`[
		{"op":"replace","path":"NAME.givenname","value":"a"},
		{"op":"add","path":"emails[type eq \"work\"].value","value":"a"},
		{"op":"replace","value":{"title":"t","nope":1,"`+strings.ToLower(enterprise)+`":{"department":"d"}}},
		{"op":"remove","path":"title"},
		{"op":"remove","path":"`+gadgetURN+`"}]`)), patch.Options{Session: session(t, "auto")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"name.givenName", "emails.value", "title", enterprise + ":department", gadgetURN}
	if got := plan.Wrote(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestErrorsNameNoValue: the attribute is named, what the client sent is not repeated.
func TestErrorsNameNoValue(t *testing.T) {
	rt, _ := types(t)
	const secret = "s3cr3t-value"
	for _, ops := range []string{
		`[{"op":"add","path":"active","value":"` + secret + `"}]`,
		`[{"op":"` + secret + `","path":"active","value":true}]`,
		`[{"op":"add","path":"emails[type eq \"` + secret + `\" or type pr].value","value":"x"}]`,
		`[{"op":"replace","path":"emails[type eq \"` + secret + `\"].value","value":"x"}]`,
		`[{"op":"replace","path":"emails[type eq \"` + secret + `].value","value":"x"}]`,
		`[{"op":"replace","path":"userName eq \"` + secret + `\"","value":"x"}]`,
		`[{"op":"add","path":"schemas","value":["` + secret + `"]}]`,
		`[{"op":"add","path":"name","value":"` + secret + `"}]`,
	} {
		plan, err := patch.Compile(rt, tree(t, message(ops)), patch.Options{})
		if err == nil {
			_, err = plan.Apply(scim.Attributes{"userName": "x"}, nil)
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", ops, err)
		}
	}
}

// TestHostile holds that hundreds of kilobytes of operations cost no more than a moment on the largest of lists.
func TestHostile(t *testing.T) {
	rt, _ := types(t)
	emails := make([]any, 500)
	for i := range emails {
		emails[i] = scim.Attributes{"value": strings.Repeat("x", i%7) + string(rune('a'+i%26)), "type": string(rune('A' + i))}
	}
	doc := scim.Attributes{"schemas": []any{scim.SchemaUser}, "userName": "x", "emails": emails}
	repeat := func(n int, op string) string {
		return message("[" + strings.TrimSuffix(strings.Repeat(op+",", n), ",") + "]")
	}
	var names strings.Builder
	for i := range 30_000 {
		names.WriteString(`,"` + string(rune('a'+i%26)) + strings.Repeat("y", i%9) + string(rune(0x4e00+i%20000)) + `":1`)
	}
	for name, body := range map[string]string{
		"filters":       repeat(300, `{"op":"replace","path":"emails[value co \"x\" or display ew \"y\" or type gt \"A\"].display","value":"d"}`),
		"appends":       repeat(1000, `{"op":"add","path":"emails","value":[{"value":"a","type":"A"},{"value":"b","type":"B"}]}`),
		"replaces":      repeat(1000, `{"op":"replace","path":"emails[value pr].type","value":"d"}`),
		"unknown names": message(`[{"op":"add","path":"name","value":{"givenName":"a"` + names.String() + `}}]`),
	} {
		start := time.Now()
		v, err := scim.ParseJSON([]byte(body), 32)
		if err == nil {
			var plan *patch.Plan
			plan, err = patch.Compile(rt, v, patch.Options{Session: session(t, "auto"), MaxOperations: 1000, MaxValues: 500})
			if err == nil {
				_, err = plan.Apply(doc, nil)
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v (%v)", name, took, err)
		} else {
			t.Logf("%s: %v (%v)", name, took, err)
		}
	}
}

// profiles and bodies of the benchmarks are what Entra and Okta send.
var bodies = map[string]string{
	"entra": `[{"op":"Replace","path":"active","value":"False"},
		{"op":"Replace","path":"emails[type eq \"work\"].value","value":"new@contoso.com"},
		{"op":"Add","path":"name.familyName","value":"X"},
		{"op":"Replace","path":"` + enterprise + `:department","value":"Sales"},
		{"op":"Add","path":"` + enterprise + `:manager","value":"2c2f6fb8"}]`,
	"okta":   `[{"op":"replace","value":{"active":false}}]`,
	"entra2": `[{"op":"replace","value":{"displayName":"Bjfe","name.givenName":"Kkom","` + enterprise + `:employeeNumber":"Aklq"}}]`,
}

func benchmarkUser(b *testing.B) scim.Attributes {
	b.Helper()
	text, err := os.ReadFile("testdata/user.json")
	if err != nil {
		b.Fatal(err)
	}
	return canonical(b, string(text))
}

func BenchmarkCompile(b *testing.B) {
	rt, _ := types(b)
	for name, ops := range bodies {
		body := tree(b, message(ops))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := patch.Compile(rt, body, patch.Options{Session: session(b, "auto")}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	rt, _ := types(b)
	doc := benchmarkUser(b)
	for name, ops := range bodies {
		plan, err := patch.Compile(rt, tree(b, message(ops)), patch.Options{Session: session(b, "auto")})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r, err := plan.Apply(doc, nil); err != nil || !r.Changed {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestMemberInAnotherCase: a path that a strict client misspells must not become an operation on the whole resource.
func TestMemberInAnotherCase(t *testing.T) {
	user, _ := types(t)
	for _, ops := range []string{
		`[{"op":"add","Path":"title","value":{}}]`, `[{"op":"replace","pAth":"name","value":{"title":"x"}}]`,
		`[{"Op":"add","path":"title","value":"x"}]`, `[{"op":"add","path":"title","Value":"x"}]`,
	} {
		body, err := scim.ParseJSON([]byte(message(ops)), 32)
		if err != nil {
			t.Fatal(err)
		}
		_, err = patch.Compile(user, body, patch.Options{Session: session(t, "strict")})
		if errorType(err) != scim.TypeInvalidSyntax {
			t.Errorf("%s: %v, want invalidSyntax", ops, err)
		}
	}
}
