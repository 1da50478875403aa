package filter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/scim"
	"rollcall/scim/filter"
)

func TestParse(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"comparison", `userName eq "x"`, `userName eq "x"`},
		{"operators and words in any case", `a EQ TRUE AND NOT (b Pr) Or c nE Null`, `a eq true and not (b pr) or c ne null`},
		{"and binds tighter than or", `a pr or b pr and c pr`, `a pr or b pr and c pr`},
		{"grouping", `(a pr or b pr) and c pr`, `(a pr or b pr) and c pr`},
		{"to the left", `a pr and b pr and c pr`, `a pr and b pr and c pr`},
		{"grouped to the right", `a pr and (b pr and c pr)`, `a pr and (b pr and c pr)`},
		{"not binds tightest", `not (a pr) and b pr`, `not (a pr) and b pr`},
		{"a name that begins with not", `notes eq "x" and not pr`, `notes eq "x" and not pr`},
		{"spaces", `  (  a   pr  )  and  b[ c  pr ]  `, `a pr and b[c pr]`},
		{"group without a space", `a pr and(b pr)`, `a pr and b pr`},
		{"quote without a space", `members[value eq"x"]`, `members[value eq "x"]`},
		{"space before the bracket", `emails [type pr]`, `emails[type pr]`},
		{"group inside brackets", `e[not(t pr) and (v pr or w pr)]`, `e[not (t pr) and (v pr or w pr)]`},
		{"dotted value path", `e[t eq "w"].v eq "x"`, `e[t eq "w" and v eq "x"]`},
		{"dotted value path with or", `e[t pr or u pr].v pr`, `e[(t pr or u pr) and v pr]`},
		{"sub-attribute", `name.givenName sw "B"`, `name.givenName sw "B"`},
		{"$ref", `members.$ref pr`, `members.$ref pr`},
		{"URN", `urn:a-b:2.0:User:x.y eq 1`, `urn:a-b:2.0:User:x.y eq 1`},
		{"URN with a dot for the last colon", `urn:b:2.0:User.manager.value pr`, `urn:b:2.0:User.manager.value pr`},
		{"numbers", `a eq -0 or a eq 1.50 or a eq 2E+3`, `a eq -0 or a eq 1.50 or a eq 2e+3`},
		{"escapes", `a eq "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, `a eq "\"\\/\b\f\n\r\té😀"`},
		{"escapes in the middle", `a eq "xé\u0041y"`, `a eq "xéAy"`},
		{"structure inside a string", `a eq "b] and (c"`, `a eq "b] and (c"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := filter.Parse(tt.in, filter.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := text(e); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{``, "position 1: expected an attribute name"},
		{`a`, "position 2: expected a space and an operator"},
		{`a `, "position 3: expected an operator"},
		{`a bad "x"`, "position 3: expected an operator"},
		{`a eq`, "position 5: expected a space and a value"},
		{`a eq(`, "position 5: expected a space and a value"},
		{`a eq 'x'`, "position 6: expected a value"},
		{`a eq x`, "position 6: expected a value"},
		{`a eq truex`, "position 10: expected the end of the value"},
		{`a eq 01`, "position 7: expected the end of the value"},
		{`a eq 1.`, "position 6: expected a JSON number"},
		{`a eq +1`, "position 6: expected a value"},
		{`a eq "x`, "position 8: expected a closing double quote"},
		{`a eq "\u00e9`, "position 13: expected a closing double quote"},
		{`a eq "\q"`, "position 7: expected a JSON string escape"},
		{`a eq "\uD83D"`, "position 7: expected a JSON string escape"},
		{`a eq "\uD83D\u0041"`, "position 7: expected a JSON string escape"},
		{`a eq "\uDE00\uD83D"`, "position 7: expected a JSON string escape"},
		{`a eq "\u0000"`, "position 7: expected a JSON string escape"},
		{"a eq \"\n\"", "position 7: expected no control character"},
		{"a eq \"\\t\n\"", "position 9: expected no control character"},
		{"a eq \"\xff\"", "not valid UTF-8"},
		{`a pr b`, "position 6: expected and, or, or the end"},
		{`(a pr`, "position 6: expected and, or, or a closing parenthesis"},
		{`a[b pr`, "position 7: expected and, or, or a closing bracket"},
		{`a[]`, "position 3: expected an attribute name"},
		{`a[b pr] eq "x"`, "position 9: expected and, or, or the end"},
		{`a[b pr].`, "position 9: expected the name of one sub-attribute"},
		{`a[b pr].c.d pr`, "position 9: expected the name of one sub-attribute"},
		{`a.b.c pr`, "position 1: expected an attribute name with at most one"},
		{`:a pr`, "position 1: expected a schema URI"},
		{`1a pr`, "position 1: expected an attribute name"},
		{`not a pr`, "position 5: expected an operator"},
		{`a prand b pr`, "position 3: expected an operator"},
	}
	for _, tt := range tests {
		_, err := filter.Parse(tt.in, filter.Limits{})
		wantInvalidFilter(t, tt.in, err)
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.in, err, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "a pr" + strings.Repeat(")", n) }
	long := func(n int) string { return `a eq "` + strings.Repeat("x", n-7) + `"` }
	terms := func(n int) string { return strings.TrimSuffix(strings.Repeat("a pr or ", n), " or ") }
	brackets := func(n int) string { return strings.Repeat("a[", n) + "b pr" + strings.Repeat("]", n) }
	tests := []struct {
		name string
		in   func(int) string
		max  int
		lim  filter.Limits
	}{
		{"length", long, 8192, filter.DefaultLimits()},
		{"depth", nested, 50, filter.DefaultLimits()},
		{"depth of brackets", brackets, 50, filter.DefaultLimits()},
		{"terms", terms, 200, filter.DefaultLimits()},
		{"zero is default", terms, 200, filter.Limits{}},
		{"length of our own", long, 100, filter.Limits{Length: 100}},
		{"depth of our own", nested, 3, filter.Limits{Depth: 3}},
		{"terms of our own", terms, 4, filter.Limits{Terms: 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := filter.Parse(tt.in(tt.max), tt.lim); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := filter.Parse(tt.in(tt.max+1), tt.lim)
			wantInvalidFilter(t, tt.name, err)
		})
	}
}

