package resources

import (
	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// outcome is what a callback of the store leaves behind for after the call. The store may run the callback again:
// each run starts it over. It may be read only once the call has returned without error, since a call whose context
// ended may leave its callback running.
type outcome struct{ used []compat.Rule }

// join counts the relaxations that a finished callback used.
func (o *outcome) join(s *compat.Session) {
	for _, r := range o.used {
		s.Allow(r)
	}
}

// change starts the change row of a write.
func change(c scim.Caller, op storage.ChangeOp) storage.Change {
	return storage.Change{Op: op, Actor: c.Actor, Request: c.RequestID}
}

// edit is the write that turns the document old into next; nil if nothing is to be stored. secret holds hashes.
func (d *Definition) edit(p compat.Profile, row storage.Change, old, next, secret scim.Attributes, members storage.MemberDelta) *storage.Edit {
	e := &storage.Edit{Secret: secret, Members: members, Change: row}
	changed := old == nil || !scim.Equal(old, next)
	if changed {
		e.Doc, e.Label, e.Unique = next, d.label(next), d.uniqueKeys(p, next)
		e.Change.Values = diff(old, next)
	}
	if !changed && len(secret) == 0 && !members.Replace && len(members.Add)+len(members.Remove) == 0 {
		return nil
	}
	e.Change.Values = append(e.Change.Values, d.secretPaths(secret)...)
	return e
}

// secretPaths names the secrets that a write sets, never their values (see storage.ValueChange).
func (d *Definition) secretPaths(secret scim.Attributes) []storage.ValueChange {
	var list []storage.ValueChange
	for _, a := range d.secrets {
		if _, given := secret[a.Name]; given {
			list = append(list, storage.ValueChange{Path: a.Name})
		}
	}
	return list
}

// memberDelta is what a POST or PUT body does to the members: nothing if it has no members attribute, since clients
// send partial profiles.
func memberDelta(doc *schema.Document) storage.MemberDelta {
	if !doc.HasMembers {
		return storage.MemberDelta{}
	}
	return storage.MemberDelta{Replace: true, Add: doc.Members}
}
