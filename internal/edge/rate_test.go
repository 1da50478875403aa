package edge

import (
	"strconv"
	"testing"
	"time"

	"rollcall/scim"
)

// A table at its bound forgets, and what it forgets gives nobody more than the rate: with two places and a client
// that makes the table forget it all the time, the client gets its burst once and then what the rate allows.
func TestForgettingGivesNoBurst(t *testing.T) {
	now := time.Unix(0, 0)
	r := NewRates(Rate{PerSecond: 1, Burst: 10}, Rate{})
	r.organizations.bound = 2
	admitted := func(org string, n int) (got int) {
		for range n {
			if _, wait := r.Request(&scim.Client{Org: scim.OrgID(org)}, now); wait == 0 {
				got++
			}
		}
		return got
	}
	if got := admitted("a", 20); got != 10 {
		t.Fatalf("burst of %d", got)
	}
	total := 0
	for i := range 100 {
		admitted("x"+strconv.Itoa(i), 3)
		admitted("y"+strconv.Itoa(i), 3) // a is forgotten
		total += admitted("a", 20)
		now = now.Add(time.Second)
		if n := len(r.organizations.byKey); n > 2 || n != r.organizations.used.Len() {
			t.Fatalf("%d limiters are kept", n)
		}
	}
	if total > 100 {
		t.Errorf("%d operations in 100 s at 1 a second", total)
	}
	// Limiters that have refilled are forgotten for free.
	now = now.Add(time.Minute)
	if got := admitted("new", 20); got != 10 {
		t.Errorf("a newcomer among idle ones has a burst of %d", got)
	}
}
