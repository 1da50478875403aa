package filter

import (
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// derived compiles comparisons of attributes that no document holds because the server computes them when it
// answers: the resource type's name is known now, URLs are turned back into the ids that they were made of. f is
// the attribute as the expression names it, relative to the element inside a value path. It reports false for
// every other attribute.
func (c *compiler) derived(p schema.Path, f query.Field, e *fp.AttributeExpression) (query.Expr, bool, error) {
	if p.Common() && p.Attr.Name == "meta" {
		x, ok, err := c.meta(p, f, e)
		return x, ok, err
	}
	if c.rt == nil || p.Extension || p.Sub == nil || p.Sub.Name != "$ref" {
		return nil, false, nil
	}
	if p.Attr.Name != c.rt.Members && p.Attr.Name != c.rt.Groups {
		return nil, false, nil // stored data, such as manager.$ref
	}
	id := f
	id.Path = strings.TrimSuffix(f.Path, "$ref") + "value"
	id.Steps = append(append([]string(nil), f.Steps[:len(f.Steps)-1]...), "value")
	id.Kind, id.CaseExact = query.String, true
	x, err := c.url(f.Path, id, e, "")
	return x, true, err
}

// meta compiles what of meta is the same for all resources of the type or made of the id.
func (c *compiler) meta(p schema.Path, f query.Field, e *fp.AttributeExpression) (query.Expr, bool, error) {
	switch {
	case p.Sub == nil:
		if e.Operator != fp.PR && e.CompareValue != nil {
			return nil, false, nil // an error like that of any complex attribute
		}
		return query.Const(e.Operator != fp.EQ), true, nil
	case p.Sub.Name == "resourceType":
		x, err := c.compare(f, e)
		if err != nil {
			return nil, true, err
		}
		doc := scim.Attributes{"meta": scim.Attributes{"resourceType": string(c.rt.Name)}}
		return query.Const(query.Match(x, doc)), true, nil
	case p.Sub.Name == "location":
		id := query.Field{Path: "id", Steps: []string{"id"}, CaseExact: true}
		x, err := c.url(f.Path, id, e, c.rt.Endpoint)
		return x, true, err
	}
	return nil, false, nil
}

// url compiles a comparison of a derived URL into one of the id field. endpoint, if not empty, is the only one
// that the URL may have.
func (c *compiler) url(path string, id query.Field, e *fp.AttributeExpression, endpoint string) (query.Expr, error) {
	op, ok := operator(e.Operator)
	switch {
	case e.Operator == fp.PR:
		return query.Present{Field: id}, nil
	case ok && e.CompareValue == nil:
		return null(id, op)
	case op != query.Eq && op != query.Ne || !ok:
		return nil, scim.InvalidFilter("%s: is derived by the server and can only be compared with eq and ne", path)
	}
	text, ok := e.CompareValue.(string)
	if !ok {
		return nil, scim.InvalidFilter("%s: is compared with a string", path)
	}
	key, ok := c.idOf(text, endpoint)
	if !ok {
		return query.Const(op == query.Ne), nil
	}
	return query.Compare{Field: id, Op: op, Value: query.Value{Kind: query.String, Str: key}}, nil
}

// idOf takes the id out of a URL of ours, absolute or relative to the root: BaseURL/Users/id, Users/id,
// ../Users/id (RFC 7643 2.3.7).
func (c *compiler) idOf(url, endpoint string) (string, bool) {
	rest, absolute := strings.CutPrefix(url, c.base+"/")
	if !absolute || c.base == "" {
		if strings.Contains(url, "://") {
			return "", false
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(url, ".."), "/")
	}
	kind, id, ok := strings.Cut(rest, "/")
	if !ok || kind == "" || id == "" || strings.ContainsAny(id, "/?#") {
		return "", false
	}
	if endpoint != "" && !strings.EqualFold("/"+kind, endpoint) {
		return "", false
	}
	return id, true
}
