package patch

import (
	"maps"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/filter"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// assignmentWhere decodes the value of an add or replace on selected elements, and the element that is created if
// none is selected: `emails[type eq "work"].value` describes {"type": "work", "value": ..}. RFC 7644 is silent on
// add without a match; for replace it demands noTarget, but Entra relies on creation.
func (c *compiler) assignmentWhere(op *operation, terms []filter.Term, value any) error {
	t, path := op.path.Target(), op.path.String()
	var err error
	if op.path.Sub != nil {
		if op.value, err = c.decoder.Value(t, path, value); err != nil {
			return err
		}
		if op.value == nil && t.Required && op.kind == replace {
			return scim.InvalidValue(path, "is required")
		}
	} else if err := c.element(op, value); err != nil {
		return err
	}
	if terms == nil || op.value == nil || op.path.Attr.Kind != query.Complex {
		return nil
	}
	seed := c.describes(op.path, terms)
	given, isElement := op.value.(scim.Attributes)
	if seed == nil || op.path.Sub == nil && (!isElement || len(given) == 0) {
		return nil
	}
	if op.path.Sub != nil {
		seed[op.path.Sub.Name] = op.value
	} else {
		maps.Copy(seed, given)
	}
	// `emails[value eq "a"].value` set to "b" describes no element: one made of it would not be found by the same
	// path, and the next request would make another.
	if query.Match(op.where, seed) {
		op.seed = seed
		op.create = op.kind == add || c.session.Has(compat.CreateOnReplace)
	}
	return nil
}

// element decodes the value of one whole element.
func (c *compiler) element(op *operation, value any) error {
	a, path := op.path.Attr, op.path.String()
	if list, ok := value.([]any); ok && len(list) > 0 {
		if len(list) > 1 || !c.session.Allow(compat.UnwrapSingleElement) {
			return scim.InvalidValue(path, "the value of one element cannot be an array")
		}
		value = list[0]
	}
	if list, ok := value.([]any); ok && len(list) == 0 {
		value = nil
	}
	v, err := c.decoder.Element(a, path, value)
	if err != nil {
		return err
	}
	op.value = v
	if o, ok := value.(scim.Object); ok {
		op.clear = nulls(a, o)
		if v == nil {
			op.value = scim.Attributes{}
		}
		if v == nil && op.kind == replace {
			// Perhaps nothing in it was understood: that must not delete the element, null would.
			return scim.InvalidValue(path, "the value of the element is empty")
		}
	}
	return nil
}

// describes collects the element that the terms of a filter describe; nil if they describe none.
func (c *compiler) describes(p schema.Path, terms []filter.Term) scim.Attributes {
	el := scim.Attributes{}
	for _, t := range terms {
		sub := p.Attr.Lookup(t.Name)
		if sub == nil || sub.Mutability == schema.ReadOnly {
			return nil
		}
		v, err := c.decoder.Value(sub, p.Attr.Name+"."+sub.Name, t.Value)
		if err != nil || v == nil {
			return nil
		}
		if old, given := el[sub.Name]; given && !scim.Equal(old, v) {
			return nil // type eq "a" and type eq "b": no element is both
		}
		el[sub.Name] = v
	}
	return el
}
