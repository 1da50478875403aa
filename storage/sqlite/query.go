package sqlite

import (
	"context"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Query implements storage.Resources. All of it is one snapshot.
func (s *Store) Query(ctx context.Context, org scim.OrgID, q query.Query) (page storage.Page, err error) {
	defer s.observe("query", &err)()
	if err := s.enter(ctx); err != nil {
		return storage.Page{}, err
	}
	var types []*resourceType
	for _, src := range q.Sources {
		t, err := s.typeOf(storage.Key{Type: src.Type})
		if err != nil {
			return storage.Page{}, err
		}
		types = append(types, t)
	}
	code, ok := s.orgs.get(org)
	if !ok {
		return storage.Page{}, nil
	}
	at := s.cache.done()
	once, isLookup := s.lookupOf(&q)
	if isLookup {
		if page, ok := s.answerLookup(once, org, code, &q, at); ok {
			return page, nil
		}
	}
	for again := true; again && err == nil; {
		var seen int
		seen, at = countStrays(types), s.cache.done()
		err = s.snapshot(ctx, func(c *conn) error {
			r := &runner{s: s, c: c, ctx: ctx, orgID: org, org: code, q: &q, at: at}
			page, err = r.run()
			return err
		})
		again = stale(types, seen)
	}
	if err != nil {
		return storage.Page{}, translate(ctx, "query", err)
	}
	if isLookup {
		s.keepLookup(once, code, &page, at)
	}
	return page, nil
}

// runner answers one query.
type runner struct {
	s     *Store
	c     *conn
	ctx   context.Context
	orgID scim.OrgID
	org   int64
	q     *query.Query
	plans []*plan
	at    int64 // what the cache had done before the snapshot began
}

// candidate is a match on its way to the page.
type candidate struct {
	t   *resourceType
	rid int64
	pos query.Position
	rec *storage.Record // if it was read already, without relations
	// uuid is the id as the row has it, which spares reading its text again.
	uuid   [16]byte
	isUUID bool
	// row is what else there is, if it was read by itself.
	row rest
}

func (r *runner) run() (storage.Page, error) {
	var page storage.Page
	for _, src := range r.q.Sources {
		k := &compiler{s: r.s, c: r.c, org: r.org, t: r.s.types[src.Type]}
		p, err := k.newPlan(src, r.q, false)
		if err != nil {
			return page, err
		}
		r.plans = append(r.plans, p)
	}
	// Watching a context costs more than a seek or two; what may run long is watched.
	if r.long() && r.ctx.Done() != nil {
		r.c.c.SetInterrupt(r.ctx.Done())
		defer r.c.c.SetInterrupt(nil)
	}
	if found, ok, err := r.pageFromEnd(&page); err != nil || ok {
		return page, firstError(err, r.load(&page, found))
	}
	found, counted, err := r.page()
	if err != nil {
		return page, err
	}
	q := r.q
	switch {
	case !q.Total:
	case q.After == nil && q.Before == nil && q.Limit > 0 && len(found) <= q.Limit && (len(found) > 0 || q.Offset == 0):
		page.Total = q.Offset + len(found) // the page is the end
	default:
		for i, p := range r.plans {
			n := counted[i]
			if n < 0 {
				if n, err = r.count(p); err != nil {
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
	return page, r.load(&page, found)
}

// pageFromEnd finds a page of everything that is nearer to the end by walking from there, so that the last page costs
// what the first one does.
func (r *runner) pageFromEnd(page *storage.Page) (found []candidate, ok bool, err error) {
	q, p := r.q, r.plans[0]
	if len(r.plans) > 1 || p.src.Where != nil || !p.ordered || q.Offset == 0 || q.Limit == 0 || q.After != nil || q.Before != nil {
		return nil, false, nil
	}
	all, err := r.count(p)
	if err != nil {
		return nil, false, err
	}
	n := int(all)
	rows := max(0, min(q.Limit, n-q.Offset))
	skip := n - q.Offset - rows // between the page and the end
	if rows > 0 && skip >= q.Offset {
		return nil, false, nil
	}
	if q.Total {
		page.Total = n
	}
	if rows == 0 {
		return nil, true, nil
	}
	page.More = skip > 0
	if p, err = p.k.newPlan(p.src, q, true); err != nil {
		return nil, false, err
	}
	if len(p.scans) == 1 {
		found, err = r.collect(p, rows, skip, nil)
	} else if found, err = r.collect(p, rows+skip, 0, nil); err == nil {
		found = found[skip:]
	}
	slices.Reverse(found)
	return found, true, err
}

// long reports whether the query may look at many rows.
func (r *runner) long() bool {
	for _, p := range r.plans {
		rank := p.driver().rank
		if rank > rankEq && (rank != rankAll || p.src.Where != nil || p.byDoc != nil || r.q.Offset > 1000) || p.residual != nil {
			return true
		}
	}
	return false
}

// page finds up to one more than Limit matches after the position and the offset, in the query's order (against it
// for Before). counted has each plan's number of all matches where finding the page gave it, else -1.
func (r *runner) page() (found []candidate, counted []int64, err error) {
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
		// Only a single exact plan can leave the offset to SQLite.
		if len(r.plans) == 1 && p.ordered && p.residual == nil && len(p.scans) == 1 {
			found, err = r.collect(p, want, offset, nil)
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
		some, err := r.collect(p, need, 0, all)
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
func (r *runner) collect(p *plan, want, offset int, all *int64) ([]candidate, error) {
	if want == 0 && all == nil {
		return nil, nil
	}
	// Most questions have one answer; room for a whole page would cost more than finding it.
	room := want
	if p.driver().rank <= rankEq {
		room = 2
	}
	found := make([]candidate, 0, min(room, 256))
	n := int64(0)
	for i := range p.scans {
		limit := int64(-1)
		if p.ordered && p.residual == nil && all == nil {
			limit = int64(want - len(found))
		}
		err := r.scan(p, &p.scans[i], limit, offset, func(c candidate) bool {
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

// scan calls visit with each match of a scan until it returns false.
func (r *runner) scan(p *plan, s *scan, limit int64, offset int, visit func(candidate) bool) error {
	bounded := limit >= 0 || offset > 0
	columns := ""
	if limit >= 0 && !r.s.cached(r.q.Load, p.k.t) {
		columns, s = p.join(s, r.q.Offset)
	}
	text, args := p.sql(s, columns, bounded)
	q := r.c.prepMade(text)
	q.values(args)
	if bounded {
		q.int(limit).int(int64(offset))
	}
	for {
		more, err := q.step()
		if err != nil || !more {
			return err
		}
		c := candidate{t: p.k.t, rid: q.colInt(1), pos: query.Position{Sorted: r.q.Sorted, Absent: r.q.Sorted}}
		if c.isUUID = q.isBlob(0); c.isUUID {
			q.s.ColumnBytes(0, c.uuid[:])
			c.pos.ID = formatUUID(&c.uuid)
		} else {
			c.pos.ID = q.colText(0)
		}
		if p.sort != nil {
			if v := q.colValue(2); v.t != isAbsent {
				c.pos.Absent, c.pos.Value = false, queryValue(p.sort, v)
			}
		}
		if columns != "" {
			if c.rec, err = r.scanRow(&q, 3, &c); err != nil {
				return q.abandon(err)
			}
		}
		ok, err := r.decide(p, &c)
		if err != nil {
			return q.abandon(err)
		}
		if ok && !visit(c) {
			return q.done()
		}
	}
}

// decide runs the residual and takes the sort value out of the document where no index has it.
func (r *runner) decide(p *plan, c *candidate) (bool, error) {
	if p.residual == nil && p.byDoc == nil {
		return true, nil
	}
	if err := r.ctx.Err(); err != nil {
		return false, err
	}
	rec, err := r.read(c)
	if err != nil {
		return false, err
	}
	names := p.reads()
	load := query.Load{Members: slices.Contains(names, c.t.Members), Groups: slices.Contains(names, c.t.Groups)}
	budget := storage.MaxLoadedMembers
	if err := r.s.loadRelations(r.c, r.org, c.t, rec, load, &budget); err != nil {
		return false, err
	}
	doc, err := matchDoc(c.t, rec, names)
	if err != nil {
		return false, err
	}
	if !query.Match(p.residual, doc) {
		return false, nil
	}
	if p.byDoc != nil {
		v, ok := query.SortValue(*p.byDoc, doc)
		c.pos.Absent, c.pos.Value = !ok, v
	}
	return true, nil
}

// read loads the row of a candidate, without relations.
func (r *runner) read(c *candidate) (*storage.Record, error) {
	q := r.c.prep("SELECT version, created, modified, doc, secret, keys FROM res WHERE rid=?")
	found, err := q.int(c.rid).step()
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errDangling
	}
	rec, err := r.scanRow(&q, 0, c)
	if err != nil {
		return nil, q.abandon(err)
	}
	c.row = rest{rid: c.rid, keys: q.colBytes(5), secrets: q.s.ColumnLen(4) > 0}
	return rec, q.done()
}

// scanRow reads a record off the columns from first on: version, created, modified, doc, secret.
func (r *runner) scanRow(q *stmt, first int, c *candidate) (*storage.Record, error) {
	rec := &storage.Record{
		Key:     storage.Key{Org: r.orgID, Type: c.t.Name, ID: c.pos.ID},
		Version: q.colInt(first), Created: instant(q.colInt(first + 1)), Modified: instant(q.colInt(first + 2)),
		Doc: q.colBytes(first + 3),
	}
	var err error
	if r.q.Load.Secret {
		rec.Secret, err = decodeSecret(q.colBytes(first + 4))
	}
	return rec, err
}

// load makes the candidates the records of the page: from the cache, and what is not there from the database, with
// all their groups at once.
func (r *runner) load(page *storage.Page, found []candidate) error {
	page.Records = make([]storage.Record, len(found))
	page.Sort = make([]query.Position, len(found))
	budget := storage.MaxLoadedMembers
	memory := arena{page: len(found) > 1, bytes: r.q.Load.Memory}
	var missing []int              // indexes of records to keep
	var inGroups []*storage.Record // whose groups are to be loaded
	for i := range found {
		c, rec := &found[i], &page.Records[i]
		page.Sort[i] = c.pos
		rec.Key = storage.Key{Org: r.orgID, Type: c.t.Name, ID: c.pos.ID}
		cached := r.s.cached(r.q.Load, c.t)
		var kb keyBuffer
		if cached && c.rec == nil && c.isUUID && r.s.fromCache(rec, uuidKey(kb[:0], r.org, &c.uuid), r.org, c.t, r.q.Load, r.at, &memory) {
			continue
		}
		if c.rec == nil {
			var err error
			if c.rec, err = r.read(c); err != nil {
				return err
			}
		}
		*rec = *c.rec
		if cached {
			missing = append(missing, i)
		}
		if err := r.s.loadRelations(r.c, r.org, c.t, rec, query.Load{Members: r.q.Load.Members, MemberLimit: r.q.Load.MemberLimit}, &budget); err != nil {
			return err
		}
		if r.q.Load.Groups && c.t.Groups != "" {
			rec.Groups = nil // the residual may have asked for them
			inGroups = append(inGroups, rec)
		}
	}
	if len(inGroups) > 0 {
		if err := r.s.loadGroups(r.c, r.org, inGroups); err != nil {
			return err
		}
	}
	for _, i := range missing {
		r.s.keep(r.org, found[i].t, &page.Records[i], found[i].row, r.q.Load.Groups, r.at)
	}
	return nil
}

// count counts the matches of a plan.
func (r *runner) count(p *plan) (n int64, err error) {
	switch {
	case p.src.Where == nil:
		q := r.c.prep("SELECT n FROM counts WHERE org=? AND type=?")
		n, _, err = q.int(r.org).int(p.k.t.code).one()
		return n, err
	case p.residual == nil:
		text, args := p.countSQL()
		q := r.c.prepMade(text)
		n, _, err = q.values(args).one()
		return n, err
	}
	all := *p
	all.byDoc, all.sort = nil, nil
	whole := idScan(p.driver(), true, nil, false)
	err = r.scan(&all, &whole, -1, 0, func(candidate) bool { n++; return true })
	return n, err
}
