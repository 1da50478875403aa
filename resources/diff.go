package resources

import (
	"slices"
	"strings"

	"rollcall/scim"
	"rollcall/storage"
)

// diff lists what differs between two canonical documents, by attribute path in the order of the paths: a simple or
// multi-valued attribute as a whole, a single complex one by sub-attribute, an extension's attributes each under
// its URN. Nil documents are empty. "schemas" follows from the rest and is left out.
func diff(old, next scim.Attributes) []storage.ValueChange {
	var list []storage.ValueChange
	list = diffInto(list, "", old, next)
	slices.SortFunc(list, func(a, b storage.ValueChange) int { return strings.Compare(a.Path, b.Path) })
	return list
}

func diffInto(list []storage.ValueChange, prefix string, old, next scim.Attributes) []storage.ValueChange {
	if list == nil {
		list = make([]storage.ValueChange, 0, max(len(old), len(next))+4)
	}
	for name, was := range old {
		if now := next[name]; now == nil || !scim.Equal(was, now) {
			list = diffValue(list, prefix, name, was, now)
		}
	}
	for name, now := range next {
		if _, had := old[name]; !had {
			list = diffValue(list, prefix, name, nil, now)
		}
	}
	return list
}

func diffValue(list []storage.ValueChange, prefix, name string, was, now any) []storage.ValueChange {
	if prefix == "" && name == "schemas" {
		return list
	}
	a, isOld := was.(scim.Attributes)
	b, isNew := now.(scim.Attributes)
	if !isOld && !isNew {
		return append(list, storage.ValueChange{Path: prefix + name, Old: was, New: now})
	}
	// Attribute names hold no colon, so a name with one is the URN of an extension.
	sep := "."
	if strings.IndexByte(name, ':') >= 0 {
		sep = ":"
	}
	return diffInto(list, prefix+name+sep, a, b)
}
