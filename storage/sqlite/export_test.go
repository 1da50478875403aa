package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"rollcall/scim"
	"rollcall/scim/query"
)

// Explain returns SQLite's plan of each statement that a query runs to find its candidates and to count.
func (s *Store) Explain(ctx context.Context, org scim.OrgID, q query.Query) (lines []string, exact bool, err error) {
	exact = true
	code, _ := s.orgs.get(org)
	err = s.snapshot(ctx, func(c *conn) error {
		for _, src := range q.Sources {
			k := &compiler{s: s, c: c, org: code, t: s.types[src.Type]}
			p, err := k.newPlan(src, &q, false)
			if err != nil {
				return err
			}
			exact = exact && p.residual == nil
			for i := range p.scans {
				columns, with := p.join(&p.scans[i], 0)
				text, args := p.sql(with, columns, true)
				if lines, err = c.explain(lines, text, append(args, integer(10), integer(0))); err != nil {
					return err
				}
			}
			text, args := p.countSQL()
			if lines, err = c.explain(lines, text, args); err != nil {
				return err
			}
		}
		return nil
	})
	return lines, exact, err
}

func (c *conn) explain(lines []string, text string, args []value) ([]string, error) {
	q := c.prepMade("EXPLAIN QUERY PLAN " + text)
	q.values(args)
	for {
		more, err := q.step()
		if err != nil || !more {
			return lines, err
		}
		lines = append(lines, q.colText(3))
	}
}

// Script runs statements in the writer, as part of a transaction: to break things.
func (s *Store) Script(ctx context.Context, sql string) error {
	return s.w.do(ctx, "", 1, func(w *writer) error { return w.write(func() error { return w.c.script(sql) }) })
}

// Direct runs statements on the writer's connection outside of any transaction; only while no write is under way.
func (s *Store) Direct(sql string) error { return s.w.c.script(sql) }

// InWriter runs f where the writer runs its jobs.
func (s *Store) InWriter(ctx context.Context, f func() error) error {
	return s.w.do(ctx, "", 1, func(*writer) error { return f() })
}

// Queued is how many writes wait.
func (s *Store) Queued() (n int) {
	s.w.queue.mu.Lock()
	defer s.w.queue.mu.Unlock()
	for _, l := range s.w.queue.lanes {
		n += len(l.places)
	}
	return n
}

// ScriptFile runs statements on a database that no store has open.
func ScriptFile(path, sql string) error {
	c, err := openConn(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return err
	}
	if err := c.script(sql); err != nil {
		return fmt.Errorf("script: %w", err)
	}
	return c.close()
}

// DatabaseFile is the name of the database in a data directory.
const DatabaseFile = databaseFile

// QueuedWrites is how many writes wait for the writer.
func QueuedWrites(s *Store) (n int) {
	s.w.queue.mu.Lock()
	defer s.w.queue.mu.Unlock()
	for _, l := range s.w.queue.lanes {
		n += len(l.places)
	}
	return n
}
