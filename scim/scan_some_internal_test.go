package scim

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

var someSeeds = []string{
	`{}`, `{"a":1}`, `{"a":"\\","b":"\\\"","c":"\"","d":["}","]",{"e":"\\\\"}],"e":null,"f":[],"g":{},"h":-1.5,"i":true}`,
	`{"a":{"b":{"c":[[1,2],[3]]}},"b":"é\u0000","c":"x"}`, `{"":"","\"":1,"\\":2,"a":[{}]}`,
	string(benchDoc),
}

// FuzzDecodeSome holds what is decoded in part to what is decoded whole, for each attribute by itself, for all of
// them, and for ones that are not there.
func FuzzDecodeSome(f *testing.F) {
	for _, s := range append(someSeeds, scanSeeds...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := DecodeAttributes(data)
		if err != nil {
			_, _ = DecodeSome(data, []string{"a"}) // it need not notice, but it must come back
			return
		}
		doc := AppendJSON(nil, all)
		if all, err = DecodeAttributes(doc); err != nil {
			t.Fatal(err)
		}
		names := slices.Sorted(maps.Keys(all))
		asked := [][]string{nil, {"no such name"}, names, append(slices.Clone(names), "no such name")}
		for _, n := range names {
			asked = append(asked, []string{n})
		}
		for _, some := range asked {
			want := Attributes{}
			for _, n := range some {
				if v, ok := all[n]; ok {
					want[n] = v
				}
			}
			got, err := DecodeSome(doc, some)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q of %s: %#v, %v; want %#v", some, doc, got, err, want)
			}
		}
	})
}

// TestScanSomeTakes keeps the scanner from leaving documents to the tokens.
func TestScanSomeTakes(t *testing.T) {
	for _, s := range someSeeds {
		if _, ok := scanSome([]byte(s), []string{"h", "no such name"}); !ok {
			t.Errorf("%s is left to the tokens", s)
		}
	}
	for _, s := range []string{``, `[]`, `{`, `{"a`, `{"a":`, `{"a":"`, `{"a":"\`, `{"a":[`, `{"a":1`, `{"a":1]`} {
		if a, ok := scanSome([]byte(s), []string{"b"}); ok {
			t.Errorf("%s is taken for %v", s, a)
		}
	}
}
