package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Query implements storage.Resources. All of it is one snapshot.
func (s *Store) Query(ctx context.Context, org scim.OrgID, q query.Query) (page storage.Page, err error) {
	end, err := s.call(ctx, "query")
	if err != nil {
		return storage.Page{}, err
	}
	defer end(&err)
	one := len(q.Sources) == 1 && !q.Total && !q.Load.Members && !q.Load.Groups
	for _, src := range q.Sources {
		t, err := s.typeOf(src.Type)
		if err != nil {
			return storage.Page{}, err
		}
		one = one && (!q.Sorted || q.After == nil && q.Before == nil) && !mentions(src.Where, t.Members) && !mentions(src.Where, t.Groups)
	}
	run := func(ctx context.Context) (err error) {
		r := &runner{s: &s.clients, org: org, q: &q}
		page, err = r.run(ctx)
		return err
	}
	if one {
		err = run(ctx) // one statement is a snapshot by itself
	} else {
		err = s.snapshot(ctx, run)
	}
	if err != nil {
		return storage.Page{}, translate(ctx, "query", err)
	}
	return page, nil
}

// runner answers one query.
type runner struct {
	s     *reader
	org   scim.OrgID
	q     *query.Query
	plans []*plan
}

// candidate is a match on its way to the page.
type candidate struct {
	t   *resourceType
	rec *storage.Record
	pos query.Position
}

func (r *runner) run(ctx context.Context) (storage.Page, error) {
	var page storage.Page
	for _, src := range r.q.Sources {
		k := &compiler{s: r.s, ctx: ctx, org: r.org, t: r.s.types[src.Type]}
		p, err := k.newPlan(src, r.q)
		if err != nil {
			return page, err
		}
		r.plans = append(r.plans, p)
	}
	found, counted, err := r.page(ctx)
	if err != nil {
		return page, err
	}
	if r.q.Total {
		for i, p := range r.plans {
			n := counted[i]
			if n < 0 {
				if n, err = r.count(ctx, p); err != nil {
					return page, err
				}
			}
			page.Total += int(n)
		}
	}
	if r.q.Limit == 0 {
		return page, nil
	}
	if len(found) > r.q.Limit {
		page.More = true
		found = found[:r.q.Limit]
	}
	if r.q.Before != nil {
		slices.Reverse(found)
	}
	if err := r.loadRelations(ctx, found); err != nil {
		return page, err
	}
	for _, c := range found {
		page.Records = append(page.Records, *c.rec)
		page.Sort = append(page.Sort, c.pos)
	}
	return page, nil
}

// loadRelations brings what the query asks for, for all records of a type at once.
func (r *runner) loadRelations(ctx context.Context, found []candidate) error {
	if !r.q.Load.Members && !r.q.Load.Groups {
		return nil
	}
	byType := make(map[*resourceType][]*storage.Record)
	for _, c := range found {
		byType[c.t] = append(byType[c.t], c.rec)
	}
	budget := storage.MaxLoadedMembers
	for t, recs := range byType {
		if err := r.s.loadRelations(ctx, r.org, t, recs, r.q.Load, &budget); err != nil {
			return err
		}
	}
	return nil
}

// page finds up to one more than Limit matches after the position and the offset, in the query's order (against it
// for Before). counted has each plan's number of all matches where finding the page gave it, else -1.
func (r *runner) page(ctx context.Context) (found []candidate, counted []int64, err error) {
	counted = make([]int64, len(r.plans))
	for i := range counted {
		counted[i] = -1
	}
	want := r.q.Limit + 1
	if r.q.Limit == 0 {
		want = 0
	}
	offset := r.q.Offset
	for i, p := range r.plans {
		// Only a single exact plan can leave the offset to the server.
		if len(r.plans) == 1 && p.ordered && p.residual == nil && len(p.scans) == 1 {
			found, err = r.collect(ctx, p, want, offset, nil)
			// A page that ends the matches tells how many there are, unless it begins behind them.
			if err == nil && r.q.After == nil && r.q.Before == nil && len(found) < want && (offset == 0 || len(found) > 0) {
				counted[i] = int64(offset + len(found))
			}
			return found, counted, err
		}
		var all *int64
		if r.q.Total && (p.residual != nil || !p.ordered) && r.q.After == nil && r.q.Before == nil {
			all = &counted[i]
		}
		if want == 0 && all == nil {
			continue
		}
		need := 0
		if want > 0 {
			need = want + offset
		}
		some, err := r.collect(ctx, p, need, 0, all)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, some...)
	}
	if len(r.plans) > 1 {
		slices.SortFunc(found, r.order)
	}
	found = found[min(offset, len(found)):]
	return found[:min(want, len(found))], counted, nil
}

// collect returns the first want matches of a plan. With all it goes on to the end and sets all to their number.
func (r *runner) collect(ctx context.Context, p *plan, want, offset int, all *int64) ([]candidate, error) {
	found := make([]candidate, 0, min(want, 256))
	n := int64(0)
	if want == 0 && all == nil {
		return nil, nil
	}
	for i := range p.scans {
		limit := int64(0)
		if p.ordered && p.residual == nil && all == nil {
			limit = int64(want - len(found))
		}
		err := r.scan(ctx, p, &p.scans[i], limit, offset, func(c candidate) bool {
			n++
			switch {
			case len(found) < want && p.ordered:
				found = append(found, c)
			case !p.ordered && want > 0 && r.q.Admits(&c.pos):
				found = r.keep(found, c, want)
			}
			return all != nil || !p.ordered || len(found) < want
		})
		if err != nil {
			return nil, err
		}
		if p.ordered && all == nil && len(found) >= want {
			break
		}
	}
	if all != nil {
		*all = n
	}
	if !p.ordered {
		slices.SortFunc(found, r.order)
		found = found[:min(want, len(found))]
	}
	return found, nil
}

