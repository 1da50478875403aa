package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
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
	strength         string
}

// filterChoices are the answers to the rows for which the corpus states none, or more than one reading: where the
// RFCs are silent the choice is ours, and it must not change by accident. The value is the list of matches, or the
// scimType of a 400.
func filterChoices() map[string]string {
	return map[string]string{}
}

// filterReasons are the rows that are answered otherwise than the corpus states, each with its reason.
func filterReasons() map[string]string {
	return map[string]string{}
}

// Filters runs every row twice, as GET with ?filter= and as POST to .search (RFC 7644 3.4.2, 3.4.3).
func Filters(t *testing.T, s Server, profile string) {
	c := newClient(s, profile)
	ids := createFixtures(t, c)
	count := tally{name: "filters (" + profile + ")"}
	for _, row := range filterCases(t) {
		count.total++
		t.Run(row.id, func(t *testing.T) {
			filter := ids.insert(row.filter)
			for _, send := range []func(testing.TB, *client, string, string) (*reply, error){searchByGet, searchByPost} {
				res, err := send(t, c, row.endpoint, filter)
				if err != nil {
					t.Fatal(err)
				}
				if err := row.check(res, ids); err != nil {
					t.Errorf("%s: %v", row.filter, err)
				}
			}
			if !t.Failed() {
				count.passed++
			}
		})
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

// check compares one answer with what the row, or our written choice for it, expects.
func (row filterCase) check(res *reply, ids *fixtureIDs) error {
	want := row.matches
	if row.invalid {
		want = row.scimType
	}
	if choice, ok := filterChoices()[row.id]; ok {
		if row.matches != "" && row.strength == "must" {
			return errors.New("a MUST of the corpus is no matter of choice")
		}
		want = choice
	}
	if want == "" {
		return fmt.Errorf("no answer is chosen for this row: status %d, matches %s, scimType %q",
			res.status, ids.tokens(res), res.text("scimType"))
	}
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
			id: f[0], endpoint: f[1], invalid: f[2] == "invalid", strength: f[3],
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
