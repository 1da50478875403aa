package sqlite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// attr is an indexed field, or a unique key without index, of one type.
type attr struct {
	code  int64
	index query.Index
	// uniq: the values lie in table uniq only. That works where a record has at most one value and the unique key
	// is what a filter compares; for other unique fields idx has the values as well.
	uniq   bool
	sparse bool        // records without a value have no row
	strays atomic.Bool // some record has a value that is in idx nevertheless, see row
	meta   int         // metaCreated, metaModified: the value is not from the document
	watch  watch       // of the cache, for values in idx
}

const (
	metaCreated = iota + 1
	metaModified
)

func (a *attr) field() *query.Field { return &a.index.Field }

// spec is everything that decides what rows an index has; when it differs from what the database was built with,
// the type is indexed anew.
func (a *attr) spec() string {
	f := a.field()
	spec := fmt.Sprintf("1 %d %t %t %q", f.Kind, f.CaseExact, a.uniq, f.Steps)
	if a.sparse {
		spec += " sparse"
	}
	return spec
}

// resourceType is a storage.Type with its codes.
type resourceType struct {
	storage.Type
	code  int64
	attrs []*attr
	names []string // of the attributes, at the document's root, that have indexes
}

// attr returns the index of f, nil if there is none that answers for f.
func (t *resourceType) attr(f *query.Field) *attr {
	for _, a := range t.attrs {
		if g := a.field(); g.Kind == f.Kind && g.CaseExact == f.CaseExact && slices.Equal(g.Steps, f.Steps) {
			return a
		}
	}
	return nil
}

// uniqAttr returns the attribute at path if its values lie in uniq.
func (t *resourceType) uniqAttr(path string) *attr {
	for _, a := range t.attrs {
		if a.uniq && a.field().Path == path {
			return a
		}
	}
	return nil
}

func newResourceType(t storage.Type) *resourceType {
	r := &resourceType{Type: t}
	for _, ix := range t.Indexes {
		f := ix.Field
		a := &attr{index: ix}
		a.sparse = ix.Sparse && !ix.Unique
		a.uniq = ix.Unique && !f.Multi && !f.CaseExact && (f.Kind == query.String || f.Kind == query.Reference)
		if len(f.Steps) == 2 && f.Steps[0] == "meta" {
			switch f.Steps[1] {
			case "created":
				a.meta = metaCreated
			case "lastModified":
				a.meta = metaModified
			}
		}
		r.attrs = append(r.attrs, a)
		if !slices.Contains(r.names, f.Steps[0]) {
			r.names = append(r.names, f.Steps[0])
		}
	}
	return r
}

// codes hands out the small integers of organizations and of unique keys without index. Only the writer adds to
// them; what it added is seen by others once it is committed.
type codes[K comparable] struct {
	mu    sync.RWMutex
	known map[K]int64
	fresh map[K]int64 // of the open transaction; writer only
	last  int64
}

func newCodes[K comparable]() *codes[K] {
	return &codes[K]{known: make(map[K]int64), fresh: make(map[K]int64)}
}

func (c *codes[K]) get(k K) (int64, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, ok := c.known[k]
	return n, ok
}

// assign returns k's code, a new one if it has none; for the writer.
func (c *codes[K]) assign(k K) int64 {
	if n, ok := c.get(k); ok {
		return n
	}
	if n, ok := c.fresh[k]; ok {
		return n
	}
	c.last++
	c.fresh[k] = c.last
	return c.last
}

// end publishes or forgets what the transaction added.
func (c *codes[K]) end(committed bool) {
	if len(c.fresh) == 0 {
		return
	}
	if committed {
		c.mu.Lock()
		maps.Copy(c.known, c.fresh)
		c.mu.Unlock()
	}
	clear(c.fresh)
}

func (c *codes[K]) add(k K, n int64) {
	c.known[k] = n
	c.last = max(c.last, n)
}

// attrKey names a unique key within a type.
type attrKey struct {
	typ  int64
	path string
}

// catalog is what the store knows of types and organizations.
type catalog struct {
	types  map[scim.TypeName]*resourceType
	byCode map[int64]*resourceType
	sorted []*resourceType // by name
	byUse  []*resourceType // those that show their groups before the others: most ids that are looked for are theirs
	groups []*resourceType // those that have members, by name
	orgs   *codes[scim.OrgID]
	attrs  *codes[attrKey]

	// Statements with one parameter for each type that has members. The number of types is fixed
	// while the store is open, so the texts are.
	groupsSQL, groupsOfManySQL string
}

func newCatalog(types []storage.Type) (*catalog, error) {
	c := &catalog{
		types: make(map[scim.TypeName]*resourceType), byCode: make(map[int64]*resourceType),
		orgs: newCodes[scim.OrgID](), attrs: newCodes[attrKey](),
	}
	for _, t := range types {
		if c.types[t.Name] != nil {
			return nil, fmt.Errorf("sqlite: resource type %s is there twice", t.Name)
		}
		r := newResourceType(t)
		c.types[t.Name] = r
		c.sorted = append(c.sorted, r)
	}
	slices.SortFunc(c.sorted, func(a, b *resourceType) int { return strings.Compare(string(a.Name), string(b.Name)) })
	for _, r := range c.sorted {
		if r.Members != "" {
			c.groups = append(c.groups, r)
		}
	}
	c.byUse = slices.Clone(c.sorted)
	slices.SortStableFunc(c.byUse, func(a, b *resourceType) int { return cmp.Compare(b.Groups, a.Groups) })
	c.groupsSQL = "SELECT m.grp, i.label FROM members m CROSS JOIN ids i ON i.org=m.org AND i.type IN (" +
		marks(len(c.groups)) + ") AND i.id=m.grp WHERE m.org=? AND m.member=? ORDER BY m.grp"
	c.groupsOfManySQL = "SELECT m.member, m.grp, i.label FROM members m CROSS JOIN ids i ON i.org=m.org AND i.type IN (" +
		marks(len(c.groups)) + ") AND i.id=m.grp WHERE m.org=? AND m.member IN (" + marks(groupsAtOnce) + ") ORDER BY m.member, m.grp"
	return c, nil
}

// marks is a list of n parameters.
func marks(n int) string {
	if n == 0 {
		return "NULL"
	}
	return strings.Repeat("?,", n-1) + "?"
}

func (c *catalog) typeOf(k storage.Key) (*resourceType, error) {
	t := c.types[k.Type]
	if t == nil {
		return nil, fmt.Errorf("sqlite: the store was opened without resource type %s", k.Type)
	}
	return t, nil
}

// typeName is the name of a type's code; empty for 0 (pending) and for types that this store was opened without.
func (c *catalog) typeName(code int64) scim.TypeName {
	if t := c.byCode[code]; t != nil {
		return t.Name
	}
	return ""
}

func (c *catalog) bindGroups(s *stmt) {
	for _, t := range c.groups {
		s.int(t.code)
	}
}
