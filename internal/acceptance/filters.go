package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// filterCase is one row of filters.tsv.
type filterCase struct {
	id, endpoint     string
	invalid          bool
	matches          string // comma list of tokens, "-" for none, "" for not stated
	scimType, filter string
}

// filterChoices are the answers to the rows for which the corpus states none: where the RFCs are silent the choice is
// ours, and it must not change by accident. A value is the list of matches, or the scimType of a 400.
func filterChoices(profile string) map[string]string {
	everyone := "U1,U2,U3,U4,U5,U6,U7,U8,U9"
	choices := map[string]string{
		// A comparison with an absent attribute is false: an element without primary is not one with false.
		"f058": "U5,U9",
		// Keywords fold like operators.
		"f074": "U4,U6",
		// A literal of another type is a mistake that an empty list would hide.
		"f075": "invalidFilter",
		"f080": "invalidFilter",
		"f224": "invalidFilter",
		// No zone is UTC.
		"f226": everyone,
		// User.groups is kept, and searched like any attribute.
		"f128": "U1,U2",
		"f129": "U1,U2",
		// A common attribute may be named through the core schema.
		"f161": everyone,
		// What no schema defines is a mistake; it never means "no value" on an endpoint of one type.
		"f163": "invalidFilter",
		"f250": "invalidFilter",
		"f251": "invalidFilter",
		"f252": "invalidFilter",
		"f257": "invalidFilter",
		"f267": "invalidFilter",
		// A value path needs a complex multi-valued attribute, and none lies inside another.
		"f254": "invalidFilter",
		"f268": "invalidFilter",
		// Versions are stored; no fixture has this one.
		"f209": "-",
		// A dot for the colon is old Entra's, and allowed by its profile.
		"f164": "invalidFilter",
		// A filter on a password would be an oracle, even for whether there is one.
		"f255": "invalidFilter",
		"f256": "invalidFilter",
		// White space inside parentheses and at the end.
		"f262": "U2,U3,U4,U5,U6,U7,U8,U9",
	}
	choices["f072"] = "invalidFilter"
	if profile != strict {
		choices["f072"] = "U1,U2,U3,U5,U7,U8,U9" // string_boolean
	}
	return choices
}

// Filters runs every row twice, as GET with ?filter= and as POST to .search (RFC 7644 3.4.2, 3.4.3).
func Filters(t *testing.T, s Server, profile string) {
	c := newClient(s, profile)
	ids := createFixtures(t, c)
	choices := filterChoices(profile)
	count := tally{name: "filters (" + profile + ")"}
	for _, row := range filterCases(t) {
		count.total++
		t.Run(row.id, func(t *testing.T) {
			want := row.want(t, choices)
			delete(choices, row.id)
			filter := ids.insert(row.filter)
			for _, send := range []func(testing.TB, *client, string, string) (*reply, error){searchByGet, searchByPost} {
				res, err := send(t, c, row.endpoint, filter)
				if err != nil {
					t.Fatal(err)
				}
				if err := row.check(res, ids, want); err != nil {
					t.Errorf("%s: %v", row.filter, err)
				}
			}
			if !t.Failed() {
				count.passed++
			}
		})
	}
	for id := range choices {
		t.Errorf("an answer is chosen for %s, which the corpus does not have", id)
	}
	count.log(t)
}

func searchByGet(t testing.TB, c *client, endpoint, filter string) (*reply, error) {
	return c.do(t, request{
		method: http.MethodGet, path: "/" + endpoint,
		query: url.Values{"filter": {filter}, "count": {"100"}},
	})
}

func searchByPost(t testing.TB, c *client, endpoint, filter string) (*reply, error) {
	return c.do(t, request{method: http.MethodPost, path: "/" + endpoint + "/.search", body: encode(t, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"},
		"filter":  filter, "count": 100,
	})})
}

