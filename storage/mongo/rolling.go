package mongo

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// How a version that indexes more attributes takes over from one that indexes fewer while both serve. The older
// processes write documents without the values of the new attributes, so as long as one of them lives nothing is asked
// of those: a filter on one is answered from the documents, as for any attribute without an index. When the last
// of them has ended, whoever notices it writes the documents anew. The setting of a type says which attributes all
// of its documents are sure to have, and is made smaller before the first document can lack one. An older process
// does not start beside a newer one, so none comes back.

// layout is what a process writes into documents for the sake of queries.
type layout struct {
	Version int64        `bson:"version"`
	Types   []typeLayout `bson:"types"`
}

type typeLayout struct {
	Collection string   `bson:"coll"`
	Base       []string `bson:"base"`
	Attrs      []string `bson:"attrs"`
	Unique     []string `bson:"unique"`
}

func (c *catalog) layout() *layout {
	l := &layout{Version: SchemaVersion, Types: make([]typeLayout, 0, len(c.sorted))}
	for _, t := range c.sorted {
		one := typeLayout{Collection: t.coll, Base: t.base(), Attrs: []string{}, Unique: []string{}}
		for _, a := range t.attrs {
			one.Attrs = append(one.Attrs, a.spec())
			if a.index.Unique {
				one.Unique = append(one.Unique, a.name)
			}
		}
		l.Types = append(l.Types, one)
	}
	return l
}

func (l *layout) same(other *layout) bool { return reflect.DeepEqual(l, other) }

// of is what the layout has of a collection, nil if it does not know it.
func (l *layout) of(coll string) *typeLayout {
	i := slices.IndexFunc(l.Types, func(t typeLayout) bool { return t.Collection == coll })
	if i < 0 {
		return nil
	}
	return &l.Types[i]
}

// extends reports whether l has all that other has and at most further types and indexed attributes, none of them unique:
// a process that does not know of a unique attribute would not keep it so.
func (l *layout) extends(other *layout) bool {
	return l.Version == other.Version && !slices.ContainsFunc(other.Types, func(theirs typeLayout) bool {
		mine := l.of(theirs.Collection)
		return mine == nil || !slices.Equal(mine.Base, theirs.Base) || !slices.Equal(mine.Unique, theirs.Unique) ||
			len(common(theirs.Attrs, mine.Attrs)) < len(theirs.Attrs)
	})
}

// common keeps what both have, in the order of a.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// waits reports whether nothing may be asked of one of the type's attributes yet.
func (t *resourceType) waits() bool {
	return slices.ContainsFunc(t.attrs, func(a *attr) bool { return a.waiting.Load() })
}

// share makes the attributes wait that processes of an older version do not write.
func (s *Store) share(ctx context.Context, t *resourceType, behind []layout) error {
	have, err := s.indexedSpec(ctx, t)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(behind, func(l layout) bool { return l.of(t.coll) != nil })
	if !known { // nobody but processes like this one writes such documents
		return s.reindex(ctx, t)
	}
	if base := t.base(); len(common(base, have)) < len(base) {
		return fmt.Errorf("%w by a process that is bringing %s to its layout: try again when it has", ErrInUse, t.coll)
	}
	sure := common(have, t.spec())
	for i := range behind {
		if theirs := behind[i].of(t.coll); theirs != nil {
			sure = common(sure, slices.Concat(theirs.Base, theirs.Attrs))
		}
	}
	for _, a := range t.attrs {
		a.waiting.Store(!a.date && !slices.Contains(sure, a.spec()))
	}
	if len(sure) == len(have) {
		return nil
	}
	return s.set(ctx, specSetting(t), bson.D{{Key: "spec", Value: sure}})
}

// awaitOlder ends the waiting, in the background, when the older processes have ended.
func (s *Store) awaitOlder() {
	if !s.waits() {
		return
	}
	ctx := s.presence.own
	s.presence.wg.Go(func() {
		tick := time.NewTicker(seenEvery)
		defer tick.Stop()
		for s.waits() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// What fails now is tried again: until then the new attributes are asked of the documents.
				_ = s.catchUp(ctx)
			}
		}
	})
}

func (s *Store) waits() bool { return slices.ContainsFunc(s.sorted, (*resourceType).waits) }

// catchUp ends the waiting if the older processes have ended.
func (s *Store) catchUp(ctx context.Context) error {
	o, err := s.presence.others(ctx)
	if err != nil || len(o.behind) > 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for _, t := range s.sorted {
		if err := s.reindex(ctx, t); err != nil {
			return err
		}
		for _, a := range t.attrs {
			a.waiting.Store(false)
		}
	}
	return nil
}

// comeBack is what a process does before it writes again after others may have counted it as ended: what they have
// written for more indexes than it has is incomplete from then on.
func (s *Store) comeBack(ctx context.Context) error {
	if _, err := s.schemaVersion(ctx); err != nil {
		return err
	}
	for _, t := range s.sorted {
		have, err := s.indexedSpec(ctx, t)
		if err != nil {
			return err
		}
		if sure := common(have, t.spec()); len(sure) < len(have) {
			if err := s.set(ctx, specSetting(t), bson.D{{Key: "spec", Value: sure}}); err != nil {
				return err
			}
		}
	}
	return nil
}
