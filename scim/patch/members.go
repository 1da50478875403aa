package patch

import (
	"errors"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// Members are a relation that no document holds (RFC 7643 4.2): operations on them become a change of ids, so that
// adding one to a large group costs what adding one to an empty group costs. Only a value filter that asks more
// than ids needs the group's members.

// memberOperation is what one operation means for the members relation.
type memberOperation struct {
	all bool     // remove: every member
	ids []string // to add, to replace with, or to remove
}

// membersOp compiles an operation on `members` without a value filter.
func (c *compiler) membersOp(k kind, p schema.Path, value any, hasValue bool) error {
	if p.Sub != nil {
		return immutableMember(p)
	}
	c.note(p)
	op := operation{kind: k, path: p}
	if k == remove && !hasValue {
		op.members.all = true
		c.ops = append(c.ops, op)
		return nil
	}
	if k == remove {
		// Entra's default format. Read literally it would empty the group (RFC 7644 3.5.2.2 knows no value).
		if value == nil {
			return scim.InvalidValue(p.String(), "name the members to remove, or give no value to remove all")
		}
		if !c.session.Allow(compat.RemoveWithValue) {
			return scim.InvalidValue(p.String(), "a remove operation has no value")
		}
	}
	if k != replace {
		value = oneElement(p.Attr, value)
	}
	ids, err := c.decoder.MemberIDs(p.Attr, value)
	if err != nil {
		return err
	}
	if len(ids) == 0 && p.Attr.Required && k == replace {
		return scim.InvalidValue(p.String(), "is required")
	}
	op.members.ids = ids
	c.ops = append(c.ops, op)
	return nil
}

func immutableMember(p schema.Path) error {
	return scim.Mutability(p.String(), "a member cannot be changed: remove it and add another")
}

// membersWhere compiles an operation on `members[..]`.
func (c *compiler) membersWhere(op operation, value any) error {
	if op.path.Sub != nil {
		return immutableMember(op.path)
	}
	if asksReference(op.where) {
		return scim.InvalidFilter("%s.$ref: is derived by the server: select members by value", op.path)
	}
	c.note(op.path)
	direct, isDirect := directIDs(nil, op.where)
	switch op.kind {
	case remove:
		if err := c.removalWhere(op, value); err != nil {
			return err
		}
		if isDirect {
			op.where, op.members.ids = nil, direct
		}
	default:
		value = oneElement(op.path.Attr, value)
		ids, err := c.decoder.MemberIDs(op.path.Attr, value)
		if err != nil {
			return err
		}
		if len(ids) != 1 {
			return scim.InvalidValue(op.path.String(), "the value must be one member")
		}
		op.members.ids = ids
		// What the filter describes is created if it is not there; that is the member itself.
		op.create = isDirect && slices.Equal(direct, ids) && (op.kind == add || c.session.Has(compat.CreateOnReplace))
	}
	c.ops = append(c.ops, op)
	return nil
}

// directIDs collects the ids of `value eq "a" or value eq "b"`; false if the filter asks anything else.
func directIDs(ids []string, e query.Expr) ([]string, bool) {
	switch e := e.(type) {
	case query.Compare:
		if e.Op == query.Eq && e.Field.CaseExact && e.Field.LocalName() == "value" {
			return append(ids, e.Value.Str), true
		}
	case query.Or:
		for _, t := range e {
			var ok bool
			if ids, ok = directIDs(ids, t); !ok {
				return nil, false
			}
		}
		return ids, true
	default:
	}
	return nil, false
}

// asksReference reports whether a filter compares `$ref`, which no element holds.
func asksReference(e query.Expr) bool {
	switch e := e.(type) {
	case query.And:
		return slices.ContainsFunc(e, asksReference)
	case query.Or:
		return slices.ContainsFunc(e, asksReference)
	case query.Not:
		return asksReference(e.Expr)
	case query.Compare:
		return strings.HasSuffix(e.Field.Path, ".$ref")
	case query.Present:
		return strings.HasSuffix(e.Field.Path, ".$ref")
	default:
		return false
	}
}

// pending is the change of members so far. Added and removed ids are disjoint; the order of adding is kept.
type pending struct {
	replace bool
	added   []string
	state   map[string]bool // id: true added, false removed
}

func (p *pending) set(id string, added bool) {
	was, known := p.state[id]
	if known && was == added {
		return
	}
	if p.state == nil {
		p.state = map[string]bool{}
	}
	p.state[id] = added
	if added {
		// An id that was added, removed and is added again may stand in added twice; change sorts it out.
		p.added = append(p.added, id)
	}
}

// reset forgets what was and says that the members are the ones added from now on.
func (p *pending) reset() { *p = pending{replace: true} }

// change is what the pending operations come to.
func (p *pending) change() MemberChange {
	m := MemberChange{Replace: p.replace}
	seen := make(map[string]bool, len(p.added))
	for _, id := range p.added {
		if p.state[id] && !seen[id] {
			seen[id] = true
			m.Add = append(m.Add, id)
		}
	}
	if p.replace {
		return m
	}
	for id, added := range p.state {
		if !added {
			m.Remove = append(m.Remove, id)
		}
	}
	slices.Sort(m.Remove)
	return m
}

// memberOp applies one operation on members to the pending change.
func (a *applier) memberOp(op *operation) error {
	m := &a.members
	if op.where != nil {
		return a.memberWhere(op)
	}
	if op.members.all || op.kind == replace {
		m.reset()
	}
	for _, id := range op.members.ids {
		m.set(id, op.kind != remove)
	}
	return nil
}

// memberWhere applies an operation on the members that a filter selects.
func (a *applier) memberWhere(op *operation) error {
	matches, err := a.selectMembers(op.where)
	if err != nil {
		return err
	}
	switch op.kind {
	case remove:
		for _, id := range matches {
			a.members.set(id, false)
		}
		return nil
	case add:
		// Merging into a member can only repeat what it is.
		if len(matches) > 0 && !slices.Equal(matches, op.members.ids) {
			return immutableMember(op.path)
		}
	case replace:
	}
	if len(matches) == 0 {
		if !op.create {
			return scim.NoTarget("%s: no member matches the filter", op.path)
		}
		if op.kind == replace {
			a.use(compat.CreateOnReplace)
		}
	}
	for _, id := range matches {
		a.members.set(id, false)
	}
	a.members.set(op.members.ids[0], true)
	return nil
}

// selectMembers returns the ids of the members, as the operations so far leave them, that where matches. Of a
// member that this very request adds no more than its id is known.
func (a *applier) selectMembers(where query.Expr) ([]string, error) {
	if a.loaded == nil {
		if a.source == nil {
			return nil, errors.New("patch: the plan needs the group's members and was given no source")
		}
		list, err := a.source()
		if err != nil {
			return nil, err
		}
		a.loaded = make(map[string]scim.Attributes, len(list))
		a.order = make([]string, 0, len(list))
		for _, el := range list {
			id, _ := el["value"].(string)
			a.loaded[id] = el
			a.order = append(a.order, id)
		}
	}
	var ids []string
	for _, id := range a.order {
		added, known := a.members.state[id]
		if known && !added || a.members.replace && !added {
			continue
		}
		if query.Match(where, a.loaded[id]) {
			ids = append(ids, id)
		}
	}
	for _, id := range a.members.change().Add {
		if a.loaded[id] == nil && query.Match(where, scim.Attributes{"value": id}) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
