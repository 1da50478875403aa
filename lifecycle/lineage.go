package lifecycle

import (
	"context"
	"slices"
	"strings"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// Origin is where a value of a person comes from.
type Origin struct {
	Path   string    // of the attribute
	Value  string    // of roles and entitlements, which come from several; else empty
	By     *Ref      // who has written it last; nil if that is not known any more
	At     time.Time // when
	Locked *Claim    // the connection that has the say over it; nil if administrators may change it
}

// Lineage says for each attribute of a person who has written it and who has the say over it. An administrator may read
// anybody's, people their own.
func (s *Service) Lineage(ctx context.Context, sub Subject, id string) ([]Origin, error) {
	if err := Allowed(sub, ActAudit, Target{User: id}); err != nil {
		return nil, err
	}
	p, _, err := s.person(ctx, sub.Org, id)
	if err != nil {
		return nil, err
	}
	rows, err := s.changesOf(ctx, userKey(sub.Org, id), func(*storage.Change) bool { return false })
	if err != nil {
		return nil, err
	}
	m := &claims{rows: rows}
	if i := slices.IndexFunc(rows, func(ch storage.Change) bool { return detached(&ch) }); i >= 0 {
		m.rows = rows[:i]
	}
	if _, err := m.known(ctx, s, sub.Org); err != nil {
		return nil, err
	}
	var out []Origin
	for _, path := range attributePaths(p.Doc) {
		if path == pathRoles || path == pathEntitlements {
			for _, e := range list(p.Doc[path]) {
				el, _ := e.(scim.Attributes)
				out = append(out, m.valueOrigin(rows, path, text(el["value"])))
			}
			continue
		}
		o := Origin{Path: path, Locked: m.on(path)}
		o.By, o.At = writer(rows, func(v storage.ValueChange) bool { return v.New != nil && pathIn(v.Path, path) })
		out = append(out, o)
	}
	return out, nil
}

func (m *claims) valueOrigin(rows []storage.Change, path, value string) Origin {
	folded := query.Fold(value)
	o := Origin{Path: path, Value: value, Locked: m.gave(path, folded)}
	if o.Locked == nil {
		o.Locked = m.strict()
	}
	o.By, o.At = writer(rows, func(v storage.ValueChange) bool {
		return v.Path == path && slices.Contains(without(v.New, v.Old), folded)
	})
	return o
}

// writer is who has made the newest change that wrote something, and when.
func writer(rows []storage.Change, wrote func(storage.ValueChange) bool) (*Ref, time.Time) {
	for i := range rows {
		if slices.ContainsFunc(rows[i].Values, wrote) {
			a := rows[i].Actor
			return &Ref{Value: a.ID, Display: a.Name, Type: a.Kind}, rows[i].At
		}
	}
	return nil, time.Time{}
}

// attributePaths are the paths of the attributes of a document, those of extensions under their URN, in order.
func attributePaths(doc scim.Attributes) []string {
	var paths []string
	for name, v := range doc {
		ext, _ := v.(scim.Attributes)
		switch {
		case name == "schemas":
		case strings.Contains(name, ":"):
			for inner := range ext {
				paths = append(paths, name+":"+inner)
			}
		default:
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths
}
