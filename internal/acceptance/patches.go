package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// Patches creates each case's resource, sends the PATCH, and compares what is stored afterwards.
func Patches(t *testing.T, s Server, profile string) {
	c := newClient(s, profile)
	helpers := createHelpers(t, c)
	count := tally{name: "patches (" + profile + ")"}
	for line := range bytes.Lines(corpus(t, "patches.jsonl")) {
		var p patchCase
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		count.total++
		t.Run(p.ID, func(t *testing.T) {
			outcomes := append([]patchOutcome{p.Expect}, p.Also...)
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
