package filter_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/query"
)

// seeds adds the filters of the corpus, which are those of many other test suites.
func seeds(f *testing.F) {
	f.Helper()
	corpus, err := os.ReadFile("testdata/filters.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(corpus)) {
		if col := strings.Split(line, "\t"); len(col) > 6 {
			f.Add(col[6])
		}
	}
	for _, s := range []string{
		`a[b pr or c pr].d eq "x"`, `not (a pr) and not(b pr)`, `a eq "\uD83D\uDE00\n"`, `urn:x-y:2.0:User:a.b ge -1.5E+3`,
		`((((a pr))))`, `$ref eq null`, `a[not (b pr and c pr)]`, `a pr and (b pr and (c pr or d pr))`,
	} {
		f.Add(s)
	}
}

// refusal wants 400 invalidFilter. Random operands may well be words of the error, so unlike in the tables the text
// is not looked at.
func refusal(t *testing.T, in string, err error) {
	t.Helper()
	var se *scim.Error
	if !errors.As(err, &se) || se.Type != scim.TypeInvalidFilter || se.Status != 400 {
		t.Fatalf("%q: got %v, want 400 invalidFilter", in, err)
	}
}

// FuzzParse: a filter that is accepted means what it prints as; no other input does harm.
func FuzzParse(f *testing.F) {
	seeds(f)
	rt := registry(f).Types()[0]
	docs := fixtures(f, registry(f))["Users"]
	f.Fuzz(func(t *testing.T, in string) {
		e, err := filter.Parse(in, filter.Limits{})
		if err != nil {
			refusal(t, in, err)
			return
		}
		printed := text(e)
		again, err := filter.Parse(printed, filter.Limits{Length: 1 << 20, Depth: 1000})
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", in, printed, err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("%q: %s", in, diff)
		}
		x, err := filter.Compile(rt, e, options(t, "auto"))
		if err != nil {
			refusal(t, in, err)
			return
		}
		// not is the plain complement, whatever the filter.
		y, err := filter.Compile(rt, &fp.NotExpression{Expression: e}, options(t, "auto"))
		if err != nil {
			t.Fatalf("%q compiles, its complement does not: %v", in, err)
		}
		for _, d := range docs {
			if query.Match(x, d.doc) == query.Match(y, d.doc) {
				t.Fatalf("%q: it and its complement agree on %s", in, d.id)
			}
		}
	})
}

// FuzzLibrary compares the parser with the library's. The library is wrong about, and the comparison leaves out:
// string escapes, which it checks but does not decode, and of which it refuses small hex digits; groups and more
// than two terms inside brackets, which it refuses; and/or inside brackets without spaces, which it accepts;
// a URI that begins with a digit; control characters. Its answer to what it reads otherwise must be ours.
func FuzzLibrary(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in string) {
		// Deep nesting ends the library's process.
		if len(in) > 500 || strings.Count(in, "(")+strings.Count(in, "[") > 20 || strings.ContainsAny(in, "\\") {
			return
		}
		ours, err := filter.Parse(in, filter.Limits{})
		theirs, libErr := fp.ParseFilterNumber([]byte(in))
		switch {
		case libErr == nil && err == nil:
			if sound(theirs, false) {
				if diff := cmp.Diff(theirs, ours); diff != "" {
					t.Fatalf("%q (library, ours): %s", in, diff)
				}
			}
		case libErr == nil && !strings.Contains(in, "["):
			if sound(theirs, false) && strings.IndexFunc(in, func(r rune) bool { return r < ' ' }) < 0 && !digitURI(theirs) {
				t.Fatalf("%q: the library accepts it, we do not: %v", in, err)
			}
		}
		// Spelled plainly, what one of the two accepts means the same to the other.
		if err == nil && sound(ours, false) {
			printed := text(ours)
			theirs, err := fp.ParseFilterNumber([]byte(printed))
			if err != nil {
				t.Fatalf("%q: we accept it, the library does not: %v", printed, err)
			}
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Fatalf("%q (library, ours): %s", printed, diff)
			}
		}
		if libErr == nil && sound(theirs, false) && !digitURI(theirs) {
			ours, err := filter.Parse(text(theirs), filter.Limits{})
			if err != nil {
				t.Fatalf("%q: the library accepts it, we do not: %v", text(theirs), err)
			}
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Fatalf("%q (library, ours): %s", text(theirs), diff)
			}
		}
	})
}

// digitURI reports whether a URI in e begins with anything but a letter, which no URI does (RFC 3986 3.1).
func digitURI(e fp.Expression) bool {
	path := func(p fp.AttributePath) bool {
		return p.URIPrefix != nil && (p.URI()[0]|0x20 < 'a' || p.URI()[0]|0x20 > 'z')
	}
	switch e := e.(type) {
	case *fp.AttributeExpression:
		return path(e.AttributePath)
	case *fp.ValuePath:
		return path(e.AttributePath) || digitURI(e.ValueFilter)
	case *fp.NotExpression:
		return digitURI(e.Expression)
	case *fp.LogicalExpression:
		return digitURI(e.Left) || digitURI(e.Right)
	}
	return false
}

// FuzzParsePath: a path is refused or means what it prints as.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{
		`emails[type eq "work"].value`, `members[value eq"x"]`, `urn:a:2.0:User:x.y`, `name.`, `a[b pr]c`, `urn:a:2.0:User.x`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := filter.ParsePath(in, filter.Limits{})
		if err != nil {
			return
		}
		s := p.AttributePath.String()
		if p.ValueExpression != nil {
			s += "[" + text(p.ValueExpression) + "]"
		}
		if p.SubAttribute != nil {
			s += "." + *p.SubAttribute
		}
		again, err := filter.ParsePath(s, filter.Limits{Length: 1 << 20, Depth: 1000})
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", in, s, err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Fatalf("%q: %s", in, diff)
		}
	})
}
