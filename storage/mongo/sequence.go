package mongo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
)

// How the feed gets its order (docs/adr/0009-mongodb-feed.md). A writer that took a number from a counter of its
// organization would wait for every other writer, or, if it took it outside of its transaction, commit in another
// order than it numbered, and a follower would run past a change that is not there yet. So writers take none: a
// committed change is pending until somebody numbers it. That is one short transaction, which reads the pending rows
// in a snapshot, advances the organization's counter and writes the positions; of several that try at once the
// counter lets one win. What the snapshot does not have is numbered later, and a row of version v+1 is never in it
// without that of version v.
//
// The document of feeds that has the counter also has the number of records of each type as of its position, so a
// total without a filter is that plus the pending rows.
type sequencer struct {
	s      *Store
	mu     sync.Mutex
	fresh  map[scim.OrgID]int // changes that this process wrote and nobody here has numbered since
	active map[scim.OrgID]bool
	wg     sync.WaitGroup
	ctx    context.Context //nolint:containedctx // ends with the store
	cancel context.CancelFunc
}

const (
	// batch is how many changes one transaction numbers.
	batch = 1000
	// enough is how many changes a process writes before it numbers them itself, so that neither a first reader nor
	// a total ever finds a mountain.
	enough = 500
)

func (q *sequencer) init(s *Store) {
	q.s, q.fresh, q.active = s, make(map[scim.OrgID]int), make(map[scim.OrgID]bool)
	q.ctx, q.cancel = context.WithCancel(context.Background())
}

func (q *sequencer) stop() {
	q.mu.Lock()
	q.cancel()
	q.mu.Unlock()
	q.wg.Wait()
}

// wrote counts committed changes; after enough of them they are numbered in the background.
func (q *sequencer) wrote(org scim.OrgID, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fresh[org] += n
	if q.fresh[org] < enough || q.active[org] || q.ctx.Err() != nil {
		return
	}
	q.active[org] = true
	want := q.fresh[org]
	q.wg.Go(func() {
		// A failure is no loss: the rows stay pending and the next reader numbers them.
		_ = q.drain(q.ctx, org, want)
		q.mu.Lock()
		q.active[org] = false
		q.mu.Unlock()
	})
}

// drain numbers pending changes until there are none or want of them are done.
func (q *sequencer) drain(ctx context.Context, org scim.OrgID, want int) error {
	for done := 0; ; {
		n := 0
		err := again(ctx, func() (err error) {
			n, err = q.number(ctx, org)
			return err
		})
		if err != nil {
			return err
		}
		if n < batch {
			q.mu.Lock()
			delete(q.fresh, org)
			q.mu.Unlock()
		}
		if done += n; n < batch || done >= want {
			return nil
		}
	}
}

type pendingRow struct {
	ID   bson.ObjectID `bson:"_id"`
	Key  string        `bson:"id"`
	Type string        `bson:"type"`
	N    int64         `bson:"records"`
	At   bson.DateTime `bson:"at"`
}

// asMade puts the rows of a batch, which come in the order of their versions, in the order in which they were made, as
// far as clocks tell: people read the feed too. What was made of one record stays in its order.
func asMade(rows []pendingRow) {
	byVersion := slices.Clone(rows)
	slices.SortFunc(rows, func(a, b pendingRow) int {
		return cmp.Or(cmp.Compare(a.At, b.At), bytes.Compare(a.ID[:], b.ID[:]))
	})
	type record struct{ typ, id string }
	places := make(map[record][]int, len(rows))
	for i := range rows {
		k := record{rows[i].Type, rows[i].Key}
		places[k] = append(places[k], i)
	}
	for _, r := range byVersion {
		k := record{r.Type, r.Key}
		rows[places[k][0]] = r
		places[k] = places[k][1:]
	}
}

