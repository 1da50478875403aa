package lifecycle

import (
	"cmp"
	"context"
	"maps"

	"rollcall/resources"
	"rollcall/scim"
)

// userCheck holds what is written of users against what the organization has decided.
type userCheck struct{ s *Service }

// Prepare returns the snapshot that Check works with.
func (u userCheck) Prepare(ctx context.Context, c scim.Caller) (any, error) {
	return u.s.snapshot(ctx, c.Org)
}

// Check is pure.
func (userCheck) Check(w *resources.Write) error {
	if err := adminBlock(w.Old, w.Doc); err != nil {
		return err
	}
	snap, _ := w.Prepared.(*snapshot)
	if err := snap.admitClient(w); err != nil {
		return err
	}
	snap.keepLocal(w)
	return snap.admitOccupation(w)
}

// admitOccupation does what the organization has decided about occupations that the catalogue does not know. They are
// kept as text unless it has decided otherwise: to refuse a person for their title would stop a new starter.
func (s *snapshot) admitOccupation(w *resources.Write) error {
	ext, _ := w.Doc[scim.SchemaRollcallUser].(scim.Attributes)
	text, _ := ext["occupation"].(string)
	was, _ := w.Old[scim.SchemaRollcallUser].(scim.Attributes)
	if text == "" || text == was["occupation"] || s.Occupation(text) != nil {
		return nil
	}
	path := scim.SchemaRollcallUser + ":occupation"
	unknown, byDefault := s.settings.Occupation.Unknown, s.settings.Occupation.Default
	if w.Caller.Actor.Kind == actorToken {
		_, c := s.connections.of(w.Caller.Actor.ID)
		unknown, byDefault = cmp.Or(c.Unknown, unknown), cmp.Or(c.Default, byDefault)
	}
	switch unknown {
	case "reject":
		return invalid(path, "unknown_occupation", "is not in the organization's catalogue of occupations")
	case "mapToDefault":
		if o := s.Occupation(byDefault); o != nil {
			next := maps.Clone(ext)
			next["occupation"] = o.Key
			w.Doc[scim.SchemaRollcallUser] = next
		}
	}
	return nil
}
