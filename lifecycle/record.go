package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// idOf is the id of a record that exists once for what parts name: a UUID of version 8 (RFC 9562 5.8) from their hash.
// Two processes that make the record at once make the same, and the second is told that it exists.
func idOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	var id uuid.UUID
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// record is a stored record with its document as T has it.
type record[T any] struct {
	Key     storage.Key
	Version int64
	Created time.Time
	Value   T
	Secret  scim.Attributes
	doc     scim.Attributes
}

// decode turns a stored record into a typed one.
func decode[T any](rec *storage.Record) (*record[T], error) {
	doc, err := scim.DecodeAttributes(rec.Doc)
	if err != nil {
		return nil, err
	}
	r := &record[T]{Key: rec.Key, Version: rec.Version, Created: rec.Created, Secret: rec.Secret, doc: doc}
	if err := json.Unmarshal(rec.Doc, &r.Value); err != nil {
		return nil, fmt.Errorf("read %s: %w", rec.Type, err)
	}
	return r, nil
}

// attributes turns a typed value into a document of its type.
func attributes(d *resources.Definition, v any) (scim.Attributes, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", d.Name, err)
	}
	doc, err := scim.DecodeAttributes(b)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", d.Name, err)
	}
	d.SetSchemas(doc)
	return doc, nil
}

// getter is a store or a step of it.
type getter interface {
	Get(ctx context.Context, k storage.Key, load query.Load) (*storage.Record, error)
}

// load reads a typed record; nil without an error if there is none.
func load[T any](ctx context.Context, g getter, k storage.Key) (*record[T], error) {
	rec, err := g.Get(ctx, k, query.Load{Secret: true})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	if err != nil {
		return nil, err
	}
	return decode[T](rec)
}

// insert stores a new typed record.
func (s *Service) insert(ctx context.Context, w storage.Writer, c scim.Caller, k storage.Key, at time.Time, v any, secret scim.Attributes) (*storage.Record, error) {
	d := s.registry.Definition(k.Type)
	doc, err := attributes(d, v)
	if err != nil {
		return nil, err
	}
	return w.Insert(ctx, k, at, d.NewEdit(c, storage.OpCreate, nil, doc, secret))
}

// change stores what fn makes of a typed record, by compare-and-set. fn may run more than once; what it returns beside
// an error ends the write without a trace.
func change[T any](ctx context.Context, s *Service, w storage.Writer, c scim.Caller, k storage.Key, at time.Time, fn func(*record[T]) error) (*storage.Record, error) {
	d := s.registry.Definition(k.Type)
	rec, _, err := w.Update(ctx, k, at, func(cur storage.Current) (*storage.Edit, error) {
		r, err := decode[T](cur.Record())
		if err != nil {
			return nil, err
		}
		was := r.Secret
		r.Secret = scim.CloneAttributes(was)
		if err := fn(r); err != nil {
			return nil, err
		}
		next, err := attributes(d, r.Value)
		if err != nil {
			return nil, err
		}
		return d.NewEdit(c, storage.OpPatch, r.doc, next, changedSecrets(was, r.Secret)), nil
	})
	return rec, err
}

// changedSecrets are the secrets to store: those that differ, and nil for those that are gone.
func changedSecrets(was, now scim.Attributes) scim.Attributes {
	var out scim.Attributes
	set := func(name string, v any) {
		if out == nil {
			out = scim.Attributes{}
		}
		out[name] = v
	}
	for name, v := range now {
		if !scim.Equal(was[name], v) {
			set(name, v)
		}
	}
	for name := range was {
		if _, kept := now[name]; !kept {
			set(name, nil)
		}
	}
	return out
}

// find reads up to limit typed records of a type that match where, in id order.
func find[T any](ctx context.Context, s *Service, org scim.OrgID, t scim.TypeName, where query.Expr, limit int) ([]*record[T], error) {
	q := query.Query{Sources: []query.Source{{Type: t, Where: where}}, Limit: limit, Load: query.Load{Secret: true}}
	page, err := s.store.Query(ctx, org, q)
	if err != nil {
		return nil, err
	}
	list := make([]*record[T], len(page.Records))
	for i := range page.Records {
		if list[i], err = decode[T](&page.Records[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// field is the field at a path of a type; the path is one that the code knows.
func (s *Service) field(t scim.TypeName, path string) query.Field {
	p, err := s.registry.Type(t).ParsePath(path, nil)
	if err != nil {
		panic(fmt.Sprintf("lifecycle: %s has no %s: %v", t, path, err))
	}
	return p.Field()
}

// eq compares a field with a string, folded as the field demands.
func (s *Service) eq(t scim.TypeName, path, value string) query.Expr {
	f := s.field(t, path)
	if !f.CaseExact {
		value = query.Fold(value)
	}
	return query.Compare{Field: f, Op: query.Eq, Value: query.Value{Kind: f.Kind, Str: value}}
}
