package mongo

import (
	"context"
	"testing"
)

// CatchUp does now what a store that waits for older processes does now and then.
func (s *Store) CatchUp(ctx context.Context) error { return s.catchUp(ctx) }

// Waits reports whether the store leaves some of its indexes alone.
func (s *Store) Waits() bool { return s.waits() }

// BreakReindex begins to write documents anew, for the types that it is given, and is cut off at the first one.
func BreakReindex(ctx context.Context, t *testing.T, o Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	set := false
	o.Observer = func(e Event) {
		// What is announced is an update; the documents come after it.
		switch {
		case e.Op == "update":
			set = true
		case e.Op == "find" && set:
			cancel()
		}
	}
	cat, err := newCatalog(o.Types)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{reader: reader{catalog: cat}, clients: reader{catalog: cat}, options: o.withDefaults()}
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.client.Disconnect(context.WithoutCancel(ctx)) }()
	if err := s.reindex(ctx, s.sorted[0]); ctx.Err() == nil {
		t.Fatalf("it was not cut off: %v", err)
	}
}
