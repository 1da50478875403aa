package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
)

// ResourceType is the definition of a kind of resource (RFC 7643 6). It is read-only once registered.
type ResourceType struct {
	Name        scim.TypeName
	Endpoint    string // "/Users"
	Description string
	Schema      *Schema
	Extensions  []Extension

	// Indexed are the paths of attributes that stores keep an index of. Attributes with uniqueness are indexed
	// without being named.
	Indexed []string
	// Sparse are those of attributes that few resources have: what they lack costs their writes nothing.
	Sparse []string
	// Members names the attribute that lists members, kept as a relation; Groups the derived attribute that
	// lists the groups of a resource. Empty if the type has none.
	Members, Groups string
	// Keep are whole attributes, those of an extension as "URN:name", that a PUT without them leaves as they are,
	// because clients send partial profiles and losing the value would cut access: `active`. Members and secrets
	// are always kept.
	Keep []string
	// Access says which scopes reach the type.
	Access Access
	// Internal types are stored and searched like any other, but are on no endpoint and in no discovery document:
	// what the server keeps for itself. Endpoint is empty then.
	Internal bool

	common  *Schema
	indexes []query.Index
	unique  []query.Field
	keep    []Path // of Keep
	urns    []any  // of the core schema and the extensions, as values of "schemas"
}

func (t *ResourceType) boxedURNs() []any {
	list := make([]any, 0, 1+len(t.Extensions))
	for _, s := range t.schemaList() {
		list = append(list, s.URN)
	}
	return list
}

// Registry is the set of resource types that a server knows.
type Registry struct {
	types   []*ResourceType // those on the wire
	all     []*ResourceType
	schemas []*Schema
}

// NewRegistry checks the definitions and derives what the rest of the server needs from them.
func NewRegistry(types ...*ResourceType) (*Registry, error) {
	r := &Registry{all: types}
	for i, t := range types {
		if err := t.build(); err != nil {
			return nil, fmt.Errorf("resource type %s: %w", t.Name, err)
		}
		for _, o := range types[:i] {
			if o.Name == t.Name || !t.Internal && strings.EqualFold(o.Endpoint, t.Endpoint) {
				return nil, fmt.Errorf("resource type %s: name or endpoint registered twice", t.Name)
			}
		}
		if t.Internal {
			continue
		}
		r.types = append(r.types, t)
		r.addSchema(t.Schema)
		for _, e := range t.Extensions {
			r.addSchema(e.Schema)
		}
	}
	return r, nil
}

func (r *Registry) addSchema(s *Schema) {
	if !slices.ContainsFunc(r.schemas, func(o *Schema) bool { return o.URN == s.URN }) {
		r.schemas = append(r.schemas, s)
	}
}

// Types returns the resource types that clients may see, in the order of registration.
func (r *Registry) Types() []*ResourceType { return r.types }

// All returns the internal types as well.
func (r *Registry) All() []*ResourceType { return r.all }

// Type returns the resource type called name, be it internal; nil if there is none.
func (r *Registry) Type(name scim.TypeName) *ResourceType {
	for _, t := range r.all {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Schemas returns every schema in the order of registration, each once.
func (r *Registry) Schemas() []*Schema { return r.schemas }

func (t *ResourceType) build() error {
	if t.Name == "" || t.Schema == nil || !t.Internal && !strings.HasPrefix(t.Endpoint, "/") {
		return errors.New("name, endpoint and schema are required")
	}
	if t.Internal && t.Endpoint != "" {
		return errors.New("an internal type has no endpoint")
	}
	t.common = commonAttributes()
	t.urns = t.boxedURNs()
	setPaths(t.Schema.Attributes, "")
	for _, e := range t.Extensions {
		setPaths(e.Attributes, e.URN+":")
	}
	for _, s := range t.schemaList() {
		if err := checkAttributes(s.Attributes, false); err != nil {
			return fmt.Errorf("schema %s: %w", s.URN, err)
		}
	}
	for _, name := range []string{t.Members, t.Groups} {
		if name != "" && t.Schema.Lookup(name) == nil {
			return fmt.Errorf("no attribute %s for the relation", name)
		}
	}
	t.keep = nil
	for _, text := range t.Keep {
		p, err := t.ParsePath(text, nil)
		if err != nil {
			return fmt.Errorf("keep: %w", err)
		}
		if p.Attr == nil || p.Sub != nil {
			return fmt.Errorf("keep %s: not a whole attribute", text)
		}
		t.keep = append(t.keep, p)
	}
	seen := map[string]bool{}
	add := func(p Path, sparse bool) {
		f := p.Field()
		if !seen[f.Path] {
			seen[f.Path] = true
			t.indexes = append(t.indexes, query.Index{Field: f, Unique: p.Target().Uniqueness != UniqueNone, Sparse: sparse})
		}
	}
	for _, s := range t.schemaList() {
		for _, a := range s.Attributes {
			if a.Uniqueness == UniqueNone {
				continue
			}
			if a.Multi || a.Kind != query.String {
				return fmt.Errorf("%s: only single-valued strings can be unique", a.Name)
			}
			p := Path{Schema: s, Attr: a, Extension: s != t.Schema}
			t.unique = append(t.unique, p.Field())
			add(p, false)
		}
	}
	indexed := slices.Concat(t.Indexed, t.Sparse)
	for i, text := range indexed {
		p, err := t.ParsePath(text, nil)
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		if p.Target() == nil || p.Target().Kind == query.Complex {
			return fmt.Errorf("index %s: not a simple attribute", text)
		}
		add(p, i >= len(t.Indexed))
	}
	return nil
}

func checkAttributes(list []*Attribute, sub bool) error {
	for i, a := range list {
		if !validName(a.Name) {
			return fmt.Errorf("%q is not an attribute name (RFC 7643 2.1)", a.Name)
		}
		if lookup(list[:i], a.Name) != nil {
			return fmt.Errorf("%s is defined twice", a.Name)
		}
		if (a.Kind == query.Complex) != (len(a.Sub) > 0) || sub && a.Kind == query.Complex {
			return fmt.Errorf("%s: a complex attribute has sub-attributes, which are not complex", a.Name)
		}
		if a.Computed && (sub || a.Mutability != ReadOnly) {
			return fmt.Errorf("%s: only top-level, read-only attributes can be computed", a.Name)
		}
		if err := checkAttributes(a.Sub, true); err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return nil
}

// validName reports whether s is an attribute name (RFC 7643 2.1); `$ref` breaks the grammar and is one.
func validName(s string) bool {
	for i, c := range []byte(s) {
		alpha := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alpha && (i == 0 && c != '$' || i > 0 && c != '$' && c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func (t *ResourceType) schemaList() []*Schema {
	list := []*Schema{t.Schema}
	for _, e := range t.Extensions {
		list = append(list, e.Schema)
	}
	return list
}

// extension returns the extension with this URN, ignoring case; nil if the type has none.
func (t *ResourceType) extension(urn string) *Extension {
	for i := range t.Extensions {
		if strings.EqualFold(t.Extensions[i].URN, urn) {
			return &t.Extensions[i]
		}
	}
	return nil
}

// Indexes returns what stores index for the type.
func (t *ResourceType) Indexes() []query.Index { return t.indexes }

// UniqueKeys returns the folded unique keys of a document.
func (t *ResourceType) UniqueKeys(doc scim.Attributes) []query.UniqueKey {
	var keys []query.UniqueKey
	for _, f := range t.unique {
		if v, ok := query.SortValue(f, doc); ok {
			keys = append(keys, query.UniqueKey{Attr: f.Path, Value: v.Str})
		}
	}
	return keys
}
