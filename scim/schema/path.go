package schema

import (
	"fmt"
	"strings"

	"rollcall/scim/compat"
	"rollcall/scim/query"
)

// Path is a resolved attribute path.
type Path struct {
	Schema    *Schema    // where the attribute is defined; the common attributes have a schema without a URN
	Extension bool       // Schema is an extension: its attributes lie under its URN
	Attr      *Attribute // nil: the whole extension
	Sub       *Attribute // nil: the attribute itself
}

// Target is the attribute that the path names: the sub-attribute if there is one; nil for a whole extension.
func (p Path) Target() *Attribute {
	if p.Sub != nil {
		return p.Sub
	}
	return p.Attr
}

// Common reports whether the path names a common attribute (id, externalId, meta, schemas).
func (p Path) Common() bool { return p.Schema.URN == "" }

// Steps are the names from the document's root to the target.
func (p Path) Steps() []string {
	steps := make([]string, 0, 3)
	if p.Extension {
		steps = append(steps, p.Schema.URN)
	}
	if p.Attr != nil {
		steps = append(steps, p.Attr.Name)
	}
	if p.Sub != nil {
		steps = append(steps, p.Sub.Name)
	}
	return steps
}

// String returns the canonical path.
func (p Path) String() string {
	s := ""
	if p.Extension {
		s = p.Schema.URN
		if p.Attr == nil {
			return s
		}
		s += ":"
	}
	s += p.Attr.Name
	if p.Sub != nil {
		s += "." + p.Sub.Name
	}
	return s
}

// Field is the path as expressions name it. The path must not be a whole extension.
func (p Path) Field() query.Field {
	t := p.Target()
	return query.Field{
		Path: p.String(), Steps: p.Steps(), Kind: t.Kind, CaseExact: t.CaseExact,
		Multi: p.Attr.Multi || t.Multi,
	}
}

// ElementField is the sub-attribute relative to an element of the attribute, as inside a value path.
func (p Path) ElementField() query.Field {
	return query.Field{
		Path: p.String(), Steps: []string{p.Sub.Name}, Kind: p.Sub.Kind, CaseExact: p.Sub.CaseExact,
		Multi: p.Sub.Multi,
	}
}

// UnknownError says that a path names no attribute of the resource type.
type UnknownError struct{ Name string }

// Error names the attribute.
func (e *UnknownError) Error() string { return fmt.Sprintf("unknown attribute %q", clip(e.Name)) }

// clip bounds text of the client's that an error repeats.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

// ParsePath resolves attribute notation without a value filter (RFC 7644 3.10): `userName`, `name.givenName`,
// `urn:..:User:manager.value`, or a schema URN alone for a whole extension. Names are compared ignoring case. It
// returns *UnknownError if the path names nothing.
func (t *ResourceType) ParsePath(text string, s *compat.Session) (Path, error) {
	if e := t.extension(text); e != nil {
		return Path{Schema: e.Schema, Extension: true}, nil
	}
	uri, name := "", text
	// The attribute is what follows the last colon: names hold none. A URN is never cut at a dot, it contains "2.0".
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		uri, name = text[:i], text[i+1:]
	}
	name, sub, _ := strings.Cut(name, ".")
	if strings.HasSuffix(text, ".") {
		return Path{}, &UnknownError{text}
	}
	return t.Resolve(uri, name, sub, s)
}

// Resolve finds the attribute called name, with sub-attribute sub if not empty, in the schema uri, or where uri
// is empty in the core schema, the common attributes, and last, as a relaxation, in the extensions. For a path
// that is a schema URN and nothing else see ParsePath. It returns *UnknownError if there is none.
func (t *ResourceType) Resolve(uri, name, sub string, s *compat.Session) (Path, error) {
	var p Path
	switch {
	case uri == "":
		p = t.find(name, s)
	case strings.EqualFold(uri, t.Schema.URN):
		p = Path{Schema: t.Schema, Attr: t.Schema.Lookup(name)}
		if p.Attr == nil { // common attributes belong to every schema
			p = Path{Schema: t.common, Attr: t.common.Lookup(name)}
		}
	default:
		if e := t.extension(uri); e != nil {
			p = Path{Schema: e.Schema, Extension: true, Attr: e.Lookup(name)}
			break
		}
		return t.resolveDot(uri, name, sub, s)
	}
	if p.Attr == nil {
		return Path{}, unknownPath(uri, name, sub)
	}
	if sub != "" {
		if p.Sub = p.Attr.Lookup(sub); p.Sub == nil {
			return Path{}, unknownPath(uri, name, sub)
		}
	}
	return p, nil
}

func unknownPath(uri, name, sub string) error {
	if uri != "" {
		name = uri + ":" + name
	}
	if sub != "" {
		name += "." + sub
	}
	return &UnknownError{name}
}

func (t *ResourceType) find(name string, s *compat.Session) Path {
	if a := t.Schema.Lookup(name); a != nil {
		return Path{Schema: t.Schema, Attr: a}
	}
	if a := t.common.Lookup(name); a != nil {
		return Path{Schema: t.common, Attr: a}
	}
	for _, e := range t.Extensions {
		if a := e.Lookup(name); a != nil && s.Allow(compat.UnprefixedExtension) {
			return Path{Schema: e.Schema, Extension: true, Attr: a}
		}
	}
	return Path{}
}

// resolveDot reads `urn:..:2.0:User.department`, where an old Entra wrote a dot instead of the last colon.
func (t *ResourceType) resolveDot(uri, name, sub string, s *compat.Session) (Path, error) {
	urn := uri + ":" + name
	attr, rest, _ := strings.Cut(sub, ".")
	known := strings.EqualFold(urn, t.Schema.URN) || t.extension(urn) != nil
	if !known || attr == "" || !s.Has(compat.URNDotPath) {
		return Path{}, unknownPath(uri, name, sub)
	}
	p, err := t.Resolve(urn, attr, rest, s)
	if err == nil {
		s.Allow(compat.URNDotPath)
	}
	return p, err
}
