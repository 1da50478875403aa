package query

import "slices"

// Names returns the names of the attributes, at the document's root, that e asks about, without repeats.
func Names(e Expr) []string { return appendNames(nil, e) }

func appendNames(list []string, e Expr) []string {
	switch e := e.(type) {
	case And:
		for _, t := range e {
			list = appendNames(list, t)
		}
	case Or:
		for _, t := range e {
			list = appendNames(list, t)
		}
	case Not:
		return appendNames(list, e.Expr)
	case Compare:
		return appendName(list, e.Field.Steps[0])
	case Present:
		return appendName(list, e.Field.Steps[0])
	case Any:
		return appendName(list, e.Field.Steps[0])
	case Const, nil:
	}
	return list
}

func appendName(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}
