package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// modelSeen is what a resource's meta said when it was last read.
type modelSeen struct {
	version  int
	modified string
}

// compare reads everything in every way and holds it against the model.
func (r *modelRun) compare() {
	r.Helper()
	for id := range r.model.users {
		r.read("User", id)
	}
	for id := range r.model.groups {
		r.read("Group", id)
	}
	for _, id := range r.gone() {
		for _, path := range []string{"/Users/", "/Groups/"} {
			r.client.send(r.T, http.MethodGet, path+id, nil, http.StatusNotFound)
		}
	}
	r.userFilters()
	r.groupFilters()
	everyone := find(r.model.users, func(string, *modelUser) bool { return true })
	r.walk("/Users", url.Values{}, everyone)
	r.walk("/Users", url.Values{"sortBy": {"userName"}}, r.byName(everyone))
	descending := r.byName(everyone)
	slices.Reverse(descending)
	r.walk("/Users", url.Values{"sortBy": {"userName"}, "sortOrder": {"descending"}}, descending)
	r.walk("/Groups", url.Values{"excludedAttributes": {"members"}},
		find(r.model.groups, func(string, *modelGroup) bool { return true }))
}

// read compares one resource.
func (r *modelRun) read(typ, id string) {
	r.Helper()
	got := r.client.send(r.T, http.MethodGet, "/"+typ+"s/"+id, nil, http.StatusOK)
	version, want := 0, map[string]any{}
	put := func(name, value string) {
		if value != "" {
			want[name] = value
		}
	}
	relation, ids := "members", map[string]bool{}
	if u := r.model.users[id]; u != nil {
		version = u.version
		put("userName", u.userName)
		put("externalId", u.externalID)
		put("title", u.title)
		want["active"] = u.active
		relation, ids = "groups", r.model.groupsOf(id)
	}
	if g := r.model.groups[id]; g != nil {
		version = g.version
		put("displayName", g.displayName)
		put("externalId", g.externalID)
		ids = g.members
	}
	if len(ids) > 0 {
		want[relation] = r.related(relation, ids)
	}
	object := copyOf(got.body.(map[string]any))
	meta, _ := object["meta"].(map[string]any)
	delete(object, "schemas")
	delete(object, "meta")
	delete(object, "id")
	if x, y := encode(r.T, ordered(object)), encode(r.T, ordered(want)); string(x) != string(y) {
		r.Errorf("%s %s is\n%s, want\n%s", typ, id, x, y)
	}
	modified, _ := meta["lastModified"].(string)
	before := r.seen[id]
	if meta["version"] != etag(version) || got.header.Get("ETag") != etag(version) {
		r.Errorf("%s %s: meta %v and ETag %s, want version %d", typ, id, meta, got.header.Get("ETag"), version)
	}
	// Versions and instants never go back, and neither moves without the other.
	if version == before.version && modified != before.modified || modified < before.modified {
		r.Errorf("%s %s: version %d of %s follows version %d of %s", typ, id, version, modified, before.version, before.modified)
	}
	r.seen[id] = modelSeen{version, modified}
}

// related returns members, or groups of a user, as the server shows them. A member that no resource has yet shows
// its value and nothing else.
func (r *modelRun) related(relation string, ids map[string]bool) []any {
	list := []any{}
	for id, direct := range ids {
		e := map[string]any{"value": id}
		switch {
		case relation == "groups":
			e["type"] = map[bool]string{true: "direct", false: "indirect"}[direct]
			e["$ref"], e["display"] = r.client.base+"/Groups/"+id, r.model.groups[id].displayName
		case r.model.users[id] != nil:
			e["type"], e["$ref"], e["display"] = "User", r.client.base+"/Users/"+id, r.model.users[id].userName
		case r.model.groups[id] != nil:
			e["type"], e["$ref"], e["display"] = "Group", r.client.base+"/Groups/"+id, r.model.groups[id].displayName
		}
		list = append(list, e)
	}
	return list
}

// gone returns the ids that were deleted last: to ask for all of them each time would take longer than all the rest.
func (r *modelRun) gone() []string {
	const enough = 20
	return r.model.deleted[max(0, len(r.model.deleted)-enough):]
}

func (r *modelRun) userFilters() {
	r.Helper()
	users := func(filter string, ok func(id string, u *modelUser) bool) {
		r.Helper()
		r.filter("/Users", filter, find(r.model.users, ok))
	}
	for i := range modelNames {
		name := fmt.Sprint("USERname", i)
		users(fmt.Sprintf("userName eq %q", name), func(_ string, u *modelUser) bool { return strings.EqualFold(u.userName, name) })
	}
	users(`userName sw "username1"`, func(_ string, u *modelUser) bool {
		return strings.HasPrefix(strings.ToLower(u.userName), "username1")
	})
	for _, ext := range []string{"externalId1", "EXTERNALID1", "externalid1"} { // caseExact
		users(fmt.Sprintf("externalId eq %q", ext), func(_ string, u *modelUser) bool { return u.externalID == ext })
		users(fmt.Sprintf("externalId ne %q and active eq true", ext), func(_ string, u *modelUser) bool { return u.externalID != ext && u.active })
	}
	users("active eq true", func(_ string, u *modelUser) bool { return u.active })
	users("not (active eq true) or title pr", func(_ string, u *modelUser) bool { return !u.active || u.title != "" })
	users(`title eq "Title2" and externalId pr`, func(_ string, u *modelUser) bool {
		return strings.EqualFold(u.title, "title2") && u.externalID != ""
	})
	users("groups pr", func(id string, _ *modelUser) bool { return len(r.model.groupsOf(id)) > 0 })
	users("not (groups pr)", func(id string, _ *modelUser) bool { return len(r.model.groupsOf(id)) == 0 })
	users(`groups.type eq "indirect"`, func(id string, _ *modelUser) bool {
		return slices.Contains(slices.Collect(maps.Values(r.model.groupsOf(id))), false)
	})
	for g := range r.model.groups {
		in := func(id string, _ *modelUser) bool { _, ok := r.model.groupsOf(id)[g]; return ok }
		users(fmt.Sprintf("groups.value eq %q", g), in)
		users(fmt.Sprintf("not (groups.value eq %q)", g), func(id string, u *modelUser) bool { return !in(id, u) })
		users(fmt.Sprintf(`groups[value eq %q and type eq "direct"]`, g), func(id string, _ *modelUser) bool { return r.model.groups[g].members[id] })
	}
}

