package resources

import (
	"context"
	"slices"

	"rollcall/scim"
	"rollcall/scim/patch"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Patch applies a compiled PATCH whole or not at all (RFC 7644 3.5.2), in one call of the store. A client that named
// a version gets 412 if the resource has another; one that did not never sees that it raced with others.
func (s *Service) Patch(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition, plan *patch.Plan, load query.Load) (*scim.Resource, error) {
	d, err := s.definition(t)
	if err != nil {
		return nil, err
	}
	k, err := key(c, d, id)
	if err != nil {
		return nil, err
	}
	secret, err := s.hashSecrets(ctx, plan.Secret())
	if err != nil {
		return nil, err
	}
	w, err := s.newWrite(ctx, c, d, storage.OpPatch, k.ID)
	if err != nil {
		return nil, err
	}
	var out outcome
	rec, err := s.update(ctx, w, d, d.patching(w, pre, plan, secret, &out))
	if err != nil {
		return nil, failed(ctx, c, d, err)
	}
	out.join(c.Compat)
	return s.answer(ctx, c, d, rec, load)
}

// patching is the store's callback of a PATCH. A plan about members alone touches neither the document nor the
// members that it does not name: it costs the same whatever the size of the group.
func (d *Definition) patching(w *Write, pre scim.Precondition, plan *patch.Plan, secret scim.Attributes, out *outcome) storage.UpdateFunc {
	c, p := w.Caller, w.Caller.Compat.Profile()
	return func(cur storage.Current) (*storage.Edit, error) {
		*out = outcome{}
		rec := cur.Record()
		if err := pre.Check(rec.Version); err != nil {
			return nil, err
		}
		var old scim.Attributes
		if !plan.MembersOnly() {
			var err error
			if old, err = scim.DecodeAttributes(rec.Doc); err != nil {
				return nil, err
			}
		}
		res, err := plan.Apply(old, func() ([]scim.Attributes, error) { return elements(cur) })
		if err != nil {
			return nil, err
		}
		out.used = res.Used
		next := old
		if res.Changed {
			next = res.Doc
			out.used = append(slices.Clip(out.used), d.normalize(p, next)...)
			if err := d.checkUpdate(w, old, next, rec.Secret, nil); err != nil {
				return nil, err
			}
			if err := d.Validate(next); err != nil {
				return nil, err
			}
		}
		var members storage.MemberDelta
		if res.HasMembers {
			members = storage.MemberDelta(res.Members)
		}
		if old == nil { // members only
			return memberEdit(change(c, storage.OpPatch), members), nil
		}
		return d.edit(p, change(c, storage.OpPatch), old, next, secret, members), nil
	}
}

// memberEdit is a write of members alone.
func memberEdit(row storage.Change, m storage.MemberDelta) *storage.Edit {
	if !m.Replace && len(m.Add)+len(m.Remove) == 0 {
		return nil
	}
	return &storage.Edit{Members: m, Change: row}
}

// elements are the members as the elements of the members attribute.
func elements(cur storage.Current) ([]scim.Attributes, error) {
	members, err := cur.Members()
	if err != nil {
		return nil, err
	}
	list := make([]scim.Attributes, len(members))
	for i, m := range members {
		el := scim.Attributes{"value": m.ID}
		if m.Type != "" {
			el["type"] = string(m.Type)
		}
		if m.Display != "" {
			el["display"] = m.Display
		}
		list[i] = el
	}
	return list, nil
}
