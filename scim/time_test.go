package scim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"rollcall/scim"
)

func TestAppendTimeIsFormatTime(t *testing.T) {
	times := []time.Time{
		{},
		time.UnixMilli(0), time.UnixMilli(-1), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 2, 29, 1, 2, 3, 45_678_901, time.FixedZone("", -5*3600)),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		times = append(times, time.UnixMilli(r.Int64N(4e12)-1e12))
	}
	for _, at := range times {
		if got, want := string(scim.AppendTime([]byte("x"), at)), "x"+scim.FormatTime(at); got != want {
			t.Errorf("AppendTime: %s, want %s", got, want)
		}
	}
}
