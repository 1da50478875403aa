package resources

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/scim/query"
)

// maxComputed is how many resources of a type may be computed to answer one question about a computed attribute. The
// types that are asked such questions are catalogues; a type that can be large has a Rewriter.
const maxComputed = 10_000

// Relater is a View some of whose computed attributes cost reads of other records. They are worked out only if they are
// asked for.
type Relater interface {
	// Relate puts those of the computed attributes that wants names in docs, which belong to the resources of list.
	Relate(ctx context.Context, c scim.Caller, list []scim.Resource, docs []scim.Attributes, wants func(path string) bool) error
}

// Rewriter is a View that can say of some computed attributes by stored ones which resources have a value.
type Rewriter interface {
	// Rewrite returns an expression with the same matches as e, with as few computed attributes in it as it can.
	Rewrite(ctx context.Context, c scim.Caller, e query.Expr) (query.Expr, error)
}

// Scoper is a View of a type of which not every caller is shown all.
type Scoper interface {
	// Scope is what the resources that lists show the caller have in common; nil for no bound.
	Scope(ctx context.Context, c scim.Caller) (query.Expr, error)
}

// SetView makes v the view of the type called name, once the registry stands: a view needs what needs the registry.
func (r *Registry) SetView(name scim.TypeName, v View) {
	r.definitions[name].View = v
	r.views = true
}

// compute puts the computed attributes in one resource, if the answer carries any.
func (s *Service) compute(ctx context.Context, c scim.Caller, d *Definition, load query.Load, r *scim.Resource) error {
	if !load.Computed || d.View == nil {
		return nil
	}
	list := []scim.Resource{*r}
	if err := s.computeAll(ctx, c, list, load.Asked); err != nil {
		return err
	}
	*r = list[0]
	return nil
}

