package testkit_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/testkit"
)

func TestClock(t *testing.T) {
	c := testkit.NewClock()
	if got := c.Now(); !got.Equal(testkit.Epoch()) || !c.Now().Equal(got) {
		t.Fatalf("a new clock is at %v and does not stand still", got)
	}
	if got, want := c.Advance(time.Hour), testkit.Epoch().Add(time.Hour); !got.Equal(want) || !c.Now().Equal(want) {
		t.Errorf("Advance(1h) = %v, want %v", got, want)
	}
	if got, want := c.Tick(), testkit.Epoch().Add(time.Hour+time.Millisecond); !got.Equal(want) {
		t.Errorf("Tick() = %v, want %v", got, want)
	}
}

func TestIDs(t *testing.T) {
	ids := testkit.NewIDs()
	prev := ""
	for i := range 300 {
		id := ids.New()
		u, err := uuid.Parse(id)
		if err != nil || u.String() != id || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
			t.Fatalf("id %d = %q is not the canonical text of a version 7 UUID (%v)", i, id, err)
		}
		if id <= prev {
			t.Fatalf("id %d = %q does not follow %q", i, id, prev)
		}
		prev = id
	}
	if got, want := testkit.ID(1), "00000000-0000-7000-8000-000000000001"; got != want {
		t.Errorf("ID(1) = %q, want %q", got, want)
	}
}