// TestHostile holds that no input of a megabyte costs more than a look at it, whatever the length limit.
func TestHostile(t *testing.T) {
	const n = 1 << 20
	lim := filter.Limits{Length: 2 * n, Depth: 50, Terms: 200}
	for _, in := range []string{
		strings.Repeat("(", n), strings.Repeat("not(", n/4), strings.Repeat("a[", n/2), strings.Repeat("not ", n/4),
		strings.Repeat("a pr and ", n/9), strings.Repeat(" ", n), `a eq "` + strings.Repeat(`\`, n), strings.Repeat("a", n),
		"a eq " + strings.Repeat("9", n), strings.Repeat("a:", n/2), strings.Repeat("a.", n/2),
	} {
		for _, l := range []filter.Limits{lim, {}} {
			start := time.Now()
			_, err := filter.Parse(in, l)
			if took := time.Since(start); took > time.Second {
				t.Errorf("%.10s...: took %v", in, took)
			}
			if err == nil && in[len(in)-1] != '9' {
				t.Errorf("%.10s...: accepted", in)
			}
		}
	}
}

func TestParsePath(t *testing.T) {
	tests := []struct{ in, want string }{
		{`userName`, `userName`},
		{`name.givenName`, `name.givenName`},
		{` members[value eq"x"] `, `members[value eq "x"]`},
		{`emails[type eq "work"].value`, `emails[type eq "work"].value`},
		{`urn:a:2.0:User:emails[type eq "a]b" and primary eq true].value`, `urn:a:2.0:User:emails[type eq "a]b" and primary eq true].value`},
		{`urn:a:2.0:User`, `urn:a:2.0:User`},
		{`members.$ref`, `members.$ref`},
	}
	for _, tt := range tests {
		p, err := filter.ParsePath(tt.in, filter.Limits{})
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		got := p.AttributePath.String()
		if p.ValueExpression != nil {
			got += "[" + text(p.ValueExpression) + "]"
		}
		if p.SubAttribute != nil {
			got += "." + *p.SubAttribute
		}
		if got != tt.want {
			t.Errorf("%s: got %s", tt.in, got)
		}
	}
}

func TestParsePathErrors(t *testing.T) {
	tests := []struct {
		in   string
		want scim.ErrorType
	}{
		{``, scim.TypeInvalidPath},
		{`/userName`, scim.TypeInvalidPath},
		{`name.`, scim.TypeInvalidPath},
		{`a.b.c`, scim.TypeInvalidPath},
		{`emails[type eq "work"]value`, scim.TypeInvalidPath},
		{`emails[type eq "work"].`, scim.TypeInvalidPath},
		{`emails[type eq "work"].a.b`, scim.TypeInvalidPath},
		{`emails[type eq "work"].value[a pr]`, scim.TypeInvalidPath},
		{`emails[type eq "work"],`, scim.TypeInvalidPath},
		{`userName eq "x"`, scim.TypeInvalidPath},
		{strings.Repeat("a", 8193), scim.TypeInvalidPath},
		{`emails[]`, scim.TypeInvalidFilter},
		{`emails[0].value`, scim.TypeInvalidFilter},
		{`emails[type eq "work"`, scim.TypeInvalidFilter},
		{`emails[type regex "work"]`, scim.TypeInvalidFilter},
		{`emails[` + strings.Repeat("(", 60), scim.TypeInvalidFilter},
	}
	for _, tt := range tests {
		_, err := filter.ParsePath(tt.in, filter.Limits{})
		var se *scim.Error
		if !errors.As(err, &se) || se.Type != tt.want {
			t.Errorf("%.40s: got %v, want %s", tt.in, err, tt.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for i, in := range []string{
		`userName eq "bjensen@example.com"`,
		`id eq "019a0000-0000-7000-8000-000000000001" and members eq "019a0000-0000-7000-8000-000000000002"`,
		`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
	} {
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := filter.Parse(in, filter.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompileText(b *testing.B) {
	rt := registry(b).Types()[0]
	opt := options(b, "auto")
	for i, in := range []string{`userName eq "bjensen@example.com"`, `emails[type eq "work" and value eq "a@b.c"]`} {
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := filter.CompileText(rt, in, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
