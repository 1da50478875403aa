package filter

import (
	"encoding/json"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// operator maps the library's operators to ours; pr is not among them.
func operator(o fp.CompareOperator) (query.Op, bool) {
	switch o {
	case fp.EQ:
		return query.Eq, true
	case fp.NE:
		return query.Ne, true
	case fp.CO:
		return query.Co, true
	case fp.SW:
		return query.Sw, true
	case fp.EW:
		return query.Ew, true
	case fp.GT:
		return query.Gt, true
	case fp.GE:
		return query.Ge, true
	case fp.LT:
		return query.Lt, true
	case fp.LE:
		return query.Le, true
	default:
		return 0, false
	}
}

// compare compiles one comparison of field f.
func (c *compiler) compare(f query.Field, e *fp.AttributeExpression) (query.Expr, error) {
	if e.Operator == fp.PR {
		return query.Present{Field: f}, nil
	}
	op, ok := operator(e.Operator)
	if !ok {
		return nil, scim.InvalidFilter("%s: unknown operator", f.Path)
	}
	if e.CompareValue == nil {
		return null(f, op)
	}
	if !allowed(f.Kind, op) {
		return nil, scim.InvalidFilter("%s: the operator %s does not apply to the attribute's type", f.Path, op)
	}
	v, err := c.operand(f, e.CompareValue)
	if err != nil {
		return nil, err
	}
	return query.Compare{Field: f, Op: op, Value: v}, nil
}

// null reads `eq null` as "not present": unassigned and null are one thing (RFC 7643 2.5).
func null(f query.Field, op query.Op) (query.Expr, error) {
	switch op {
	case query.Eq:
		return query.Not{Expr: query.Present{Field: f}}, nil
	case query.Ne:
		return query.Present{Field: f}, nil
	default:
		return nil, scim.InvalidFilter("%s: null can only be compared with eq and ne", f.Path)
	}
}

// allowed is table 3 of RFC 7644 3.4.2.2: boolean and binary have no order. That the substring operators are for
// text alone is our reading.
func allowed(k query.Kind, op query.Op) bool {
	switch op {
	case query.Eq, query.Ne:
		return k != query.Complex
	case query.Co, query.Sw, query.Ew:
		return k == query.String || k == query.Reference
	default:
		return k != query.Boolean && k != query.Binary && k != query.Complex
	}
}

// operand types the right side of a comparison of f.
func (c *compiler) operand(f query.Field, v any) (query.Value, error) {
	out := query.Value{Kind: f.Kind}
	switch f.Kind {
	case query.Boolean:
		b, ok := v.(bool)
		if !ok {
			b, ok = schema.ParseBoolean(v, c.session)
		}
		if !ok {
			return out, scim.InvalidFilter("%s: is compared with true or false", f.Path)
		}
		out.Bool = b
	case query.Integer, query.Decimal:
		n, ok := c.number(v)
		if !ok {
			return out, scim.InvalidFilter("%s: is compared with a number", f.Path)
		}
		if out.Int, out.IsInt = n.Int(); out.IsInt {
			return out, nil
		}
		if out.Dec, ok = n.Float(); !ok {
			return out, scim.InvalidFilter("%s: the number is out of range", f.Path)
		}
	default:
		s, ok := v.(string)
		if !ok {
			return out, scim.InvalidFilter("%s: is compared with a string", f.Path)
		}
		return text(f, s)
	}
	return out, nil
}

// text types a string operand.
func text(f query.Field, s string) (query.Value, error) {
	out := query.Value{Kind: f.Kind, Str: s}
	switch {
	case f.Kind == query.DateTime:
		t, ok := query.ParseInstant(s)
		if !ok {
			return out, scim.InvalidFilter("%s: is compared with a dateTime such as 2008-01-23T04:56:22Z", f.Path)
		}
		out.Str = query.InstantKey(t)
	case !f.CaseExact:
		out.Str = query.Fold(s)
	}
	return out, nil
}

// number accepts a JSON number, as a relaxation also one in a string.
func (c *compiler) number(v any) (scim.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return scim.Number(v), true
	case string:
		p := parser{s: v}
		if n, ok := p.number(); ok && p.done() && c.session.Allow(compat.StringNumber) {
			return scim.Number(n), true
		}
	}
	return "", false
}
