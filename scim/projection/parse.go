package projection

import (
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// MaxNames bounds each of the two lists: more names than any resource type has attributes.
const MaxNames = 500

type mode uint8

const (
	byDefault mode = iota
	include        // attributes: always + the named ones
	exclude        // excludedAttributes: always + default - the named ones
)

// node says what of an attribute, an extension or the whole resource was named.
type node struct {
	whole bool
	sub   map[string]*node // by canonical name; at the root extensions by URN
}

func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	return n.sub[name]
}

// add marks the attribute at steps as named.
func (n *node) add(steps []string) {
	for _, s := range steps {
		next := n.sub[s]
		if next == nil {
			if n.sub == nil {
				n.sub = map[string]*node{}
			}
			next = &node{}
			n.sub[s] = next
		}
		n = next
	}
	n.whole = true
}

// Selection is a compiled projection for one resource type. It is read-only after Parse and Written.
type Selection struct {
	rt      *schema.ResourceType
	mode    mode
	named   node // by the parameter that was given
	written node // by the client's own write: lets returned=request pass
	spliced bool // see Whole
}

// Default returns the selection of a request that names nothing.
func Default(rt *schema.ResourceType) *Selection {
	return &Selection{rt: rt, spliced: plain(rt)}
}

// Parse compiles the two parameters. Names are resolved as everywhere (RFC 7644 3.10), ignoring case; names of
// nothing are ignored, as is a value filter (`emails[type eq "work"]`, which Entra's tests send: it means emails).
// The parameters exclude each other: both are 400 invalidValue.
func Parse(rt *schema.ResourceType, attributes, excluded []string, s *compat.Session) (*Selection, error) {
	sel := Default(rt)
	list := attributes
	switch {
	case len(attributes) > 0 && len(excluded) > 0:
		return nil, scim.InvalidValue("excludedAttributes", "cannot be combined with attributes")
	case len(attributes) > 0:
		sel.mode = include
	case len(excluded) > 0:
		sel.mode, list = exclude, excluded
	default:
		return sel, nil
	}
	if len(list) > MaxNames {
		return nil, scim.InvalidValue("attributes", "more than %d names", MaxNames)
	}
	for _, name := range list {
		if steps := resolve(rt, name, s); steps != nil {
			sel.named.add(steps)
		}
	}
	sel.spliced = sel.mode == exclude && plain(rt) && sel.onlyBeside()
	return sel, nil
}

// resolve returns the canonical steps of a name; nil if it names nothing.
func resolve(rt *schema.ResourceType, name string, s *compat.Session) []string {
	name = strings.TrimSpace(name)
	if i := strings.IndexByte(name, '['); i >= 0 {
		rest := ""
		if j := strings.LastIndexByte(name, ']'); j > i {
			rest = name[j+1:]
		}
		name = name[:i] + rest
	}
	p, err := rt.ParsePath(name, s)
	if err != nil {
		return nil
	}
	return p.Steps()
}

// Written lets attributes with returned=request pass that the client itself wrote in this request: names are
// attribute paths of its body (RFC 7643 2.2). It returns the selection for chaining; call it before any use.
func (s *Selection) Written(names []string) *Selection {
	for _, name := range names {
		if steps := resolve(s.rt, name, nil); steps != nil {
			s.written.add(steps)
		}
	}
	return s
}

// AsksRequest reports whether the type has attributes with returned=request at all: only then it is worth while
// to collect what a client wrote.
func AsksRequest(rt *schema.ResourceType) bool {
	return anyAttribute(rt, func(a *schema.Attribute) bool { return a.Returned == schema.ReturnedRequest && !a.Computed })
}

// plain reports whether everything in a stored document may be returned by default.
func plain(rt *schema.ResourceType) bool {
	core := func(a *schema.Attribute) bool {
		// Secrets, which are top-level core attributes, are not in documents; nor is what is computed, unless it was
		// asked for.
		return a.Returned == schema.ReturnedRequest && !a.Computed || slices.ContainsFunc(a.Sub, hidden)
	}
	if slices.ContainsFunc(rt.Schema.Attributes, core) {
		return false
	}
	for _, e := range rt.Extensions {
		for _, a := range e.Attributes {
			if hidden(a) && !a.Computed || slices.ContainsFunc(a.Sub, hidden) {
				return false
			}
		}
	}
	return true
}

func hidden(a *schema.Attribute) bool {
	return a.Returned == schema.ReturnedRequest || a.Returned == schema.ReturnedNever
}

func anyAttribute(rt *schema.ResourceType, f func(*schema.Attribute) bool) bool {
	either := func(a *schema.Attribute) bool { return f(a) || slices.ContainsFunc(a.Sub, f) }
	if slices.ContainsFunc(rt.Schema.Attributes, either) {
		return true
	}
	return slices.ContainsFunc(rt.Extensions, func(e schema.Extension) bool {
		return slices.ContainsFunc(e.Attributes, either)
	})
}

// onlyBeside reports whether an exclusion touches only whole attributes that lie beside the stored document: meta
// and the relations, as in Entra's excludedAttributes=members.
func (s *Selection) onlyBeside() bool {
	for name, n := range s.named.sub {
		beside := n.whole && (name == "meta" || name == s.rt.Members || name == s.rt.Groups)
		if !beside && !always(s.rt, name) {
			return false
		}
	}
	return true
}

// always reports whether name is an attribute that no exclusion removes.
func always(rt *schema.ResourceType, name string) bool {
	p, err := rt.Resolve("", name, "", nil)
	return err == nil && p.Attr.Returned == schema.ReturnedAlways && p.Attr.Kind != query.Complex
}
