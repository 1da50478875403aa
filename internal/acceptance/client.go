package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// client speaks to one server as one provisioning client.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(s Server, profile string) *client {
	return &client{base: s.URL, token: s.Token(profile), http: &http.Client{}}
}

// request is what is sent; an empty body means none.
type request struct {
	method, path string
	query        url.Values
	header       map[string]*string // nil removes the header
	body         []byte
	contentType  string
}

// reply is an answer, its body decoded if it has one. Numbers are json.Number, so that 1 and 1.0 are told apart.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   any
}

func (c *client) do(t testing.TB, r request) (*reply, error) {
	t.Helper()
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", r.contentType)
		if r.contentType == "" {
			req.Header.Set("Content-Type", "application/scim+json")
		}
	}
	for name, value := range r.header {
		req.Header.Del(name)
		if value != nil {
			req.Header.Set(name, *value)
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	out := &reply{status: res.StatusCode, header: res.Header, raw: raw}
	if len(raw) == 0 {
		return out, nil
	}
	// Every body that the server sends is SCIM, errors included (RFC 7644 3.1, 3.12).
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/scim+json") {
		return nil, fmt.Errorf("%s %s: answer %d has content type %q", r.method, r.path, res.StatusCode, got)
	}
	out.body, err = decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s %s: answer %d is not JSON: %w", r.method, r.path, res.StatusCode, err)
	}
	return out, nil
}

// send is do with a JSON body, for steps that a case depends on and that must not fail.
func (c *client) send(t testing.TB, method, path string, body any, want int) *reply {
	t.Helper()
	r := request{method: method, path: path}
	if body != nil {
		r.body = encode(t, body)
	}
	got, err := c.do(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.raw)
	}
	return got
}

// text returns a string member of the body, "" if there is none.
func (r *reply) text(name string) string {
	object, _ := r.body.(map[string]any)
	s, _ := object[name].(string)
	return s
}

// failure reports how the answer differs from a SCIM error (RFC 7644 3.12) with the status and one of the types.
func (r *reply) failure(status int, types ...string) error {
	if r.status != status {
		return fmt.Errorf("status %d, want %d: %s", r.status, status, r.raw)
	}
	if got := r.text("status"); got != fmt.Sprint(status) {
		return fmt.Errorf("error body has status %q, want %q", got, fmt.Sprint(status))
	}
	if !holds(lookup(r.body, "schemas"), "urn:ietf:params:scim:api:messages:2.0:Error") {
		return fmt.Errorf("the body is no SCIM error: %s", r.raw)
	}
	if r.text("detail") == "" {
		return fmt.Errorf("the error has no detail: %s", r.raw)
	}
	for _, want := range types {
		if r.text("scimType") == want {
			return nil
		}
	}
	if len(types) == 0 {
		return nil
	}
	return fmt.Errorf("scimType %q, want one of %q: %s", r.text("scimType"), types, r.raw)
}

func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("data after the value")
	}
	return v, nil
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
