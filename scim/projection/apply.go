package projection

import (
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Default reports whether the request named nothing.
func (s *Selection) Default() bool { return s.mode == byDefault }

// Whole reports whether a stored document passes as it is: only meta and the relations, which lie beside it, are
// to be asked for by Wants. The bytes can then be sent without decoding them.
func (s *Selection) Whole() bool { return s.spliced }

// Wants reports whether an answer carries the top-level core or common attribute called name (canonical), or some
// of it: whether a relation must be loaded.
func (s *Selection) Wants(name string) bool {
	p, err := s.rt.Resolve("", name, "", nil)
	return err == nil && s.passes(p.Attr, s.named.child(name), s.written.child(name), s.mode)
}

// Computed are the paths of the attributes in an answer that are computed when they are read.
func (s *Selection) Computed() []string {
	var paths []string
	for _, a := range s.rt.Schema.Attributes {
		if a.Computed && s.passes(a, s.named.child(a.Name), s.written.child(a.Name), s.mode) {
			paths = append(paths, a.Name)
		}
	}
	for _, e := range s.rt.Extensions {
		named := s.named.child(e.URN)
		m := s.mode
		if named != nil {
			m = inner(m, named)
		}
		for _, a := range e.Attributes {
			n := named.child(a.Name)
			if n == nil && excluded(s.mode, named) {
				n = named
			}
			if a.Computed && s.passes(a, n, nil, m) {
				paths = append(paths, e.URN+":"+a.Name)
			}
		}
	}
	return paths
}

// WantsSub reports whether an answer carries the sub-attribute sub of the elements of name. By it relations are
// written without being put into a document first.
func (s *Selection) WantsSub(name, sub string) bool {
	p, err := s.rt.Resolve("", name, sub, nil)
	if err != nil || p.Sub == nil {
		return false
	}
	named, written := s.named.child(name), s.written.child(name)
	return s.passes(p.Attr, named, written, s.mode) &&
		s.passes(p.Sub, named.child(p.Sub.Name), inherit(written, p.Sub), inner(s.mode, named))
}

// passes is the rule of one attribute: RFC 7643 2.2 `returned` against what was named.
func (s *Selection) passes(a *schema.Attribute, named, written *node, m mode) bool {
	switch a.Returned {
	case schema.ReturnedNever:
		return false
	case schema.ReturnedAlways:
		return true
	case schema.ReturnedRequest:
		if m == exclude {
			return written != nil && !excluded(m, named)
		}
		return named != nil || m == byDefault && written != nil
	case schema.ReturnedDefault:
	}
	if m == include {
		return named != nil
	}
	return !excluded(m, named)
}

func excluded(m mode, named *node) bool { return m == exclude && named != nil && named.whole }

// Apply returns what of doc an answer carries. doc is a document with id, meta and the relations put in; it is not
// changed, the result shares values with it.
func (s *Selection) Apply(doc scim.Attributes) scim.Attributes {
	out := make(scim.Attributes, len(doc))
	for name, v := range doc {
		if ext := s.extension(name); ext != nil {
			if x, ok := v.(scim.Attributes); ok {
				s.extensionInto(out, ext, x)
			}
			continue
		}
		p, err := s.rt.Resolve("", name, "", nil)
		if err != nil {
			continue
		}
		s.put(out, p.Attr, v, s.named.child(p.Attr.Name), s.written.child(p.Attr.Name), s.mode)
	}
	return out
}

func (s *Selection) extension(urn string) *schema.Schema {
	for _, e := range s.rt.Extensions {
		if e.URN == urn {
			return e.Schema
		}
	}
	return nil
}

// extensionInto projects the object of an extension. An extension that was named whole counts as if each of its
// attributes had been.
func (s *Selection) extensionInto(out scim.Attributes, ext *schema.Schema, x scim.Attributes) {
	named, written := s.named.child(ext.URN), s.written.child(ext.URN)
	m := s.mode
	if named != nil {
		m = inner(m, named)
	}
	kept := make(scim.Attributes, len(x))
	for name, v := range x {
		a := ext.Lookup(name)
		if a == nil {
			continue
		}
		n := named.child(a.Name)
		if n == nil && excluded(s.mode, named) {
			n = named
		}
		s.put(kept, a, v, n, inherit(written, a), m)
	}
	if len(kept) > 0 {
		out[ext.URN] = kept
	}
}

// inner is the mode inside of something that passes. What was named as a whole is asked for with all of its parts,
// which then follow their own defaults; so do those of what passes without being named.
func inner(m mode, named *node) mode {
	if m == include && (named == nil || named.whole) {
		return byDefault
	}
	return m
}

// inherit is the written node of a part: of something written whole every part was written.
func inherit(written *node, a *schema.Attribute) *node {
	if n := written.child(a.Name); n != nil {
		return n
	}
	if written != nil && written.whole {
		return written
	}
	return nil
}

// put projects one attribute's value into out.
func (s *Selection) put(out scim.Attributes, a *schema.Attribute, v any, named, written *node, m mode) {
	if !s.passes(a, named, written, m) {
		return
	}
	if a.Kind != query.Complex {
		out[a.Name] = v
		return
	}
	sub := inner(m, named)
	switch v := v.(type) {
	case scim.Attributes:
		if el := s.element(a, v, named, written, sub); len(el) > 0 {
			out[a.Name] = el
		}
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			if el, ok := e.(scim.Attributes); ok {
				if el = s.element(a, el, named, written, sub); len(el) > 0 {
					list = append(list, el)
				}
			}
		}
		if len(list) > 0 {
			out[a.Name] = list
		}
	}
}

// element projects one complex value.
func (s *Selection) element(a *schema.Attribute, v scim.Attributes, named, written *node, m mode) scim.Attributes {
	out := make(scim.Attributes, len(v))
	for name, x := range v {
		sub := a.Lookup(name)
		if sub != nil && s.passes(sub, named.child(sub.Name), inherit(written, sub), m) {
			out[sub.Name] = x
		}
	}
	return out
}
