package patch

import (
	"errors"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/filter"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

type compiler struct {
	rt      *schema.ResourceType
	session *compat.Session
	decoder schema.Decoder
	ops     []operation
	secret  scim.Attributes
	wrote   []string
}

// resolve finds the target of a path without a value filter.
func (c *compiler) resolve(text string) (schema.Path, error) {
	p, err := c.rt.ParsePath(text, c.session)
	if err != nil {
		var unknown *schema.UnknownError
		if text == "" || !errors.As(err, &unknown) || strings.ContainsAny(text, "\" ]()") {
			return p, scim.InvalidPath("the path is not an attribute path")
		}
		return p, scim.InvalidPath("%v", err)
	}
	return p, nil
}

// pathless makes one operation of each member of the value, in their order (RFC 7644 3.5.2.1, 3.5.2.3).
func (c *compiler) pathless(k kind, value any) error {
	o, ok := value.(scim.Object)
	if !ok {
		return scim.InvalidValue("value", "without a path it must be an object of attributes")
	}
	if err := distinct(o); err != nil {
		return err
	}
	for _, f := range o {
		if err := c.key(k, f); err != nil {
			return err
		}
	}
	return nil
}

// distinct refuses names that differ only by case: which of them is meant is anyone's guess.
func distinct(o scim.Object) error {
	seen := make(map[string]bool, len(o))
	for _, f := range o {
		name := strings.ToLower(f.Name)
		if seen[name] {
			return scim.InvalidSyntax("value: an attribute is given twice")
		}
		seen[name] = true
	}
	return nil
}

// key compiles one member of a path-less value: an attribute, an extension's URN with an object, or, as a
// relaxation, what would be a path: `name.givenName`, `urn:..:User:department`, `emails[type eq "work"].value`.
func (c *compiler) key(k kind, f scim.Field) error {
	if strings.IndexByte(f.Name, '[') >= 0 {
		if !c.session.Allow(compat.DottedKeys) {
			return scim.InvalidPath("value: a name in it is not an attribute name")
		}
		return c.filtered(k, f.Name, f.Value)
	}
	if strings.EqualFold(f.Name, c.rt.Schema.URN) && c.session.Allow(compat.DottedKeys) {
		return c.pathless(k, f.Value)
	}
	p, err := c.resolve(f.Name)
	if err != nil {
		if c.session.Allow(compat.IgnoreUnknownAttributes) {
			return nil
		}
		return err
	}
	if p.Attr != nil && strings.ContainsAny(f.Name, ".:") && !c.session.Allow(compat.DottedKeys) {
		return scim.InvalidPath("value: a name in it is not an attribute name")
	}
	return c.inValue(k, p, f.Value)
}

// inValue compiles an attribute inside a path-less value. The server's own attributes there are what the client
// read before, Okta sends the id back: they are ignored, where a path that names one is an error.
func (c *compiler) inValue(k kind, p schema.Path, value any) error {
	if p.Attr != nil && readOnly(p) {
		if c.session.Allow(compat.IgnoreReadOnlyInValue) {
			return nil
		}
		return scim.Mutability(p.String(), "is readOnly")
	}
	return c.attribute(k, p, value, true)
}

func readOnly(p schema.Path) bool {
	return p.Attr.Mutability == schema.ReadOnly || p.Sub != nil && p.Sub.Mutability == schema.ReadOnly
}

// attribute compiles an operation on a target without a value filter.
func (c *compiler) attribute(k kind, p schema.Path, value any, hasValue bool) error {
	switch {
	case p.Attr == nil:
		return c.extension(k, p, value)
	case readOnly(p):
		return scim.Mutability(p.String(), "is readOnly")
	case p.Common() && p.Attr.Name == "schemas":
		return c.schemasAttribute(k, value)
	case isMembers(c.rt, p):
		return c.membersOp(k, p, value, hasValue)
	}
	c.note(p)
	op := operation{kind: k, path: p}
	var err error
	if k == remove {
		err = c.removal(&op, value)
	} else {
		err = c.assignment(&op, value)
	}
	if err != nil {
		return err
	}
	if p.Attr.Returned == schema.ReturnedNever && !p.Extension {
		if c.secret == nil {
			c.secret = scim.Attributes{}
		}
		c.secret[p.Attr.Name] = op.value
		return nil
	}
	c.ops = append(c.ops, op)
	return nil
}

// note remembers that the client wrote p.
func (c *compiler) note(p schema.Path) {
	if s := p.String(); !slices.Contains(c.wrote, s) {
		c.wrote = append(c.wrote, s)
	}
}

// assignment decodes the value of an add or replace.
func (c *compiler) assignment(op *operation, value any) error {
	t, path := op.path.Target(), op.path.String()
	if op.kind == add && t.Multi {
		value = oneElement(t, value)
	}
	v, err := c.decoder.Value(t, path, value)
	if err != nil {
		return err
	}
	op.value = v
	if v == nil && t.Required && op.kind == replace {
		return scim.InvalidValue(path, "is required")
	}
	if t.Kind != query.Complex || t.Multi {
		return nil
	}
	if o, ok := object(value); ok {
		op.clear = nulls(t, o)
		if v == nil {
			op.value = scim.Attributes{} // {} merges nothing, it is not null
		}
	}
	// {"value": ""} is how Entra clears a manager; a complex value without its significant part says nothing.
	if el, ok := op.value.(scim.Attributes); ok && el["value"] == "" {
		if !c.session.Allow(compat.NullReference) {
			return scim.InvalidValue(path+".value", "is empty")
		}
		op.value, op.clear = nil, nil
		if t.Required {
			return scim.InvalidValue(path, "is required")
		}
	}
	return nil
}

// oneElement makes an array of the single element that an add may carry (RFC 7644 3.5.2.1).
func oneElement(t *schema.Attribute, value any) any {
	_, isObject := value.(scim.Object)
	if _, isList := value.([]any); isList || value == nil || isObject != (t.Kind == query.Complex) {
		return value
	}
	return []any{value}
}

// object returns the object that a complex value was given as, taken out of a one-element array if need be: the
// decoder has allowed that already.
func object(value any) (scim.Object, bool) {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	o, ok := value.(scim.Object)
	return o, ok
}

// nulls are the sub-attributes of t that o un-assigns.
func nulls(t *schema.Attribute, o scim.Object) []string {
	var names []string
	for _, f := range o {
		empty, isList := f.Value.([]any)
		if f.Value != nil && (!isList || len(empty) > 0) {
			continue
		}
		if s := t.Lookup(f.Name); s != nil && s.Mutability != schema.ReadOnly {
			names = append(names, s.Name)
		}
	}
	return names
}

// removal checks a remove without a value filter (RFC 7644 3.5.2.2). The RFC gives it no value; a client that
// sends one means the listed elements, and taking that for all of them would empty the attribute.
func (c *compiler) removal(op *operation, value any) error {
	t, path := op.path.Target(), op.path.String()
	if value != nil {
		if !c.session.Allow(compat.RemoveWithValue) {
			return scim.InvalidValue(path, "a remove operation has no value")
		}
		if op.path.Sub == nil && op.path.Attr.Multi {
			list, err := c.listed(op.path, value)
			op.listed = list
			return err
		}
	}
	if t.Required {
		return scim.Mutability(path, "is required and cannot be removed")
	}
	return nil
}

// listed decodes the elements that a remove names. It is not nil, so that an empty list removes nothing.
func (c *compiler) listed(p schema.Path, value any) ([]any, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	out := make([]any, 0, len(list))
	for _, v := range list {
		el, err := c.decoder.Element(p.Attr, p.String(), v)
		if err != nil {
			return nil, err
		}
		if el == nil {
			return nil, scim.InvalidValue(p.String(), "an element to remove is empty")
		}
		out = append(out, el)
	}
	return out, nil
}

// schemasAttribute accepts a change of `schemas` that the resource type allows and forgets it: the attribute
// follows from what the document holds.
func (c *compiler) schemasAttribute(k kind, value any) error {
	if k == remove {
		return scim.Mutability("schemas", "is required and cannot be removed")
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		urn, ok := v.(string)
		if !ok {
			return scim.InvalidValue("schemas", "every value must be a string")
		}
		p, err := c.rt.ParsePath(urn, nil)
		known := err == nil && p.Attr == nil || strings.EqualFold(urn, c.rt.Schema.URN)
		if !known && !c.session.Allow(compat.IgnoreUnknownSchemas) {
			return scim.InvalidValue("schemas", "a value is not a schema of %s", c.rt.Name)
		}
	}
	return nil
}

// extension compiles an operation on a whole extension: add and replace are operations on what the object holds,
// as a complex attribute's are (RFC 7644 3.5.2.3), null and remove take the extension away.
func (c *compiler) extension(k kind, p schema.Path, value any) error {
	urn := p.Schema.URN
	if k == remove || value == nil {
		return c.removeExtension(k, p, value)
	}
	o, ok := value.(scim.Object)
	if !ok {
		return scim.InvalidValue(urn, "must be an object")
	}
	if err := distinct(o); err != nil {
		return err
	}
	for _, f := range o {
		q := schema.Path{Schema: p.Schema, Extension: true, Attr: p.Schema.Lookup(f.Name)}
		if q.Attr == nil {
			if c.session.Allow(compat.IgnoreUnknownAttributes) {
				continue
			}
			return scim.InvalidPath("%v", &schema.UnknownError{Name: urn + ":" + f.Name})
		}
		if err := c.inValue(k, q, f.Value); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) removeExtension(k kind, p schema.Path, value any) error {
	if k == add {
		return nil // adding nothing
	}
	if value != nil && !c.session.Allow(compat.RemoveWithValue) {
		return scim.InvalidValue(p.Schema.URN, "a remove operation has no value")
	}
	for _, a := range p.Schema.Attributes {
		if a.Required {
			return scim.Mutability(p.Schema.URN+":"+a.Name, "is required and cannot be removed")
		}
	}
	for _, e := range c.rt.Extensions {
		if e.Schema == p.Schema && e.Required {
			return scim.Mutability(p.Schema.URN, "is required and cannot be removed")
		}
	}
	c.note(p)
	c.ops = append(c.ops, operation{kind: remove, path: p})
	return nil
}

// filtered compiles an operation on a path with a value filter: `emails[type eq "work"].value`.
func (c *compiler) filtered(k kind, text string, value any) error {
	parsed, err := filter.ParsePath(text, filter.Limits{})
	if err != nil {
		return err
	}
	a := parsed.AttributePath
	p, err := c.rt.Resolve(a.URI(), a.AttributeName, a.SubAttributeName(), c.session)
	if err != nil {
		return scim.InvalidPath("%v", err)
	}
	if parsed.ValueExpression == nil {
		return scim.InvalidPath("the path is not an attribute path")
	}
	if p.Sub != nil || !p.Attr.Multi {
		return scim.InvalidPath("%s: a value filter needs a multi-valued attribute", p)
	}
	where, err := filter.CompileElement(p, parsed.ValueExpression, c.session)
	if err != nil {
		return err
	}
	op := operation{kind: k, path: p, where: where}
	if name := parsed.SubAttributeName(); name != "" {
		if op.path.Sub = p.Attr.Lookup(name); op.path.Sub == nil {
			return scim.InvalidPath("%v", &schema.UnknownError{Name: p.String() + "." + name})
		}
	}
	if readOnly(op.path) {
		return scim.Mutability(op.path.String(), "is readOnly")
	}
	if p.Common() {
		return scim.Mutability(p.String(), "cannot be changed through a value filter")
	}
	if isMembers(c.rt, p) {
		return c.membersWhere(op, value)
	}
	c.note(op.path)
	if k == remove {
		if err := c.removalWhere(op, value); err != nil {
			return err
		}
	} else {
		terms, _ := filter.EqTerms(parsed.ValueExpression)
		if err := c.assignmentWhere(&op, terms, value); err != nil {
			return err
		}
	}
	c.ops = append(c.ops, op)
	return nil
}

// removalWhere: the filter says what is removed; a value beside it is of no use, but Entra's kind of clients send
// one.
func (c *compiler) removalWhere(op operation, value any) error {
	if value != nil && !c.session.Allow(compat.RemoveWithValue) {
		return scim.InvalidValue(op.path.String(), "a remove operation has no value")
	}
	if op.path.Sub != nil && op.path.Sub.Required {
		return scim.Mutability(op.path.String(), "is required and cannot be removed")
	}
	return nil
}
