package mongo

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// gate holds commands back from a primary that was just elected. It has every write that a majority acknowledged, but
// it does not know of the last ones yet that a majority has them, and until it does it reads without them: who made
// a user a moment before the old primary was lost would be told that there is none. It knows as soon as a majority
// has a write of its own, so the process makes one, and nobody asks it anything else before.
//
// Behind a mongos the shards' elections are not seen.
type gate struct {
	// confirm makes a write on the primary at the address that a majority acknowledges.
	confirm func(ctx context.Context, addr string) error
	ctx     context.Context //nolint:containedctx // ends with the store
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu      sync.Mutex
	any     bool                     // there was a primary already
	primary map[string]*election     // by address
	sure    map[string]bson.ObjectID // by address, the last election of which a majority has a write: a missed heartbeat is none
}

// election is one that a member won.
type election struct {
	id   bson.ObjectID
	done chan struct{} // closed when a majority has a write of it, or when it is over
}

// confirmPause is how long after a failure the write is tried again.
const confirmPause = 20 * time.Millisecond

func (g *gate) init(confirm func(context.Context, string) error) {
	g.confirm, g.primary, g.sure = confirm, make(map[string]*election), make(map[string]bson.ObjectID)
	g.ctx, g.cancel = context.WithCancel(context.Background())
}

func (g *gate) stop() {
	g.mu.Lock()
	g.cancel()
	g.mu.Unlock()
	g.wg.Wait()
}

// changed takes what the driver has learned of a member, before it sends anything on the strength of it.
func (g *gate) changed(e *event.ServerDescriptionChangedEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	addr, now := string(e.Address), &e.NewDescription
	old := g.primary[addr]
	if old != nil && now.Kind == "RSPrimary" && now.ElectionID == old.id {
		return
	}
	if old != nil {
		delete(g.primary, addr)
	}
	if now.Kind != "RSPrimary" || g.ctx.Err() != nil {
		return
	}
	el := &election{id: now.ElectionID, done: make(chan struct{})}
	g.primary[addr] = el
	if !g.any { // the first one: this process has been told nothing yet that could be missing, and begins with a write
		g.any, g.sure[addr] = true, el.id
	}
	if g.sure[addr] == el.id {
		close(el.done)
		return
	}
	g.wg.Go(func() {
		defer close(el.done)
		for g.current(addr) == el {
			if g.confirm(g.ctx, addr) == nil {
				g.confirmed(addr, el)
				return
			}
			timer := time.NewTimer(confirmPause)
			select {
			case <-timer.C:
			case <-g.ctx.Done():
				timer.Stop()
				return
			}
		}
	})
}

// confirmed notes that a majority has a write of the election. Whether it is over meanwhile does not matter: its id never
// comes again for another one.
func (g *gate) confirmed(addr string, el *election) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sure[addr] = el.id
}

// closed takes that a member is none of the set any more: the driver does not tell what became of it.
func (g *gate) closed(e *event.ServerClosedEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.primary, string(e.Address))
}

func (g *gate) current(addr string) *election {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.primary[addr]
}

// memberOf is the address in the name that the driver gives a connection: "db1:27017[-5]", "[::1]:27017[-5]".
func memberOf(connection string) string {
	if at := strings.LastIndexByte(connection, '['); at > 0 {
		return connection[:at]
	}
	return connection
}

// pass waits until the member at the other end of a connection may be asked, or until the context is done.
func (g *gate) pass(ctx context.Context, connection string) {
	addr := memberOf(connection)
	for el := g.current(addr); el != nil; {
		select {
		case <-el.done:
		case <-ctx.Done():
			return
		}
		next := g.current(addr)
		if next == el {
			return
		}
		el = next // it was elected again meanwhile
	}
}

// confirmOn is the write, on a connection that does not wait at the gate.
func (s *Store) confirmOn(ctx context.Context, addr string) error {
	asked := ""
	o := s.clientOptions().SetMaxPoolSize(1).SetServerMonitor(nil).SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) { asked = memberOf(e.ConnectionID) },
	})
	client, err := mongo.Connect(o)
	if err != nil {
		return errURI
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	_, err = client.Database(s.db.Name()).Collection(collSettings).UpdateOne(ctx, bson.D{{Key: "_id", Value: "primary"}},
		bson.D{{Key: "$currentDate", Value: bson.D{{Key: "seen", Value: true}}}}, options.UpdateOne().SetUpsert(true))
	if err == nil && !strings.EqualFold(asked, addr) {
		return errLost // there is another primary by now
	}
	return err
}