// computeAll puts the computed attributes in the resources of a page.
func (s *Service) computeAll(ctx context.Context, c scim.Caller, list []scim.Resource, asked []string) error {
	for _, t := range s.registry.Types() {
		d := s.registry.definitions[t.Name]
		if d.View == nil || len(d.computed) == 0 {
			continue
		}
		var at []int
		for i := range list {
			if list[i].Type == t.Name {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			continue
		}
		some := make([]scim.Resource, len(at))
		for k, i := range at {
			some[k] = list[i]
		}
		docs, err := s.computed(ctx, c, d, some, asked)
		if err != nil {
			return err
		}
		for k, i := range at {
			list[i].Doc = scim.AppendJSON(nil, docs[k])
		}
	}
	return nil
}

// computed are the documents of resources of one type with the computed attributes put in; those of a [Relater] that are
// asked for.
func (s *Service) computed(ctx context.Context, c scim.Caller, d *Definition, list []scim.Resource, asked []string) ([]scim.Attributes, error) {
	docs := make([]scim.Attributes, len(list))
	for i := range list {
		doc, err := scim.DecodeAttributes(list[i].Doc)
		if err != nil {
			return nil, err
		}
		docs[i] = doc
	}
	if err := d.View.Compute(ctx, c, list, docs); err != nil {
		return nil, fail(c, d, err)
	}
	if r, ok := d.View.(Relater); ok && len(asked) > 0 {
		wants := func(path string) bool { return slices.Contains(asked, path) }
		if err := r.Relate(ctx, c, list, docs, wants); err != nil {
			return nil, fail(c, d, err)
		}
	}
	return docs, nil
}

// viewed prepares a query for the types with views that it ranges over: it settles what time has changed and rewrites
// what it can of the filters. If computed attributes remain in filter or order, it answers the query itself.
func (s *Service) viewed(ctx context.Context, c scim.Caller, q *query.Query) (page *query.Page, done bool, err error) {
	inMemory := false
	q.Sources = slices.Clone(q.Sources)
	for i := range q.Sources {
		src := &q.Sources[i]
		d := s.registry.definitions[src.Type]
		if d == nil || d.View == nil {
			continue
		}
		if err := d.View.Settle(ctx, c, ""); err != nil {
			return nil, false, fail(c, d, err)
		}
		if r, ok := d.View.(Rewriter); ok && d.asks(src.Where) {
			if src.Where, err = r.Rewrite(ctx, c, src.Where); err != nil {
				return nil, false, fail(c, d, err)
			}
		}
		if r, ok := d.View.(Scoper); ok {
			scope, err := r.Scope(ctx, c)
			if err != nil {
				return nil, false, fail(c, d, err)
			}
			if scope != nil && src.Where != nil {
				scope = query.And{src.Where, scope}
			}
			if scope != nil {
				src.Where = scope
			}
		}
		q.Load.Groups = q.Load.Groups || q.Load.Computed && d.Groups != ""
		inMemory = inMemory || d.asks(src.Where) || src.Sort != nil && d.isComputed(src.Sort.Path)
	}
	if !inMemory {
		return nil, false, nil
	}
	page, err = s.queryComputed(ctx, c, q)
	return page, true, err
}

func (d *Definition) isComputed(path string) bool { return d.computedAt(path) != "" }

// computedAt is the path of the computed attribute that path is or lies in; empty if there is none.
func (d *Definition) computedAt(path string) string {
	i := slices.IndexFunc(d.computed, func(p string) bool {
		rest, ok := strings.CutPrefix(path, p)
		return ok && (rest == "" || rest[0] == '.')
	})
	if i < 0 {
		return ""
	}
	return d.computed[i]
}

// asks reports whether e asks about a computed attribute.
func (d *Definition) asks(e query.Expr) bool { return len(d.asked(e)) > 0 }

// asked are the paths of the computed attributes that e asks about.
func (d *Definition) asked(e query.Expr) []string {
	one := func(path string) []string {
		if p := d.computedAt(path); p != "" {
			return []string{p}
		}
		return nil
	}
	var list []string
	switch e := e.(type) {
	case query.And:
		for _, x := range e {
			list = append(list, d.asked(x)...)
		}
	case query.Or:
		for _, x := range e {
			list = append(list, d.asked(x)...)
		}
	case query.Not:
		return d.asked(e.Expr)
	case query.Compare:
		return one(e.Field.Path)
	case query.Present:
		return one(e.Field.Path)
	case query.Any:
		return one(e.Field.Path)
	case query.Const, nil:
	}
	return list
}

// row is a resource in a result that is put in order here.
type row struct {
	resource scim.Resource
	pos      query.Position
}

// queryComputed answers a query in memory: every resource of its types is read and completed, then matched and ordered
// by the rules that stores follow (query.Match, query.SortValue; storage.Resources.Query).
func (s *Service) queryComputed(ctx context.Context, c scim.Caller, q *query.Query) (*query.Page, error) {
	var rows []row
	for _, src := range q.Sources {
		found, err := s.computedRows(ctx, c, q, src)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	slices.SortFunc(rows, func(a, b row) int { return comparePositions(&a.pos, &b.pos, q.Desc) })
	page := &query.Page{Total: len(rows)}
	switch {
	case q.After != nil:
		rows = rows[place(rows, q.After, q.Desc, true):]
	case q.Before != nil:
		rows = rows[:place(rows, q.Before, q.Desc, false)]
		first := max(0, len(rows)-q.Limit)
		page.More, rows = first > 0, rows[first:]
	default:
		rows = rows[min(q.Offset, len(rows)):]
	}
	if len(rows) > q.Limit {
		page.More, rows = true, rows[:q.Limit]
	}
	for i := range rows {
		page.Resources = append(page.Resources, rows[i].resource)
		page.Sort = append(page.Sort, rows[i].pos)
	}
	return page, nil
}

func (s *Service) computedRows(ctx context.Context, c scim.Caller, q *query.Query, src query.Source) ([]row, error) {
	d := s.registry.definitions[src.Type]
	all := query.Query{Sources: []query.Source{{Type: src.Type}}, Limit: maxComputed + 1, Load: q.Load}
	all.Load.Groups = d.Groups != "" // what is computed may rest on them, whatever the answer carries
	p, err := s.store.Query(ctx, c.Org, all)
	if err != nil {
		return nil, fail(c, d, err)
	}
	if len(p.Records) > maxComputed {
		return nil, scim.TooMany("there are more than %d resources to compute an attribute of: ask without it", maxComputed)
	}
	list := make([]scim.Resource, len(p.Records))
	for i := range p.Records {
		list[i] = *resource(&p.Records[i])
	}
	var docs []scim.Attributes
	if d.View != nil {
		docs, err = s.computed(ctx, c, d, list, d.computedFor(q, src))
	} else {
		docs, err = decodeAll(list)
	}
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, doc := range docs {
		r := &list[i]
		if d.View != nil {
			r.Doc = scim.AppendJSON(nil, doc)
		}
		complete(doc, r)
		if !query.Match(src.Where, doc) {
			continue
		}
		pos := query.Position{Sorted: q.Sorted, Absent: q.Sorted, ID: r.ID}
		if src.Sort != nil {
			if v, ok := query.SortValue(*src.Sort, doc); ok {
				pos.Value, pos.Absent = v, false
			}
		}
		rows = append(rows, row{*r, pos})
	}
	return rows, nil
}

// computedFor are the paths of the computed attributes that the answer to a query of the type takes: those that it carries,
// and those that it is filtered and ordered by.
func (d *Definition) computedFor(q *query.Query, src query.Source) []string {
	list := append(slices.Clone(q.Load.Asked), d.asked(src.Where)...)
	if src.Sort != nil {
		list = append(list, d.computedAt(src.Sort.Path))
	}
	return list
}

func decodeAll(list []scim.Resource) ([]scim.Attributes, error) {
	docs := make([]scim.Attributes, len(list))
	for i := range list {
		doc, err := scim.DecodeAttributes(list[i].Doc)
		if err != nil {
			return nil, err
		}
		docs[i] = doc
	}
	return docs, nil
}

// complete puts id and meta in a document, as filters ask about them (storage.Resources.Query).
func complete(doc scim.Attributes, r *scim.Resource) {
	doc["id"] = r.ID
	doc["meta"] = scim.Attributes{
		"resourceType": string(r.Type), "created": scim.FormatTime(r.Created),
		"lastModified": scim.FormatTime(r.Modified), "version": scim.ETag(r.Version),
	}
}

// place is where the rows after p begin, or where those before p end.
func place(rows []row, p *query.Position, desc, after bool) int {
	at, found := slices.BinarySearchFunc(rows, p, func(r row, p *query.Position) int { return comparePositions(&r.pos, p, desc) })
	if found && after {
		at++
	}
	return at
}

// comparePositions is the order of results: by value, absent last unless descending, then by id ascending.
func comparePositions(a, b *query.Position, desc bool) int {
	n := 0
	switch {
	case !a.Sorted:
	case a.Absent != b.Absent:
		if n = -1; a.Absent {
			n = 1
		}
	case a.Absent:
	case a.Value.Kind != b.Value.Kind: // of different types: any order that stays
		n = cmp.Compare(a.Value.Kind, b.Value.Kind)
	default:
		n = query.CompareValues(a.Value, b.Value)
	}
	if desc {
		n = -n
	}
	return cmp.Or(n, strings.Compare(a.ID, b.ID))
}
