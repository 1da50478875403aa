package admin

import (
	"rollcall/lifecycle"
	"rollcall/scim"
)

const catalogueTag = "Roles and occupations"

// IDPath is embedded by the input of what is done to one thing.
type IDPath struct {
	ID string `path:"id" minLength:"1" maxLength:"36" doc:"Id of the resource."`
}

// entry is the answer with one thing that has a version.
type entry[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// createdEntry is the answer to a creation.
type createdEntry[T any] struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     T
}

// entries is the answer with a list that is shown whole.
type entries[T any] struct {
	Body struct {
		Items []T `json:"items" nullable:"false"`
	}
}

func listed[T, U any](list []T, show func(T) U) *entries[U] {
	out := &entries[U]{}
	out.Body.Items = make([]U, len(list))
	for i, v := range list {
		out.Body.Items[i] = show(v)
	}
	return out
}

// none is an empty list instead of a nil one, which would be null in JSON.
func none(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// or is *p, or the value if p is nil.
func or[T any](p *T, value T) T {
	if p == nil {
		return value
	}
	return *p
}

// Consequences are what a change does to what a person may do.
type Consequences = lifecycle.Consequences

func tag(version int64) string { return scim.ETag(version) }
