package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/storage/conformance"
)

// TestEveryMustHasItsTest reads the contract's comments: each test that they name must be in the suite.
func TestEveryMustHasItsTest(t *testing.T) {
	named := namedTests(t)
	suite := conformance.Names()
	for name, where := range named {
		if !slices.Contains(suite, name) {
			t.Errorf("%s names the test %s, which the suite does not have", where, name)
		}
	}
	if len(named) < 20 {
		t.Errorf("only %d tests are named by the contract's comments: are they read?", len(named))
	}
}

// TestEveryTestIsNamed is the other way round: a test that no comment names has its reason beside it.
func TestEveryTestIsNamed(t *testing.T) {
	named := namedTests(t)
	extras := conformance.Extras()
	seen := map[string]bool{}
	for _, name := range conformance.Names() {
		if seen[name] {
			t.Errorf("the suite has two tests %s", name)
		}
		seen[name] = true
		_, extra := extras[name]
		switch {
		case named[name] == "" && !extra:
			t.Errorf("no comment of the contract names the test %s, and it gives no reason", name)
		case named[name] != "" && extra:
			t.Errorf("%s names the test %s, which calls itself an extra", named[name], name)
		}
	}
}

// Names stand as [conformance: A], [A] or [A, B]; other brackets are doc links or prose.
var bracket = regexp.MustCompile(`\[(?:conformance: )?([A-Z][A-Za-z]*(?:, [A-Z][A-Za-z]*)*)\]`)

// namedTests returns the tests that comments of package storage name, with the place of the first mention.
func namedTests(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) < 4 {
		t.Fatalf("the contract has %d files, %v", len(files), err)
	}
	named := map[string]string{}
	fset := token.NewFileSet()
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range f.Comments {
			for _, m := range bracket.FindAllStringSubmatch(commentText(group), -1) {
				for name := range strings.SplitSeq(m[1], ", ") {
					if named[name] == "" {
						named[name] = fset.Position(group.Pos()).String()
					}
				}
			}
		}
	}
	return named
}

// commentText joins a comment's lines, as a list of names may be broken.
func commentText(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
