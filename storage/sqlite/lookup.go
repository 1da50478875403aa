package sqlite

import (
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// lookup is a query for the records that have one value of one attribute: what every client asks before it creates
// somebody, and the most frequent filter by far.
type lookup struct {
	t   *resourceType
	a   *attr
	key key
}

// lookupOf recognizes such a query.
func (s *Store) lookupOf(q *query.Query) (l lookup, ok bool) {
	if len(q.Sources) != 1 || q.Sorted || q.After != nil || q.Before != nil || q.Offset != 0 || q.Limit < 1 {
		return l, false
	}
	e, ok := q.Sources[0].Where.(query.Compare)
	if !ok || e.Op != query.Eq {
		return l, false
	}
	l.t = s.types[q.Sources[0].Type]
	a := l.t.attr(&e.Field)
	if a == nil || a.uniq && !a.inUniq() || a.meta != 0 {
		return l, false
	}
	v := indexed(e.Value)
	l.a, l.key = a, key{a.code, v.s}
	return l, v.t == isText && len(v.s) <= maxLookup && s.cached(q.Load, l.t)
}

// answerLookup gives the page from the cache, if that has both the key and the record as they were when done was at: so
// they belong to one state. That the field has no strays was looked up after at, so there were none then.
func (s *Store) answerLookup(l lookup, orgID scim.OrgID, org int64, q *query.Query, at int64) (storage.Page, bool) {
	var kb keyBuffer
	var room [64]byte
	id, ok := s.cache.get(room[:0], uniqueKey(kb[:0], org, l.key), at)
	if !ok || len(id) != 16 {
		return storage.Page{}, false
	}
	page := storage.Page{Total: 1, Records: make([]storage.Record, 1), Sort: make([]query.Position, 1)}
	rec := &page.Records[0]
	rec.Key = storage.Key{Org: orgID, Type: l.t.Name, ID: formatUUID((*[16]byte)(id))}
	page.Sort[0].ID = rec.ID
	if !q.Total {
		page.Total = 0
	}
	return page, s.fromCache(rec, uuidKey(kb[:0], org, (*[16]byte)(id)), org, l.t, q.Load, at, &arena{})
}

// keepLookup puts who alone has the value, as a snapshot showed it that began when done was at. That nobody does is not
// kept: those who ask mean to create somebody, and ask once.
func (s *Store) keepLookup(l lookup, org int64, page *storage.Page, at int64) {
	var b [16]byte
	if len(page.Records) != 1 || page.More || !parseUUID(&b, page.Records[0].ID) {
		return
	}
	if !l.a.uniq && !s.cache.watched(l.a, at) {
		return
	}
	var kb keyBuffer
	s.cache.put(uniqueKey(kb[:0], org, l.key), b[:], at)
}
