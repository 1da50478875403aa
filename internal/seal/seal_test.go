package seal_test

import (
	"bytes"
	"testing"

	"rollcall/internal/seal"
)

func box(t *testing.T, key byte, label string) *seal.Box {
	t.Helper()
	b, err := seal.New(bytes.Repeat([]byte{key}, seal.KeySize), label)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBox(t *testing.T) {
	b := box(t, 1, "test")
	for _, plain := range []string{"", "x", string(bytes.Repeat([]byte("secret"), 1000))} {
		sealed := b.Seal([]byte(plain), "acme")
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the text can be read")
		}
		if got, ok := b.Open(sealed, "acme"); !ok || string(got) != plain {
			t.Errorf("opened %v: %q", ok, got)
		}
		if !bytes.Equal(sealed, b.Seal([]byte(plain), "acme")) {
			t.Error("equal content is another text")
		}
		if bytes.Equal(sealed, b.Seal([]byte(plain), "other")) {
			t.Error("another bound gives the same text")
		}
		for name, open := range map[string]func() ([]byte, bool){
			"another bound": func() ([]byte, bool) { return b.Open(sealed, "other") },
			"another key":   func() ([]byte, bool) { return box(t, 2, "test").Open(sealed, "acme") },
			"another label": func() ([]byte, bool) { return box(t, 1, "other").Open(sealed, "acme") },
			"cut":           func() ([]byte, bool) { return b.Open(sealed[:len(sealed)-1], "acme") },
			"nothing":       func() ([]byte, bool) { return b.Open(nil, "acme") },
		} {
			if _, ok := open(); ok {
				t.Errorf("%s opens it", name)
			}
		}
		for i := range sealed {
			forged := bytes.Clone(sealed)
			forged[i] ^= 1
			if _, ok := b.Open(forged, "acme"); ok {
				t.Fatalf("byte %d can be changed", i)
			}
		}
	}
}

func TestKeySize(t *testing.T) {
	if _, err := seal.New(make([]byte, 16), "test"); err == nil {
		t.Error("a short key is taken")
	}
}
