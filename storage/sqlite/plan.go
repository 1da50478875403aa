package sqlite

import (
	"slices"

	"rollcall/scim/query"
)

// plan is how the matches of one source are found.
type plan struct {
	k        *compiler
	src      query.Source
	cond     cond
	residual query.Expr // what query.Match has to decide; nil: the conditions are exact
	scans    []scan     // run one after the other
	// ordered: the scans give the candidates in the query's order, from its position on. Else all of them have to
	// be looked at.
	ordered bool
	sort    *query.Field // the field of the value in the scans' third column, nil: there is none
	byDoc   *query.Field // the sort value is to be taken from the document
	names   []string     // see reads
}

// reads are the attributes of a candidate's document that residual and byDoc look at.
func (p *plan) reads() []string {
	if p.names == nil {
		p.names = query.Names(p.residual)
		if p.byDoc != nil && !slices.Contains(p.names, p.byDoc.Steps[0]) {
			p.names = append(p.names, p.byDoc.Steps[0])
		}
	}
	return p.names
}

// scan is one statement over candidates. Its rows are id, rid and, in an index, the value.
type scan struct {
	d     *driver
	value string // third column
	where string // position
	args  []value
	order string
	own   bool // the driver is that of the condition, so that only its rest is to be asked
}

// walk is the driver of everything, by id.
func (k *compiler) walk() *driver {
	return &driver{
		rank: rankAll, from: "ids c", where: "c.org=? AND c.type=?", idCol: "c.id", byID: true,
		args: []value{integer(k.org), integer(k.t.code)},
	}
}

// driver is where the candidates of the condition come from.
func (p *plan) driver() *driver {
	if p.cond.drive != nil {
		return p.cond.drive
	}
	return p.k.walk()
}

// newPlan compiles a source. A query Before a position reads against its order, and so does one from the end.
func (k *compiler) newPlan(src query.Source, q *query.Query, fromEnd bool) (*plan, error) {
	p := &plan{k: k, src: src, cond: k.compile(src.Where)}
	if k.err != nil {
		return nil, k.err
	}
	if !p.cond.exact {
		p.residual = src.Where
	}
	d := p.driver()
	pos, back := q.After, fromEnd
	if q.Before != nil {
		pos, back = q.Before, true
	}
	if !q.Sorted || src.Sort == nil {
		// All are absent for the sort: before or after every value, by id among themselves.
		switch {
		case pos == nil || !q.Sorted || pos.Absent:
			p.scans = []scan{idScan(d, true, pos, back)}
		case q.Desc == back:
			p.scans = []scan{idScan(d, true, nil, back)}
		}
		p.ordered = true
		return p, nil
	}
	a := k.t.attr(src.Sort)
	if a == nil || a.sparse {
		p.scans, p.byDoc = []scan{idScan(d, true, nil, false)}, src.Sort
		return p, nil
	}
	if few, err := k.few(d); err != nil {
		return nil, err
	} else if few {
		p.scans, p.byDoc = []scan{idScan(d, true, nil, false)}, src.Sort
		return p, nil
	}
	p.sort, p.ordered = src.Sort, true
	p.scans = k.sortScans(a, pos, q.Desc, back)
	return p, nil
}

// fewEnough is how many candidates are sorted rather than found by a walk in sort order.
const fewEnough = 1000

// few reports whether a driver surely gives few candidates.
func (k *compiler) few(d *driver) (bool, error) {
	if d.rank == rankUnique {
		return true, nil
	}
	if d.rank >= rankFlag {
		return false, nil
	}
	q := k.c.prepMade("SELECT count(*) FROM (SELECT 1 FROM " + d.from + " WHERE " + d.where + " LIMIT ?)")
	n, _, err := q.values(d.args).int(fewEnough).one()
	return n < fewEnough, err
}

// idScan reads a driver in id order from a position.
func idScan(d *driver, own bool, pos *query.Position, back bool) scan {
	s := scan{d: d, own: own}
	less, order := ">", " ORDER BY "+d.idCol
	if back {
		less, order = "<", order+" DESC"
	}
	s.order = order
	if pos != nil {
		s.where = " AND " + d.idCol + less + "?"
		s.args = []value{id(pos.ID)}
	}
	return s
}

