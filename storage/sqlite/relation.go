package sqlite

import (
	"slices"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// relationPresent: a relation has elements, each with a value; of the other sub-attributes that is not said.
func (k *compiler) relationPresent(rel string, f *query.Field) cond {
	if len(f.Steps) > 2 || len(f.Steps) == 2 && f.Steps[1] != "value" {
		return maybe
	}
	if rel == k.t.Members {
		return cond{
			sql:  "EXISTS (SELECT 1 FROM members x WHERE x.org=? AND x.grp=c.id)",
			args: []value{integer(k.org)}, exact: true,
		}
	}
	return cond{
		sql:  "EXISTS (SELECT 1 FROM members x WHERE x.org=? AND x.member=c.id)",
		args: []value{integer(k.org)}, exact: true,
	}
}

func (k *compiler) relationCompare(rel string, f *query.Field, op query.Op, v query.Value) cond {
	if op != query.Eq || len(f.Steps) != 2 || f.Steps[1] != "value" || f.Kind != query.String && f.Kind != query.Reference {
		return maybe
	}
	if rel == k.t.Members {
		return k.hasMember(f, v.Str)
	}
	return k.inGroup(v.Str)
}

// hasMember: groups that hold a member. Where case is ignored, other spellings of it may be stored.
func (k *compiler) hasMember(f *query.Field, member string) cond {
	ids := []value{id(member)}
	if !f.CaseExact {
		q := k.c.prep("SELECT member FROM spellings WHERE org=? AND folded=?")
		q.int(k.org).text(member)
		for {
			more, err := q.step()
			if err != nil {
				k.err = err
			}
			if err != nil || !more {
				break
			}
			ids = append(ids, id(q.colText(0)))
		}
	}
	in := "=?"
	if len(ids) > 1 {
		in = " IN (" + marks(len(ids)) + ")"
	}
	return cond{
		sql:   "EXISTS (SELECT 1 FROM members x WHERE x.org=? AND x.member" + in + " AND x.grp=c.id)",
		args:  append([]value{integer(k.org)}, ids...),
		exact: true,
		drive: &driver{
			rank: rankMember, idCol: "m.grp", byID: len(ids) == 1, repeat: len(ids) > 1,
			from:  "members m CROSS JOIN ids c ON c.org=m.org AND c.id=m.grp",
			where: "c.type=? AND m.org=? AND m.member" + in,
			args:  append([]value{integer(k.t.code), integer(k.org)}, ids...),
		},
	}
}

// inGroup: members of a group, directly or through groups in it. UNION in the recursion ends cycles.
func (k *compiler) inGroup(grp string) cond {
	nested, err := k.c.countsNested(k.org)
	if err != nil {
		k.err = err
	}
	in, args := "=?", []value{id(grp)}
	if nested {
		in = ` IN (WITH RECURSIVE g(id) AS (SELECT ? UNION SELECT y.member FROM g CROSS JOIN members y
			ON y.org=? AND y.grp=g.id AND y.mtype IN (` + marks(len(k.s.groups)) + `)) SELECT id FROM g)`
		args = append(args, integer(k.org))
		for _, t := range k.s.groups {
			args = append(args, integer(t.code))
		}
	}
	condArgs := append([]value{integer(k.org)}, args...)
	driveArgs := append([]value{integer(k.t.code), integer(k.org)}, args...)
	return cond{
		sql:   "EXISTS (SELECT 1 FROM members x WHERE x.org=? AND x.grp" + in + " AND x.mtype=? AND x.member=c.id)",
		args:  append(condArgs, integer(k.t.code)),
		exact: true,
		drive: &driver{
			rank: rankMember, idCol: "m.member", byID: !nested, repeat: nested,
			from:  "members m CROSS JOIN ids c ON c.org=m.org AND c.type=m.mtype AND c.id=m.member",
			where: "c.type=? AND m.org=? AND m.grp" + in + " AND m.mtype=?",
			args:  append(driveArgs, integer(k.t.code)),
		},
	}
}

// matchDoc is a record's document as query.Match wants it: with id, meta and the relations put in, but no attributes
// other than those of the names.
func matchDoc(t *resourceType, r *storage.Record, names []string) (scim.Attributes, error) {
	doc, err := scim.DecodeSome(r.Doc, names)
	if err != nil {
		return nil, err
	}
	t.Complete(doc, r, slices.Contains(names, "meta"))
	return doc, nil
}
