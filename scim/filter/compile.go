package filter

import (
	"errors"
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Options are what compiling a filter needs beside the resource type.
type Options struct {
	Session *compat.Session
	// BaseURL is the root of the protocol's URLs without a slash at its end. The server derives `meta.location`
	// and the `$ref` of relations from it, so filters on them are turned back into filters on ids.
	BaseURL string
	Limits  Limits
	// Unknown, if not nil, is told the name of each attribute that rt does not define; true makes it an attribute
	// without a value instead of 400, as in a query over several resource types (RFC 7644 3.4.2.1).
	Unknown func(name string) bool
}

// CompileText parses and compiles a filter on resources of type rt.
func CompileText(rt *schema.ResourceType, text string, opt Options) (query.Expr, error) {
	e, err := Parse(text, opt.Limits)
	if err != nil {
		return nil, err
	}
	return Compile(rt, e, opt)
}

// Compile resolves a parsed filter against rt. Names become canonical fields, operands typed and folded values;
// what the schema does not allow is 400 invalidFilter, never silently true. What is the same for every resource of
// the type is folded to a constant.
func Compile(rt *schema.ResourceType, e fp.Expression, opt Options) (query.Expr, error) {
	c := compiler{rt: rt, session: opt.Session, base: opt.BaseURL, unknown: opt.Unknown}
	return c.expr(e, c.attribute)
}

// CompileElement compiles the filter of a value path on attribute p: the fields of the result are relative to one
// element. An element of a multi-valued simple attribute is asked about as {"value": element}.
func CompileElement(p schema.Path, e fp.Expression, s *compat.Session) (query.Expr, error) {
	c := compiler{session: s}
	return c.element(p, e)
}

type compiler struct {
	rt      *schema.ResourceType // nil for an element alone
	session *compat.Session
	base    string
	unknown func(name string) bool
}

// expr walks the logical structure; leaf compiles what is left.
func (c *compiler) expr(e fp.Expression, leaf func(fp.Expression) (query.Expr, error)) (query.Expr, error) {
	switch e := e.(type) {
	case *fp.LogicalExpression:
		terms, err := c.terms(nil, e, e.Operator, leaf)
		if err != nil {
			return nil, err
		}
		if e.Operator == fp.OR {
			return or(terms), nil
		}
		return and(terms), nil
	case *fp.NotExpression:
		x, err := c.expr(e.Expression, leaf)
		if err != nil {
			return nil, err
		}
		return not(x), nil
	case nil:
		return nil, scim.InvalidFilter("the filter is empty")
	default:
		return leaf(e)
	}
}

// terms flattens a chain of one operator: `a and b and c` is one And of three.
func (c *compiler) terms(list []query.Expr, e fp.Expression, op fp.LogicalOperator,
	leaf func(fp.Expression) (query.Expr, error),
) ([]query.Expr, error) {
	if l, ok := e.(*fp.LogicalExpression); ok && l.Operator == op {
		list, err := c.terms(list, l.Left, op, leaf)
		if err != nil {
			return nil, err
		}
		return c.terms(list, l.Right, op, leaf)
	}
	x, err := c.expr(e, leaf)
	return append(list, x), err
}

// attribute compiles a comparison or a value path on the resource.
func (c *compiler) attribute(e fp.Expression) (query.Expr, error) {
	switch e := e.(type) {
	case *fp.AttributeExpression:
		p, err := c.resolve(e.AttributePath)
		if err != nil {
			if c.tolerates(err) {
				return onAbsent(e), nil
			}
			return nil, err
		}
		if x, ok, err := c.derived(p, p.Field(), e); ok || err != nil {
			return x, err
		}
		p, err = defaultValue(p, e)
		if err != nil {
			return nil, err
		}
		return c.compare(p.Field(), e)
	case *fp.ValuePath:
		p, err := c.resolve(e.AttributePath)
		if err != nil {
			if c.tolerates(err) {
				return query.Const(false), nil
			}
			return nil, err
		}
		switch {
		case p.Sub != nil, p.Attr.Kind != query.Complex && !p.Attr.Multi, p.Attr.Kind == query.Complex && p.Common():
			return nil, scim.InvalidFilter("%s: a value filter needs an attribute with elements or sub-attributes", p)
		case p.Attr.Kind != query.Complex:
			return c.simpleElement(p, e.ValueFilter)
		}
		where, err := c.element(p, e.ValueFilter)
		if err != nil {
			return nil, err
		}
		if k, ok := where.(query.Const); ok && !bool(k) {
			return k, nil
		}
		return query.Any{Field: p.Field(), Where: where}, nil
	}
	return nil, scim.InvalidFilter("the filter has an expression of an unknown kind")
}

// resolve finds an attribute of the resource that may be asked about.
func (c *compiler) resolve(a fp.AttributePath) (schema.Path, error) {
	p, err := c.rt.Resolve(a.URI(), a.AttributeName, a.SubAttributeName(), c.session)
	if err != nil {
		// err is *schema.UnknownError, which names the attribute.
		invalid := scim.InvalidFilter("%v", err)
		invalid.Cause = err
		return p, invalid
	}
	return p, readable(p)
}

// tolerates reports whether err is an unknown attribute that counts as one without a value.
func (c *compiler) tolerates(err error) bool {
	var u *schema.UnknownError
	return c.unknown != nil && errors.As(err, &u) && c.unknown(u.Name)
}

// onAbsent is what a comparison says of an attribute without a value: ne is true, so is eq null.
func onAbsent(e *fp.AttributeExpression) query.Const {
	if e.Operator != fp.PR && e.CompareValue == nil {
		return e.Operator == fp.EQ
	}
	return e.Operator == fp.NE
}

// readable refuses attributes that are never returned: a filter would be an oracle of the value (RFC 7643 7).
func readable(p schema.Path) error {
	if !p.Attr.Readable() || !p.Target().Readable() {
		return scim.InvalidFilter("%s: the attribute cannot be filtered", p)
	}
	return nil
}

// defaultValue gives a complex attribute that is compared its `value`: `emails co "x"` is `emails.value co "x"`
// (RFC 7644 3.4.2.2's examples), `members eq "id"` and `manager eq "id"` are what Entra asks.
func defaultValue(p schema.Path, e *fp.AttributeExpression) (schema.Path, error) {
	if p.Target().Kind != query.Complex || e.Operator == fp.PR || e.CompareValue == nil {
		return p, nil
	}
	if p.Sub = p.Attr.Lookup("value"); p.Sub == nil {
		return p, scim.InvalidFilter("%s: a complex attribute can only be tested with pr", p)
	}
	return p, readable(p)
}

// element compiles the inside of a value path: names are sub-attributes of p.
func (c *compiler) element(p schema.Path, e fp.Expression) (query.Expr, error) {
	if p.Attr == nil || p.Sub != nil {
		return nil, scim.InvalidFilter("%s: a value filter needs an attribute with elements", p)
	}
	return c.expr(e, func(e fp.Expression) (query.Expr, error) {
		a, ok := e.(*fp.AttributeExpression)
		if !ok {
			return nil, scim.InvalidFilter("%s: value filters do not nest", p)
		}
		name := a.AttributePath.AttributeName
		if a.AttributePath.URIPrefix != nil || a.AttributePath.SubAttribute != nil {
			return nil, scim.InvalidFilter("%s: a value filter names sub-attributes only", p)
		}
		if p.Attr.Kind != query.Complex {
			f, err := simpleField(p, name)
			if err != nil {
				return nil, err
			}
			return c.compare(f, a)
		}
		q := p
		if q.Sub = p.Attr.Lookup(name); q.Sub == nil {
			return nil, scim.InvalidFilter("%v", &schema.UnknownError{Name: p.String() + "." + name})
		}
		if err := readable(q); err != nil {
			return nil, err
		}
		if x, ok, err := c.derived(q, q.ElementField(), a); ok || err != nil {
			return x, err
		}
		return c.compare(q.ElementField(), a)
	})
}

// simpleField is the element of a multi-valued simple attribute, which a value filter calls `value`.
func simpleField(p schema.Path, name string) (query.Field, error) {
	if !strings.EqualFold(name, "value") {
		return query.Field{}, scim.InvalidFilter("%v", &schema.UnknownError{Name: p.String() + "." + name})
	}
	return query.Field{Path: p.String(), Steps: []string{"value"}, Kind: p.Attr.Kind, CaseExact: p.Attr.CaseExact}, nil
}

// simpleElement compiles `tags[value eq "x"]` to a comparison of the attribute itself. A combination of terms
// would have to hold for one element, which the tree cannot say of simple elements.
func (c *compiler) simpleElement(p schema.Path, e fp.Expression) (query.Expr, error) {
	a, ok := e.(*fp.AttributeExpression)
	if !ok || a.AttributePath.URIPrefix != nil || a.AttributePath.SubAttribute != nil {
		return nil, scim.InvalidFilter("%s: a value filter on a simple attribute is one comparison of value", p)
	}
	if _, err := simpleField(p, a.AttributePath.AttributeName); err != nil {
		return nil, err
	}
	x, err := c.compare(p.Field(), a)
	if cmp, ok := x.(query.Compare); ok && cmp.Op == query.Ne {
		// Ne is true of an absent attribute, but no element is there to differ.
		return query.And{query.Present{Field: cmp.Field}, cmp}, err
	}
	return x, err
}
