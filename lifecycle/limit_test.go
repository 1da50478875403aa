package lifecycle

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/internal/smtptest"
	"rollcall/scim"
	"rollcall/storage"
)

func TestTake(t *testing.T) {
	onEachStore(t, func(t *testing.T, open func([]storage.Type) storage.Store) {
		f := openPostOffice(t, open, 2, 1, smtptest.Options{})
		s, org := f.posts[0].s, f.orgs[0]
		take := func(key string, n, want int, wait time.Duration) {
			t.Helper()
			got, after, err := s.take(t.Context(), org, "mail-day", key, n, 3, 24*time.Hour)
			if err != nil || got != want || after != wait {
				t.Errorf("%d taken, the next after %v, %v; want %d after %v", got, after, err, want, wait)
			}
		}
		take("a", 1, 1, 0)
		f.clock.Advance(time.Hour)
		take("a", 1, 1, 0)
		take("b", 3, 3, 0) // another key
		take("a", 5, 1, 23*time.Hour)
		take("a", 1, 0, 23*time.Hour)
		f.clock.Advance(23*time.Hour - time.Millisecond)
		take("a", 1, 0, time.Millisecond)
		f.clock.Advance(time.Millisecond)
		take("a", 1, 1, 0) // the first is out of the window
		take("a", 1, 0, time.Hour)
		if got, _, err := s.take(t.Context(), scim.SystemOrg, "mail-day", "a", 1, 3, 24*time.Hour); err != nil || got != 1 {
			t.Errorf("of all organizations: %d, %v", got, err)
		}

		granted, left, err := s.use(t.Context(), org, "left", "", 2, 5, time.Hour)
		if err != nil || granted != 2 || left != (scim.Quota{Limit: 5, Remaining: 3, Reset: time.Hour}) {
			t.Errorf("%d of a fresh limit leave %+v, %v", granted, left, err)
		}
		f.clock.Advance(time.Minute)
		granted, left, err = s.use(t.Context(), org, "left", "", 4, 5, time.Hour)
		if err != nil || granted != 3 || left != (scim.Quota{Limit: 5, Reset: 59 * time.Minute}) {
			t.Errorf("%d of what was left leave %+v, %v", granted, left, err)
		}

		// Many small uses are counted exactly, and freed no earlier than they should be.
		granted = 0
		for range 200 {
			n, _, err := s.take(t.Context(), org, "many", "", 1, 150, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			granted += n
			f.clock.Advance(10 * time.Second)
		}
		if granted != 150 {
			t.Errorf("%d of 150 granted", granted)
		}
		f.clock.Advance(30 * time.Minute)
		n, _, err := s.take(t.Context(), org, "many", "", 150, 150, time.Hour)
		if err != nil || n < 10 || n > 150 {
			t.Errorf("%d granted after a part of the window, %v", n, err)
		}

		// Several processes share what is left.
		var taken atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				n, _, err := f.posts[i%2].s.take(t.Context(), org, "race", "", 1, 5, time.Hour)
				if err != nil {
					t.Error(err)
				}
				taken.Add(int64(n))
			})
		}
		wg.Wait()
		if taken.Load() != 5 {
			t.Errorf("%d taken of 5", taken.Load())
		}
	})
}
