package resources

import "testing"

func TestMemo(t *testing.T) {
	m := newMemo[int, int]()
	for k := range 3 * memoSize {
		m.put(k, k)
		if v, ok := m.get(k); !ok || v != k || len(m.m) > memoSize {
			t.Fatalf("after %d: %d, %v, %d kept", k, v, ok, len(m.m))
		}
	}
	last := 3*memoSize - 1
	if m.claim(last, 0, func(have int) bool { return have == last }) {
		t.Error("claimed what was to be left")
	}
	if !m.claim(last, 7, func(have int) bool { return have != last }) {
		t.Error("not claimed")
	}
	if v, _ := m.get(last); v != 7 {
		t.Errorf("claimed, but %d is kept", v)
	}
}
