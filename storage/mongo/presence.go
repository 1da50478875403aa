package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/storage"
)

// presence is this process's document in the collection of those that have the database open. What is copied must have
// no writers meanwhile, so whoever copies has to know of them, and they of it. And documents that a process with other
// indexes writes would not be found by what this one asks its indexes, so such processes do not go together.
type presence struct {
	id     bson.ObjectID
	behind []layout // of the processes of an older version that were there when this one began
	store  *Store
	own    context.Context //nolint:containedctx // ends with the store
	cancel context.CancelFunc
	wg     sync.WaitGroup
	last   atomic.Pointer[time.Time] // when this process last said that it is there, by the options' clock
	back   chan struct{}             // holds one while somebody looks whether it may go on
	ended  atomic.Bool               // others have counted it as ended, and it must not write
}

const (
	// seenEvery is how often a process says that it lives, seenFor how long that counts.
	seenEvery = 10 * time.Second
	seenFor   = 35 * time.Second
)

// ErrInUse: the database is to be used by one process alone, and is not.
var ErrInUse = errors.New("mongo: the database is in use")

// begin says that the process is there and looks who else is. Both kinds of process do it in this order, so of two that
// begin at once at least one sees the other.
func (p *presence) begin(ctx context.Context, s *Store) error {
	p.id, p.store, p.back = bson.NewObjectID(), s, make(chan struct{}, 1)
	if err := p.seen(ctx); err != nil {
		return translate(ctx, "say that the process is there", err)
	}
	o, err := p.others(ctx)
	switch {
	case err != nil:
		return translate(ctx, "look for other processes", err)
	case o.exclusive > 0:
		return fmt.Errorf("%w by \"rollcall copy\"; one that was killed counts for %v", ErrInUse, seenFor)
	case s.options.Exclusive && o.all > 0:
		return fmt.Errorf("%w by %d other process(es) of Rollcall; one that was killed counts for %v", ErrInUse, o.all, seenFor)
	case o.different > 0:
		return fmt.Errorf("%w by %d process(es) of another version of Rollcall, which writes other documents: stop them first; one that was killed counts for %v",
			ErrInUse, o.different, seenFor)
	case s.options.Finish && len(o.behind) > 0:
		return fmt.Errorf("%w by %d process(es) of an older version of Rollcall; when they have ended, servers of this one finish by themselves", ErrInUse, len(o.behind))
	}
	p.behind = o.behind
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.own, p.cancel = own, cancel
	p.wg.Go(func() {
		tick := time.NewTicker(seenEvery)
		defer tick.Stop()
		for {
			select {
			case <-own.Done():
				return
			case <-tick.C:
				// If the database is away now, its requests say so.
				_ = p.seen(own)
			}
		}
	})
	return nil
}

func (p *presence) seen(ctx context.Context) error {
	now := p.store.now()
	if !p.heard() { // whoever writes next has to look around first
		return p.say(ctx)
	}
	err := p.say(ctx)
	if err == nil {
		p.last.Store(&now)
	}
	return err
}

func (p *presence) say(ctx context.Context) error {
	_, err := p.store.db.Collection(collProcesses).UpdateOne(ctx, bson.D{{Key: "_id", Value: p.id}}, bson.D{
		{Key: "$currentDate", Value: bson.D{{Key: "seen", Value: true}}},
		{Key: "$set", Value: bson.D{
			{Key: "exclusive", Value: p.store.options.Exclusive}, {Key: "indexes", Value: p.store.fingerprint()}, {Key: "layout", Value: p.store.layout()},
		}},
	}, options.UpdateOne().SetUpsert(true))
	return err
}

// mayWrite keeps a process from writing that others may have given up: it was stopped, or could not reach the database, for
// so long that one of another version, or a copy, may count on its being gone.
func (p *presence) mayWrite(ctx context.Context) error {
	if p.heard() {
		return nil
	}
	select { // one asks for all, each waits no longer than it has time
	case p.back <- struct{}{}:
		defer func() { <-p.back }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.heard() {
		return nil
	}
	if err := p.say(ctx); err != nil {
		return translate(ctx, "say that the process is there", err)
	}
	o, err := p.others(ctx)
	if err != nil {
		return translate(ctx, "look for other processes", err)
	}
	if o.different > 0 || o.exclusive > 0 {
		p.ended.Store(true)
		return fmt.Errorf("%w: %w by a process that counted this one as ended", storage.ErrUnavailable, ErrInUse)
	}
	if err := p.store.comeBack(ctx); err != nil {
		return err
	}
	now := p.store.now()
	p.last.Store(&now)
	p.ended.Store(false)
	return nil
}

// heard reports whether nobody can have counted the process as ended.
func (p *presence) heard() bool {
	last := p.last.Load()
	return last == nil || p.store.options.Now == nil || lasts(*last, p.store.now(), seenFor-seenEvery) && !p.ended.Load()
}

// company is how many processes live beside this one.
type company struct {
	all, exclusive int
	behind         []layout // of those whose documents only lack some of what this one's have
	different      int      // those that are neither so nor alike
}

// others counts them by the server's clock, and forgets those long dead.
func (p *presence) others(ctx context.Context) (o company, err error) {
	coll := p.store.db.Collection(collProcesses)
	age := func(word string, d time.Duration) bson.D {
		return bson.D{{Key: "$expr", Value: bson.D{{Key: word, Value: bson.A{
			"$seen", bson.D{{Key: "$subtract", Value: bson.A{"$$NOW", d.Milliseconds()}}},
		}}}}}
	}
	if _, err := coll.DeleteMany(ctx, age("$lt", 24*time.Hour)); err != nil {
		return o, err
	}
	cur, err := coll.Find(ctx, age("$gt", seenFor))
	if err != nil {
		return o, err
	}
	own, mine := p.store.fingerprint(), p.store.layout()
	err = each(ctx, cur, func(raw bson.Raw) error {
		if id, _ := raw.Lookup("_id").ObjectIDOK(); id == p.id {
			return nil
		}
		o.all++
		if alone, _ := raw.Lookup("exclusive").BooleanOK(); alone {
			o.exclusive++
		}
		var theirs struct {
			Layout *layout `bson:"layout"` // nil: of a version that did not say
		}
		if err := bson.Unmarshal(raw, &theirs); err != nil {
			return errRecord
		}
		switch l := theirs.Layout; {
		case text(raw, "indexes") == own && (l == nil || l.same(mine)):
		case l != nil && mine.extends(l):
			o.behind = append(o.behind, *l)
		default:
			o.different++
		}
		return nil
	})
	return o, err
}

// end takes the document away.
func (p *presence) end() {
	if p.store == nil {
		return
	}
	if p.cancel != nil {
		p.cancel()
	}
	p.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), p.store.options.ServerSelection)
	defer cancel()
	_, _ = p.store.db.Collection(collProcesses).DeleteOne(ctx, bson.D{{Key: "_id", Value: p.id}})
}
