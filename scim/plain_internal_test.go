package scim

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlain puts each byte at each place of texts that are looked at eight bytes at a time and one by one.
func TestPlain(t *testing.T) {
	for c := range 256 {
		want := c >= ' ' && c < 0x7f && c != '"' && c != '\\'
		for _, other := range []byte{' ', '!', '#', '[', ']', '~', 'a'} {
			for n := 1; n <= 19; n++ {
				for at := range n {
					b := []byte(strings.Repeat(string(other), n))
					b[at] = byte(c)
					if got := plain(string(b)); got != want {
						t.Fatalf("%q: %t, want %t", b, got, want)
					}
				}
			}
		}
	}
	if !plain("") {
		t.Error("the empty text is plain")
	}
}

func BenchmarkAppendString(b *testing.B) {
	for _, n := range []int{5, 36, 60} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, dst := strings.Repeat("a", n), make([]byte, 0, 100)
			for b.Loop() {
				dst = AppendString(dst[:0], s)
			}
		})
	}
}
