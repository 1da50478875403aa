package resources

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Creation is a new resource on its way into a step that somebody else runs. It is checked as Create checks it.
type Creation struct {
	w *Write
	d *Definition
	e *storage.Edit
}

// NewCreation prepares the creation of a resource with an id that the service's NewID has made. Unlike what clients send,
// attrs may hold readOnly attributes. It runs what a creation runs outside of its step.
func (s *Service) NewCreation(ctx context.Context, c scim.Caller, t scim.TypeName, id string, attrs scim.Attributes) (*Creation, error) {
	d := s.registry.definitions[t]
	w, err := s.newWrite(ctx, c, d, storage.OpCreate, id)
	if err != nil {
		return nil, err
	}
	d.SetSchemas(attrs)
	e, err := s.creation(ctx, w, d, &schema.Document{Attrs: attrs}, s.hashSecrets)
	if err != nil {
		return nil, err
	}
	return &Creation{w, d, e}, nil
}

// Insert stores the resource in the step tx. It may run more than once, as steps do.
func (c *Creation) Insert(ctx context.Context, tx storage.Tx) (*storage.Record, error) {
	return c.d.insertIn(ctx, tx, c.w, c.e)
}
