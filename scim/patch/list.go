package patch

import (
	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// list returns what op makes of the elements of a multi-valued attribute, which it may modify.
func (a *applier) list(op *operation, list []any) ([]any, error) {
	var err error
	switch {
	case op.where != nil:
		list, err = a.selected(op, list)
	case op.path.Sub != nil:
		list, err = everyElement(op, list)
	case op.kind == remove && op.listed != nil:
		list = without(op, list)
	case op.kind == remove:
		list = nil
	case op.kind == replace:
		list, _ = scim.Clone(op.value).([]any)
	default:
		given, _ := op.value.([]any)
		list, err = appendNew(op, list, given)
	}
	if err != nil {
		return nil, err
	}
	if limit := a.plan.maxValues; limit > 0 && len(list) > limit && op.kind != remove {
		return nil, scim.InvalidValue(op.path.Attr.Name, "has more than %d values", limit)
	}
	return list, nil
}

// appendNew adds the elements that are not there yet (RFC 7644 3.5.2.1). One with the value and type of an element
// that is there is that element: what else it says is merged in.
func appendNew(op *operation, list, given []any) ([]any, error) {
	primary := -1
	for _, v := range given {
		at := -1
		for i, e := range list {
			if schema.SameElement(e, v) {
				at = i
				break
			}
		}
		if at < 0 {
			list = append(list, scim.Clone(v))
			at = len(list) - 1
		} else if el, ok := list[at].(scim.Attributes); ok {
			if err := mergeElement(op, el, v.(scim.Attributes)); err != nil {
				return nil, err
			}
		}
		if el, ok := v.(scim.Attributes); ok && el["primary"] == true {
			primary = at
		}
	}
	if primary >= 0 {
		demote(list, primary)
	}
	return list, nil
}

func mergeElement(op *operation, el, given scim.Attributes) error {
	for _, s := range op.path.Attr.Sub {
		if v, ok := given[s.Name]; ok {
			if err := setSub(op, el, s, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// without drops the elements that a remove lists: those that agree with all that a listed one says.
func without(op *operation, list []any) []any {
	kept := list[:0]
	for _, e := range list {
		hit := false
		for _, l := range op.listed {
			hit = hit || agrees(op.path.Attr, e, l)
		}
		if !hit {
			kept = append(kept, e)
		}
	}
	return kept
}

// agrees reports whether element e has every value that the description d has, strings compared as filters do.
func agrees(attr *schema.Attribute, e, d any) bool {
	el, ok := e.(scim.Attributes)
	want, ok2 := d.(scim.Attributes)
	if !ok || !ok2 {
		return sameText(attr, e, d)
	}
	for _, s := range attr.Sub {
		if v, given := want[s.Name]; given && !sameText(s, el[s.Name], v) {
			return false
		}
	}
	return true
}

func sameText(a *schema.Attribute, x, y any) bool {
	s, ok := x.(string)
	t, ok2 := y.(string)
	if ok && ok2 && !a.CaseExact {
		return query.Fold(s) == query.Fold(t)
	}
	return scim.Equal(x, y)
}

// everyElement applies `emails.type`, a sub-attribute without a filter, to all elements; where there are none, an
// add or replace makes one.
func everyElement(op *operation, list []any) ([]any, error) {
	if len(list) == 0 && op.kind != remove && op.value != nil {
		list = []any{scim.Attributes{}}
	}
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return setOn(op, list, all)
}

// setOn applies a sub-attribute operation to the elements at the indexes.
func setOn(op *operation, list []any, at []int) ([]any, error) {
	for _, i := range at {
		el, ok := list[i].(scim.Attributes)
		if !ok {
			continue
		}
		if err := setSub(op, el, op.path.Sub, op.value); err != nil {
			return nil, err
		}
	}
	if err := settlePrimary(op, list, at); err != nil {
		return nil, err
	}
	return compact(list), nil
}

// selected applies an operation with a value filter.
func (a *applier) selected(op *operation, list []any) ([]any, error) {
	var at []int
	for i, e := range list {
		el, ok := e.(scim.Attributes)
		if !ok {
			el = scim.Attributes{"value": e}
		}
		if query.Match(op.where, el) {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0 && op.kind == remove:
		return list, nil // what shall be gone is gone (RFC 7644 3.5.2.2)
	case len(at) == 0 && op.kind == add && op.value == nil:
		return list, nil
	case len(at) == 0:
		return a.create(op, list)
	case op.path.Sub != nil:
		return setOn(op, list, at)
	case op.kind == remove || op.value == nil && op.kind == replace:
		return drop(list, at), nil
	case op.kind == replace:
		return replaceAt(op, list, at), nil
	}
	return mergeAt(op, list, at)
}

// create adds the element that the filter describes: for add the only sensible reading, for replace a relaxation
// of noTarget (RFC 7644 3.5.2.3).
func (a *applier) create(op *operation, list []any) ([]any, error) {
	if !op.create {
		return nil, scim.NoTarget("%s: no value matches the filter", op.path)
	}
	if op.kind == replace {
		a.use(compat.CreateOnReplace)
	}
	return appendNew(op, list, []any{op.seed})
}

// replaceAt puts the value in the place of each selected element. They are all alike then, so one is left.
func replaceAt(op *operation, list []any, at []int) []any {
	v := scim.Clone(op.value)
	list[at[0]] = v
	list = drop(list, at[1:])
	if el, ok := v.(scim.Attributes); ok && el["primary"] == true {
		demote(list, at[0])
	}
	return list
}

// mergeAt adds the value's sub-attributes to each selected element.
func mergeAt(op *operation, list []any, at []int) ([]any, error) {
	for _, i := range at {
		el, ok := list[i].(scim.Attributes)
		if !ok { // a simple value: adding to it can only set it
			list[i] = op.value
			continue
		}
		if err := merge(op, el); err != nil {
			return nil, err
		}
	}
	if err := settlePrimary(op, list, at); err != nil {
		return nil, err
	}
	return compact(list), nil
}

// settlePrimary makes the element that the operation made primary the only one (RFC 7644 3.5.2); to make several
// primary contradicts itself.
func settlePrimary(op *operation, list []any, at []int) error {
	if !setsPrimary(op) {
		return nil
	}
	if len(at) > 1 {
		return scim.InvalidValue(op.path.Attr.Name, "more than one value would be primary")
	}
	if len(at) == 1 {
		demote(list, at[0])
	}
	return nil
}

func setsPrimary(op *operation) bool {
	if op.kind == remove {
		return false
	}
	if op.path.Sub != nil {
		return op.path.Sub.Name == "primary" && op.value == true
	}
	el, _ := op.value.(scim.Attributes)
	return el["primary"] == true
}

// demote makes every element but the one at keep not primary.
func demote(list []any, keep int) {
	for i, e := range list {
		if el, ok := e.(scim.Attributes); ok && i != keep && el["primary"] == true {
			el["primary"] = false
		}
	}
}

// drop removes the elements at the indexes, which ascend.
func drop(list []any, at []int) []any {
	kept := list[:0]
	for i, e := range list {
		if len(at) > 0 && at[0] == i {
			at = at[1:]
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// compact removes elements that have nothing in them any more.
func compact(list []any) []any {
	kept := list[:0]
	for _, e := range list {
		if el, ok := e.(scim.Attributes); ok && len(el) == 0 {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}
