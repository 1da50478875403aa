package mongo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/internal/mongotest"
	"rollcall/scim"
	"rollcall/storage"
)

// numberers opens stores on one database, each as a process of its own; aborted counts the transactions that lost.
func numberers(b *testing.B, n int, aborted *atomic.Int64) []*Store {
	b.Helper()
	uri, name := mongotest.Database(b)
	stores := make([]*Store, n)
	for i := range stores {
		s, err := Open(b.Context(), Options{URI: uri, Database: name, Types: []storage.Type{{Name: "User"}}, Observer: func(e Event) {
			if e.Op == "abortTransaction" {
				aborted.Add(1)
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		stores[i] = s
	}
	return stores
}

func benchKey(n int) storage.Key {
	return storage.Key{Org: "o", Type: "User", ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", n)}
}

// BenchmarkNumbering is how many committed changes of one organization get their positions in a second while nobody
// writes (docs/adr/0009-mongodb-feed.md). An operation is one change.
func BenchmarkNumbering(b *testing.B) {
	for _, processes := range []int{1, 2} {
		b.Run(fmt.Sprintf("processes=%d", processes), func(b *testing.B) {
			var aborted atomic.Int64
			stores := numberers(b, processes, &aborted)
			x := &txn{s: stores[0], org: "o"}
			for i := range b.N {
				ch := storage.Change{Op: storage.OpCreate, Actor: scim.Actor{Kind: "token", ID: "t", Name: "t"}, Request: "r"}
				x.row(benchKey(i), bson.NewObjectID(), 1, 0, time.Unix(1, 0), &ch, bson.E{Key: "pending", Value: int64(2)}, bson.E{Key: "records", Value: int64(1)})
			}
			if _, err := stores[0].db.Collection(collChanges).InsertMany(b.Context(), x.changes); err != nil {
				b.Fatal(err)
			}
			before := databaseCPU(b, stores[0])
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, s := range stores {
				wg.Go(func() {
					if err := s.sequencer.drain(b.Context(), "o", b.N); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric((databaseCPU(b, stores[0])-before)/float64(b.N), "database-us/op")
			checkNumbered(b, stores[0], b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(aborted.Load())/float64(b.N)*1000, "aborts/1000")
		})
	}
}

// BenchmarkNumberedWrites is what writers in one organization commit in a second, each to a record of its own, with
// numbering beside them and without. An operation is one change; behind is how many were not numbered when the last
// one was written.
func BenchmarkNumberedWrites(b *testing.B) {
	for _, processes := range []int{1, 2} {
		for _, writers := range []int{1, 4, 16} {
			for _, numbering := range []bool{true, false} {
				if processes == 2 && writers == 1 {
					continue
				}
				b.Run(fmt.Sprintf("processes=%d/writers=%d/numbering=%t", processes, writers, numbering), func(b *testing.B) {
					var aborted atomic.Int64
					stores := numberers(b, processes, &aborted)
					for i := range writers {
						insertBench(b, stores[0], i)
					}
					if !numbering {
						for _, s := range stores {
							s.sequencer.stop()
						}
					}
					var next atomic.Int64
					before := databaseCPU(b, stores[0])
					b.ResetTimer()
					var wg sync.WaitGroup
					for i := range writers {
						s := stores[i%processes]
						wg.Go(func() {
							for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
								_, _, err := s.Update(b.Context(), benchKey(i), time.Unix(2, 0), func(storage.Current) (*storage.Edit, error) {
									return &storage.Edit{Doc: scim.Attributes{"n": fmt.Sprint(n)}, Change: storage.Change{Op: storage.OpReplace}}, nil
								})
								if err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					b.StopTimer()
					b.ReportMetric((databaseCPU(b, stores[0])-before)/float64(b.N), "database-us/op")
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
					b.ReportMetric(float64(aborted.Load())/float64(b.N)*1000, "aborts/1000")
					behind, err := stores[0].db.Collection(collChanges).CountDocuments(b.Context(), pendingOf("o"))
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(behind), "behind")
					if err := stores[0].sequencer.drain(context.WithoutCancel(b.Context()), "o", b.N+writers); err != nil {
						b.Fatal(err)
					}
					checkNumbered(b, stores[0], b.N+writers)
				})
			}
		}
	}
}

// databaseCPU is the processor time of the server so far, in microseconds: rates say more of the machine.
func databaseCPU(b *testing.B, s *Store) float64 {
	b.Helper()
	raw, err := s.client.Database("admin").RunCommand(b.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Raw()
	if err != nil {
		b.Fatal(err)
	}
	user, _ := raw.Lookup("extra_info", "user_time_us").AsInt64OK()
	system, _ := raw.Lookup("extra_info", "system_time_us").AsInt64OK()
	return float64(user + system)
}

func insertBench(b *testing.B, s *Store, n int) {
	b.Helper()
	e := &storage.Edit{Doc: scim.Attributes{"n": "0"}, Change: storage.Change{Op: storage.OpCreate}}
	if _, err := s.Insert(b.Context(), benchKey(n), time.Unix(1, 0), e); err != nil {
		b.Fatal(err)
	}
}

// checkNumbered wants the positions 1 to n.
func checkNumbered(b *testing.B, s *Store, n int) {
	b.Helper()
	got, err := s.db.Collection(collChanges).CountDocuments(b.Context(), append(bson.D{{Key: "org", Value: "o"}}, positive("pos")...))
	if err != nil || got != int64(n) {
		b.Fatalf("%d changes have positions, want %d: %v", got, n, err)
	}
	raw, err := s.db.Collection(collFeeds).FindOne(b.Context(), bson.D{{Key: "_id", Value: "o"}}).Raw()
	if err != nil {
		b.Fatal(err)
	}
	if last, _ := raw.Lookup("n").AsInt64OK(); last != int64(n) {
		b.Fatalf("the last position is %d, want %d", last, n)
	}
}
