package scim

import (
	"strconv"
	"strings"
)

// ETag returns the entity tag of a version: weak, since projections of one version differ in bytes
// (RFC 7644 3.14). meta.version carries the same string.
func ETag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// Precondition holds what If-Match, If-None-Match or a Bulk "version" demand. The zero value demands nothing.
type Precondition struct {
	IfMatch     string
	IfNoneMatch string
}

// Matches reports whether one of the tags in header names version. Comparison is weak, `*` names every version,
// a tag without quotes is tolerated: SCIM's own examples send weak tags in If-Match (RFC 7644 3.14).
func Matches(header string, version int64) bool {
	want := strconv.FormatInt(version, 10)
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return true
		}
		tag = strings.TrimPrefix(strings.TrimPrefix(tag, "W/"), "w/")
		if strings.Trim(tag, `"`) == want {
			return true
		}
	}
	return false
}

// Check returns 412 if a write of a resource at version must not happen, nil otherwise.
func (p Precondition) Check(version int64) error {
	if p.IfMatch != "" && !Matches(p.IfMatch, version) {
		return PreconditionFailed()
	}
	if p.IfNoneMatch != "" && Matches(p.IfNoneMatch, version) {
		return PreconditionFailed()
	}
	return nil
}
