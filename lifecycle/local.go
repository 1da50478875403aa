package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/scim/query"
	"rollcall/storage"
)

// What people and administrators have written of a person is noted beside the person's document, where no client sees it
// (a secret of the record), by whoever writes it. A client that replaces the person by what it knows, as some do with
// each sync, does not mean to take that away. Of people whom nobody but clients has written nothing is noted.

const secretLocal = "local"

// localMark is what is noted of one attribute: the values of roles or entitlements that were given, or a digest of the
// whole value, which says nothing any more once somebody else has written another one.
type localMark struct {
	Values []string `json:"v,omitempty"`
	Digest string   `json:"d,omitempty"`
}

func readMarks(secret scim.Attributes) map[string]localMark {
	marks := map[string]localMark{}
	if text, _ := secret[secretLocal].(string); text != "" {
		if err := json.Unmarshal([]byte(text), &marks); err != nil {
			return map[string]localMark{}
		}
	}
	return marks
}

// noteLocal is the secret to store with a write that turns old, nil for a new user, into next, by somebody who is no
// client; nil if it stays as it is.
func noteLocal(secret, old, next scim.Attributes) scim.Attributes {
	marks := readMarks(secret)
	was := maps.Clone(marks)
	for _, path := range localPaths(old, next) {
		before, now := attribute(old, path), attribute(next, path)
		switch {
		case scim.Equal(before, now):
		case now == nil:
			delete(marks, path)
		case path == pathRoles || path == pathEntitlements:
			given := without(now, before)
			kept := slices.DeleteFunc(slices.Clone(marks[path].Values), func(v string) bool { return !holds(list(now), v) })
			if given = append(kept, given...); len(given) == 0 {
				delete(marks, path)
			} else {
				slices.Sort(given)
				marks[path] = localMark{Values: slices.Compact(given)}
			}
		default:
			marks[path] = localMark{Digest: valueDigest(now)}
		}
	}
	if reflect.DeepEqual(marks, was) {
		return nil
	}
	if len(marks) == 0 {
		return scim.Attributes{secretLocal: nil}
	}
	b, err := json.Marshal(marks)
	if err != nil { // maps of strings
		panic(err)
	}
	return scim.Attributes{secretLocal: string(b)}
}

// localPaths are the paths of the attributes of either document that a client's replacement could take away.
func localPaths(old, next scim.Attributes) []string {
	var paths []string
	for name := range maps.Keys(old) {
		paths = append(paths, name)
	}
	for name := range maps.Keys(next) {
		if _, both := old[name]; !both {
			paths = append(paths, name)
		}
	}
	paths = slices.DeleteFunc(paths, func(name string) bool {
		return strings.Contains(name, ":") || slices.Contains([]string{"schemas", "active", "userName", "externalId"}, name)
	})
	return append(paths, pathOccupation)
}

// attribute is the value of a core attribute, or of one of Rollcall's extension.
func attribute(doc scim.Attributes, path string) any {
	if name, ok := strings.CutPrefix(path, scim.SchemaRollcallUser+":"); ok {
		return extension(doc, name)
	}
	return doc[path]
}

func valueDigest(v any) string {
	sum := sha256.Sum256(scim.AppendJSON(nil, scim.Attributes{"v": v}))
	return hex.EncodeToString(sum[:8])
}

// keepLocal puts back what a client's replacement leaves out and people or administrators have written: attributes that
// the body does not mention, and roles and entitlements beside those that it does. An explicit null takes away. Under
// strict and shared a replacement is what it says.
func (s *snapshot) keepLocal(w *resources.Write) {
	if w.Op != storage.OpReplace || w.Stored[secretLocal] == nil || w.Caller.Actor.Kind != actorToken {
		return
	}
	if _, c := s.connections.of(w.Caller.Actor.ID); c.policy(s.settings) != policyClaimed {
		return
	}
	for path, mark := range readMarks(w.Stored) {
		before, now := attribute(w.Old, path), attribute(w.Doc, path)
		switch {
		case before == nil || slices.Contains(w.Null, path):
		case mark.Values != nil:
			if kept := keptValues(list(before), list(now), mark.Values); len(kept) > 0 {
				w.Doc[path] = append(slices.Clip(list(now)), kept...)
			}
		case now != nil || valueDigest(before) != mark.Digest:
		case path == pathOccupation:
			setExtension(w.Doc, "occupation", before)
		default:
			w.Doc[path] = before
		}
	}
}

// keptValues are the elements of before with one of the values that now does not have.
func keptValues(before, now []any, values []string) []any {
	var kept []any
	for _, e := range before {
		el, _ := e.(scim.Attributes)
		value := text(el["value"])
		if !slices.Contains(values, query.Fold(value)) || holds(now, value) {
			continue
		}
		if el["primary"] == true && anyPrimary(now) {
			el = maps.Clone(el)
			delete(el, "primary")
		}
		kept = append(kept, el)
	}
	return kept
}