// want is what the row states, or our choice where it states nothing; never both.
func (row filterCase) want(t testing.TB, choices map[string]string) string {
	t.Helper()
	want := row.matches
	if row.invalid {
		want = row.scimType
	}
	choice, chosen := choices[row.id]
	switch {
	case chosen && want != "":
		t.Fatal("the corpus states the answer: there is nothing to choose")
	case chosen:
		want = choice
	case want == "":
		t.Fatal("the corpus states no answer, and none is chosen")
	}
	return want
}

// check compares one answer with what is wanted.
func (row filterCase) check(res *reply, ids *fixtureIDs, want string) error {
	if strings.HasPrefix(want, "invalid") {
		return res.failure(http.StatusBadRequest, want)
	}
	if res.status != http.StatusOK {
		return fmt.Errorf("status %d, want 200: %s", res.status, res.raw)
	}
	got := ids.tokens(res)
	if got != want {
		return fmt.Errorf("matches %s, want %s", got, want)
	}
	n := 0
	if want != "-" {
		n = strings.Count(want, ",") + 1
	}
	for _, name := range []string{"totalResults", "itemsPerPage"} {
		if err := check(res.body, name, "eq", json.Number(fmt.Sprint(n))); err != nil {
			return err
		}
	}
	return check(res.body, "startIndex", "eq", json.Number("1"))
}

func filterCases(t testing.TB) []filterCase {
	t.Helper()
	var rows []filterCase
	lines := strings.Split(strings.TrimSuffix(string(corpus(t, "filters.tsv")), "\n"), "\n")
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) < 8 {
			t.Fatalf("filters.tsv, line %d: %d fields", i+2, len(f))
		}
		rows = append(rows, filterCase{
			id: f[0], endpoint: f[1], invalid: f[2] == "invalid",
			matches: sortTokens(f[4]), scimType: f[5], filter: f[6],
		})
	}
	return rows
}

// fixtureIDs maps the tokens of the fixtures to the ids that the server gave them and back.
type fixtureIDs struct {
	insert  func(string) string
	byID    map[string]string
	forward map[string]string
}

// createFixtures creates the fixtures in the order of the file: later ones name earlier ones by token.
func createFixtures(t testing.TB, c *client) *fixtureIDs {
	t.Helper()
	ids := &fixtureIDs{byID: map[string]string{}, forward: map[string]string{}}
	ids.insert = func(s string) string {
		for token, id := range ids.forward {
			s = strings.ReplaceAll(s, "$"+token, id)
		}
		return s
	}
	for _, endpoint := range members(t, corpus(t, "filter_fixtures.json")) {
		for _, fixture := range members(t, endpoint.value) {
			resource, err := decode(fixture.value)
			if err != nil {
				t.Fatal(err)
			}
			res := c.send(t, http.MethodPost, "/"+endpoint.name, replaceStrings(resource, ids.insert), http.StatusCreated)
			id := res.text("id")
			ids.forward[fixture.name], ids.byID[id] = id, fixture.name
		}
	}
	return ids
}

// tokens returns the fixtures that a list answer holds, in the notation of the corpus.
func (ids *fixtureIDs) tokens(res *reply) string {
	list, _ := lookup(res.body, "Resources").([]any)
	var got []string
	for _, resource := range list {
		id := fmt.Sprint(lookup(resource, "id"))
		if token, ok := ids.byID[id]; ok {
			id = token
		}
		got = append(got, id)
	}
	if len(got) == 0 {
		return "-"
	}
	return sortTokens(strings.Join(got, ","))
}

func sortTokens(s string) string {
	tokens := strings.Split(s, ",")
	slices.Sort(tokens)
	return strings.Join(tokens, ",")
}

type namedValue struct {
	name  string
	value json.RawMessage
}

// members returns the members of a JSON object in the order of the text.
func members(t testing.TB, raw []byte) []namedValue {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var all []namedValue
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		m := namedValue{name: fmt.Sprint(name)}
		if err := d.Decode(&m.value); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}
