package resources

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Delete removes a resource (RFC 7644 3.6) and its memberships. Other references to it, such as a manager, are the
// client's and stay as they are.
func (s *Service) Delete(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, pre scim.Precondition) error {
	d, err := s.definition(t)
	if err != nil {
		return err
	}
	k, err := key(c, d, id)
	if err != nil {
		return err
	}
	w, err := s.newWrite(ctx, c, d, storage.OpDelete, k.ID)
	if err != nil {
		return err
	}
	if err := s.remove(ctx, w, d, deletion(c, pre)); err != nil {
		return failed(ctx, c, d, err)
	}
	return nil
}

// deletion is the store's callback of a DELETE. The change row keeps what was deleted.
func deletion(c scim.Caller, pre scim.Precondition) storage.DeleteFunc {
	return func(cur storage.Current) (storage.Change, error) {
		rec := cur.Record()
		if err := pre.Check(rec.Version); err != nil {
			return storage.Change{}, err
		}
		old, err := scim.DecodeAttributes(rec.Doc)
		if err != nil {
			return storage.Change{}, err
		}
		row := change(c, storage.OpDelete)
		row.Values = diff(old, nil)
		return row, nil
	}
}