// number gives the next positions to up to batch pending changes.
func (q *sequencer) number(ctx context.Context, org scim.OrgID) (int, error) {
	// Most of the time there is nothing: that costs one look outside of a transaction.
	some, err := q.anyPending(ctx, org)
	if err != nil || !some {
		return 0, err
	}
	n := 0
	err = q.s.attempt(ctx, org, false, func(ctx context.Context, x *txn) error {
		var rows []pendingRow
		// Lower versions first: of one record's changes a batch always holds the oldest.
		cur, err := q.s.db.Collection(collChanges).Find(ctx, pendingOf(org),
			options.Find().SetSort(ascending("org", "pending", "type", "records")).SetLimit(batch).
				SetProjection(ascending("id", "type", "records", "at")))
		if err != nil {
			return x.fail(ctx, "read pending changes", err)
		}
		if err := cur.All(ctx, &rows); err != nil {
			return x.fail(ctx, "read pending changes", err)
		}
		if n = len(rows); n == 0 {
			return nil
		}
		asMade(rows)
		last, err := q.advance(ctx, x, org, rows)
		if err != nil {
			return err
		}
		models := make([]mongo.WriteModel, n)
		for i, r := range rows {
			row := bson.D{{Key: "_id", Value: r.ID}} // alone it needs no planner, which would take a third of the time
			if q.s.routed {
				row = append(row, bson.E{Key: "org", Value: string(org)}, bson.E{Key: "id", Value: r.Key})
			}
			models[i] = mongo.NewUpdateOneModel().SetFilter(row).
				SetUpdate(bson.D{
					{Key: "$set", Value: bson.D{{Key: "pos", Value: last - int64(n-1-i)}}},
					{Key: "$unset", Value: bson.D{{Key: "pending", Value: ""}}},
				})
		}
		_, err = q.s.db.Collection(collChanges).BulkWrite(ctx, models)
		return x.fail(ctx, "number changes", err)
	})
	return n, err
}

func pendingOf(org scim.OrgID) bson.D {
	return append(bson.D{{Key: "org", Value: string(org)}}, positive("pending")...)
}

func (q *sequencer) anyPending(ctx context.Context, org scim.OrgID) (bool, error) {
	err := q.s.db.Collection(collChanges).FindOne(ctx, pendingOf(org),
		options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "pending", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, translate(ctx, "look for pending changes", err)
}

// advance moves the counters past the rows and returns the position of the last of them.
func (q *sequencer) advance(ctx context.Context, x *txn, org scim.OrgID, rows []pendingRow) (int64, error) {
	inc := bson.D{{Key: "n", Value: int64(len(rows))}}
	for t, n := range tally(rows) {
		inc = append(inc, bson.E{Key: "counts." + clean(t), Value: n})
	}
	x.wrote = true
	raw, err := q.s.db.Collection(collFeeds).FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: string(org)}},
		bson.D{{Key: "$inc", Value: inc}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, x.fail(ctx, "advance the feed", again11000(err))
	}
	last, ok := raw.Lookup("n").AsInt64OK()
	if !ok {
		return 0, errRecord
	}
	return last, nil
}

// tally is by how much rows change the number of records of each type.
func tally(rows []pendingRow) map[string]int64 {
	counts := make(map[string]int64)
	for _, r := range rows {
		if r.N != 0 {
			counts[r.Type] += r.N
		}
	}
	return counts
}

// count is the number of an organization's records of a type, in a snapshot.
func (s *reader) count(ctx context.Context, org scim.OrgID, t *resourceType) (int64, error) {
	var n int64
	raw, err := s.db.Collection(collFeeds).FindOne(ctx, bson.D{{Key: "_id", Value: string(org)}}).Raw()
	switch {
	case err == nil:
		n, _ = raw.Lookup("counts", clean(string(t.Name))).AsInt64OK()
	case !errors.Is(err, mongo.ErrNoDocuments):
		return 0, err
	}
	match := append(pendingOf(org), bson.E{Key: "type", Value: string(t.Name)},
		in("records", []int64{1, -1})[0])
	cur, err := s.db.Collection(collChanges).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: match}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$records"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: int64(1)}}}}}},
	})
	if err != nil {
		return 0, err
	}
	err = each(ctx, cur, func(raw bson.Raw) error {
		k, _ := raw.Lookup("n").AsInt64OK()
		sign, _ := raw.Lookup("_id").AsInt64OK()
		n += sign * k
		return nil
	})
	return n, err
}
