package patch

import (
	"maps"
	"slices"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Apply carries out the plan on a canonical document, operation after operation, each on the result of the one
// before (RFC 7644 3.5.2). doc is never modified: on an error nothing has happened. It may be nil if the plan is
// MembersOnly. The result is not validated as a whole, which schema.ResourceType.Validate does.
func (p *Plan) Apply(doc scim.Attributes, members MemberSource) (Result, error) {
	a := applier{plan: p, source: members}
	hasMembers := false
	for i := range p.ops {
		op := &p.ops[i]
		var err error
		if p.isMembers(op.path) {
			hasMembers = true
			err = a.memberOp(op)
		} else {
			a.begin(doc)
			err = a.apply(op)
		}
		if err != nil {
			return Result{}, err
		}
	}
	r := Result{Doc: doc, HasMembers: hasMembers, Secret: p.Secret(), Used: a.used}
	if hasMembers {
		r.Members = a.members.change()
	}
	if a.finish(doc) {
		r.Doc, r.Changed = a.doc, true
	}
	return r, nil
}

// applier is the state of one application. The new document shares with the old one what no operation touched.
type applier struct {
	plan    *Plan
	doc     scim.Attributes // shallow copy of the old document; nil until an operation needs it
	owned   []owned         // what of doc is not shared any more
	used    []compat.Rule
	members pending
	source  MemberSource
	loaded  map[string]scim.Attributes // members by id, once the source was asked
	order   []string                   // their ids in order
}

// owned names an attribute whose value was copied before it was changed. A nil attribute is an extension's object.
type owned struct {
	schema *schema.Schema
	attr   *schema.Attribute
}

func (a *applier) begin(doc scim.Attributes) {
	if a.doc != nil {
		return
	}
	a.doc = make(scim.Attributes, len(doc)+2)
	maps.Copy(a.doc, doc)
}

func (a *applier) use(r compat.Rule) {
	if !slices.Contains(a.used, r) {
		a.used = append(a.used, r)
	}
}

// own reports whether the value at o was the applier's own already, and makes it so.
func (a *applier) own(o owned) bool {
	if slices.Contains(a.owned, o) {
		return true
	}
	a.owned = append(a.owned, o)
	return false
}

// container returns the object that holds the attribute of p, writable.
func (a *applier) container(p schema.Path) scim.Attributes {
	if !p.Extension {
		return a.doc
	}
	urn := p.Schema.URN
	x, _ := a.doc[urn].(scim.Attributes)
	if a.own(owned{schema: p.Schema}) && x != nil {
		return x
	}
	c := make(scim.Attributes, len(x)+1)
	maps.Copy(c, x)
	a.doc[urn] = c
	return c
}

// apply carries out one operation on an attribute of the document.
func (a *applier) apply(op *operation) error {
	if op.path.Attr == nil {
		return a.removeExtension(op.path.Schema)
	}
	c := a.container(op.path)
	attr := op.path.Attr
	old := c[attr.Name]
	var before any
	if attr.Mutability == schema.Immutable {
		before = scim.Clone(old)
	}
	if !a.own(owned{op.path.Schema, attr}) {
		old = scim.Clone(old)
	}
	v, err := a.value(op, old)
	if err != nil {
		return err
	}
	// An immutable attribute may be given a value while it has none, and the same again (RFC 7643 2.2).
	if before != nil && !scim.Equal(before, v) {
		return scim.Mutability(op.path.String(), "is immutable and has a value")
	}
	if v == nil {
		if attr.Required && op.kind == remove && old != nil {
			return scim.Mutability(op.path.String(), "is required and cannot be removed")
		}
		delete(c, attr.Name)
		return nil
	}
	c[attr.Name] = v
	return nil
}

// removeExtension takes away what a client may take away: the server's own attributes stay.
func (a *applier) removeExtension(s *schema.Schema) error {
	c := a.container(schema.Path{Schema: s, Extension: true})
	for _, attr := range s.Attributes {
		if _, has := c[attr.Name]; !has || attr.Mutability == schema.ReadOnly {
			continue
		}
		if attr.Mutability == schema.Immutable {
			return scim.Mutability(s.URN+":"+attr.Name, "is immutable and has a value")
		}
		a.own(owned{s, attr})
		delete(c, attr.Name)
	}
	return nil
}

// value returns what op makes of the attribute's value old, which it may modify; nil is unassigned.
func (a *applier) value(op *operation, old any) (any, error) {
	attr := op.path.Attr
	switch {
	case attr.Multi:
		list, _ := old.([]any)
		list, err := a.list(op, list)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return list, nil
	case op.path.Sub != nil:
		el, _ := old.(scim.Attributes)
		if el == nil {
			el = scim.Attributes{}
		}
		if err := setSub(op, el, op.path.Sub, op.value); err != nil {
			return nil, err
		}
		return element(el), nil
	case op.kind == remove || op.value == nil:
		return nil, nil
	case attr.Kind == query.Complex:
		el, _ := old.(scim.Attributes)
		if el == nil {
			el = scim.Attributes{}
		}
		if err := merge(op, el); err != nil {
			return nil, err
		}
		return element(el), nil
	}
	return op.value, nil
}

// element is a complex value; one with nothing in it is unassigned (RFC 7643 2.5).
func element(el scim.Attributes) any {
	if len(el) == 0 {
		return nil
	}
	return el
}

// merge puts the sub-attributes of the operation's value into el and leaves the others (RFC 7644 3.5.2.1, 3.5.2.3).
func merge(op *operation, el scim.Attributes) error {
	given, _ := op.value.(scim.Attributes)
	for _, s := range op.path.Attr.Sub {
		if v, ok := given[s.Name]; ok {
			if err := setSub(op, el, s, v); err != nil {
				return err
			}
		}
	}
	for _, name := range op.clear {
		if err := setSub(op, el, op.path.Attr.Lookup(name), nil); err != nil {
			return err
		}
	}
	return nil
}

// setSub assigns one sub-attribute of el, un-assigns it if the operation removes or v is nil.
func setSub(op *operation, el scim.Attributes, s *schema.Attribute, v any) error {
	old, has := el[s.Name]
	if op.kind == remove {
		v = nil
	}
	if has && s.Mutability == schema.Immutable && !scim.Equal(old, v) {
		return scim.Mutability(op.path.Attr.Name+"."+s.Name, "is immutable and has a value")
	}
	switch list, _ := old.([]any); {
	case v == nil && (op.kind != add || !s.Multi):
		delete(el, s.Name)
	case v == nil: // adding nothing to a list
	case s.Multi && op.kind == add:
		more, _ := scim.Clone(v).([]any)
		el[s.Name] = schema.Dedupe(append(list, more...))
	default:
		el[s.Name] = scim.Clone(v)
	}
	return nil
}

// finish settles the new document and reports whether it differs from the old one: a request that changes nothing
// must not make a new version (RFC 7644 3.5.2.1).
func (a *applier) finish(old scim.Attributes) bool {
	changed := false
	for _, o := range a.owned {
		if o.attr == nil {
			continue
		}
		was, now := old, a.doc
		if o.schema.URN != "" && o.schema != a.plan.rt.Schema {
			was, _ = old[o.schema.URN].(scim.Attributes)
			now, _ = a.doc[o.schema.URN].(scim.Attributes)
		}
		x, had := was[o.attr.Name]
		y, has := now[o.attr.Name]
		if had != has || !scim.Equal(x, y) {
			changed = true
			break
		}
	}
	if changed {
		a.plan.rt.SetSchemas(a.doc)
	}
	return changed
}