func (r *modelRun) groupFilters() {
	r.Helper()
	groups := func(filter string, ok func(id string, g *modelGroup) bool) {
		r.Helper()
		r.filter("/Groups", filter, find(r.model.groups, ok))
	}
	for i := range modelNames {
		name := fmt.Sprint("displayNAME", i)
		groups(fmt.Sprintf("displayName eq %q", name), func(_ string, g *modelGroup) bool { return strings.EqualFold(g.displayName, name) })
	}
	groups(`externalId eq "externalId2"`, func(_ string, g *modelGroup) bool { return g.externalID == "externalId2" })
	groups("members pr", func(_ string, g *modelGroup) bool { return len(g.members) > 0 })
	groups(`members.type eq "Group"`, func(_ string, g *modelGroup) bool {
		return len(find(g.members, func(id string, _ bool) bool { return r.model.groups[id] != nil })) > 0
	})
	ids := slices.Concat(r.strangers, []string{strings.ToUpper(r.strangers[0])}, r.gone(),
		slices.Collect(maps.Keys(r.model.users)), slices.Collect(maps.Keys(r.model.groups)))
	for _, id := range ids {
		has := func(_ string, g *modelGroup) bool { return g.members[id] }
		groups(fmt.Sprintf("members.value eq %q", id), has)
		groups(fmt.Sprintf(`members[value eq %q] and displayName sw "d"`, id), has)
	}
	groups(fmt.Sprintf("not (members.value eq %q)", ids[0]), func(_ string, g *modelGroup) bool { return !g.members[ids[0]] })
}

// filter compares what a filter finds, with and without the resources.
func (r *modelRun) filter(path, filter string, want []string) {
	r.Helper()
	query := url.Values{"filter": {filter}, "attributes": {"id"}, "count": {"1000"}}
	got := r.list(path, query)
	if ids := idsOf(got); !slices.Equal(slices.Sorted(slices.Values(ids)), want) || total(got) != len(want) {
		r.Errorf("%s: %s finds %d %v, want %v", path, filter, total(got), ids, want)
	}
	query.Set("count", "0")
	if got := r.list(path, query); total(got) != len(want) || len(idsOf(got)) != 0 {
		r.Errorf("%s: %s counts %d, want %d", path, filter, total(got), len(want))
	}
}

// walk pages through a list by index and by cursor.
func (r *modelRun) walk(path string, query url.Values, want []string) {
	r.Helper()
	const count = 3
	query.Set("count", fmt.Sprint(count))
	var byIndex, byCursor []string
	for len(byIndex) < len(want) {
		query.Set("startIndex", fmt.Sprint(len(byIndex)+1))
		got := r.list(path, query)
		if n := len(idsOf(got)); n == 0 || total(got) != len(want) {
			r.Fatalf("%s?%s: %d of %d resources, want %d", path, query.Encode(), n, total(got), len(want))
		}
		byIndex = append(byIndex, idsOf(got)...)
	}
	query.Del("startIndex")
	for cursor := ""; ; {
		query.Set("cursor", cursor)
		got := r.list(path, query)
		byCursor = append(byCursor, idsOf(got)...)
		if cursor = got.text("nextCursor"); cursor == "" {
			break
		}
		if len(byCursor) > len(want) {
			break
		}
	}
	if !slices.Equal(byIndex, want) || !slices.Equal(byCursor, want) {
		r.Errorf("%s?%s: by index %v, by cursor %v, want %v", path, query.Encode(), byIndex, byCursor, want)
	}
}

func (r *modelRun) list(path string, query url.Values) *reply {
	r.Helper()
	got, err := r.client.do(r.T, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		r.Fatal(err)
	}
	if got.status != http.StatusOK {
		r.Fatalf("%s?%s: status %d: %s", path, query.Encode(), got.status, got.raw)
	}
	return got
}

// byName sorts users as sortBy=userName has to.
func (r *modelRun) byName(ids []string) []string {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b string) int {
		return strings.Compare(strings.ToLower(r.model.users[a].userName), strings.ToLower(r.model.users[b].userName))
	})
	return ids
}

func idsOf(list *reply) []string {
	resources, _ := lookup(list.body, "Resources").([]any)
	ids := make([]string, len(resources))
	for i, e := range resources {
		ids[i], _ = lookup(e, "id").(string)
	}
	return ids
}

func total(list *reply) int {
	n, _ := lookup(list.body, "totalResults").(json.Number)
	i, _ := n.Int64()
	return int(i)
}