// keep adds c to the candidates of which the first want are needed. It sorts when there are twice as many, so that
// adding costs little and memory stays bounded.
func (r *runner) keep(found []candidate, c candidate, want int) []candidate {
	found = append(found, c)
	if len(found) < 2*want+64 {
		return found
	}
	slices.SortFunc(found, r.order)
	clear(found[want:])
	return found[:want]
}

// order is the query's order, turned around for a page before a position.
func (r *runner) order(a, b candidate) int {
	n := r.q.Compare(&a.pos, &b.pos)
	if r.q.Before != nil {
		return -n
	}
	return n
}

const (
	// scanBatch is how many candidates the server sends at a time when some of them will be thrown away.
	scanBatch = 500
	// relationBatch is how many candidates have their relations loaded at a time.
	relationBatch = 100
)

// scan calls visit with each match of a scan until it returns false.
func (r *runner) scan(ctx context.Context, p *plan, sc *scan, limit int64, offset int, visit func(candidate) bool) error {
	if !sc.runs {
		return r.statement(ctx, p, sc, limit, offset, visit)
	}
	return r.scanRuns(ctx, p, sc, func(c candidate) bool {
		if offset > 0 {
			offset--
			return true
		}
		return visit(c)
	})
}

// statement is a scan that the server does in one go.
func (r *runner) statement(ctx context.Context, p *plan, sc *scan, limit int64, offset int, visit func(candidate) bool) error {
	o := options.Find().SetSort(sc.sort).SetProjection(p.projection(r.q.Load.Secret)).SetAllowDiskUse(true)
	switch {
	case limit > 0:
		o.SetLimit(limit)
	default:
		size := scanBatch
		if p.ordered && p.residual == nil {
			size = min(size, r.q.Offset+r.q.Limit+2)
		}
		o.SetBatchSize(int32(size))
	}
	if offset > 0 {
		o.SetSkip(int64(offset))
	}
	cur, err := r.s.db.Collection(p.k.t.coll).Find(ctx, sc.filter, o)
	if err != nil {
		return err
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	size := 1
	if mentions(p.residual, p.k.t.Members) || mentions(p.residual, p.k.t.Groups) {
		size = relationBatch
	}
	waiting := make([]candidate, 0, size)
	for {
		more := cur.Next(ctx)
		if more {
			rec, err := decodeRecord(r.org, p.k.t.Name, cur.Current)
			if err != nil {
				return err
			}
			c := candidate{t: p.k.t, rec: rec, pos: query.Position{Sorted: r.q.Sorted, Absent: r.q.Sorted, ID: rec.ID}}
			if p.sort != nil {
				if v, ok := p.sortValue(cur.Current); ok {
					c.pos.Absent, c.pos.Value = false, v
				}
			}
			waiting = append(waiting, c)
		}
		if len(waiting) == size || !more {
			goOn, err := r.decide(ctx, p, waiting, visit)
			if err != nil || !goOn {
				return err
			}
			waiting = waiting[:0]
		}
		if !more {
			return cur.Err()
		}
	}
}

// decide runs the residual, takes the sort value out of the document where no index has it, and hands the matches on.
func (r *runner) decide(ctx context.Context, p *plan, list []candidate, visit func(candidate) bool) (goOn bool, err error) {
	if p.residual != nil {
		load := query.Load{Members: mentions(p.residual, p.k.t.Members), Groups: mentions(p.residual, p.k.t.Groups)}
		recs := make([]*storage.Record, len(list))
		for i := range list {
			recs[i] = list[i].rec
		}
		budget := storage.MaxLoadedMembers
		if err := r.s.loadRelations(ctx, r.org, p.k.t, recs, load, &budget); err != nil {
			return false, err
		}
	}
	for i := range list {
		c := &list[i]
		if p.residual != nil || p.byDoc != nil {
			doc, err := matchDoc(p.k.t, c.rec)
			if err != nil {
				return false, err
			}
			if p.residual != nil && !query.Match(p.residual, doc) {
				continue
			}
			if p.byDoc != nil {
				v, ok := query.SortValue(*p.byDoc, doc)
				c.pos.Absent, c.pos.Value = !ok, v
			}
			c.rec.Members, c.rec.Groups = nil, nil
		}
		if !visit(*c) {
			return false, nil
		}
	}
	return true, ctx.Err()
}

// count counts the matches of a plan.
func (r *runner) count(ctx context.Context, p *plan) (n int64, err error) {
	if p.src.Where == nil {
		return r.s.count(ctx, r.org, p.k.t)
	}
	all := *p
	all.byDoc, all.sort = nil, nil
	all.scans = all.idScans(nil, false)
	for i := range all.scans {
		if all.residual == nil {
			some, err := r.s.db.Collection(p.k.t.coll).CountDocuments(ctx, all.scans[i].filter)
			if err != nil {
				return 0, err
			}
			n += some
			continue
		}
		err := r.scan(ctx, &all, &all.scans[i], 0, 0, func(candidate) bool { n++; return true })
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
