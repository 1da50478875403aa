package filter_test

import (
	"encoding/json"
	"fmt"
	"strings"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
)

// text prints a tree so that parsing it yields the same tree. The library's String does not: it quotes as Go does
// and drops the parentheses of `a and (b and c)`.
func text(e fp.Expression) string {
	switch e := e.(type) {
	case *fp.AttributeExpression:
		s := e.AttributePath.String() + " " + string(e.Operator)
		switch v := e.CompareValue.(type) {
		case string:
			return s + " " + string(scim.AppendString(nil, v))
		case json.Number:
			return s + " " + v.String()
		case bool:
			return fmt.Sprintf("%s %v", s, v)
		}
		if e.Operator == fp.PR {
			return s
		}
		return s + " null"
	case *fp.NotExpression:
		return "not (" + text(e.Expression) + ")"
	case *fp.ValuePath:
		return e.AttributePath.String() + "[" + text(e.ValueFilter) + "]"
	case *fp.LogicalExpression:
		left, right := text(e.Left), text(e.Right)
		if l, ok := e.Left.(*fp.LogicalExpression); ok && l.Operator == fp.OR && e.Operator == fp.AND {
			left = "(" + left + ")"
		}
		if r, ok := e.Right.(*fp.LogicalExpression); ok && (r.Operator == e.Operator || e.Operator == fp.AND) {
			right = "(" + right + ")"
		}
		return left + " " + string(e.Operator) + " " + right
	}
	return "?"
}

// sound reports whether the library reads e right: it knows no group and no third term inside brackets, no string
// that needs an escape, no `$` inside a name, no URI beyond letters, digits, hyphen and dot, and it lets a dotted
// sub-attribute have no second dot.
func sound(e fp.Expression, inside bool) bool {
	switch e := e.(type) {
	case *fp.AttributeExpression:
		s, ok := e.CompareValue.(string)
		return soundPath(e.AttributePath) && (!ok || string(scim.AppendString(nil, s)) == `"`+s+`"`)
	case *fp.NotExpression:
		_, nested := e.Expression.(*fp.NotExpression)
		return sound(e.Expression, inside) && (!inside || !nested)
	case *fp.ValuePath:
		return !inside && soundPath(e.AttributePath) && sound(e.ValueFilter, true)
	case *fp.LogicalExpression:
		_, left := e.Left.(*fp.AttributeExpression)
		_, right := e.Right.(*fp.AttributeExpression)
		return sound(e.Left, inside) && sound(e.Right, inside) && (!inside || left && right)
	}
	return false
}

func soundPath(p fp.AttributePath) bool {
	for i, s := range []string{p.AttributeName, p.SubAttributeName()} {
		if strings.LastIndexByte(s, '$') > 0 || i == 1 && strings.Contains(s, ".") {
			return false
		}
	}
	for segment := range strings.SplitSeq(p.URI(), ":") {
		if segment == "" && p.URIPrefix != nil {
			return false
		}
		for _, c := range segment {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", c) {
				return false
			}
		}
	}
	return true
}
