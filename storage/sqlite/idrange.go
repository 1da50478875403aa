package sqlite

import (
	"bytes"
	"sync"
)

// idRanges notes between which ids those of each type of an organization lie. An id is unique over all types, so for
// a new one all of them have to be asked; but ids are UUIDs in the order of their creation, and one that is greater
// than all of a type is none of its. There are some twenty types, most with few records or none: to ask them took a
// fifth of the writer's time for a creation.
//
// A range is never too narrow for what is committed: the writer alone widens it, before it commits. Nothing narrows it.
type idRanges struct {
	mu   sync.RWMutex
	orgs map[int64]map[int64]*idRange // organization code -> type code; one that is not there may have any id
}

type idRange struct {
	some        bool // there are UUIDs
	first, last [16]byte
}

func (r *idRange) widen(id *[16]byte) {
	if !r.some || bytes.Compare(id[:], r.first[:]) < 0 {
		r.first = *id
	}
	if !r.some || bytes.Compare(id[:], r.last[:]) > 0 {
		r.last = *id
	}
	r.some = true
}

// excludes reports whether surely no record of the type has the id. Of ids that are no UUIDs nothing is noted.
func (s *idRanges) excludes(org, typ int64, id string) bool {
	var b [16]byte
	if !parseUUID(&b, id) {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.orgs[org][typ]
	return r != nil && (!r.some || bytes.Compare(b[:], r.first[:]) < 0 || bytes.Compare(b[:], r.last[:]) > 0)
}

// note widens the range of a type for a new record.
func (s *idRanges) note(org, typ int64, id string) {
	var b [16]byte
	if !parseUUID(&b, id) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.orgs[org][typ]; r != nil {
		r.widen(&b)
	}
}

// loadRanges reads the ranges of an organization when it is first written to.
func (w *writer) loadRanges(org int64) error {
	s := &w.s.ids
	s.mu.RLock()
	_, loaded := s.orgs[org]
	s.mu.RUnlock()
	if loaded {
		return nil
	}
	ranges := make(map[int64]*idRange, len(w.s.sorted))
	for _, t := range w.s.sorted {
		r := &idRange{}
		for _, q := range [...]stmt{
			w.c.prep("SELECT id FROM ids WHERE org=? AND type=? AND id>=x'' ORDER BY id LIMIT 1"),
			w.c.prep("SELECT id FROM ids WHERE org=? AND type=? AND id>=x'' ORDER BY id DESC LIMIT 1"),
		} {
			found, err := q.int(org).int(t.code).step()
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			var b [16]byte
			q.s.ColumnBytes(0, b[:])
			r.widen(&b)
			if err := q.done(); err != nil {
				return err
			}
		}
		ranges[t.code] = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs[org] = ranges
	return nil
}

// typeOfID returns the type's code of the record that has the id, 0 if none but one of the type except has. An id is
// unique over all types.
func (s *Store) typeOfID(c *conn, org int64, id string, except *resourceType) (int64, error) {
	for _, t := range s.byUse {
		if t == except || s.ids.excludes(org, t.code, id) {
			continue
		}
		q := c.prep("SELECT type FROM ids WHERE org=? AND type=? AND id=?")
		if code, found, err := q.int(org).int(t.code).id(id).one(); err != nil || found {
			return code, err
		}
	}
	return 0, nil
}
