package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim/query"
)

// Descending order has ids ascending below equal values. An index on (value, id) read backwards has them descending,
// and a second index for each attribute would cost every write. So the index is read backwards, and each run of equal
// values is turned around here. A run that is too long to be held is read by itself, in its right direction.

// longestRun is how many records with one value are turned around in memory.
const longestRun = 1000

// scanRuns is scan for a sort whose ids go against its values.
func (r *runner) scanRuns(ctx context.Context, p *plan, sc *scan, visit func(candidate) bool) error {
	a, value, id := p.sort, sc.sort[0], sc.sort[1]
	flat := scan{filter: sc.filter, sort: bson.D{value, {Key: "id", Value: value.Value}}}
	for {
		var run []candidate
		stopped, long := false, false
		turn := func() bool {
			for i := len(run) - 1; i >= 0 && !stopped; i-- {
				stopped = !visit(run[i])
			}
			run = run[:0]
			return !stopped
		}
		err := r.statement(ctx, p, &flat, 0, 0, func(c candidate) bool {
			if len(run) > 0 && !sameValue(&run[0].pos, &c.pos) && !turn() {
				return false
			}
			run = append(run, c)
			long = len(run) > longestRun
			return !long
		})
		if err != nil || stopped {
			return err
		}
		if !long {
			turn()
			return nil
		}
		v := any(absent)
		if pos := run[0].pos; !pos.Absent {
			v = a.indexed(pos.Value)
		}
		whole := scan{filter: and(sc.filter, bson.D{{Key: a.sort, Value: v}}), sort: bson.D{id}}
		err = r.statement(ctx, p, &whole, 0, 0, func(c candidate) bool {
			stopped = !visit(c)
			return !stopped
		})
		if err != nil || stopped {
			return err
		}
		// What is beyond the value; the complement reaches the absent one as well.
		beyond := bson.D{{Key: "$lt", Value: v}}
		if value.Value == direction(true) {
			beyond = bson.D{{Key: "$not", Value: bson.D{{Key: "$lte", Value: v}}}}
		}
		flat.filter = and(sc.filter, bson.D{{Key: a.sort, Value: beyond}})
	}
}

// and is a filter and one more condition.
func and(filter, more bson.D) bson.D {
	return bson.D{{Key: "$and", Value: bson.A{filter, more}}}
}

func sameValue(a, b *query.Position) bool {
	if a.Absent || b.Absent {
		return a.Absent == b.Absent
	}
	return query.CompareValues(a.Value, b.Value) == 0
}
