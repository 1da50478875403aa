package mongo

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"rollcall/scim/query"
)

// plan is how the matches of one source are found.
type plan struct {
	k        *compiler
	src      query.Source
	cond     cond
	residual query.Expr // what query.Match has to decide; nil: the conditions are exact
	scans    []scan     // run one after the other
	// ordered: the scans give the candidates in the query's order, from its position on. Else all of them have to be
	// looked at.
	ordered bool
	sort    *attr        // the stored value that candidates are sorted by, nil: none
	byDoc   *query.Field // the sort value is to be taken from the document
}

// scan is one statement over candidates.
type scan struct {
	filter bson.D
	sort   bson.D
	runs   bool // ids are to go against the values, which no index does: see runs.go
}

// fewIDs is how many ids one statement names.
const fewIDs = 2000

// newPlan compiles a source.
func (k *compiler) newPlan(src query.Source, q *query.Query) (*plan, error) {
	p := &plan{k: k, src: src, cond: k.compile(src.Where)}
	if k.err != nil {
		return nil, k.err
	}
	if !p.cond.exact {
		p.residual = src.Where
	}
	pos, back := q.After, q.Before != nil
	if back {
		pos = q.Before
	}
	if !q.Sorted || src.Sort == nil {
		p.ordered = true
		// All are absent for the sort: before or after every value, by id among themselves.
		switch {
		case pos == nil || !q.Sorted || pos.Absent:
			p.scans = p.idScans(pos, back)
		case q.Desc == back:
			p.scans = p.idScans(nil, back)
		}
		return p, nil
	}
	a := k.t.attr(src.Sort)
	many := p.cond.ids != nil && len(*p.cond.ids) > fewIDs
	if a != nil && a.sparse {
		a = nil
	}
	if a == nil {
		p.byDoc = src.Sort
	} else {
		p.sort = a
	}
	if a == nil || many {
		p.scans = p.idScans(nil, false)
		return p, nil
	}
	p.ordered = true
	p.scans = p.sortScans(a, pos, q.Desc == back, !back)
	return p, nil
}

// filter is the organization, the source's own condition and one more on the id. They are a conjunction of their
// own, so that no two have the same name.
func (p *plan) filter(id bson.D) bson.D {
	f := bson.D{{Key: "org", Value: string(p.k.org)}}
	var parts bson.A
	if p.cond.filter != nil {
		parts = append(parts, p.cond.filter)
	}
	if id != nil {
		parts = append(parts, id)
	}
	if len(parts) > 0 {
		f = append(f, bson.E{Key: "$and", Value: parts})
	}
	return f
}

// idScans read candidates in the order of their ids from a position.
func (p *plan) idScans(pos *query.Position, back bool) []scan {
	sort := bson.D{{Key: "id", Value: direction(!back)}}
	var bound bson.D
	if pos != nil {
		word := "$gt"
		if back {
			word = "$lt"
		}
		bound = bson.D{{Key: "id", Value: bson.D{{Key: word, Value: pos.ID}}}}
	}
	if p.cond.ids == nil {
		return []scan{{filter: p.filter(bound), sort: sort}}
	}
	ids := *p.cond.ids
	if pos != nil {
		at, found := slices.BinarySearch(ids, pos.ID)
		switch {
		case back:
			ids = ids[:at]
		case found:
			ids = ids[at+1:]
		default:
			ids = ids[at:]
		}
	}
	var scans []scan
	for chunk := range slices.Chunk(ids, fewIDs) {
		scans = append(scans, scan{filter: p.filter(in("id", chunk)), sort: sort})
	}
	if back {
		slices.Reverse(scans)
	}
	return scans
}

func direction(up bool) int {
	if up {
		return 1
	}
	return -1
}

// sortScans read an index in the order of its values and of the ids below them, from a position: what is left of the
// position's own value, then the values beyond it, then, as the server compares within a type only, the absent one
// if that is beyond. Each is one range of the index.
func (p *plan) sortScans(a *attr, pos *query.Position, valueUp, idUp bool) []scan {
	sort := bson.D{{Key: a.sort, Value: direction(valueUp)}, {Key: "id", Value: direction(idUp)}}
	var among bson.D
	if p.cond.ids != nil {
		among = in("id", *p.cond.ids)
	}
	part := func(more ...bson.E) scan {
		return scan{filter: append(p.filter(among), more...), sort: sort, runs: valueUp != idUp}
	}
	if pos == nil {
		return []scan{part()}
	}
	v := any(absent)
	if !pos.Absent {
		v = a.indexed(pos.Value)
	}
	own := part(bson.E{Key: a.sort, Value: v}, bson.E{Key: "id", Value: bson.D{{Key: word(idUp), Value: pos.ID}}})
	own.runs = false
	if pos.Absent && valueUp {
		return []scan{own}
	}
	scans := []scan{own, part(bson.E{Key: a.sort, Value: bson.D{{Key: word(valueUp), Value: v}}})}
	if valueUp && !a.date {
		last := part(bson.E{Key: a.sort, Value: absent})
		last.runs = false
		scans = append(scans, last)
	}
	return scans
}

// indexed is a sort value as the attribute's index has it.
func (a *attr) indexed(v query.Value) any {
	if !a.date {
		return indexed(v)
	}
	t, _ := query.ParseInstant(v.Str)
	return bson.DateTime(t.UnixMilli())
}

func word(up bool) string {
	if up {
		return "$gt"
	}
	return "$lt"
}

// projection is what a scan reads of each candidate.
func (p *plan) projection(secret bool) bson.D {
	d := readProjection(secret)
	if p.sort != nil && !p.sort.date {
		d = append(d, bson.E{Key: p.sort.sort, Value: 1})
	}
	return d
}

// sortValue finds the stored sort value in a document.
func (p *plan) sortValue(raw bson.Raw) (query.Value, bool) {
	v, err := raw.LookupErr(strings.Split(p.sort.sort, ".")...)
	if err != nil {
		return query.Value{}, false
	}
	return queryValue(p.sort.field(), v)
}
