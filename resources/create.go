package resources

import (
	"context"
	"errors"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Create stores a new resource (RFC 7644 3.3). The document is the service's from then on.
func (s *Service) Create(ctx context.Context, c scim.Caller, t *schema.ResourceType, doc *schema.Document, load query.Load) (*scim.Resource, error) {
	d, err := s.definition(t)
	if err != nil {
		return nil, err
	}
	w, err := s.newWrite(ctx, c, d, storage.OpCreate, s.newID())
	if err != nil {
		return nil, err
	}
	e, err := s.creation(ctx, w, d, doc, s.hashSecrets)
	if err != nil {
		return nil, failed(ctx, c, d, err)
	}
	// The id of a new resource is not known to anyone, so no group can list it yet; and a group has just the members
	// that it is created with. What need not be asked is not.
	have := query.Load{Members: len(doc.Members) > 0}
	rec, err := s.insert(ctx, w, d, e)
	var taken *storage.UniqueError
	if errors.As(err, &taken) && d.Revive != nil && c.Compat.Has(compat.ReactivateOnCreate) {
		have = query.Load{Members: true, Groups: true}
		rec, err = s.revive(ctx, w, d, taken, doc, e.Secret)
	}
	if err != nil {
		return nil, failed(ctx, c, d, err)
	}
	load.Members, load.Groups = load.Members && have.Members, load.Groups && have.Groups
	return s.answer(ctx, c, d, rec, load)
}

// hashFunc is Service.hashSecrets.
type hashFunc func(ctx context.Context, secret scim.Attributes) (scim.Attributes, error)

// creation checks a new resource and turns it into what the store inserts.
func (s *Service) creation(ctx context.Context, w *Write, d *Definition, doc *schema.Document, hash hashFunc) (*storage.Edit, error) {
	c := w.Caller
	if d.Default != nil {
		d.Default(doc)
	}
	p := c.Compat.Profile()
	(&outcome{d.normalize(p, doc.Attrs)}).join(c.Compat)
	w.Doc = doc.Attrs
	if err := d.check(w); err != nil {
		return nil, err
	}
	if d.OnCreate != nil {
		if err := d.OnCreate.Before(ctx, w); err != nil {
			return nil, err
		}
	}
	if err := d.Validate(doc.Attrs); err != nil {
		return nil, err
	}
	for _, a := range d.secrets {
		if a.Required && doc.Secret[a.Name] == nil {
			return nil, scim.InvalidValue(a.Name, "is required")
		}
		if v, given := doc.Secret[a.Name]; given && v == nil {
			delete(doc.Secret, a.Name) // there is nothing to un-assign
		}
	}
	secret, err := hash(ctx, doc.Secret)
	if err != nil {
		return nil, err
	}
	members := storage.MemberDelta{Add: doc.Members}
	return d.edit(p, change(c, storage.OpCreate), nil, doc.Attrs, secret, members), nil
}

// revive re-activates the resource whose unique attribute a creation met, with the new content
// (compat.ReactivateOnCreate). The answer stays that of a creation, 201 with Location: the client asked for a
// resource, has one now, and takes its id from there. A resource that is not to be revived leaves the 409.
func (s *Service) revive(ctx context.Context, w *Write, d *Definition, taken *storage.UniqueError, doc *schema.Document, secret scim.Attributes) (*storage.Record, error) {
	c := w.Caller
	where := d.holder(taken.Attr, doc.Attrs)
	if where == nil {
		return nil, taken
	}
	page, err := s.store.Query(ctx, c.Org, query.Query{Sources: []query.Source{{Type: d.Name, Where: where}}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(page.Records) == 0 { // gone since: the client tries again
		return nil, taken
	}
	var out outcome
	again := *w
	again.Key, again.Op = page.Records[0].Key, storage.OpReplace
	replace := d.replacement(&again, scim.Precondition{}, doc, secret, &out)
	rec, _, err := s.store.Update(ctx, again.Key, w.At, func(cur storage.Current) (*storage.Edit, error) {
		old, err := scim.DecodeAttributes(cur.Record().Doc)
		if err != nil {
			return nil, err
		}
		if !d.Revive(old, doc.Attrs) {
			return nil, taken
		}
		return replace(cur)
	})
	if err != nil {
		if errors.Is(err, storage.ErrNotFound) {
			return nil, taken
		}
		return nil, err
	}
	out.join(c.Compat)
	c.Compat.Allow(compat.ReactivateOnCreate)
	return rec, nil
}

// holder finds the resource that has doc's value of the unique attribute at path.
func (d *Definition) holder(path string, doc scim.Attributes) query.Expr {
	for _, x := range d.Indexes() {
		if !x.Unique || x.Field.Path != path {
			continue
		}
		if v, ok := query.SortValue(x.Field, doc); ok {
			return query.Compare{Field: x.Field, Op: query.Eq, Value: v}
		}
	}
	return nil
}
