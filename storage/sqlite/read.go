package sqlite

import (
	"cmp"
	"context"
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Get implements storage.Resources.
func (s *Store) Get(ctx context.Context, k storage.Key, load query.Load) (rec *storage.Record, err error) {
	defer s.observe("get", &err)()
	t, err := s.typeOf(k)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	org, ok := s.orgs.get(k.Org)
	if !ok {
		return nil, storage.ErrNotFound
	}
	cached := s.cached(load, t)
	if cached {
		if rec := s.cachedRecord(org, t, k, load); rec != nil {
			return rec, nil
		}
	}
	at := s.cache.done()
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	var row rest
	if load.Members && t.Members != "" || load.Groups && t.Groups != "" {
		err = c.snapshot(func(c *conn) (err error) {
			rec, row, err = s.get(c, org, t, k, load)
			return err
		})
	} else {
		// One statement is a snapshot by itself.
		rec, row, err = s.get(c, org, t, k, load)
	}
	if err != nil {
		return nil, translate(ctx, "get", err)
	}
	if cached {
		s.keep(org, t, rec, row, load.Groups, at)
	}
	return rec, nil
}

// get reads a record and the rest of its row.
func (s *Store) get(c *conn, org int64, t *resourceType, k storage.Key, load query.Load) (rec *storage.Record, row rest, err error) {
	q := c.prep("SELECT r.version, r.created, r.modified, r.doc, r.secret, r.keys, r.rid" +
		" FROM ids i CROSS JOIN res r ON r.rid=i.rid WHERE i.org=? AND i.type=? AND i.id=?")
	found, err := q.int(org).int(t.code).id(k.ID).step()
	if err != nil {
		return nil, row, err
	}
	if !found {
		return nil, row, storage.ErrNotFound
	}
	rec = &storage.Record{
		Key: k, Version: q.colInt(0), Created: instant(q.colInt(1)), Modified: instant(q.colInt(2)), Doc: q.colBytes(3),
	}
	if load.Secret {
		if rec.Secret, err = decodeSecret(q.colBytes(4)); err != nil {
			return nil, row, q.abandon(err)
		}
	}
	row = rest{rid: q.colInt(6), keys: q.colBytes(5), secrets: q.s.ColumnLen(4) > 0}
	if err := q.done(); err != nil {
		return nil, row, err
	}
	budget := storage.MaxLoadedMembers
	return rec, row, s.loadRelations(c, org, t, rec, load, &budget)
}

// loadRelations brings what load asks for and the type has.
func (s *Store) loadRelations(c *conn, org int64, t *resourceType, rec *storage.Record, load query.Load, budget *int) (err error) {
	if load.Members && t.Members != "" {
		many := false
		if load.FewMembers && load.MemberLimit > 0 {
			if many, err = c.hasMembers(org, rec.ID, load.MemberLimit); err != nil {
				return err
			}
		}
		if many {
			rec.Members = make([]storage.Member, load.MemberLimit)
		} else if rec.Members, err = s.loadMembers(c, org, rec.ID, load.MemberLimit, budget); err != nil {
			return err
		}
	}
	if load.Groups && t.Groups != "" {
		err = s.loadGroups(c, org, []*storage.Record{rec})
	}
	return err
}

// loadMembers returns the members of a group, ordered by type and id, at most limit if that is not 0; those pending
// come first, as their type is empty. budget is how many more may be loaded.
func (s *Store) loadMembers(c *conn, org int64, grp string, limit int, budget *int) ([]storage.Member, error) {
	most := *budget
	if limit > 0 {
		most = min(most, limit)
	}
	var list []storage.Member
	codes, err := s.memberTypes(c, org, grp)
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		if limit > 0 && len(list) >= limit {
			break
		}
		// One more than may be, to notice that there are too many.
		if list, err = s.membersOfType(c, org, grp, code, most+1-len(list), list); err != nil {
			return nil, err
		}
		if limit > 0 && len(list) > limit {
			list = list[:limit]
		}
	}
	if *budget -= len(list); *budget < 0 {
		return nil, storage.ErrTooExpensive
	}
	return list, nil
}

