package api

import (
	"net/http"
	"strings"

	"rollcall/scim"
	"rollcall/scim/schema"
)

// What the server is and knows (RFC 7644 4): generated from the definitions, so that what is published is what is
// enforced. Types, and schemas that only they use, are shown to tokens that may read them.

// serviceProviderConfig answers with the object itself, to anyone; a filter means nothing there.
func (x *exchange) serviceProviderConfig() error {
	supported := func(yes bool) scim.Object { return scim.Object{{Name: "supported", Value: yes}} }
	l := x.api.limits
	o := scim.Object{{Name: "schemas", Value: []string{scim.SchemaServiceProviderConfig}}}
	if x.api.docURI != "" {
		o = append(o, scim.Field{Name: "documentationUri", Value: x.api.docURI})
	}
	o = append(o,
		scim.Field{Name: "patch", Value: supported(true)},
		scim.Field{Name: "bulk", Value: append(supported(true),
			scim.Field{Name: "maxOperations", Value: l.BulkOperations},
			scim.Field{Name: "maxPayloadSize", Value: l.BulkBody})},
		scim.Field{Name: "filter", Value: append(supported(true), scim.Field{Name: "maxResults", Value: l.MaxCount})},
		scim.Field{Name: "changePassword", Value: supported(x.api.changesPassword())},
		scim.Field{Name: "sort", Value: supported(true)},
		scim.Field{Name: "etag", Value: supported(true)},
		scim.Field{Name: "pagination", Value: scim.Object{
			{Name: "cursor", Value: true},
			{Name: "index", Value: true},
			{Name: "defaultPaginationMethod", Value: "index"},
			{Name: "defaultPageSize", Value: l.DefaultCount},
			{Name: "maxPageSize", Value: l.MaxCount},
			{Name: "cursorTimeout", Value: int64(x.api.cursorTimeout.Seconds())},
		}},
		scim.Field{Name: "authenticationSchemes", Value: []any{scim.Object{
			{Name: "type", Value: "oauthbearertoken"},
			{Name: "name", Value: "OAuth Bearer Token"},
			{Name: "description", Value: "A token of the organization, sent as Authorization: Bearer"},
			{Name: "specUri", Value: "https://www.rfc-editor.org/info/rfc6750"},
			{Name: "primary", Value: true},
		}}},
		x.meta("ServiceProviderConfig", "/ServiceProviderConfig"),
	)
	x.sendJSON(o)
	return nil
}

// changesPassword reports whether some type has a password that clients may write.
func (a *api) changesPassword() bool {
	for _, t := range a.types {
		if p := t.Schema.Lookup("password"); p != nil && p.Mutability != schema.ReadOnly {
			return true
		}
	}
	return false
}

func (x *exchange) resourceTypes() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var list []any
	for _, t := range x.readable() {
		list = append(list, x.describeType(t))
	}
	x.sendDiscovery(list)
	return nil
}

func (x *exchange) resourceType() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	for _, t := range x.readable() {
		if string(t.Name) == x.route.id {
			x.sendJSON(x.describeType(t))
			return nil
		}
	}
	return scim.NotFound("ResourceType")
}

func (x *exchange) describeType(t *endpointType) scim.Object {
	return append(t.Describe(), x.meta("ResourceType", "/ResourceTypes/"+string(t.Name)))
}

func (x *exchange) schemas() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	var list []any
	for _, s := range x.visibleSchemas() {
		list = append(list, x.describeSchema(s))
	}
	x.sendDiscovery(list)
	return nil
}

// schema answers with one schema; its URN is compared ignoring case (RFC 7644 3.10).
func (x *exchange) schema() error {
	if err := x.noFilter(); err != nil {
		return err
	}
	for _, s := range x.visibleSchemas() {
		if strings.EqualFold(s.URN, x.route.id) {
			x.sendJSON(x.describeSchema(s))
			return nil
		}
	}
	return scim.NotFound("Schema")
}

func (x *exchange) visibleSchemas() []*schema.Schema {
	used := map[string]bool{}
	for _, t := range x.readable() {
		used[t.Schema.URN] = true
		for _, e := range t.Extensions {
			used[e.URN] = true
		}
	}
	var list []*schema.Schema
	for _, s := range x.api.registry.Schemas() {
		if used[s.URN] {
			list = append(list, s)
		}
	}
	return list
}

func (x *exchange) describeSchema(s *schema.Schema) scim.Object {
	return append(s.Describe(), x.meta("Schema", "/Schemas/"+s.URN))
}

func (x *exchange) meta(resourceType, path string) scim.Field {
	return scim.Field{Name: "meta", Value: scim.Object{
		{Name: "resourceType", Value: resourceType}, {Name: "location", Value: x.base() + path},
	}}
}

// noFilter refuses a filter: a client must not take everything for what it asked (RFC 7644 4).
func (x *exchange) noFilter() error {
	filtered := false
	err := eachParameter(x.req.URL.RawQuery, func(name, _ string) error {
		filtered = filtered || name == "filter"
		return nil // other parameters are ignored, whatever their values
	})
	if filtered {
		return scim.Forbidden("filters are not supported on discovery endpoints")
	}
	return err
}

func (x *exchange) sendDiscovery(list []any) {
	if list == nil {
		list = []any{}
	}
	x.sendJSON(scim.Object{
		{Name: "schemas", Value: []string{scim.MessageListResponse}},
		{Name: "totalResults", Value: len(list)},
		{Name: "startIndex", Value: 1},
		{Name: "itemsPerPage", Value: len(list)},
		{Name: "Resources", Value: list},
	})
}

func (x *exchange) sendJSON(v scim.Object) {
	buf := x.api.buffer()
	*buf = scim.AppendJSON(*buf, v)
	x.send(http.StatusOK, *buf)
	x.api.release(buf)
}
