package query

import (
	"cmp"
	"slices"
)

// Compare is the order of the query: negative if the resource at a comes before the one at b.
func (q *Query) Compare(a, b *Position) int {
	if q.Sorted {
		n := 0
		switch {
		case a.Absent && b.Absent:
		case a.Absent:
			n = 1
		case b.Absent:
			n = -1
		case a.Value.Kind != b.Value.Kind:
			n = cmp.Compare(a.Value.Kind, b.Value.Kind) // of different types; any order that stays will do
		default:
			n = CompareValues(a.Value, b.Value)
		}
		if n != 0 && q.Desc {
			return -n
		}
		if n != 0 {
			return n
		}
	}
	return cmp.Compare(a.ID, b.ID)
}

// Admits reports whether a page may have the resource at p: whether it is behind After, or ahead of Before.
func (q *Query) Admits(p *Position) bool {
	switch {
	case q.After != nil:
		return q.Compare(p, q.After) > 0
	case q.Before != nil:
		return q.Compare(p, q.Before) < 0
	}
	return true
}

// Within is the field of an element of outer as a field of the document that outer is one of: x[y eq 1] asks about x.y.
func Within(outer, inner *Field) Field {
	f := *inner
	f.Steps = slices.Concat(outer.Steps, inner.Steps)
	f.Multi = inner.Multi || outer.Multi
	return f
}
