package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rollcall/scim/projection"
)

// kind is what a path leads to.
type kind uint8

const (
	unknown kind = iota
	root
	rootSearch
	collection
	typeSearch
	item
	bulk
	serviceProviderConfig
	resourceTypes
	resourceType
	schemas
	schemaByURN
	me
	kinds
)

// route is a matched path.
type route struct {
	kind   kind
	typ    *endpointType // of collection, typeSearch and item
	id     string        // of item, resourceType and schemaByURN
	folded bool          // the endpoint matches only when case is ignored
	text   string        // for logs: the path as registered, never as sent
}

// methods are the handlers of a kind, by HTTP method, and what Allow says of them.
type methods struct {
	byName map[string]handler
	allow  string
}

type handler func(*exchange) error

// reserved is the kind of a first path segment that no resource type may have as its endpoint.
func reserved(segment string) kind {
	switch strings.ToLower(segment) {
	case ".search":
		return rootSearch
	case "bulk":
		return bulk
	case "serviceproviderconfig":
		return serviceProviderConfig
	case "resourcetypes":
		return resourceTypes
	case "schemas":
		return schemas
	case "me":
		return me
	}
	return unknown
}

// initRoutes derives the routes from the registry (RFC 7644 3.2 table 2).
func (a *api) initRoutes() {
	a.exact, a.folded = map[string]route{}, map[string]route{}
	add := func(name string, r route) {
		a.exact[name] = r
		a.folded[strings.ToLower(name)] = r
	}
	for _, name := range []string{".search", "Bulk", "ServiceProviderConfig", "ResourceTypes", "Schemas", "Me"} {
		add(name, route{kind: reserved(name), text: "/" + name})
	}
	for _, rt := range a.registry.Types() {
		t := &endpointType{
			ResourceType: rt, selection: projection.Default(rt), asksRequest: projection.AsksRequest(rt),
			collection: rt.Endpoint, item: rt.Endpoint + "/{id}", search: rt.Endpoint + "/.search",
		}
		t.load = loadOf(t, t.selection)
		a.types = append(a.types, t)
		if a.groups == nil && t.Members != "" {
			a.groups = t
		}
		add(strings.TrimPrefix(rt.Endpoint, "/"), route{kind: collection, typ: t, text: t.collection})
	}
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: h, http.MethodHead: h} }
	post := func(h handler) map[string]handler { return map[string]handler{http.MethodPost: h} }
	both := get((*exchange).list)
	both[http.MethodPost] = (*exchange).create
	one := get((*exchange).get)
	one[http.MethodPut] = (*exchange).replace
	one[http.MethodPatch] = (*exchange).patch
	one[http.MethodDelete] = (*exchange).delete
	for k, h := range map[kind]map[string]handler{
		root:                  get((*exchange).listAll),
		rootSearch:            post((*exchange).searchAll),
		collection:            both,
		typeSearch:            post((*exchange).search),
		item:                  one,
		bulk:                  post((*exchange).bulk),
		serviceProviderConfig: get((*exchange).serviceProviderConfig),
		resourceTypes:         get((*exchange).resourceTypes),
		resourceType:          get((*exchange).resourceType),
		schemas:               get((*exchange).schemas),
		schemaByURN:           get((*exchange).schema),
	} {
		names := []string{}
		for _, m := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		} {
			if h[m] != nil {
				names = append(names, m)
			}
		}
		a.handlers[k] = methods{h, strings.Join(append(names, http.MethodOptions), ", ")}
	}
}

// match finds the route of a path. Empty segments, from doubled and trailing slashes, are skipped; segments are
// decoded one by one, so that an encoded slash stays part of an id.
func (a *api) match(u *url.URL) route {
	path, escaped := u.Path, false
	if u.RawPath != "" {
		path, escaped = u.RawPath, true
	}
	rest, ok := strings.CutPrefix(path, a.basePath)
	if !ok {
		rest, ok = strings.CutPrefix(singleSlashes(path), a.basePath)
	}
	if !ok || rest != "" && rest[0] != '/' {
		return route{}
	}
	var seg [2]string
	n := 0
	for rest != "" {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		if s == "" {
			continue
		}
		if n == len(seg) {
			return route{}
		}
		if escaped {
			var err error
			if s, err = url.PathUnescape(s); err != nil {
				return route{}
			}
		}
		seg[n] = s
		n++
	}
	if n == 0 {
		return route{kind: root, text: "/"}
	}
	r, ok := a.exact[seg[0]]
	if !ok {
		if r, ok = a.folded[strings.ToLower(seg[0])]; !ok {
			return route{}
		}
		r.folded = true
	}
	if n == 1 {
		return r
	}
	return below(r, seg[1])
}

// below is the route of a second segment under r.
func below(r route, id string) route {
	switch {
	case r.kind == collection && id == ".search":
		r.kind, r.text = typeSearch, r.typ.search
	case r.kind == collection:
		r.kind, r.id, r.text = item, id, r.typ.item
	case r.kind == resourceTypes:
		r.kind, r.id, r.text = resourceType, id, "/ResourceTypes/{name}"
	case r.kind == schemas:
		r.kind, r.id, r.text = schemaByURN, id, "/Schemas/{urn}"
	default:
		return route{}
	}
	return r
}

func singleSlashes(path string) string {
	return string(slices.CompactFunc([]byte(path), func(a, b byte) bool { return a == '/' && b == '/' }))
}
