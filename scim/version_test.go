package scim_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"rollcall/scim"
)

func TestETag(t *testing.T) {
	for v, want := range map[int64]string{1: `W/"1"`, 42: `W/"42"`} {
		if got := scim.ETag(v); got != want {
			t.Errorf("ETag(%d) = %s, want %s", v, got, want)
		}
		if !scim.Matches(scim.ETag(v), v) || scim.Matches(scim.ETag(v), v+1) {
			t.Errorf("the tag of version %d names another one, or not this one", v)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		header string
		want   bool
	}{
		{`W/"3"`, true},
		{`w/"3"`, true},
		{`"3"`, true},
		{`3`, true},
		{` W/"3" `, true},
		{`*`, true},
		{`W/"2"`, false},
		{`W/"33"`, false},
		{`"03"`, false},
		{`W/""`, false},
		{``, false},
		{`"*"`, false},
		{`W/"1", W/"3"`, true},
		{`W/"1","3" , "9"`, true},
		{`W/"1", W/"2"`, false},
		{`W/"1", *`, true},
		{`"abc"`, false},
	} {
		if got := scim.Matches(c.header, 3); got != c.want {
			t.Errorf("Matches(%s, 3) = %v, want %v", c.header, got, c.want)
		}
	}
}

func TestPrecondition(t *testing.T) {
	for _, c := range []struct {
		name string
		pre  scim.Precondition
		ok   bool
	}{
		{"none", scim.Precondition{}, true},
		{"If-Match, this version", scim.Precondition{IfMatch: `W/"3"`}, true},
		{"If-Match, an older version", scim.Precondition{IfMatch: `W/"2"`}, false},
		{"If-Match, any", scim.Precondition{IfMatch: `*`}, true},
		{"If-None-Match, this version", scim.Precondition{IfNoneMatch: `W/"3"`}, false},
		{"If-None-Match, an older version", scim.Precondition{IfNoneMatch: `W/"2"`}, true},
		{"If-None-Match, any", scim.Precondition{IfNoneMatch: `*`}, false},
		{"both hold", scim.Precondition{IfMatch: `"3"`, IfNoneMatch: `"2"`}, true},
		{"one does not hold", scim.Precondition{IfMatch: `"3"`, IfNoneMatch: `"3"`}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.pre.Check(3)
			var e *scim.Error
			switch {
			case c.ok && err != nil:
				t.Errorf("Check = %v", err)
			case !c.ok && (!errors.As(err, &e) || e.Status != http.StatusPreconditionFailed):
				t.Errorf("Check = %v, want 412", err)
			}
		})
	}
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2011, 5, 13, 6, 42, 34, 7_999_999, time.FixedZone("", 2*3600))
	if got, want := scim.FormatTime(at), "2011-05-13T04:42:34.007Z"; got != want {
		t.Errorf("FormatTime = %s, want %s", got, want)
	}
	if got := scim.Millis(at); got.Nanosecond() != 7_000_000 || got.Location() != time.UTC || scim.FormatTime(got) != scim.FormatTime(at) {
		t.Errorf("Millis = %v", got)
	}
}
