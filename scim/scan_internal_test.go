package scim

import (
	"reflect"
	"testing"
)

var scanSeeds = []string{
	`{}`, `[]`, `null`, `{"a":[1,-0,1.5e+3,"x\u00e9\ud83d\ude00",true,false,null,{}],"B":{"a":[]}}`, " { \"a\" : 1 }\n",
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":"\ud83d"}`, `[01]`, `[1.]`, `[.5]`, `[+1]`, `[1e]`, `[--1]`,
	`[1,]`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `[1 2]`, `{"a":1 "b":2}`, `[tru]`, `[nul`, `"a`, `"a\`, "\"\x01\"", "\"\xff\"", `{} {}`, `{}x`,
	`[[[[[[[]]]]]]]`, `{"a":{"a":{"a":{"a":{"a":{}}}}}}`, "\x00", "{}\x00", "\ufeff{}", `[1}`, `{"a":1]`, `["\x"]`, `["\u12"]`, `"\""`, `{"":0}`, `12345678901234567890`, `1e400`,
	"{\u00a0}", `{"a":"\/"}`, `["é","日本","😀"]`,
}

// FuzzScan holds the scanner to the token parsers: whatever it takes, they take, with the same result; and what it
// leaves them is read by them, so that nothing of it shows.
func FuzzScan(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, depth := range []int{0, 2, 5} {
			got, ok := scanJSON(data, depth)
			want, err := parseTokens(data, depth)
			if ok && (err != nil || !reflect.DeepEqual(got, want)) {
				t.Errorf("%q, depth %d: the scanner reads %#v, the tokens %#v, %v", data, depth, got, want, err)
			}
		}
		attrs, ok := scanAttributes(data)
		want, err := decodeTokens(data)
		if ok && (err != nil || !reflect.DeepEqual(attrs, want)) {
			t.Errorf("%q: the scanner decodes %#v, the tokens %#v, %v", data, attrs, want, err)
		}
	})
}

// TestScanTakes keeps the scanner from leaving everything to the tokens.
func TestScanTakes(t *testing.T) {
	for _, s := range []string{scanSeeds[3], scanSeeds[4], `["é","日本","😀"]`, `{"a":"\/\""}`} {
		if _, ok := scanJSON([]byte(s), 5); !ok {
			t.Errorf("%s is left to the tokens", s)
		}
	}
	if _, ok := scanAttributes([]byte(scanSeeds[3])); !ok {
		t.Errorf("a document is left to the tokens")
	}
}

var benchDoc = []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],` +
	`"externalId":"ext-1","userName":"u1@example.com","name":{"formatted":"Chloé García","familyName":"García","givenName":"Chloé"},` +
	`"displayName":"Chloé García","nickName":"Chloé","title":"Engineer level 3","userType":"Employee","preferredLanguage":"en-US","locale":"en-US","timezone":"Europe/Berlin","active":true,` +
	`"emails":[{"value":"u1@example.com","type":"work","primary":true},{"value":"u1@home.example.org","type":"home"}],` +
	`"phoneNumbers":[{"value":"+49 30 1","type":"work"},{"value":"+49 170 1","type":"mobile"}],` +
	`"addresses":[{"type":"work","streetAddress":"1 Main Street","locality":"Berlin","region":"BE","postalCode":"00001","country":"DE","formatted":"1 Main Street\nBerlin"}],` +
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"1","costCenter":"CC-1","organization":"Example Corp","division":"Division 2","department":"Department 8"}}`)

func BenchmarkJSON(b *testing.B) {
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"parse", func() { _, _ = ParseJSON(benchDoc, 16) }},
		{"parse tokens", func() { _, _ = parseTokens(benchDoc, 16) }},
		{"decode", func() { _, _ = DecodeAttributes(benchDoc) }},
		{"decode tokens", func() { _, _ = decodeTokens(benchDoc) }},
		{"decode one", func() { _, _ = DecodeSome(benchDoc, []string{"userName"}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.f()
			}
		})
	}
	doc, err := DecodeAttributes(benchDoc)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 4096)
		for b.Loop() {
			buf = AppendJSON(buf[:0], doc)
		}
	})
}
