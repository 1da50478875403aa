package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// patchCase is one line of patches.jsonl.
type patchCase struct {
	ID         string          `json:"id"`
	Type       string          `json:"resource_type"`
	Before     json.RawMessage `json:"resource_before"`
	Body       json.RawMessage `json:"request_body"`
	Operations json.RawMessage `json:"operations"`
	Expect     patchOutcome    `json:"expect"`
	Also       []patchOutcome  `json:"also_acceptable"`
}

type patchOutcome struct {
	After    json.RawMessage `json:"resource_after"`
	NoChange bool            `json:"no_change"`
	Error    *struct {
		Status   int      `json:"status"`
		SCIMType []string `json:"scimType"`
	} `json:"error"`
}

// patchReason is why a case is answered otherwise than the corpus states: a relaxation that clients need, and what is
// stored by it, as members that differ from those of the resource before.
type patchReason struct {
	rule    string
	changes string
}

// patchReasons are those cases, by profile. Each of them expects an error, and gets it under the strict profile.
func patchReasons(profile string) map[string]patchReason {
	if profile != auto {
		return nil
	}
	return map[string]patchReason{
		// Entra wraps single values into lists, such as [{"value": id}] for a manager.
		"p072": {"unwrap_single_element", `{"emails": [
			{"value": "spiderman@superheroes.com", "type": "work", "primary": true},
			{"value": "home@example.com", "type": "home"}]}`},
		// Entra sets a value for the first time by a replace whose value path matches nothing, where RFC 7644
		// 3.5.2.3 wants noTarget; it has no other form.
		"p148": {"create_on_replace", `{"emails": [
			{"value": "spiderman@superheroes.com", "type": "work", "primary": true},
			{"value": "peter@home.example", "type": "home"}, {"value": "x@x.example", "type": "other"}]}`},
		"p242": {"create_on_replace", `{"nickName": "N", "title": "T", "emails": [
			{"value": "spiderman@superheroes.com", "type": "work", "primary": true},
			{"value": "x@x.example", "type": "home"}]}`},
		"p248": {"create_on_replace", `{"emails": [
			{"value": "spiderman@superheroes.com", "type": "work", "primary": true},
			{"value": "x@home.example", "type": "home"}, {"value": "y@home.example", "type": "nope"}]}`},
		// Older Entra writes a dot between an extension's URN and the attribute, and the manager's bare id.
		"p159": {"urn_dot_path, bare_complex_value", `{
			"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
				"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "$U1"}}}`},
		// OneLogin sends a lone e-mail for the list of them.
		"p204": {"wrap_single_value, bare_complex_value", `{"emails": [{"value": "a@x.example"}]}`},
		// Microsoft's validator sends a PATCH without operations and wants success.
		"p234": {"empty_operations", `{}`},
	}
}

