package resources

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Replace is PUT (RFC 7644 3.5.1). What the body leaves out is cleared, but for members, secrets and what the type
// keeps; null and [] clear those as well. A body that changes nothing keeps version and lastModified.
func (s *Service) Replace(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition, doc *schema.Document, load query.Load) (*scim.Resource, error) {
	d, err := s.definition(t)
	if err != nil {
		return nil, err
	}
	k, err := key(c, d, id)
	if err != nil {
		return nil, err
	}
	// Outside the store's callback: hashing takes long, and by a new salt it is not pure. A password that is sent
	// is therefore always a change.
	secret, err := s.hashSecrets(ctx, doc.Secret)
	if err != nil {
		return nil, err
	}
	w, err := s.newWrite(ctx, c, d, storage.OpReplace, k.ID)
	if err != nil {
		return nil, err
	}
	var out outcome
	rec, err := s.update(ctx, w, d, d.replacement(w, pre, doc, secret, &out))
	if err != nil {
		return nil, failed(ctx, c, d, err)
	}
	out.join(c.Compat)
	return s.answer(ctx, c, d, rec, load)
}

// replacement is the store's callback of a PUT.
func (d *Definition) replacement(w *Write, pre scim.Precondition, doc *schema.Document, secret scim.Attributes, out *outcome) storage.UpdateFunc {
	c, p := w.Caller, w.Caller.Compat.Profile()
	return func(cur storage.Current) (*storage.Edit, error) {
		*out = outcome{}
		rec := cur.Record()
		if err := pre.Check(rec.Version); err != nil {
			return nil, err
		}
		old, err := scim.DecodeAttributes(rec.Doc)
		if err != nil {
			return nil, err
		}
		next, err := d.ResourceType.Replace(old, doc)
		if err != nil {
			return nil, err
		}
		out.used = d.normalize(p, next)
		if err := d.checkUpdate(w, old, next, rec.Secret, doc.Null); err != nil {
			return nil, err
		}
		if err := d.Validate(next); err != nil {
			return nil, err
		}
		return d.edit(p, change(c, storage.OpReplace), old, next, secret, memberDelta(doc)), nil
	}
}
