package lifecycle

import (
	"testing"
	"time"

	"rollcall/scim"
)

func TestSweep(t *testing.T) {
	f := newFixture(t)
	take := func(key string, n int, per time.Duration) int {
		t.Helper()
		granted, _, err := f.take(t.Context(), scim.SystemOrg, "test", key, n, 3, per)
		if err != nil {
			t.Fatal(err)
		}
		return granted
	}
	take("a", 1, time.Hour)
	take("b", 1, 2*time.Hour)
	sweep := func(want int) {
		t.Helper()
		if n, err := f.Sweep(t.Context(), scim.SystemOrg); err != nil || n != want {
			t.Errorf("removed %d: %v, want %d", n, err, want)
		}
	}
	sweep(0)
	f.clock.Advance(time.Hour)
	sweep(1)
	sweep(0)
	if n := take("b", 3, 2*time.Hour); n != 2 {
		t.Errorf("what still counts was forgotten: %d", n)
	}
}
