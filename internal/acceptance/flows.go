package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// flow is one line of idp_flows.jsonl: a conversation of an identity provider.
type flow struct {
	Name  string     `json:"flow"`
	Steps []flowStep `json:"steps"`
}

type flowStep struct {
	N       int    `json:"n"`
	Name    string `json:"name"`
	Request struct {
		Method      string             `json:"method"`
		Path        string             `json:"path"`
		Query       map[string]string  `json:"query"`
		Headers     map[string]*string `json:"headers"` // null: left out
		Body        json.RawMessage    `json:"body"`
		RawBody     *string            `json:"raw_body"`
		ContentType string             `json:"content_type"`
	} `json:"request"`
	Expect struct {
		Status        []int              `json:"status"`
		Body          [][]any            `json:"body"`
		BodyIfPresent [][]any            `json:"body_if_present"`
		ByStatus      map[string][][]any `json:"by_status"`
	} `json:"expect"`
	Capture map[string]string `json:"capture"`
}

// Flows replays each conversation on a server of its own, step by step; a step that fails ends its flow, since the
// later ones build on it.
func Flows(t *testing.T, newServer func(testing.TB) Server, profile string) {
	flows := tally{name: "flows (" + profile + ")"}
	steps := tally{name: "flow steps (" + profile + ")"}
	for line := range bytes.Lines(corpus(t, "idp_flows.jsonl")) {
		var f flow
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		flows.total++
		steps.total += len(f.Steps)
		t.Run(f.Name, func(t *testing.T) {
			e := newEngine(t, newClient(newServer(t), profile), flows.total)
			for i := range f.Steps {
				step := &f.Steps[i]
				if err := e.run(t, step); err != nil {
					t.Fatalf("step %d, %s: %v", step.N, step.Name, err)
				}
				steps.passed++
			}
			flows.passed++
		})
	}
	flows.log(t)
	steps.log(t)
}

// engine holds the variables of one conversation.
type engine struct {
	client *client
	vars   map[string]any
	// maxOperations is what the server says of Bulk; $repeat goes one past it.
	maxOperations int
}

func newEngine(t testing.TB, c *client, n int) *engine {
	t.Helper()
	config := c.send(t, http.MethodGet, "/ServiceProviderConfig", nil, http.StatusOK)
	limit, ok := lookup(config.body, "bulk.maxOperations").(json.Number)
	if !ok {
		t.Fatal("bulk.maxOperations is no number")
	}
	most, err := limit.Int64()
	if err != nil {
		t.Fatal(err)
	}
	// Words that no two flows share and that sort and fold like what clients send.
	word := fmt.Sprintf("qx%dv%d", n, 7919*n)
	return &engine{client: c, maxOperations: int(most), vars: map[string]any{
		"rand": word, "RAND": strings.ToUpper(word),
		"uuid": fmt.Sprintf("6f1f9ba4-0000-4000-8000-%012d", n),
	}}
}

// insert puts the variables into a string.
func (e *engine) insert(s string) string {
	for name, value := range e.vars {
		if text, ok := value.(string); ok {
			s = strings.ReplaceAll(s, "{{"+name+"}}", text)
		}
	}
	return s
}

func (e *engine) run(t testing.TB, step *flowStep) error {
	t.Helper()
	r := request{
		method: step.Request.Method, path: e.insert(step.Request.Path),
		query: url.Values{}, header: map[string]*string{}, contentType: step.Request.ContentType,
	}
	for name, value := range step.Request.Query {
		r.query.Set(name, e.insert(value))
	}
	for name, value := range step.Request.Headers {
		r.header[name] = nil
		if value != nil {
			text := e.insert(*value)
			r.header[name] = &text
		}
	}
	switch {
	case step.Request.RawBody != nil:
		r.body = []byte(e.insert(*step.Request.RawBody))
	case step.Request.Body != nil:
		body, err := decode(step.Request.Body)
		if err != nil {
			return err
		}
		if body, err = e.expand(body); err != nil {
			return err
		}
		r.body = encode(t, body)
	}
	res, err := e.client.do(t, r)
	if err != nil {
		return err
	}
	if !slices.Contains(step.Expect.Status, res.status) {
		return fmt.Errorf("status %d, want one of %v: %s", res.status, step.Expect.Status, res.raw)
	}
	checks := step.Expect.Body
	if len(res.raw) > 0 {
		checks = append(checks, step.Expect.BodyIfPresent...)
	}
	checks = append(checks, step.Expect.ByStatus[fmt.Sprint(res.status)]...)
	for _, c := range checks {
		if len(c) != 3 {
			return fmt.Errorf("a check has %d parts", len(c))
		}
		if err := check(res.body, c[0], fmt.Sprint(c[1]), replaceStrings(c[2], e.insert)); err != nil {
			return fmt.Errorf("%w in %s", err, res.raw)
		}
	}
	for name, path := range step.Capture {
		value := lookup(res.body, path)
		if kind(value) == "missing" {
			return fmt.Errorf("nothing to capture at %s in %s", path, res.raw)
		}
		e.vars[name] = value
	}
	return nil
}

// expand puts variables into a body and carries out its two forms: {"$merge": var, "with": {...}} is a captured
// resource with members replaced, {"$repeat": op} in a list is the operation once more often than Bulk allows.
func (e *engine) expand(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["$merge"].(string); ok {
			captured, ok := e.vars[name].(map[string]any)
			if !ok {
				return nil, fmt.Errorf("$merge: %s is not a captured resource", name)
			}
			with, err := e.expand(v["with"])
			if err != nil {
				return nil, err
			}
			out := copyOf(captured)
			changes, _ := with.(map[string]any)
			maps.Copy(out, changes)
			return out, nil
		}
		out := make(map[string]any, len(v))
		for name, value := range v {
			var err error
			if out[e.insert(name)], err = e.expand(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		var out []any
		for _, element := range v {
			object, _ := element.(map[string]any)
			operation, repeat := object["$repeat"]
			if !repeat {
				operation = element
			}
			expanded, err := e.expand(operation)
			if err != nil {
				return nil, err
			}
			if repeat {
				for range e.maxOperations {
					out = append(out, expanded)
				}
			}
			out = append(out, expanded)
		}
		if out == nil {
			out = []any{}
		}
		return out, nil
	case string:
		return e.insert(v), nil
	default:
		return v, nil
	}
}
