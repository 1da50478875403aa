package scim

// Clone returns a deep copy of v that shares no memory with it.
func Clone(v any) any {
	switch v := v.(type) {
	case Attributes:
		return CloneAttributes(v)
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = Clone(e)
		}
		return c
	default:
		return v
	}
}

// CloneAttributes returns a deep copy of a.
func CloneAttributes(a Attributes) Attributes {
	if a == nil {
		return nil
	}
	c := make(Attributes, len(a))
	for k, v := range a {
		c[k] = Clone(v)
	}
	return c
}

// Equal reports whether two values are the same content. The order of the elements of an array is ignored, as
// that of a multi-valued attribute carries no meaning (RFC 7643 2.4).
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Attributes:
		b, ok := b.(Attributes)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		return equalElements(a, b)
	default:
		return a == b
	}
}

func equalElements(a, b []any) bool {
	same := true
	for i := range a {
		if !Equal(a[i], b[i]) {
			same = false
			break
		}
	}
	if same {
		return true
	}
	used := make([]bool, len(b))
next:
	for _, x := range a {
		for j, y := range b {
			if !used[j] && Equal(x, y) {
				used[j] = true
				continue next
			}
		}
		return false
	}
	return true
}