// outcome is the reason's effect on a case.
func (r patchReason) outcome(t testing.TB, p *patchCase) patchOutcome {
	t.Helper()
	var after, changes map[string]json.RawMessage
	for _, x := range []struct {
		text []byte
		into *map[string]json.RawMessage
	}{{p.Before, &after}, {[]byte(r.changes), &changes}} {
		if err := json.Unmarshal(x.text, x.into); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(after, changes)
	return patchOutcome{After: encode(t, after), NoChange: len(changes) == 0}
}

// Patches creates each case's resource, sends the PATCH, and compares what is stored afterwards.
func Patches(t *testing.T, s Server, profile string) {
	c := newClient(s, profile)
	helpers := createHelpers(t, c)
	reasons := patchReasons(profile)
	count := tally{name: "patches (" + profile + ")"}
	for line := range bytes.Lines(corpus(t, "patches.jsonl")) {
		var p patchCase
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		count.total++
		t.Run(p.ID, func(t *testing.T) {
			outcomes := append([]patchOutcome{p.Expect}, p.Also...)
			if reason, ok := reasons[p.ID]; ok {
				outcomes = []patchOutcome{reason.outcome(t, &p)}
				delete(reasons, p.ID)
				count.excepted++
				t.Logf("answered by %s", reason.rule)
			}
			chosen := p.run(t, c, helpers, outcomes)
			if t.Failed() {
				return
			}
			count.passed++
			if chosen > 0 {
				count.alternative++
			}
		})
	}
	for id := range reasons {
		t.Errorf("a reason is written for %s, which the corpus does not have", id)
	}
	count.log(t)
}

// createHelpers creates the users that cases refer to as $U1 to $U3; it returns the replacements for their tokens.
func createHelpers(t testing.TB, c *client) []string {
	t.Helper()
	var pairs []string
	for n := 1; n <= 3; n++ {
		name := fmt.Sprintf("helper.%d@example.com", n)
		res := c.send(t, http.MethodPost, "/Users", map[string]any{
			"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
			"userName": name,
		}, http.StatusCreated)
		token := fmt.Sprintf("$U%d", n)
		// The longer tokens first: a Replacer takes the first that fits.
		pairs = append(pairs, token+".userName", name, token+".USERNAME", strings.ToUpper(name), token, res.text("id"))
	}
	return pairs
}

// run returns which of the outcomes came about; it reports an error if none did.
func (p *patchCase) run(t *testing.T, c *client, helpers []string, outcomes []patchOutcome) int {
	endpoint := "/" + p.Type + "s"
	insert := strings.NewReplacer(helpers...)
	before := p.decode(t, p.Before, insert.Replace)
	id := c.send(t, http.MethodPost, endpoint, before, http.StatusCreated).text("id")
	path := endpoint + "/" + id
	defer c.send(t, http.MethodDelete, path, nil, http.StatusNoContent)

	insert = strings.NewReplacer(append(helpers, "$SELF", id)...)
	stored := c.send(t, http.MethodGet, path, nil, http.StatusOK)
	body := p.decode(t, p.Body, insert.Replace)
	if body == nil {
		body = map[string]any{
			"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": p.decode(t, p.Operations, insert.Replace),
		}
	}
	answer, err := c.do(t, request{method: http.MethodPatch, path: path, body: encode(t, body)})
	if err != nil {
		t.Fatal(err)
	}
	after := c.send(t, http.MethodGet, path, nil, http.StatusOK)

	var reasons []error
	for i, o := range outcomes {
		var err error
		if o.Error != nil {
			err = errors.Join(answer.failure(o.Error.Status, o.Error.SCIMType...), untouched(stored, after))
		} else {
			want := p.decode(t, o.After, insert.Replace)
			err = succeeded(answer, stored, after, before, want, o.NoChange)
		}
		if err == nil {
			return i
		}
		reasons = append(reasons, err)
	}
	t.Errorf("%s:\n%v", encode(t, body), errors.Join(reasons...))
	return -1
}

func (p *patchCase) decode(t testing.TB, raw json.RawMessage, insert func(string) string) any {
	t.Helper()
	if raw == nil {
		return nil
	}
	v, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return replaceStrings(v, insert)
}

// untouched demands the same bytes and the same ETag: an error changes nothing (RFC 7644 3.5.2).
func untouched(before, after *reply) error {
	if !bytes.Equal(before.raw, after.raw) || before.header.Get("ETag") != after.header.Get("ETag") {
		return fmt.Errorf("the resource was changed:\nbefore %s\nafter  %s", before.raw, after.raw)
	}
	return nil
}

func succeeded(answer, stored, after *reply, before, want any, noChange bool) error {
	switch answer.status {
	case http.StatusNoContent:
		if len(answer.raw) > 0 {
			return fmt.Errorf("204 with a body: %s", answer.raw)
		}
	case http.StatusOK:
		// RFC 7644 3.5.2: the body is the resource after the change, so it is what a GET gives.
		if !equal(answer.body, after.body) {
			return fmt.Errorf("the answer is not what was stored:\nanswer %s\nstored %s", answer.raw, after.raw)
		}
	default:
		return fmt.Errorf("status %d, want 200 or 204: %s", answer.status, answer.raw)
	}
	if got, ok := lookup(after.body, "password").(string); ok {
		return fmt.Errorf("the password is returned (%d bytes)", len(got))
	}
	wantText, gotText := show(forComparison(want, want, nil)), show(forComparison(after.body, want, defaults(stored.body, before, after.body)))
	if wantText != gotText {
		return fmt.Errorf("stored is not what was wanted:\nwant %s\ngot  %s", wantText, gotText)
	}
	same := after.header.Get("ETag") == stored.header.Get("ETag")
	switch {
	case noChange:
		return untouched(stored, after)
	case same && !bytes.Equal(stored.raw, after.raw):
		return errors.New("the resource was changed and kept its version")
	}
	return nil
}
