package schema

import (
	"slices"

	"rollcall/scim"
)

// Validate checks a canonical document as a whole: required attributes and extensions are there, at most one value
// of a multi-valued attribute is primary (RFC 7643 2.2, 2.4).
func (t *ResourceType) Validate(doc scim.Attributes) error {
	for _, a := range t.Schema.Attributes {
		if t.Members != "" && a.Name == t.Members {
			continue
		}
		if err := validateAttribute(a, a.Name, doc[a.Name]); err != nil {
			return err
		}
	}
	for _, e := range t.Extensions {
		x, ok := doc[e.URN].(scim.Attributes)
		if !ok {
			if e.Required {
				return scim.InvalidValue(e.URN, "is required")
			}
			continue
		}
		for _, a := range e.Attributes {
			if err := validateAttribute(a, a.under(e.URN, ":"), x[a.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func validateAttribute(a *Attribute, path string, v any) error {
	if v == nil || v == "" {
		// A secret is not in the document; whether it must be given is for the resource type's hooks.
		if a.Required && a.Mutability != ReadOnly && a.Returned != ReturnedNever {
			return scim.InvalidValue(path, "is required")
		}
		return nil
	}
	if len(a.Sub) == 0 {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	primaries := 0
	for _, e := range list {
		el, ok := e.(scim.Attributes)
		if !ok {
			continue
		}
		if el["primary"] == true {
			primaries++
		}
		for _, s := range a.Sub {
			if s.Required && s.Mutability != ReadOnly && (el[s.Name] == nil || el[s.Name] == "") {
				return scim.InvalidValue(path+"."+s.Name, "is required")
			}
		}
	}
	if primaries > 1 {
		return scim.InvalidValue(path, "more than one value is primary")
	}
	return nil
}

// Replace returns what a PUT of body makes of the stored document old (RFC 7644 3.5.1): attributes that the body
// omits are cleared, except readOnly ones, those in Keep, and, by virtue of not being in documents, members and
// secrets. An immutable attribute that has a value must be given unchanged or not at all.
func (t *ResourceType) Replace(old scim.Attributes, body *Document) (scim.Attributes, error) {
	doc := scim.CloneAttributes(body.Attrs)
	if err := carryOver(t.Schema, "", old, doc); err != nil {
		return nil, err
	}
	for _, e := range t.Extensions {
		was, _ := old[e.URN].(scim.Attributes)
		if was == nil {
			continue
		}
		now, _ := doc[e.URN].(scim.Attributes)
		if now == nil {
			now = scim.Attributes{}
		}
		if err := carryOver(e.Schema, e.URN+":", was, now); err != nil {
			return nil, err
		}
		if len(now) > 0 {
			doc[e.URN] = now
		}
	}
	for _, p := range t.keep {
		keepValue(p, old, doc, body.Null)
	}
	t.SetSchemas(doc)
	return doc, nil
}

// keepValue puts the stored value of an attribute into doc, which omits it, unless null un-assigns it.
func keepValue(p Path, old, doc scim.Attributes, null []string) {
	from, to := old, doc
	if p.Extension {
		from, _ = old[p.Schema.URN].(scim.Attributes)
		to, _ = doc[p.Schema.URN].(scim.Attributes)
	}
	v, had := from[p.Attr.Name]
	if _, given := to[p.Attr.Name]; !had || given || slices.Contains(null, p.String()) {
		return
	}
	if to == nil {
		to = scim.Attributes{}
		doc[p.Schema.URN] = to
	}
	to[p.Attr.Name] = scim.Clone(v)
}

// carryOver keeps readOnly and immutable attributes of a schema's stored values.
func carryOver(s *Schema, prefix string, old, doc scim.Attributes) error {
	for _, a := range s.Attributes {
		was, had := old[a.Name]
		if !had {
			continue
		}
		switch a.Mutability {
		case ReadOnly:
			doc[a.Name] = scim.Clone(was)
		case Immutable:
			now, given := doc[a.Name]
			if given && !scim.Equal(was, now) {
				return scim.Mutability(prefix+a.Name, "is immutable and has a value")
			}
			doc[a.Name] = scim.Clone(was)
		default:
			if err := carrySub(a, prefix+a.Name, was, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// carrySub does the same for the sub-attributes of a single-valued complex attribute. Elements of a multi-valued
// one have no identity that would let an old and a new one be compared: the list is readWrite, so elements come
// and go (RFC 7643 4.2 on members).
func carrySub(a *Attribute, path string, was any, doc scim.Attributes) error {
	old, ok := was.(scim.Attributes)
	if !ok || a.Multi {
		return nil
	}
	now, _ := doc[a.Name].(scim.Attributes)
	for _, s := range a.Sub {
		v, had := old[s.Name]
		if !had || s.Mutability != ReadOnly && s.Mutability != Immutable || now == nil {
			continue
		}
		if given, ok := now[s.Name]; ok && s.Mutability == Immutable && !scim.Equal(v, given) {
			return scim.Mutability(path+"."+s.Name, "is immutable and has a value")
		}
		now[s.Name] = scim.Clone(v)
	}
	return nil
}
