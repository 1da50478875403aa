package mongo

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/address"

	"rollcall/internal/mongotest"
	"rollcall/storage"
)

// became is what the driver tells of a member.
func became(addr address.Address, kind string, election bson.ObjectID) *event.ServerDescriptionChangedEvent {
	return &event.ServerDescriptionChangedEvent{
		Address: addr, NewDescription: event.ServerDescription{Addr: addr, Kind: kind, ElectionID: election},
	}
}

// TestGate: nobody asks a primary that came after another one before a majority has a write of it.
func TestGate(t *testing.T) {
	var g gate
	asked, answer := make(chan string), make(chan error)
	g.init(func(ctx context.Context, addr string) error {
		select {
		case asked <- addr:
			return <-answer
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	defer g.stop()
	pass := func(connection string) chan struct{} {
		done := make(chan struct{})
		go func() {
			g.pass(t.Context(), connection)
			close(done)
		}()
		return done
	}
	held := func(what string, done chan struct{}) {
		t.Helper()
		select {
		case <-done:
			t.Errorf("%s: it passed", what)
		default:
		}
	}
	first, second := bson.NewObjectID(), bson.NewObjectID()
	g.changed(became("a:1", "RSPrimary", first))
	<-pass("a:1[-7]") // the first one that the process sees
	g.changed(became("a:1", "Unknown", bson.ObjectID{}))
	g.changed(became("b:1", "RSPrimary", second))
	<-pass("a:1[-7]") // no primary: whoever asks it is refused there
	waiting := pass("b:1[-8]")
	if addr := <-asked; addr != "b:1" {
		t.Errorf("the write is made on %s", addr)
	}
	held("before the write", waiting)
	answer <- errors.New("no majority")
	<-asked
	held("after a write that failed", waiting)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	g.pass(gone, "b:1[-8]") // who has no time left does not wait
	g.changed(became("b:1", "RSPrimary", second))
	answer <- nil
	<-waiting
	<-pass("b:1[-9]")
	// A heartbeat is missed: it is the same election, and nobody waits.
	g.changed(became("b:1", "Unknown", bson.ObjectID{}))
	g.changed(became("b:1", "RSPrimary", second))
	<-pass("b:1[-9]")
	// The same member wins again.
	third := bson.NewObjectID()
	g.changed(became("b:1", "RSPrimary", third))
	waiting = pass("b:1[-8]")
	<-asked
	held("after the second election", waiting)
	// And again, before the first write was answered.
	g.changed(became("b:1", "RSSecondary", bson.ObjectID{}))
	g.changed(became("b:1", "RSPrimary", bson.NewObjectID()))
	answer <- nil
	<-asked
	held("after a write in an election that is over", waiting)
	answer <- nil
	<-waiting
	// A primary is taken out of the set before a majority has a write of it: nobody tries that for ever.
	g.changed(became("c:1", "RSPrimary", bson.NewObjectID()))
	waiting = pass("c:1[-1]")
	<-asked
	g.closed(&event.ServerClosedEvent{Address: "c:1"})
	answer <- errLost
	select {
	case <-waiting:
	case <-asked:
		t.Error("the write is tried on a member that is none any more")
		answer <- nil
	}
}

func TestMemberOf(t *testing.T) {
	for in, want := range map[string]string{"db1:27017[-5]": "db1:27017", "[::1]:27017[-5]": "[::1]:27017", "db1:27017": "db1:27017"} {
		if got := memberOf(in); got != want {
			t.Errorf("memberOf(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestGateOnAServer: the write of the gate is one that the server accepts, on the primary and nowhere else.
func TestGateOnAServer(t *testing.T) {
	uri, name := mongotest.Database(t)
	s, err := Open(t.Context(), Options{URI: uri, Database: name, Types: []storage.Type{testType(t).Type}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.gate.mu.Lock()
	var primary string
	for addr := range s.gate.primary {
		primary = addr
	}
	s.gate.mu.Unlock()
	for range 2 { // the first makes the document
		if err := s.confirmOn(t.Context(), primary); err != nil {
			t.Fatalf("confirm on %q: %v", primary, err)
		}
	}
	if err := s.confirmOn(t.Context(), "elsewhere:1"); !errors.Is(err, errLost) {
		t.Errorf("confirm on another address: %v", err)
	}
	// Elected anew, it is asked again as soon as a majority has the write.
	s.gate.changed(became(address.Address(primary), "RSPrimary", bson.NewObjectID()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Organization(ctx, "nobody"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a read after an election: %v", err)
	}
}
