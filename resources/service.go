package resources

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Options are what a [Service] works with.
type Options struct {
	Store    storage.Store
	Registry *Registry
	Now      func() time.Time
	NewID    func() string // canonical UUID text that is never handed out twice
	Random   io.Reader     // cryptographic: tokens and salts

	// Bounds of the operations inside a Bulk request; 0 is no bound. Those of single requests are for who decodes
	// them.
	MaxValues          int // values of one multi-valued attribute, members aside
	MaxPatchOperations int
}

// Service is what happens to resources, organizations and tokens. It is safe for concurrent use.
type Service struct {
	store    storage.Store
	preparer storage.Preparer // the store, if it is one
	groups   storage.Memberships
	members  storage.MemberLists
	registry *Registry
	clock    func() time.Time
	newID    func() string
	random   io.Reader
	hasher   *hasher
	limits   bulkLimits
	// preparing has an element for each goroutine that computes for a Bulk request, however many requests there are:
	// half as many as processors. The store writes on others meanwhile and is not done sooner with more; where all
	// compute, each short request of other clients waits for one of them.
	preparing chan struct{}
	profiles  map[string]compat.Profile
	touched   *memo[string, time.Time] // when each token was last touched, by token id
	slugs     *memo[scim.OrgID, string]
	work      sync.WaitGroup
	admit     func(context.Context, *scim.Client) error
}

// Admission makes admit the last word on who gets in with a token that is good otherwise. It is asked with each request
// and set before the first.
func (s *Service) Admission(admit func(context.Context, *scim.Client) error) { s.admit = admit }

// NewService checks the options and returns a service. Close it before its store.
func NewService(o Options) (*Service, error) {
	if o.Store == nil || o.Registry == nil || o.Now == nil || o.NewID == nil || o.Random == nil {
		return nil, errors.New("resources: store, registry, clock, ids and random bytes are required")
	}
	s := &Service{
		store: o.Store, registry: o.Registry, clock: o.Now, newID: o.NewID, random: o.Random,
		hasher:    &hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), random: o.Random},
		preparing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		limits:    bulkLimits{values: o.MaxValues, patchOperations: o.MaxPatchOperations},
		profiles:  map[string]compat.Profile{},
		touched:   newMemo[string, time.Time](),
		slugs:     newMemo[scim.OrgID, string](),
	}
	s.preparer, _ = o.Store.(storage.Preparer)
	s.groups, _ = o.Store.(storage.Memberships)
	s.members, _ = o.Store.(storage.MemberLists)
	for _, p := range compat.Profiles() {
		s.profiles[p.Name] = p
	}
	return s, nil
}

// Close waits for the work that the service does beside requests.
func (s *Service) Close() { s.work.Wait() }

// now is the instant of an operation: read once, as stores keep it.
func (s *Service) now() time.Time { return scim.Millis(s.clock()) }

func (s *Service) definition(t *schema.ResourceType) (*Definition, error) {
	if d := s.registry.definitions[t.Name]; d != nil {
		return d, nil
	}
	return nil, scim.NotFound(t.Name)
}

// key names a resource that a client names. An id that we never hand out names nothing.
func key(c scim.Caller, d *Definition, id string) (storage.Key, error) {
	if !isID(id) {
		return storage.Key{}, scim.NotFound(d.Name)
	}
	return storage.Key{Org: c.Org, Type: d.Name, ID: id}, nil
}

// isID reports whether id is canonical UUID text: 36 characters, lower case. Ids compare exactly (RFC 7643 3.1).
func isID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// Get reads one resource (RFC 7644 3.4.1).
func (s *Service) Get(ctx context.Context, c scim.Caller, t *schema.ResourceType, id string, load query.Load) (*scim.Resource, error) {
	d, err := s.definition(t)
	if err != nil {
		return nil, err
	}
	k, err := key(c, d, id)
	if err != nil {
		return nil, err
	}
	if d.View != nil {
		if err := d.View.Settle(ctx, c, k.ID); err != nil {
			return nil, fail(c, d, err)
		}
	}
	rec, err := s.store.Get(ctx, k, d.relations(load))
	if err != nil {
		return nil, fail(c, d, err)
	}
	r := resource(rec)
	if err := s.compute(ctx, c, d, load, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Query returns one page (RFC 7644 3.4.2).
func (s *Service) Query(ctx context.Context, c scim.Caller, q query.Query) (*query.Page, error) {
	q.Load.Secret = false
	if s.registry.views {
		if page, done, err := s.viewed(ctx, c, &q); done || err != nil {
			return page, err
		}
	}
	p, err := s.store.Query(ctx, c.Org, q)
	if err != nil {
		return nil, fail(c, nil, err)
	}
	page := &query.Page{Total: p.Total, More: p.More, Sort: p.Sort, Resources: make([]scim.Resource, len(p.Records))}
	for i := range p.Records {
		page.Resources[i] = *resource(&p.Records[i])
	}
	if s.registry.views && q.Load.Computed {
		if err := s.computeAll(ctx, c, page.Resources, q.Load.Asked); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// relations is load without what the type does not have.
func (d *Definition) relations(load query.Load) query.Load {
	load.Members = load.Members && d.Members != ""
	load.Groups = (load.Groups || load.Computed && d.View != nil) && d.Groups != ""
	load.Secret = false
	return load
}

func resource(r *storage.Record) *scim.Resource {
	return &scim.Resource{
		Type: r.Type, ID: r.ID, Version: r.Version, Created: r.Created, Modified: r.Modified,
		Doc: r.Doc, Members: r.Members, Groups: r.Groups,
	}
}

// answer is the resource as a write left it, with the relations that load asks for. Those are read afterwards: a
// concurrent change of them may be seen already, one of the document is not.
func (s *Service) answer(ctx context.Context, c scim.Caller, d *Definition, rec *storage.Record, load query.Load) (*scim.Resource, error) {
	r, err := s.related(ctx, c, d, rec, load)
	if err != nil {
		return nil, err
	}
	if err := s.compute(ctx, c, d, load, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Service) related(ctx context.Context, c scim.Caller, d *Definition, rec *storage.Record, load query.Load) (*scim.Resource, error) {
	r := resource(rec)
	if load = d.relations(load); !load.Members && !load.Groups {
		return r, nil
	}
	// The document is here already.
	switch {
	case s.groups != nil && !load.Members:
		groups, err := s.groups.Groups(ctx, rec.Key)
		if err != nil {
			return nil, fail(c, d, err)
		}
		r.Groups = groups
		return r, nil
	case s.members != nil && !load.Groups:
		members, err := s.members.Members(ctx, rec.Key, load)
		if err != nil {
			return nil, fail(c, d, err)
		}
		r.Members = members
		return r, nil
	}
	now, err := s.store.Get(ctx, rec.Key, load)
	switch {
	case errors.Is(err, storage.ErrNotFound): // deleted since
		return r, nil
	case err != nil:
		return nil, fail(c, d, err)
	}
	r.Members, r.Groups = now.Members, now.Groups
	return r, nil
}
