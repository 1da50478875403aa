package acceptance

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	freshClients = 6
	freshRounds  = 17
)

// Fresh runs clients beside each other, each the only one that changes its user while all change the same groups.
// What a client has been told is done it must see in every read from then on, by every way to it, and versions of
// what all share must never go back.
func Fresh(t *testing.T, s Server) {
	t.Helper()
	setup := newClient(s, auto)
	post := func(body map[string]any) string {
		body["schemas"] = []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}
		return setup.send(t, http.MethodPost, "/Groups", body, http.StatusCreated).text("id")
	}
	shared := post(map[string]any{"displayName": "shared"})
	outer := post(map[string]any{"displayName": "outer", "members": memberList([]string{shared})})
	var running sync.WaitGroup
	for n := range freshClients {
		c := &freshClient{T: t, client: newClient(s, auto), name: fmt.Sprint("user", n), shared: shared, outer: outer}
		running.Go(func() {
			for round := range freshRounds {
				if round%8 == 0 {
					if c.id != "" {
						c.gone()
					}
					user := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": c.name}
					c.id = c.request(http.MethodPost, "/Users", user, http.StatusCreated).text("id")
				}
				c.round(round)
				if t.Failed() {
					return
				}
			}
		})
	}
	running.Wait()
}

type freshClient struct {
	*testing.T
	client        *client
	name, id      string
	shared, outer string
	version       int // of the shared group, when last seen
}

// round changes the user, its name and its membership, and looks after each.
func (c *freshClient) round(n int) {
	title, display := fmt.Sprint(c.name, " title ", n), fmt.Sprint(c.name, " display ", n)
	c.patch("/Users/"+c.id, map[string]any{"op": "replace", "path": "title", "value": title})
	if got := c.get("/Users/" + c.id); got.text("title") != title {
		c.Errorf("%s: the title is %q after %q was stored", c.name, got.text("title"), title)
	}
	c.finds("/Users", fmt.Sprintf("title eq %q", title), c.id, true)
	c.finds("/Users", fmt.Sprintf("title eq %q", fmt.Sprint(c.name, " title ", n-1)), c.id, false)

	c.patch("/Groups/"+c.shared, map[string]any{"op": "add", "path": "members", "value": memberList([]string{c.id})})
	c.member(true, "")
	c.patch("/Users/"+c.id, map[string]any{"op": "replace", "path": "displayName", "value": display})
	c.member(true, display)
	c.finds("/Users", fmt.Sprintf("groups.value eq %q", c.outer), c.id, true)
	if n%2 == 0 {
		c.patch("/Groups/"+c.shared, map[string]any{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", c.id)})
		c.member(false, "")
		c.finds("/Users", fmt.Sprintf("groups.value eq %q", c.outer), c.id, false)
	}
	name := fmt.Sprint("shared ", c.name, " ", n)
	c.patch("/Groups/"+c.shared, map[string]any{"op": "replace", "path": "displayName", "value": name})
	c.member(n%2 != 0, "")
}

// gone deletes the user, who then is nowhere.
func (c *freshClient) gone() {
	c.request(http.MethodDelete, "/Users/"+c.id, nil, http.StatusNoContent)
	c.request(http.MethodGet, "/Users/"+c.id, nil, http.StatusNotFound)
	c.finds("/Users", fmt.Sprintf("userName eq %q", c.name), c.id, false)
	c.finds("/Groups", fmt.Sprintf("members.value eq %q", c.id), c.shared, false)
	for _, m := range list(c.get("/Groups/"+c.shared), "members") {
		if lookup(m, "value") == c.id {
			c.Errorf("%s: a deleted user is a member", c.name)
		}
	}
}

// member looks at the membership from both of its ends; an empty display is not looked at.
func (c *freshClient) member(want bool, display string) {
	group := c.get("/Groups/" + c.shared)
	version, err := strconv.Atoi(strings.Trim(group.header.Get("ETag"), `W/"`))
	if err != nil || version < c.version {
		c.Errorf("%s: the shared group went back from version %d to %s", c.name, c.version, group.header.Get("ETag"))
	}
	c.version = version
	found := false
	for _, m := range list(group, "members") {
		if lookup(m, "value") != c.id {
			continue
		}
		found = true
		if got := lookup(m, "display"); display != "" && got != display {
			c.Errorf("%s: the member is shown as %v, not %q", c.name, got, display)
		}
	}
	types := map[any]any{}
	for _, g := range list(c.get("/Users/"+c.id), "groups") {
		types[lookup(g, "value")] = lookup(g, "type")
	}
	if found != want || (types[c.shared] == "direct") != want || (types[c.outer] == "indirect") != want {
		c.Errorf("%s: member %v, groups %v; want %v", c.name, found, types, want)
	}
	c.finds("/Groups", fmt.Sprintf("members.value eq %q", c.id), c.shared, want)
}

// finds checks whether a filter finds a resource, and that there is only one to find.
func (c *freshClient) finds(path, filter, id string, want bool) {
	query := url.Values{"filter": {filter}, "attributes": {"id"}, "count": {"1000"}}
	got, err := c.client.do(c.T, request{method: http.MethodGet, path: path, query: query})
	if err != nil || got.status != http.StatusOK {
		c.Errorf("%s?%s: %v", path, query.Encode(), err)
		return
	}
	found := false
	for _, other := range idsOf(got) {
		found = found || other == id
	}
	if found != want || total(got) != len(idsOf(got)) {
		c.Errorf("%s: %s finds %v, of %d; want %s in it %v", c.name, filter, idsOf(got), total(got), id, want)
	}
}

func (c *freshClient) patch(path string, op map[string]any) {
	c.request(http.MethodPatch, path, map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{op},
	}, http.StatusOK)
}

func (c *freshClient) get(path string) *reply {
	return c.request(http.MethodGet, path, nil, http.StatusOK)
}

// request is the client's send for a goroutine that is not the test's own, which may fail but not end.
func (c *freshClient) request(method, path string, body any, want int) *reply {
	r := request{method: method, path: path}
	if body != nil {
		r.body = encode(c.T, body)
	}
	got, err := c.client.do(c.T, r)
	if err != nil {
		c.Errorf("%s %s: %v", method, path, err)
		return &reply{header: http.Header{}}
	}
	if got.status != want {
		c.Errorf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.raw)
	}
	return got
}

func list(r *reply, name string) []any {
	all, _ := lookup(r.body, name).([]any)
	return all
}
