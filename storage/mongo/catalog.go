package mongo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// The collections beside those of the resource types.
const (
	collOrganizations = "organizations"
	collTokens        = "tokens"
	collKeys          = "keys"
	collMemberships   = "memberships"
	collChanges       = "changes"
	collChangeParts   = "changeparts"
	collFeeds         = "feeds"
	collSettings      = "settings"
	collProcesses     = "processes"
)

// attr is an indexed field of one type.
type attr struct {
	index query.Index
	name  string // under _f and _s
	path  string // of the values in a document: "_f.userName"
	sort  string // of the value that a record is sorted by
	date  bool   // the values are dates: those of meta
	// waiting: there may be documents that were written without it, so nothing may be asked of it yet: see rolling.go.
	waiting atomic.Bool
	// sparse: a document without a value has nothing in the index, one with odd values only has MinKey. It cannot be
	// sorted by.
	sparse bool
}

func (a *attr) field() *query.Field { return &a.index.Field }

// resourceType is a storage.Type with its collection.
type resourceType struct {
	storage.Type
	coll  string
	attrs []*attr
	dates map[string]bool // indexed instants, by their steps joined: shown as dates
}

// attr returns the index of f, nil if there is none that answers for f.
func (t *resourceType) attr(f *query.Field) *attr {
	for _, a := range t.attrs {
		if g := a.field(); !a.waiting.Load() && g.Kind == f.Kind && g.CaseExact == f.CaseExact && slices.Equal(g.Steps, f.Steps) {
			return a
		}
	}
	return nil
}

// spec is everything that decides what _f and _s and the marks of nested groups hold; when it changes, the type's documents are written anew.
func (t *resourceType) spec() []string {
	list := t.base()
	for _, a := range t.attrs {
		list = append(list, a.spec())
	}
	return list
}

// base is the part of spec that is of no single attribute: processes that differ in it cannot write the same documents.
func (t *resourceType) base() []string {
	list := []string{"layout 1"}
	if t.Members != "" {
		list = append(list, "nested") // see nested.go
	}
	return list
}

func (a *attr) spec() string {
	f := a.field()
	spec := fmt.Sprintf("%s %d %t %t %q", a.name, f.Kind, f.CaseExact, f.Multi, f.Steps)
	if a.sparse {
		spec += " sparse"
	}
	return spec
}

// fingerprint is the same for all processes that write documents with the same indexed values.
func (c *catalog) fingerprint() string {
	h := sha256.New()
	for _, t := range c.sorted {
		fmt.Fprintf(h, "%s %q\n", t.coll, t.spec())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func newResourceType(t storage.Type) (*resourceType, error) {
	r := &resourceType{Type: t, coll: collectionName(t.Name), dates: make(map[string]bool)}
	names := make(map[string]bool)
	for _, ix := range t.Indexes {
		f := ix.Field
		a := &attr{index: ix}
		switch {
		case f.Steps[0] == "id":
			continue // every collection is indexed by id
		case isMetaDate(&f):
			a.name, a.date = strings.Join(f.Steps, "_"), true
			a.path = strings.Join(f.Steps, ".")
			a.sort = a.path
		case f.Steps[0] == "meta":
			continue // resourceType is no question to the database, version none that anybody asks often
		default:
			for i, s := range f.Steps {
				if i > 0 {
					a.name += "_"
				}
				a.name += fieldName(s)
			}
			a.path = "_f." + a.name
			a.sort = a.path
			a.sparse = ix.Sparse && !ix.Unique
			if f.Multi && !a.sparse {
				a.sort = "_s." + a.name
			}
			if f.Kind == query.DateTime {
				r.dates[strings.Join(f.Steps, "\x00")] = true
			}
		}
		if names[a.name] {
			return nil, fmt.Errorf("mongo: resource type %s has two indexed attributes that are called %s here", t.Name, a.name)
		}
		names[a.name] = true
		r.attrs = append(r.attrs, a)
	}
	return r, nil
}

func isMetaDate(f *query.Field) bool {
	return len(f.Steps) == 2 && f.Steps[0] == "meta" && f.Kind == query.DateTime &&
		(f.Steps[1] == "created" || f.Steps[1] == "lastModified")
}

// collectionName is the type's name in lower-case plural, as far as an s makes one.
func collectionName(n scim.TypeName) string {
	name := clean(strings.ToLower(string(n)))
	if !strings.HasSuffix(name, "s") {
		name += "s"
	}
	switch name {
	case collOrganizations, collTokens, collKeys, collMemberships, collChanges, collChangeParts, collFeeds, collSettings, collProcesses:
		return "type_" + name
	}
	return name
}

// fieldName is the name under which an attribute, or an extension, is shown.
func fieldName(name string) string {
	if strings.Contains(name, ":") {
		return extensionAlias(name)
	}
	return clean(strings.TrimPrefix(name, "$"))
}

// extensionAlias is the word of a URN that people know the extension by: "enterprise" of
// urn:ietf:params:scim:schemas:extension:enterprise:2.0:User. It depends on the URN only, so every process and
// every version finds the same one.
func extensionAlias(urn string) string {
	var words []string
	for w := range strings.SplitSeq(urn, ":") {
		if w != "" && strings.ContainsFunc(w, unicode.IsLetter) {
			words = append(words, w)
		}
	}
	switch n := len(words); {
	case n == 0:
		return "extension"
	case n > 1 && unicode.IsUpper(rune(words[n-1][0])): // the resource type that is extended
		return clean(words[n-2])
	default:
		return clean(words[n-1])
	}
}

// clean keeps letters, digits, hyphens and underscores.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// catalog is what the store knows of types.
type catalog struct {
	types  map[scim.TypeName]*resourceType
	sorted []*resourceType // by name
	groups []*resourceType // those that have members, by name
}

func newCatalog(types []storage.Type) (*catalog, error) {
	c := &catalog{types: make(map[scim.TypeName]*resourceType)}
	colls := make(map[string]bool)
	for _, t := range types {
		r, err := newResourceType(t)
		if err != nil {
			return nil, err
		}
		if c.types[t.Name] != nil || colls[r.coll] {
			return nil, fmt.Errorf("mongo: resource type %s is there twice", t.Name)
		}
		c.types[t.Name], colls[r.coll] = r, true
		c.sorted = append(c.sorted, r)
	}
	slices.SortFunc(c.sorted, func(a, b *resourceType) int { return strings.Compare(string(a.Name), string(b.Name)) })
	for _, r := range c.sorted {
		if r.Members != "" {
			c.groups = append(c.groups, r)
		}
	}
	return c, nil
}

func (c *catalog) typeOf(name scim.TypeName) (*resourceType, error) {
	t := c.types[name]
	if t == nil {
		return nil, fmt.Errorf("mongo: the store was opened without resource type %s", name)
	}
	return t, nil
}

// groupNames are the names of the types that have members.
func (c *catalog) groupNames() []string {
	names := make([]string, len(c.groups))
	for i, t := range c.groups {
		names[i] = string(t.Name)
	}
	return names
}
