package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
)

// maxProblems bounds what Check reports: a broken database may have one for each row.
const maxProblems = 100

// Check verifies the database as it is at one instant: its pages, and that every row that is derived from another
// says what it must. It returns what is wrong, naming tables, rows and attributes but no values. The store goes on
// serving.
func (s *Store) Check(ctx context.Context) (problems []string, err error) {
	defer s.observe("check", &err)()
	place, err := s.reader(ctx) // so that Close waits
	if err != nil {
		return nil, err
	}
	defer s.putBack(place)
	c, err := openConn(s.path, sqlite.OpenReadWrite, readerPragmas)
	if err != nil {
		return nil, translate(ctx, "check", err)
	}
	defer func() { _ = c.close() }()
	c.c.SetInterrupt(ctx.Done())
	k := &checker{s: s, c: c}
	err = c.snapshot(func(*conn) error {
		for _, step := range []func() error{
			k.pages, k.orphans, k.relations, k.counts, k.records,
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, translate(ctx, "check", err)
	}
	return k.problems, nil
}

type checker struct {
	s        *Store
	c        *conn
	problems []string
}

func (k *checker) report(format string, args ...any) {
	if len(k.problems) < maxProblems {
		k.problems = append(k.problems, fmt.Sprintf(format, args...))
	}
}

// pages asks SQLite about its own structures.
func (k *checker) pages() error {
	q := k.c.prep("PRAGMA integrity_check(100)")
	for {
		more, err := q.step()
		if err != nil || !more {
			return err
		}
		if text := q.colText(0); text != "ok" {
			k.report("integrity: %s", text)
		}
	}
}

// list reports each row of a statement, whose columns are numbers.
func (k *checker) list(format, sql string, columns int) error {
	q := k.c.prep(sql)
	for {
		more, err := q.step()
		if err != nil || !more {
			return err
		}
		args := make([]any, columns)
		for i := range args {
			args[i] = q.colInt(i)
		}
		k.report(format, args...)
	}
}

// orphans finds rows that belong to no record, and records that ids does not have.
func (k *checker) orphans() error {
	for _, q := range []struct{ format, sql string }{
		{
			"ids: a row names record %d, which is not there or has another key",
			`SELECT i.rid FROM ids i LEFT JOIN res r ON r.rid=i.rid AND r.org=i.org AND r.type=i.type AND r.id=i.id
			WHERE r.rid IS NULL`,
		},
		{
			"res: record %d is not in ids",
			`SELECT r.rid FROM res r LEFT JOIN ids i ON i.org=r.org AND i.type=r.type AND i.id=r.id AND i.rid=r.rid
			WHERE i.rid IS NULL`,
		},
		{
			"ids: the id of record %d belongs to a record of another type as well",
			`SELECT i.rid FROM ids i JOIN types t ON t.code<>i.type JOIN ids o ON o.org=i.org AND o.type=t.code AND o.id=i.id`,
		},
		{
			"idx: a row names record %d, which is not there or has another id",
			`SELECT x.rid FROM idx x LEFT JOIN res r ON r.rid=x.rid AND r.org=x.org AND r.id=x.id WHERE r.rid IS NULL`,
		},
		{
			"uniq: a row names record %d, which is not there or has another id",
			`SELECT x.rid FROM uniq x LEFT JOIN res r ON r.rid=x.rid AND r.org=x.org AND r.id=x.id WHERE r.rid IS NULL`,
		},
	} {
		if err := k.list(q.format, q.sql, 1); err != nil {
			return err
		}
	}
	return nil
}

// relations checks that memberships belong to groups and know their members' types.
func (k *checker) relations() error {
	marks := marks(len(k.s.groups))
	q := k.c.prep("SELECT DISTINCT m.org FROM members m WHERE NOT EXISTS (SELECT 1 FROM ids i WHERE i.org=m.org AND i.type IN (" +
		marks + ") AND i.id=m.grp)")
	k.s.bindGroups(&q)
	for {
		more, err := q.step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		k.report("members: organization %d has members of a group that is not there", q.colInt(0))
	}
	return k.list("members: organization %d has members of type %d that are not known by that type",
		`SELECT DISTINCT m.org, m.mtype FROM members m WHERE m.mtype<>0 AND NOT EXISTS
			(SELECT 1 FROM ids i WHERE i.org=m.org AND i.type=m.mtype AND i.id=m.member)
		UNION SELECT DISTINCT m.org, 0 FROM members m JOIN types t
			JOIN ids i ON i.org=m.org AND i.type=t.code AND i.id=m.member WHERE m.mtype=0`, 2)
}

func (k *checker) counts() error {
	err := k.list("counts: organization %d, type %d says %d, there are %d",
		`SELECT org, type, sum(said), sum(there) FROM (
			SELECT org, type, n AS said, 0 AS there FROM counts WHERE type>0
			UNION ALL SELECT org, type, 0, count(*) FROM ids GROUP BY org, type)
		GROUP BY org, type HAVING sum(said)<>sum(there)`, 4)
	if err != nil {
		return err
	}
	err = k.list("counts: organization %d says %d pending members, there are %d",
		`SELECT org, sum(said), sum(there) FROM (
			SELECT org, n AS said, 0 AS there FROM counts WHERE type=-1
			UNION ALL SELECT org, 0, count(*) FROM members WHERE mtype=0 GROUP BY org)
		GROUP BY org HAVING sum(said)<>sum(there)`, 3)
	if err != nil {
		return err
	}
	q := k.c.prep(`SELECT org, sum(said), sum(there) FROM (
			SELECT org, n AS said, 0 AS there FROM counts WHERE type=0
			UNION ALL SELECT org, 0, count(*) FROM members WHERE mtype IN (` + marks(len(k.s.groups)) + `) GROUP BY org)
		GROUP BY org HAVING sum(said)<>sum(there)`)
	k.s.bindGroups(&q)
	for {
		more, err := q.step()
		if err != nil || !more {
			return err
		}
		k.report("counts: organization %d says %d nested groups, there are %d", q.colInt(0), q.colInt(1), q.colInt(2))
	}
}

// records derives the rows of each record again and compares.
func (k *checker) records() error {
	for _, t := range k.s.sorted {
		want := make(map[*attr]int64)
		uniq := int64(0)
		for last := int64(-1); ; {
			r, err := k.c.nextRecord(t.code, last)
			if err != nil {
				return err
			}
			if r == nil {
				break
			}
			last = r.rid
			rows, err := storedRows(t, r)
			if err != nil {
				k.report("res: record %d: its document cannot be read", r.rid)
				continue
			}
			for i := range rows {
				if row := &rows[i]; !row.inUniq() {
					want[row.attr]++
					if err := k.row(r, row); err != nil {
						return err
					}
				}
			}
			for _, key := range r.keys {
				uniq++
				if err := k.key(r, key); err != nil {
					return err
				}
			}
		}
		if err := k.totals(t, want, uniq); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) row(r *storedRecord, row *row) error {
	q := k.c.prep("SELECT 1 FROM idx WHERE attr=? AND org=? AND value=? AND id=? AND rid=? AND first=?")
	_, found, err := q.int(row.attr.code).int(r.org).value(row.value).id(r.rec.ID).int(r.rid).int(row.first).one()
	if err == nil && !found {
		k.report("idx: record %d lacks its row of %s", r.rid, row.attr.field().Path)
	}
	return err
}

func (k *checker) key(r *storedRecord, want key) error {
	q := k.c.prep("SELECT 1 FROM uniq WHERE attr=? AND org=? AND value=? AND id=? AND rid=?")
	_, found, err := q.int(want.attr).int(r.org).text(want.value).id(r.rec.ID).int(r.rid).one()
	if err == nil && !found {
		k.report("uniq: record %d lacks its key of attribute %d", r.rid, want.attr)
	}
	return err
}

// totals finds rows that no record yields: all that are wanted are there, so a surplus shows in the number.
func (k *checker) totals(t *resourceType, want map[*attr]int64, uniq int64) error {
	for _, a := range t.attrs {
		q := k.c.prep("SELECT count(*) FROM idx WHERE attr=?")
		n, _, err := q.int(a.code).one()
		if err != nil {
			return err
		}
		if n != want[a] {
			k.report("idx: %s of type %s has %d rows, the records yield %d", a.field().Path, t.Name, n, want[a])
		}
	}
	q := k.c.prep("SELECT count(*) FROM uniq u JOIN attrs a ON a.code=u.attr WHERE a.type=?")
	n, _, err := q.int(t.code).one()
	if err != nil {
		return err
	}
	if n != uniq {
		k.report("uniq: type %s has %d rows, the records have %d keys", t.Name, n, uniq)
	}
	return nil
}
