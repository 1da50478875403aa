package query

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/scim"
)

// Match reports whether doc satisfies e: the meaning of a filter, for stores and PATCH alike (RFC 7644 3.4.2.2).
// doc is a canonical document with "id" and "meta" put in, or an element of a multi-valued attribute when e comes
// from a value path. A nil e matches everything.
func Match(e Expr, doc scim.Attributes) bool {
	switch e := e.(type) {
	case nil:
		return true
	case And:
		for _, t := range e {
			if !Match(t, doc) {
				return false
			}
		}
		return true
	case Or:
		for _, t := range e {
			if Match(t, doc) {
				return true
			}
		}
		return false
	case Not:
		return !Match(e.Expr, doc)
	case Const:
		return bool(e)
	case Present:
		return AnyValue(doc, e.Field.Steps, IsPresent)
	case Any:
		return AnyValue(doc, e.Field.Steps, func(v any) bool {
			el, ok := v.(scim.Attributes)
			return ok && len(el) > 0 && Match(e.Where, el)
		})
	case Compare:
		found := false
		hit := AnyValue(doc, e.Field.Steps, func(v any) bool {
			if !IsPresent(v) {
				return false
			}
			found = true
			return compareOp(e.Field, e.Op, v, e.Value)
		})
		return hit || e.Op == Ne && !found
	}
	return false
}

// AnyValue calls f on each value that steps lead to in v, a document or a part of one, through arrays, until f is true. It
// reports whether f was.
func AnyValue(v any, steps []string, f func(any) bool) bool {
	if a, ok := v.([]any); ok {
		for _, el := range a {
			if AnyValue(el, steps, f) {
				return true
			}
		}
		return false
	}
	if len(steps) == 0 {
		return v != nil && f(v)
	}
	m, ok := v.(scim.Attributes)
	if !ok {
		return false
	}
	next, ok := m[steps[0]]
	return ok && AnyValue(next, steps[1:], f)
}

// IsPresent is what `pr` means for one value: false and 0 are present, "" and {} are not.
func IsPresent(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case scim.Attributes:
		for _, s := range v {
			if IsPresent(s) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(v, IsPresent)
	}
	return true
}

// ValueOf normalizes a document's value for comparing with field f; false if the value is not of the field's kind
// (it then equals nothing).
func ValueOf(f Field, v any) (Value, bool) {
	switch v := v.(type) {
	case string:
		switch f.Kind {
		case DateTime:
			t, ok := ParseInstant(v)
			if !ok {
				return Value{}, false
			}
			return Value{Kind: DateTime, Str: InstantKey(t)}, true
		case String, Reference, Binary:
			if !f.CaseExact {
				v = Fold(v)
			}
			return Value{Kind: f.Kind, Str: v}, true
		}
	case bool:
		return Value{Kind: Boolean, Bool: v}, f.Kind == Boolean
	case int64:
		return Value{Kind: f.Kind, IsInt: true, Int: v}, f.Kind == Integer || f.Kind == Decimal
	case float64:
		return Value{Kind: f.Kind, Dec: v}, f.Kind == Integer || f.Kind == Decimal
	}
	return Value{}, false
}

func compareOp(f Field, op Op, docValue any, want Value) bool {
	have, ok := ValueOf(f, docValue)
	if !ok {
		return op == Ne
	}
	switch op {
	case Co:
		return strings.Contains(have.Str, want.Str)
	case Sw:
		return strings.HasPrefix(have.Str, want.Str)
	case Ew:
		return strings.HasSuffix(have.Str, want.Str)
	}
	c := CompareValues(have, want)
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Gt:
		return c > 0
	case Ge:
		return c >= 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	}
	return false
}

// CompareValues orders two values of one field: strings by bytes, numbers exactly (also int64 against float64),
// false before true.
func CompareValues(a, b Value) int {
	switch a.Kind {
	case Boolean:
		switch {
		case a.Bool == b.Bool:
			return 0
		case b.Bool:
			return -1
		}
		return 1
	case Integer, Decimal:
		switch {
		case a.IsInt && b.IsInt:
			return cmp.Compare(a.Int, b.Int)
		case a.IsInt:
			return compareIntFloat(a.Int, b.Dec)
		case b.IsInt:
			return -compareIntFloat(b.Int, a.Dec)
		}
		return cmp.Compare(a.Dec, b.Dec)
	}
	return strings.Compare(a.Str, b.Str)
}

// compareIntFloat compares without rounding i, which a conversion to float64 would do above 2^53.
func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := int64(f)
	if c := cmp.Compare(i, whole); c != 0 {
		return c
	}
	return cmp.Compare(0, f-float64(whole))
}

// SortValue returns the value that a resource is sorted by: of a multi-valued attribute that of the primary
// element, else of the first that has one (RFC 7644 3.4.2.3); false if it has none.
func SortValue(f Field, doc scim.Attributes) (Value, bool) {
	v, ok := sortValue(doc, f.Steps)
	if !ok || !IsPresent(v) {
		return Value{}, false
	}
	return ValueOf(f, v)
}

func sortValue(v any, steps []string) (any, bool) {
	if a, ok := v.([]any); ok {
		for _, el := range a {
			if m, ok := el.(scim.Attributes); ok && m["primary"] == true {
				if s, ok := sortValue(el, steps); ok && IsPresent(s) {
					return s, true
				}
			}
		}
		for _, el := range a {
			if s, ok := sortValue(el, steps); ok && IsPresent(s) {
				return s, true
			}
		}
		return nil, false
	}
	if len(steps) == 0 {
		return v, v != nil
	}
	m, ok := v.(scim.Attributes)
	if !ok {
		return nil, false
	}
	next, ok := m[steps[0]]
	if !ok {
		return nil, false
	}
	return sortValue(next, steps[1:])
}
