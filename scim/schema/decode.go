package schema

import (
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
)

// Document is a decoded resource body.
type Document struct {
	// Attrs is the canonical document, "schemas" included (see scim.Attributes).
	Attrs scim.Attributes
	// Secret holds values of returned=never attributes in clear text; nil un-assigns.
	Secret scim.Attributes
	// Members are the ids in the members attribute; HasMembers says that the body had the attribute.
	Members    []string
	HasMembers bool
	// Null are the attributes that the body explicitly un-assigns by null or []: core ones by name, those of an
	// extension by "URN:name".
	Null []string
}

// Decoder turns client JSON into canonical values. The zero value is strict, with no bounds on lists.
type Decoder struct {
	Session   *compat.Session
	MaxValues int // values of one multi-valued attribute, members aside; 0: no bound
}

// Resource decodes a POST or PUT body (RFC 7644 3.3, 3.5.1): readOnly attributes are ignored, values are checked
// against the schema, `schemas` against the type. Whether required attributes are there is for Validate.
func (d Decoder) Resource(t *ResourceType, body any) (*Document, error) {
	o, ok := body.(scim.Object)
	if !ok {
		return nil, scim.InvalidSyntax("the body is not a JSON object")
	}
	listed, err := d.schemas(t, o)
	if err != nil {
		return nil, err
	}
	if err := distinct(o, ""); err != nil {
		return nil, err
	}
	doc := &Document{Attrs: make(scim.Attributes, len(o))}
	for _, f := range o {
		if e := t.extension(f.Name); e != nil {
			if err := d.extension(doc, e, f.Value, listed); err != nil {
				return nil, err
			}
			continue
		}
		if err := d.top(t, doc, f); err != nil {
			return nil, err
		}
	}
	t.SetSchemas(doc.Attrs)
	return doc, nil
}

// top decodes one core or common attribute.
func (d Decoder) top(t *ResourceType, doc *Document, f scim.Field) error {
	p, err := t.Resolve("", f.Name, "", nil)
	switch {
	case err != nil:
		return d.unknown(f.Name)
	case p.Common() && p.Attr.Name == "schemas":
		return nil
	case p.Attr.Mutability == ReadOnly:
		return nil
	case t.Members != "" && p.Attr.Name == t.Members && !p.Common():
		doc.HasMembers = true
		doc.Members, err = d.MemberIDs(p.Attr, f.Value)
		return err
	}
	v, err := d.Value(p.Attr, p.Attr.Name, f.Value)
	switch {
	case err != nil:
		return err
	case p.Attr.Returned == ReturnedNever:
		if doc.Secret == nil {
			doc.Secret = scim.Attributes{}
		}
		doc.Secret[p.Attr.Name] = v
	case v == nil:
		doc.Null = append(doc.Null, p.Attr.Name)
	default:
		doc.Attrs[p.Attr.Name] = v
	}
	return nil
}

func (d Decoder) unknown(name string) error {
	if d.Session.Allow(compat.IgnoreUnknownAttributes) {
		return nil
	}
	return scim.InvalidSyntax("%v", &UnknownError{name})
}

// once refuses names that differ only by case: the decoder of JSON has already refused equal ones.
func once(seen map[string]bool, name, path string) error {
	k := strings.ToLower(name)
	if seen[k] {
		return twice(name, path)
	}
	seen[k] = true
	return nil
}

func twice(name, path string) error {
	if path != "" {
		name = path + "." + name
	}
	return scim.InvalidSyntax("attribute %q is given twice", clip(name))
}

