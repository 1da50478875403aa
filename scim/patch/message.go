package patch

import (
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/schema"
)

// Compile reads a PatchOp message (RFC 7644 3.5.2), a raw tree of scim.ParseJSON. What the schema alone can refuse
// is refused here: malformed messages are invalidSyntax, paths that name nothing invalidPath, values that do not
// fit invalidValue, readOnly targets mutability, a remove without a path noTarget.
func Compile(rt *schema.ResourceType, body any, opt Options) (*Plan, error) {
	message, ok := body.(scim.Object)
	if !ok {
		return nil, scim.InvalidSyntax("the body is not a JSON object")
	}
	c := &compiler{rt: rt, session: opt.Session, decoder: schema.Decoder{Session: opt.Session, MaxValues: opt.MaxValues}}
	if err := c.schemas(message); err != nil {
		return nil, err
	}
	list, err := c.list(message, opt.MaxOperations)
	if err != nil {
		return nil, err
	}
	c.ops = make([]operation, 0, len(list))
	for _, v := range list {
		if err := c.operation(v); err != nil {
			return nil, err
		}
	}
	return &Plan{rt: rt, ops: c.ops, secret: c.secret, wrote: c.wrote, maxValues: opt.MaxValues}, nil
}

// member returns a member of the message or of an operation. Their names are exact; OpCase relaxes that.
func (c *compiler) member(o scim.Object, name string) (any, bool) {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value, true
		}
	}
	if v, ok := o.Get(name); ok && c.session.Allow(compat.OpCase) {
		return v, true
	}
	return nil, false
}

// spelled refuses an object in which one of the names is spelled in another case. To ignore such a member as an unknown one
// would make an operation with a "Path" one on the whole resource.
func (c *compiler) spelled(o scim.Object, names ...string) error {
	if c.session.Has(compat.OpCase) {
		return nil
	}
	for i := range o {
		for _, name := range names {
			if o[i].Name != name && strings.EqualFold(o[i].Name, name) {
				return scim.InvalidSyntax("%s: the name must be in this spelling", name)
			}
		}
	}
	return nil
}

func (c *compiler) schemas(message scim.Object) error {
	v, _ := c.member(message, "schemas")
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok && strings.EqualFold(s, scim.MessagePatchOp) {
			return nil
		}
	}
	return scim.InvalidSyntax("schemas: %s is required", scim.MessagePatchOp)
}

func (c *compiler) list(message scim.Object, limit int) ([]any, error) {
	v, ok := c.member(message, "Operations")
	list, isList := v.([]any)
	switch {
	case !ok:
		return nil, scim.InvalidSyntax("Operations: is required")
	case !isList:
		return nil, scim.InvalidSyntax("Operations: must be an array")
	case len(list) == 0 && !c.session.Allow(compat.EmptyOperations):
		return nil, scim.InvalidSyntax("Operations: at least one operation is required")
	case limit > 0 && len(list) > limit:
		return nil, scim.TooLarge("Operations: more than %d operations", limit)
	}
	return list, nil
}

func (c *compiler) operation(v any) error {
	o, ok := v.(scim.Object)
	if !ok {
		return scim.InvalidSyntax("Operations: each operation must be an object")
	}
	if err := c.spelled(o, "op", "path", "value"); err != nil {
		return err
	}
	k, err := c.kind(o)
	if err != nil {
		return err
	}
	value, hasValue := c.member(o, "value")
	if !hasValue && k != remove {
		return scim.InvalidValue("value", "add and replace need a value")
	}
	path, hasPath := c.member(o, "path")
	if !hasPath || path == nil {
		if k == remove {
			return scim.NoTarget("a remove operation needs a path")
		}
		return c.pathless(k, value)
	}
	text, ok := path.(string)
	if !ok {
		return scim.InvalidPath("path must be a string")
	}
	text = strings.TrimSpace(text)
	switch {
	case strings.EqualFold(text, c.rt.Schema.URN):
		// The core schema's URN alone: the resource's own attributes, as for an extension's.
		if k == remove {
			return scim.NoTarget("a remove operation needs the path of an attribute")
		}
		return c.pathless(k, value)
	case strings.IndexByte(text, '[') >= 0:
		return c.filtered(k, text, value)
	}
	p, err := c.resolve(text)
	if err != nil {
		return err
	}
	return c.attribute(k, p, value, hasValue)
}

func (c *compiler) kind(o scim.Object) (kind, error) {
	v, _ := c.member(o, "op")
	s, ok := v.(string)
	if ok {
		for k, name := range [...]string{add: "add", replace: "replace", remove: "remove"} {
			if s == name {
				return kind(k), nil
			}
			if strings.EqualFold(s, name) && c.session.Allow(compat.OpCase) {
				c.session.RecognizeEntra() // no other client capitalizes
				return kind(k), nil
			}
		}
	}
	return 0, scim.InvalidSyntax("op: must be add, replace or remove")
}
