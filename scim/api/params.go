package api

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall/scim"
	"rollcall/scim/projection"
)

// params are the parameters of a query, from a query string or a SearchRequest (RFC 7644 3.4.2, 3.4.3).
type params struct {
	filter, sortBy     string
	filtered           bool // a filter was given; an empty one is a mistake, not "everything"
	descending         bool
	start, count       int
	started, counted   bool
	cursor             string
	paged              bool // a cursor was given; empty asks for the first page (RFC 9865 2)
	attributes, hidden []string
}

// selection parses the projection of a request about one resource; other parameters mean nothing there.
func (x *exchange) selection(t *endpointType) (*projection.Selection, error) {
	if x.req.URL.RawQuery == "" {
		return t.selection, nil
	}
	var p params
	err := eachParameter(x.req.URL.RawQuery, func(name, value string) error {
		switch name {
		case "attributes", "excludedAttributes":
			return p.set(name, value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x.project(t, &p)
}

// project is the selection that the parameters ask for.
func (x *exchange) project(t *endpointType, p *params) (*projection.Selection, error) {
	if len(p.attributes) == 0 && len(p.hidden) == 0 {
		return t.selection, nil
	}
	return projection.Parse(t.ResourceType, p.attributes, p.hidden, x.caller.Compat)
}

// queryParams reads the query string of a GET of a collection.
func queryParams(raw string) (*params, error) {
	p := &params{}
	return p, eachParameter(raw, p.set)
}

// canonicalParameter spells a name that is ours in another case as we do. RFC 7644 leaves the case of parameters to
// HTTP, where it matters; but a server that does not know `Filter` and ignores it answers with everybody.
func canonicalParameter(name string) string {
	for _, known := range [...]string{
		"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes",
	} {
		if len(known) == len(name) && strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}

// eachParameter walks a query string. A known parameter that comes twice is refused, but for the projection lists:
// ignoring one of two filters would answer another question. Unknown parameters are ignored (Entra's flags).
func eachParameter(raw string, set func(name, value string) error) error {
	var seen [8]string
	n := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue // no parameter of ours needs an escape in its name
		}
		switch name = canonicalParameter(name); name {
		case "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor":
			if slices.Contains(seen[:n], name) {
				return scim.InvalidValue(name, "is given twice")
			}
			seen[n] = name
			n++
		case "attributes", "excludedAttributes":
		default:
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return scim.InvalidValue(name, "is not percent-encoded correctly")
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// set takes one parameter as text.
func (p *params) set(name, value string) error {
	switch name {
	case "filter":
		p.filter, p.filtered = value, true
	case "sortBy":
		p.sortBy = value
	case "sortOrder":
		return p.order(value)
	case "startIndex", "count":
		n, ok := integer(value)
		if !ok {
			return scim.InvalidValue(name, "must be an integer")
		}
		p.number(name, n)
	case "cursor":
		p.cursor, p.paged = value, true
	case "attributes":
		p.attributes = split(p.attributes, value)
	case "excludedAttributes":
		p.hidden = split(p.hidden, value)
	}
	return nil
}

func (p *params) order(value string) error {
	switch {
	case value == "" || strings.EqualFold(value, "ascending"):
	case strings.EqualFold(value, "descending"):
		p.descending = true
	default:
		return scim.InvalidValue("sortOrder", "must be ascending or descending")
	}
	return nil
}

func (p *params) number(name string, n int) {
	if name == "count" {
		p.count, p.counted = n, true
		return
	}
	p.start, p.started = n, true
}

// integer reads a decimal integer; one that no machine word holds is as good as the largest, or smallest, that does.
func integer(s string) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err == nil {
		return clampInt(n), true
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	if s[0] == '-' {
		return math.MinInt32, true
	}
	return math.MaxInt32, true
}

func clampInt(n int64) int { return int(max(math.MinInt32, min(n, math.MaxInt32))) }

// split appends the names of a comma-separated list.
func split(list []string, value string) []string {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != "" && len(list) <= projection.MaxNames {
			list = append(list, name)
		}
	}
	return list
}

// searchParams reads a SearchRequest (RFC 7644 3.4.3).
func searchParams(body scim.Object) (*params, error) {
	if err := message(body, scim.MessageSearchRequest); err != nil {
		return nil, err
	}
	p := &params{}
	for _, name := range []string{
		"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes",
	} {
		v, ok := body.Get(name)
		if !ok || v == nil {
			continue
		}
		if err := p.member(name, v); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// member takes one member of a SearchRequest.
func (p *params) member(name string, v any) error {
	switch v := v.(type) {
	case string:
		return p.set(name, v)
	case scim.Number:
		if name != "startIndex" && name != "count" {
			break
		}
		n, ok := integer(string(v))
		if !ok {
			return scim.InvalidValue(name, "must be an integer")
		}
		p.number(name, n)
		return nil
	case []any:
		if name != "attributes" && name != "excludedAttributes" {
			break
		}
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return scim.InvalidValue(name, "must be a list of attribute names")
			}
			if err := p.set(name, s); err != nil {
				return err
			}
		}
		return nil
	}
	return scim.InvalidValue(name, "has a value of the wrong type")
}

// message demands that a body is the message with this URN (RFC 7644 3.1).
func message(body scim.Object, urn string) error {
	v, _ := body.Get("schemas")
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok && strings.EqualFold(s, urn) {
			return nil
		}
	}
	return scim.InvalidSyntax("schemas: %s is required", urn)
}
