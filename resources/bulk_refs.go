package resources

import (
	"slices"
	"strings"

	"rollcall/scim"
)

// resolve puts the real ids in the place of the bulkId references in an operation's data, notes the operations that
// they name, and returns an error naming the attribute of one that names none.
//
// A reference is a string that is "bulkId:x" and nothing else, wherever it stands; the end of a `$ref` URI; and a
// quoted string inside the path of a PATCH operation: members[value eq "bulkId:x"].
func (b *bulk) resolve(op *bulkOp) error {
	r := refs{b: b, op: op}
	op.Data = r.value("data", op.Data)
	return r.err
}

type refs struct {
	b   *bulk
	op  *bulkOp
	err error // the first
}

// value returns v with the references in it resolved; arrays and objects are changed in place.
func (r *refs) value(name string, v any) any {
	switch x := v.(type) {
	case string:
		if strings.Contains(x, bulkRef) {
			return r.text(name, x)
		}
	case scim.Object:
		for i := range x {
			x[i].Value = r.value(x[i].Name, x[i].Value)
		}
	case []any:
		for i := range x {
			x[i] = r.value(name, x[i])
		}
	}
	return v
}

func (r *refs) text(name, s string) string {
	if ref, ok := strings.CutPrefix(s, bulkRef); ok {
		return r.id(name, ref, s)
	}
	switch {
	case strings.EqualFold(name, "$ref"):
		if i := strings.LastIndex(s, "/"+bulkRef) + 1; i > 0 {
			return s[:i] + r.id(name, s[i+len(bulkRef):], s[i:])
		}
	case strings.EqualFold(name, "path"):
		return r.quoted(name, s)
	}
	return s
}

// quoted resolves each "bulkId:x" in s that stands in quotes.
func (r *refs) quoted(name, s string) string {
	const open = `"` + bulkRef
	var out strings.Builder
	for {
		i := strings.Index(s, open)
		if i < 0 {
			break
		}
		ref, rest, closed := strings.Cut(s[i+len(open):], `"`)
		if !closed {
			break
		}
		out.WriteString(s[:i+1])
		out.WriteString(r.id(name, ref, bulkRef+ref))
		out.WriteByte('"')
		s = rest
	}
	out.WriteString(s)
	return out.String()
}

// id returns the id of the resource that ref names; text, which it stands for, if there is none.
func (r *refs) id(name, ref, text string) string {
	i, ok := r.b.created[ref]
	if !ok {
		if r.err == nil {
			r.err = unknownRef(name, ref)
		}
		return text
	}
	if !slices.Contains(r.op.needs, i) {
		r.op.needs = append(r.op.needs, i)
	}
	return r.b.ops[i].id
}
