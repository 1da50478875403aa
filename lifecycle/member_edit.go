package lifecycle

import (
	"context"
	"errors"

	"rollcall/scim"
	"rollcall/storage"
)

// attributeEdit is what becomes of one attribute of a person.
type attributeEdit struct {
	path    string // of the attribute: whoever has the say over it is asked
	set     func(doc scim.Attributes)
	derived bool // follows from another edit: left out where somebody else has the say
}

// editAttributes writes edits of a person's attributes, all in one step or none, on the version that they were planned
// from. plan is called with the person as they are, says who may and returns the edits; it runs again if somebody came
// between. An edit that changes nothing is none: a form that sends all of its fields needs a say over what was changed
// only. also, which may be nil, is part of the step.
//
// Every edit of a person's own attributes by people and administrators comes through here, so that the one check of who
// has the say over an attribute, mayEdit, holds for all of them.
func (s *Service) editAttributes(ctx context.Context, sub Subject, id string, pre scim.Precondition, plan func(*Person) ([]attributeEdit, error), also storage.Step) (*Person, error) {
	for range maxGuardRuns {
		p, err := s.tryAttributes(ctx, sub, id, pre, plan, also)
		if err == nil || !errors.Is(err, errEpoch) {
			return p, fail(typeUser, err)
		}
	}
	return nil, scim.Unavailable(retryContention, errEpoch)
}

func (s *Service) tryAttributes(ctx context.Context, sub Subject, id string, pre scim.Precondition, plan func(*Person) ([]attributeEdit, error), also storage.Step) (*Person, error) {
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	edits, err := plan(p)
	if err != nil {
		return nil, err
	}
	if err := pre.Check(p.Version); err != nil {
		return nil, err
	}
	edits = changing(p.Doc, edits)
	if len(edits) == 0 {
		return p, nil
	}
	if edits, err = s.mayEditAll(ctx, sub.Org, id, edits); err != nil {
		return nil, err
	}
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error {
		err := s.editUser(ctx, tx, sub.Caller, p, func(doc scim.Attributes) {
			for _, e := range edits {
				e.set(doc)
			}
		})
		if err != nil || also == nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return nil, err
	}
	p, _, err = s.person(ctx, sub.Org, id)
	return p, err
}

// mayEditAll are the edits without derived ones that somebody else has the say over.
func (s *Service) mayEditAll(ctx context.Context, org scim.OrgID, id string, edits []attributeEdit) ([]attributeEdit, error) {
	var paths []string
	var kept []attributeEdit
	for _, e := range edits {
		if !e.derived {
			paths, kept = append(paths, e.path), append(kept, e)
			continue
		}
		err := s.mayEdit(ctx, org, id, e.path)
		if known, ok := errors.AsType[*scim.Error](err); ok && known.Code == codeManaged {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, e)
	}
	return kept, s.mayEdit(ctx, org, id, paths...)
}

// codeManaged is the machine code of an edit that a client has the say over.
const codeManaged = "attribute_managed"

// changing are the edits that change the document.
func changing(doc scim.Attributes, edits []attributeEdit) []attributeEdit {
	var list []attributeEdit
	now := doc
	for _, e := range edits {
		next := scim.CloneAttributes(now)
		e.set(next)
		if !scim.Equal(now, next) {
			list, now = append(list, e), next
		}
	}
	return list
}
