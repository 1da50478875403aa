package filter

import (
	"encoding/json"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
)

// Term is one `name eq value` of a value filter. Value is a raw tree as of scim.ParseJSON.
type Term struct {
	Name  string
	Value any
}

// EqTerms returns the terms of a value filter that is nothing but eq comparisons with values, joined by and: such
// a filter describes an element. It reports false for every other one.
func EqTerms(e fp.Expression) ([]Term, bool) { return eqTerms(nil, e) }

func eqTerms(list []Term, e fp.Expression) ([]Term, bool) {
	switch e := e.(type) {
	case *fp.LogicalExpression:
		list, ok := eqTerms(list, e.Left)
		if !ok || e.Operator != fp.AND {
			return nil, false
		}
		return eqTerms(list, e.Right)
	case *fp.AttributeExpression:
		if e.Operator != fp.EQ || e.CompareValue == nil {
			return nil, false
		}
		v := e.CompareValue
		if n, ok := v.(json.Number); ok {
			v = scim.Number(n)
		}
		return append(list, Term{Name: e.AttributePath.AttributeName, Value: v}), true
	}
	return nil, false
}
