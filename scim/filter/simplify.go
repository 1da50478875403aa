package filter

import "rollcall/scim/query"

// and joins terms, dropping constants; nested Ands were flattened while walking.
func and(terms []query.Expr) query.Expr {
	kept := terms[:0]
	for _, t := range terms {
		if k, ok := t.(query.Const); ok {
			if !bool(k) {
				return k
			}
			continue
		}
		kept = append(kept, t)
	}
	switch len(kept) {
	case 0:
		return query.Const(true)
	case 1:
		return kept[0]
	}
	return query.And(kept)
}

// or is the dual of and.
func or(terms []query.Expr) query.Expr {
	kept := terms[:0]
	for _, t := range terms {
		if k, ok := t.(query.Const); ok {
			if bool(k) {
				return k
			}
			continue
		}
		kept = append(kept, t)
	}
	switch len(kept) {
	case 0:
		return query.Const(false)
	case 1:
		return kept[0]
	}
	return query.Or(kept)
}

// not is the plain complement, so two of them cancel out.
func not(e query.Expr) query.Expr {
	switch e := e.(type) {
	case query.Const:
		return !e
	case query.Not:
		return e.Expr
	default:
		return query.Not{Expr: e}
	}
}
