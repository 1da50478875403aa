package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"rollcall/mail"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Options are what a [Service] works with.
type Options struct {
	Store     storage.Store
	Registry  *resources.Registry
	Resources *resources.Service
	Now       func() time.Time
	NewID     func() string // canonical UUID text that is never handed out twice
	Random    io.Reader     // cryptographic: link tokens, keys
	PublicURL string        // root of the pages that mailed links lead to, such as https://id.example.com

	Outbox  Outbox        // nil: nothing can be mailed
	Domains *mail.Domains // nil: the lists that come with the program
	Metrics Metrics       // nil counts nothing

	Resolver Resolver // of the proofs of domains; nil: none can be proved
}

// Service is the transitions. It is safe for concurrent use.
type Service struct {
	store     storage.Store
	registry  *resources.Registry
	resources *resources.Service
	clock     func() time.Time
	newID     func() string
	random    io.Reader
	keys      keys
	snapshots remembered[snapshot]
	burials   burials
	pauses    remembered[pausedTokens]
	refused   refusals
	pages     string
	outbox    Outbox
	counted   Metrics
	resolver  Resolver
	domains   func() (*mail.Domains, error)
	wake      chan struct{} // tells RunJobs that there is something to do
	decoding  chan struct{} // held by who decodes a picture
}

// New checks the options, reads the keys of the database, and hangs the rules of the lifecycle into the registry's
// definitions: from then on every write, by whatever way, follows them.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Store == nil || o.Registry == nil || o.Resources == nil || o.Now == nil || o.NewID == nil || o.Random == nil {
		return nil, errors.New("lifecycle: store, registry, resources, clock, ids and random bytes are required")
	}
	s := &Service{
		store: stepStore{o.Store}, registry: o.Registry, resources: o.Resources, clock: o.Now, newID: o.NewID, random: o.Random,
		pages: cmp.Or(o.PublicURL, "http://localhost"), outbox: o.Outbox, counted: o.Metrics,
		domains: func() (*mail.Domains, error) { return o.Domains, nil }, wake: make(chan struct{}, 1),
		decoding: make(chan struct{}, 1),
	}
	if o.Domains == nil {
		s.domains = sync.OnceValues(func() (*mail.Domains, error) { return mail.NewDomains("") })
	}
	if s.counted == nil {
		s.counted = noMetrics{}
	}
	if s.resolver = o.Resolver; s.resolver == nil {
		s.resolver = noResolver{}
	}
	if s.outbox == nil {
		s.outbox = noOutbox{}
	}
	if err := s.readKeys(ctx); err != nil {
		return nil, err
	}
	s.refused.pending, s.refused.orgs = map[refusalKey]*refusal{}, map[scim.OrgID]int{}
	s.hang()
	s.inviteRules()
	s.joinRules()
	s.resources.Admission(s.admitToken)
	return s, nil
}

// now is the instant of an operation: read once, as stores keep it.
func (s *Service) now() time.Time { return scim.Millis(s.clock()) }