// distinct applies once to an object.
func distinct(o scim.Object, path string) error {
	// A hostile body must not cost its square; and only names in ASCII differ by case in as many bytes.
	if len(o) > 32 || slices.ContainsFunc(o, func(f scim.Field) bool { return !isASCII(f.Name) }) {
		seen := make(map[string]bool, len(o))
		for _, f := range o {
			if err := once(seen, f.Name, path); err != nil {
				return err
			}
		}
		return nil
	}
	for i, f := range o { // small objects: comparing with the earlier names beats a map
		for _, e := range o[:i] {
			if len(e.Name) == len(f.Name) && strings.EqualFold(e.Name, f.Name) {
				return twice(f.Name, path)
			}
		}
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// schemas checks the `schemas` attribute and returns it (RFC 7643 3).
func (d Decoder) schemas(t *ResourceType, o scim.Object) ([]string, error) {
	v, ok := o.Get("schemas")
	list, isList := v.([]any)
	if !ok || !isList || len(list) == 0 {
		return nil, scim.InvalidSyntax("schemas: a non-empty array of URIs is required")
	}
	urns := make([]string, 0, len(list))
	base := false
	for _, e := range list {
		u, ok := e.(string)
		if !ok {
			return nil, scim.InvalidSyntax("schemas: every value must be a string")
		}
		switch {
		case strings.EqualFold(u, t.Schema.URN):
			base = true
		case t.extension(u) != nil:
		case !d.Session.Allow(compat.IgnoreUnknownSchemas):
			return nil, scim.InvalidSyntax("schemas: %q is not a schema of %s", clip(u), t.Name)
		}
		urns = append(urns, u)
	}
	if !base {
		return nil, scim.InvalidSyntax("schemas: %s is required", t.Schema.URN)
	}
	return urns, nil
}

func (d Decoder) extension(doc *Document, e *Extension, v any, listed []string) error {
	isListed := false
	for _, u := range listed {
		isListed = isListed || strings.EqualFold(u, e.URN)
	}
	if !isListed && v != nil && !d.Session.Allow(compat.InferExtension) {
		return scim.InvalidSyntax("schemas: %s is used but not listed", e.URN)
	}
	attrs, err := d.Extension(e.Schema, v)
	if err != nil {
		return err
	}
	if len(attrs) > 0 {
		doc.Attrs[e.URN] = attrs
	}
	o, _ := v.(scim.Object)
	for _, f := range o {
		if empty, isList := f.Value.([]any); f.Value != nil && (!isList || len(empty) > 0) {
			continue
		}
		if a := e.Lookup(f.Name); a != nil {
			doc.Null = append(doc.Null, a.under(e.URN, ":"))
		}
	}
	return nil
}

// Extension decodes the object under an extension's URN; readOnly attributes in it are ignored. Nil means that
// nothing in it is assigned.
func (d Decoder) Extension(s *Schema, v any) (scim.Attributes, error) {
	if v == nil {
		return nil, nil
	}
	o, ok := v.(scim.Object)
	if !ok {
		return nil, scim.InvalidValue(s.URN, "must be an object")
	}
	if err := distinct(o, s.URN); err != nil {
		return nil, err
	}
	out := make(scim.Attributes, len(o))
	for _, f := range o {
		a := s.Lookup(f.Name)
		if a == nil {
			if err := d.unknown(s.URN + ":" + f.Name); err != nil {
				return nil, err
			}
			continue
		}
		if a.Mutability == ReadOnly {
			continue
		}
		val, err := d.Value(a, a.under(s.URN, ":"), f.Value)
		if err != nil {
			return nil, err
		}
		if val != nil {
			out[a.Name] = val
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// MemberIDs decodes the value of a members attribute to the ids it names, each once, in order. The element's
// other sub-attributes are derived by the server and ignored.
func (d Decoder) MemberIDs(a *Attribute, v any) ([]string, error) {
	list, err := d.list(a, a.Name, v)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		if o, ok := e.(scim.Object); ok {
			// SCIM 1.1 marks a member for removal by {"operation": "delete"}: to ignore that would add whom the
			// client wants out.
			if _, marked := o.Get("operation"); marked && a.Lookup("operation") == nil {
				return nil, scim.InvalidValue(a.Name+".operation", "is of SCIM 1.1: remove members by a PATCH operation")
			}
		}
		el, err := d.complex(a, a.Name, e)
		if err != nil {
			return nil, err
		}
		id, _ := el["value"].(string)
		if id == "" || len(id) > maxMemberID {
			return nil, scim.InvalidValue(a.Name+".value", "each member needs an id of 1 to %d bytes", maxMemberID)
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// maxMemberID bounds the id of a pending member in bytes; real ids have 36.
const maxMemberID = 256

// SetSchemas sets "schemas" to the core URN and those of the extensions that have content.
func (t *ResourceType) SetSchemas(doc scim.Attributes) {
	urns := t.urns
	if urns == nil { // not registered
		urns = t.boxedURNs()
	}
	list := make([]any, 1, len(urns))
	list[0] = urns[0]
	for i, e := range t.Extensions {
		if x, ok := doc[e.URN].(scim.Attributes); ok && len(x) > 0 {
			list = append(list, urns[i+1])
		} else {
			delete(doc, e.URN)
		}
	}
	doc["schemas"] = list
}

// Value decodes the value of a whole attribute at path: nil for null, [] and a complex value with nothing in it
// (RFC 7643 2.5); []any for a multi-valued one.
func (d Decoder) Value(a *Attribute, path string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if !a.Multi {
		if list, ok := v.([]any); ok {
			if len(list) == 0 {
				return nil, nil
			}
			if len(list) > 1 || a.Kind != query.Complex || !d.Session.Allow(compat.UnwrapSingleElement) {
				return nil, scim.InvalidValue(path, "is single-valued and cannot be an array")
			}
			v = list[0]
		}
		return d.single(a, path, v)
	}
	list, err := d.list(a, path, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		el, err := d.single(a, path, e)
		if err != nil {
			return nil, err
		}
		if el != nil {
			out = append(out, el)
		}
	}
	if d.MaxValues > 0 && len(out) > d.MaxValues {
		return nil, scim.InvalidValue(path, "has more than %d values", d.MaxValues)
	}
	if out, err = d.onePrimary(a, path, out); err != nil {
		return nil, err
	}
	if out = Dedupe(out); len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// list returns the elements of a multi-valued attribute's value.
func (d Decoder) list(a *Attribute, path string, v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	default:
		_, isObject := v.(scim.Object)
		if isObject != (a.Kind == query.Complex) || !d.Session.Allow(compat.WrapSingleValue) {
			return nil, scim.InvalidValue(path, "is multi-valued and must be an array")
		}
		return []any{v}, nil
	}
}

func (d Decoder) onePrimary(a *Attribute, path string, list []any) ([]any, error) {
	if a.Lookup("primary") == nil {
		return list, nil
	}
	found := false
	for _, e := range list {
		el := e.(scim.Attributes)
		if el["primary"] != true {
			continue
		}
		if found {
			if !d.Session.Allow(compat.FirstPrimaryWins) {
				return nil, scim.InvalidValue(path, "more than one value is primary")
			}
			el["primary"] = false
		}
		found = true
	}
	return list, nil
}

// Dedupe drops elements that repeat an earlier one: equal content, or the same (type, value) (RFC 7643 2.4).
func Dedupe(list []any) []any {
	out := list[:0:len(list)]
	for _, e := range list {
		dup := false
		for _, o := range out {
			if SameElement(o, e) {
				dup = true
				break
			}
		}
		if !dup {
			out = append(out, e)
		}
	}
	return out
}

// SameElement reports whether two elements of a multi-valued attribute are one: equal content, or, having a
// value, the same value and type.
func SameElement(a, b any) bool {
	x, ok := a.(scim.Attributes)
	y, ok2 := b.(scim.Attributes)
	if !ok || !ok2 {
		return a == b
	}
	if v, ok := x["value"]; ok && v != nil && y["value"] == v && x["type"] == y["type"] {
		return true
	}
	return scim.Equal(x, y)
}

// Element decodes one element of a multi-valued attribute, or the value of a single-valued one.
func (d Decoder) Element(a *Attribute, path string, v any) (any, error) {
	return d.single(a, path, v)
}

func (d Decoder) single(a *Attribute, path string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if a.Kind != query.Complex {
		return d.Simple(a, path, v)
	}
	el, err := d.complex(a, path, v)
	if err != nil || len(el) == 0 {
		return nil, err
	}
	return el, nil
}

func (d Decoder) complex(a *Attribute, path string, v any) (scim.Attributes, error) {
	o, ok := v.(scim.Object)
	if !ok {
		val := a.Lookup("value")
		if _, isObj := v.([]any); isObj || val == nil || !d.Session.Allow(compat.BareComplexValue) {
			return nil, scim.InvalidValue(path, "must be an object")
		}
		x, err := d.Simple(val, path+".value", v)
		if err != nil {
			return nil, err
		}
		return scim.Attributes{val.Name: x}, nil
	}
	if err := distinct(o, path); err != nil {
		return nil, err
	}
	out := make(scim.Attributes, min(len(o), len(a.Sub)))
	for _, f := range o {
		sub := a.Lookup(f.Name)
		if sub == nil {
			if err := d.unknown(path + "." + f.Name); err != nil {
				return nil, err
			}
			continue
		}
		if sub.Mutability == ReadOnly {
			continue
		}
		val, err := d.Value(sub, sub.under(path, "."), f.Value)
		if err != nil {
			return nil, err
		}
		if val != nil {
			out[sub.Name] = val
		}
	}
	return out, nil
}
