package resources

import (
	"context"
	"maps"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// newWrite starts a write of the resource called id, with what the type's checks and rules want to know first. Those of
// a create run in creation, when there is a document.
func (s *Service) newWrite(ctx context.Context, c scim.Caller, d *Definition, op storage.ChangeOp, id string) (*Write, error) {
	w := &Write{Caller: c, Key: storage.Key{Org: c.Org, Type: d.Name, ID: id}, At: s.now(), Op: op}
	if d.Check != nil && op != storage.OpDelete {
		state, err := d.Check.Prepare(ctx, c)
		if err != nil {
			return nil, fail(c, d, err)
		}
		w.Prepared = state
	}
	if op == storage.OpCreate {
		return w, nil
	}
	if err := d.before(ctx, w); err != nil {
		return nil, fail(c, d, err)
	}
	return w, nil
}

// check runs the type's check on what is about to be stored.
func (d *Definition) check(w *Write) error {
	if d.Check == nil {
		return nil
	}
	return d.Check.Check(w)
}

// checkUpdate is check inside of the store's callback, which may run again: w stays as it is.
func (d *Definition) checkUpdate(w *Write, old, next, secret scim.Attributes, null []string) error {
	if d.Check == nil {
		return nil
	}
	mine := *w
	mine.Old, mine.Doc, mine.Stored, mine.Null = old, next, secret, null
	return d.Check.Check(&mine)
}

// rules are those of a write that does op.
func (d *Definition) rulesOf(op storage.ChangeOp) Rules {
	switch op {
	case storage.OpCreate:
		return d.OnCreate
	case storage.OpDelete:
		return d.OnDelete
	case storage.OpReplace, storage.OpPatch:
	}
	return d.OnUpdate
}

func (d *Definition) before(ctx context.Context, w *Write) error {
	if r := d.rulesOf(w.Op); r != nil {
		return r.Before(ctx, w)
	}
	return nil
}

// insert stores a new resource: in a step of its own if its type has rules.
func (s *Service) insert(ctx context.Context, w *Write, d *Definition, e *storage.Edit) (rec *storage.Record, err error) {
	if d.OnCreate == nil || w.Alone {
		return s.store.Insert(ctx, w.Key, w.At, e)
	}
	err = s.store.Within(ctx, w.Key.Org, func(tx storage.Tx) (err error) {
		rec, err = d.insertIn(ctx, tx, w, e)
		return err
	})
	return rec, err
}

// update is insert for PUT and PATCH.
func (s *Service) update(ctx context.Context, w *Write, d *Definition, fn storage.UpdateFunc) (rec *storage.Record, err error) {
	if d.OnUpdate == nil || w.Alone {
		rec, _, err = s.store.Update(ctx, w.Key, w.At, fn)
		return rec, err
	}
	err = s.store.Within(ctx, w.Key.Org, func(tx storage.Tx) (err error) {
		rec, err = d.updateIn(ctx, tx, w, fn)
		return err
	})
	return rec, err
}

// remove is insert for DELETE.
func (s *Service) remove(ctx context.Context, w *Write, d *Definition, fn storage.DeleteFunc) error {
	if d.OnDelete == nil || w.Alone {
		return s.store.Delete(ctx, w.Key, w.At, fn)
	}
	return s.store.Within(ctx, w.Key.Org, func(tx storage.Tx) error { return d.deleteIn(ctx, tx, w, fn) })
}

// insertIn is the insert inside of a step, with the type's rules before it.
func (d *Definition) insertIn(ctx context.Context, tx storage.Tx, w *Write, e *storage.Edit) (*storage.Record, error) {
	if d.OnCreate == nil || w.Alone {
		return tx.Insert(ctx, w.Key, w.At, e)
	}
	mine := *w
	mine.Doc, mine.Secret = maps.Clone(e.Doc), maps.Clone(e.Secret)
	if err := d.OnCreate.Within(ctx, tx, &mine); err != nil {
		return nil, err
	}
	if err := d.Validate(mine.Doc); err != nil {
		return nil, err
	}
	e = d.edit(w.Caller.Compat.Profile(), change(w.Caller, w.Op), nil, mine.Doc, mine.Secret, e.Members)
	return tx.Insert(ctx, w.Key, w.At, e)
}

// updateIn is the update inside of a step, with the type's rules between what the client wants and what is stored.
func (d *Definition) updateIn(ctx context.Context, tx storage.Tx, w *Write, fn storage.UpdateFunc) (*storage.Record, error) {
	if d.OnUpdate == nil || w.Alone {
		rec, _, err := tx.Update(ctx, w.Key, w.At, fn)
		return rec, err
	}
	rec, err := tx.Get(ctx, w.Key, query.Load{Secret: true})
	if err != nil {
		return nil, err
	}
	e, err := fn(stored{rec})
	if err != nil || e == nil {
		return rec, err
	}
	mine := *w
	if mine.Old, err = scim.DecodeAttributes(rec.Doc); err != nil {
		return nil, err
	}
	mine.Doc, mine.Secret = maps.Clone(e.Doc), maps.Clone(e.Secret)
	if mine.Doc == nil { // secrets alone
		mine.Doc = maps.Clone(mine.Old)
	}
	if err := d.OnUpdate.Within(ctx, tx, &mine); err != nil {
		return nil, err
	}
	if err := d.Validate(mine.Doc); err != nil {
		return nil, err
	}
	e = d.edit(w.Caller.Compat.Profile(), change(w.Caller, w.Op), mine.Old, mine.Doc, mine.Secret, storage.MemberDelta{})
	now, _, err := tx.Update(ctx, w.Key, w.At, func(cur storage.Current) (*storage.Edit, error) {
		if cur.Record().Version != rec.Version {
			return nil, storage.ErrContention
		}
		return e, nil
	})
	return now, err
}

func (d *Definition) deleteIn(ctx context.Context, tx storage.Tx, w *Write, fn storage.DeleteFunc) error {
	if d.OnDelete == nil || w.Alone {
		return tx.Delete(ctx, w.Key, w.At, fn)
	}
	rec, err := tx.Get(ctx, w.Key, query.Load{Secret: true})
	if err != nil {
		return err
	}
	mine := *w
	if mine.Old, err = scim.DecodeAttributes(rec.Doc); err != nil {
		return err
	}
	// The rules come first: the record must still be there for them, and the store's callback, which may refuse, ends
	// the whole step if it does.
	if err := d.OnDelete.Within(ctx, tx, &mine); err != nil {
		return err
	}
	return tx.Delete(ctx, w.Key, w.At, fn)
}

// stored is a record of a type without members as a callback looks at it.
type stored struct{ rec *storage.Record }

func (s stored) Record() *storage.Record                      { return s.rec }
func (s stored) HasMembers([]string) (map[string]bool, error) { return map[string]bool{}, nil }
func (s stored) Members() ([]storage.Member, error)           { return nil, nil }

// Deletion is the store's callback of a DELETE, for those who delete records in steps of their own: it refuses if pre
// does not hold, and the change row keeps what was deleted.
func Deletion(c scim.Caller, pre scim.Precondition) storage.DeleteFunc { return deletion(c, pre) }

// NewEdit is the write that turns the document old, nil for a new record, into next; nil if nothing changes. Secrets are
// stored as they are given, so a caller gives digests. It is for those who write records in steps of their own.
func (d *Definition) NewEdit(c scim.Caller, op storage.ChangeOp, old, next, secret scim.Attributes) *storage.Edit {
	return d.edit(c.Compat.Profile(), change(c, op), old, next, secret, storage.MemberDelta{})
}