// memberTypes returns the codes of the types that a group's members have, in the order of their names, 0 for pending
// ones first: with a seek for each, as most types are in no group.
func (s *Store) memberTypes(c *conn, org int64, grp string) ([]int64, error) {
	var codes []int64
	for last := int64(-1); ; {
		q := c.prep("SELECT mtype FROM members WHERE org=? AND grp=? AND mtype>? ORDER BY mtype LIMIT 1")
		code, found, err := q.int(org).id(grp).int(last).one()
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		last = code
		if code == 0 || s.byCode[code] != nil { // else of a type that this store was opened without
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes, func(a, b int64) int { return cmp.Compare(s.typeName(a), s.typeName(b)) })
	return codes, nil
}

// membersOfType appends up to n members of one type, in the order of their ids. Texts, which only pending members
// have, come before blobs in SQLite and between them in ours.
func (s *Store) membersOfType(c *conn, org int64, grp string, code int64, n int, list []storage.Member) ([]storage.Member, error) {
	start := len(list)
	texts := false
	for _, q := range [...]stmt{
		c.prep(selectMembers + " ORDER BY m.member LIMIT ?"),
		c.prep(selectMembers + " AND m.member>=x'' ORDER BY m.member LIMIT ?"),
	} {
		q.int(org).id(grp).int(code).int(int64(n))
		for {
			more, err := q.step()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			m := storage.Member{Type: s.typeName(code), ID: q.colID(0), Display: q.colText(1)}
			texts = texts || !q.isBlob(0)
			list = append(list, m)
		}
		if !texts || len(list)-start < n {
			break
		}
	}
	if texts {
		mine := list[start:]
		slices.SortFunc(mine, func(a, b storage.Member) int { return cmp.Compare(a.ID, b.ID) })
		mine = slices.Compact(mine)
		list = list[:start+min(n, len(mine))]
	}
	return list, nil
}

const selectMembers = `SELECT m.member, i.label FROM members m
	LEFT JOIN ids i ON i.org=m.org AND i.type=m.mtype AND i.id=m.member WHERE m.org=? AND m.grp=? AND m.mtype=?`

// loadGroups brings the groups of several records.
func (s *Store) loadGroups(c *conn, org int64, recs []*storage.Record) error {
	if len(s.groups) == 0 {
		return nil
	}
	nested, err := s.hasNested(c, org)
	if err != nil {
		return err
	}
	if nested || len(recs) == 1 {
		for _, rec := range recs {
			if nested {
				rec.Groups, err = s.nestedGroups(c, org, rec.ID)
			} else {
				rec.Groups, err = s.groupsOf(c, org, rec.ID, true)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	byID := make(map[string]*storage.Record, len(recs))
	for _, rec := range recs {
		byID[rec.ID] = rec
	}
	for len(recs) > 0 {
		n := min(len(recs), groupsAtOnce)
		if err := s.groupsOfMany(c, org, recs[:n], byID); err != nil {
			return err
		}
		recs = recs[n:]
	}
	return nil
}

// groupsAtOnce is how many records one statement finds the groups of: one for each would cost as much for those that
// are in no group.
const groupsAtOnce = 32

// groupsOfMany brings the direct groups of up to groupsAtOnce records.
func (s *Store) groupsOfMany(c *conn, org int64, recs []*storage.Record, byID map[string]*storage.Record) error {
	q := c.prep(s.groupsOfManySQL)
	s.bindGroups(&q)
	q.int(org)
	for i := range groupsAtOnce {
		q.id(recs[min(i, len(recs)-1)].ID) // one id several times is found once
	}
	for {
		more, err := q.step()
		if err != nil || !more {
			return err
		}
		if rec := byID[q.colID(0)]; rec != nil {
			rec.Groups = append(rec.Groups, storage.Membership{ID: q.colID(1), Display: q.colText(2), Direct: true})
		}
	}
}

// nestedGroups returns the groups that hold the id, directly and through other groups, direct ones first.
func (s *Store) nestedGroups(c *conn, org int64, id string) ([]storage.Membership, error) {
	list, err := s.groupsOf(c, org, id, true)
	if err != nil || len(list) == 0 {
		return list, err
	}
	seen := make(map[string]bool, len(list))
	for _, m := range list {
		seen[m.ID] = true
	}
	direct := len(list)
	// list grows while it is walked: each group's own groups are indirect, each is visited once, so a cycle ends.
	for i := 0; i < len(list); i++ {
		above, err := s.groupsOf(c, org, list[i].ID, false)
		if err != nil {
			return nil, err
		}
		for _, m := range above {
			if !seen[m.ID] {
				seen[m.ID] = true
				list = append(list, m)
			}
		}
	}
	slices.SortFunc(list[direct:], func(a, b storage.Membership) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func (s *Store) groupsOf(c *conn, org int64, id string, direct bool) ([]storage.Membership, error) {
	var list []storage.Membership
	q := c.prep(s.groupsSQL)
	s.bindGroups(&q)
	q.int(org).id(id)
	for {
		more, err := q.step()
		if err != nil || !more {
			return list, err
		}
		list = append(list, storage.Membership{ID: q.colID(0), Display: q.colText(1), Direct: direct})
	}
}

// hasNested reports whether any group of the organization is a member of one. To be asked in a snapshot from which
// something was read already: then what the snapshot has is noted.
func (s *Store) hasNested(c *conn, org int64) (bool, error) {
	if !s.cache.org(org).nested.Load() {
		return false, nil
	}
	return c.countsNested(org)
}

// countsNested is hasNested for any time.
func (c *conn) countsNested(org int64) (bool, error) {
	q := c.prep("SELECT n FROM counts WHERE org=? AND type=?")
	n, _, err := q.int(org).int(nestedCount).one()
	return n > 0, err
}

// loadNested notes the organizations that have groups in groups.
func (s *Store) loadNested(c *conn) error {
	q := c.prep("SELECT org FROM counts WHERE type=? AND n>0")
	q.int(nestedCount)
	for {
		more, err := q.step()
		if err != nil || !more {
			return translate(context.Background(), "load the counts", err)
		}
		s.cache.org(q.colInt(0)).nested.Store(true)
	}
}

// Exists implements storage.Resources.
func (s *Store) Exists(ctx context.Context, org scim.OrgID, ids []string) (found map[string]scim.TypeName, err error) {
	defer s.observe("exists", &err)()
	c, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putBack(c)
	found = make(map[string]scim.TypeName, len(ids))
	code, ok := s.orgs.get(org)
	if !ok {
		return found, nil
	}
	for _, id := range ids {
		typ, err := s.typeOfID(c, code, id, nil)
		if err != nil {
			return nil, translate(ctx, "exists", err)
		}
		if typ != 0 {
			found[id] = s.typeName(typ)
		}
	}
	return found, nil
}
