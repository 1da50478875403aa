package filter_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/query"
)

// refused are rows marked valid, with a strength that leaves the answer to the server, which Rollcall refuses.
var refused = map[string]string{
	"f075": "a number against a string attribute asks nothing: 400 rather than an empty list",
	"f080": "a number against a string attribute",
	"f164": "a dot for the colon is old Entra's, and for its profile (compat.URNDotPath)",
	"f163": "unknown schema: unknown attributes are 400 on a typed endpoint (scim-protocol 2.5)",
	"f224": "malformed dateTime operand",
	"f250": "unknown attribute",
	"f251": "unknown sub-attribute",
	"f252": "unknown sub-attribute in a value path",
	"f254": "value path on a simple attribute",
	"f255": "password is never returned, a filter would be an oracle",
	"f256": "password is never returned, a filter would be an oracle",
	"f257": "unknown attributes",
	"f267": "an attribute name starts with a letter",
	"f268": "value paths do not nest",
}

func TestCorpus(t *testing.T) {
	reg := registry(t)
	docs := fixtures(t, reg)
	text, err := os.ReadFile("testdata/filters.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if col[0] == "id" || len(col) < 9 {
			continue
		}
		rows++
		id, endpoint, validity, strength, matches, in := col[0], col[1], col[2], col[3], col[4], col[6]
		t.Run(id, func(t *testing.T) {
			rt := reg.Types()[0]
			if endpoint == "Groups" {
				rt = reg.Types()[1]
			}
			e, err := filter.CompileText(rt, tokens(in), options(t, "auto"))
			_, refuse := refused[id]
			if refuse && (validity != "valid" || strength == "must" || matches != "") {
				t.Fatalf("%s is not ours to refuse", id)
			}
			if validity == "invalid" || refuse {
				wantInvalidFilter(t, in, err)
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", in, err)
			}
			got := []string{}
			for _, f := range docs[endpoint] {
				if query.Match(e, f.doc) {
					got = append(got, f.id)
				}
			}
			if matches == "" {
				return // not stated: that it compiles is all there is to check
			}
			want := strings.Split(matches, ",")
			if matches == "-" {
				want = nil
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s\n got %v\nwant %v\nexpr %s", in, got, want, mustJSON(e))
			}
		})
	}
	if rows < 150 {
		t.Fatalf("only %d rows were read", rows)
	}
}

// wantInvalidFilter also checks that the error repeats neither the filter nor an operand.
func wantInvalidFilter(t *testing.T, in string, err error) {
	t.Helper()
	var se *scim.Error
	if !errors.As(err, &se) || se.Type != scim.TypeInvalidFilter || se.Status != 400 {
		t.Fatalf("%s: got %v, want 400 invalidFilter", in, err)
	}
	if len(in) > 12 && strings.Contains(se.Detail, in) {
		t.Errorf("%s: the error repeats the filter: %s", in, se.Detail)
	}
	for i, operand := range strings.Split(in, `"`) {
		if i%2 == 1 && len(operand) > 4 && strings.Contains(se.Detail, operand) {
			t.Errorf("%s: the error repeats an operand: %s", in, se.Detail)
		}
	}
}