// sortScans reads an index in the query's order. In idx, absent ones come after all values by their mark; values in
// uniq have their absent ones in idx, so that is two scans.
func (k *compiler) sortScans(a *attr, pos *query.Position, desc, back bool) []scan {
	if !a.inUniq() {
		return []scan{k.valueScan(a.table()+" c", "c.attr=? AND c.org=? AND c.first>0", a, pos, desc, back)}
	}
	absent := &driver{
		from: "idx c", where: "c.attr=? AND c.org=? AND c.value=x''", idCol: "c.id",
		args: []value{integer(a.code), integer(k.org)},
	}
	const values = "c.attr=? AND c.org=?"
	// Ascending forward and descending backward have the absent ones behind the values.
	absentLast := desc == back
	switch {
	case pos != nil && pos.Absent && absentLast:
		s := idScan(absent, false, pos, back)
		s.value = "c.value"
		return []scan{s}
	case pos != nil && !pos.Absent && !absentLast:
		return []scan{k.valueScan("uniq c", values, a, pos, desc, back)}
	}
	var ofAbsent, ofValues *query.Position
	if pos != nil && pos.Absent {
		ofAbsent = pos
	} else {
		ofValues = pos
	}
	first, second := k.valueScan("uniq c", values, a, ofValues, desc, back), idScan(absent, false, ofAbsent, back)
	second.value = "c.value"
	if !absentLast {
		first, second = second, first
	}
	return []scan{first, second}
}

// valueScan reads an index by value, then by id, which ascends whatever the direction of the values.
func (k *compiler) valueScan(from, where string, a *attr, pos *query.Position, desc, back bool) scan {
	s := scan{
		d:     &driver{from: from, where: where, args: []value{integer(a.code), integer(k.org)}, idCol: "c.id"},
		value: "c.value",
	}
	valueUp, idUp := desc == back, !back
	s.order = " ORDER BY c.value" + direction(valueUp) + ", c.id" + direction(idUp)
	if pos == nil {
		return s
	}
	v := value{}
	if !pos.Absent {
		v = indexed(pos.Value)
	}
	// The first comparison lets the index seek.
	s.where = " AND c.value" + beyond(valueUp) + "=? AND (c.value" + beyond(valueUp) + "? OR c.id" + beyond(idUp) + "?)"
	s.args = []value{v, v, id(pos.ID)}
	return s
}

func direction(up bool) string {
	if up {
		return ""
	}
	return " DESC"
}

func beyond(up bool) string {
	if up {
		return ">"
	}
	return "<"
}

// join is the scan with the records' rows, for a page that is read off an index: a second statement for each record
// would cost more than the record. skip is how many candidates are passed over; their records would be read as well.
func (p *plan) join(s *scan, skip int) (columns string, joined *scan) {
	inOrder := s.d.byID || s.value != ""
	if !p.ordered || p.residual != nil || s.d.repeat || !inOrder || skip > 100 {
		return "", s
	}
	columns = s.d.idCol + ", c.rid, c.rid"
	if s.value != "" {
		columns = s.d.idCol + ", c.rid, " + s.value
	}
	d := *s.d
	d.from += " CROSS JOIN res r ON r.rid=c.rid"
	with := *s
	with.d = &d
	return columns + ", r.version, r.created, r.modified, r.doc, r.secret", &with
}

// sql is the statement of a scan. A limit of 0 is none.
func (p *plan) sql(s *scan, columns string, limit bool) (string, []value) {
	args := append(append([]value(nil), s.d.args...), s.args...)
	where := s.d.where + s.where
	filter, filterArgs := p.cond.sql, p.cond.args
	if s.own && p.cond.drive != nil {
		filter, filterArgs = p.cond.rest, p.cond.restArgs
	}
	if filter != "" {
		where += " AND " + filter
		args = append(args, filterArgs...)
	}
	if columns == "" {
		columns = s.d.idCol + ", c.rid"
		if s.value != "" {
			columns += ", " + s.value
		}
	}
	distinct := ""
	if s.d.repeat {
		distinct = "DISTINCT "
	}
	text := "SELECT " + distinct + columns + " FROM " + s.d.from + " WHERE " + where + s.order
	if limit {
		text += " LIMIT ? OFFSET ?"
	}
	return text, args
}

// countSQL counts exactly, for plans without residual.
func (p *plan) countSQL() (string, []value) {
	d := p.driver()
	s := scan{d: &driver{from: d.from, where: d.where, args: d.args, idCol: d.idCol}, own: true}
	columns := "count(*)"
	if d.repeat {
		columns = "count(DISTINCT c.rid)"
	}
	return p.sql(&s, columns, false)
}
