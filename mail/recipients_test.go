package mail

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes recipients as "name|address" or "!problem input".
func show(rs []Recipient) []string {
	var out []string
	for _, r := range rs {
		switch {
		case r.Problem != "":
			out = append(out, "!"+string(r.Problem)+" "+r.Input)
		case r.Name != "":
			out = append(out, r.Name+"|"+r.Address.String())
		default:
			out = append(out, r.Address.String())
		}
	}
	return out
}

func TestParseRecipients(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"the list of the product paper", "a@x.com, Bob <b@x.com>; c@x", []string{"a@x.com", "Bob|b@x.com", "!domain c@x"}},
		{"every delimiter", "a@x.org,b@x.org;c@x.org\nd@x.org\te@x.org\r\nf@x.org", []string{"a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org", "f@x.org"}},
		{"nothing", " ,;\n\t, ", nil},
		{"quoted name with a comma", `"Doe, Jane" <jane@x.org>, a@x.org`, []string{"Doe, Jane|jane@x.org", "a@x.org"}},
		{"name with a comma, unquoted", "Doe, Jane <jane@x.org>; Müller-Lüdenscheid, Dr. Karl <k@x.org>", []string{"Doe, Jane|jane@x.org", "Müller-Lüdenscheid, Dr. Karl|k@x.org"}},
		{"a word before an address is not its name", "Doe, jane@x.org", []string{"!no_at Doe", "jane@x.org"}},
		{"two words before an address", "Roe, Doe, Jane <jane@x.org>", []string{"!no_at Roe", "Doe, Jane|jane@x.org"}},
		{"escapes in a quoted name", `"Jane \"JD\" Doe" <jane@x.org>`, []string{`Jane "JD" Doe|jane@x.org`}},
		{"single quotes", "'Jane Doe' <jane@x.org>, 'bob@x.org'", []string{"Jane Doe|jane@x.org", "bob@x.org"}},
		{"quoted addresses", `"a@x.org", "b@x.org"`, []string{"a@x.org", "b@x.org"}},
		{"a quote that is not closed", "\"Jane <jane@x.org>\nbob@x.org", []string{"Jane|jane@x.org", "bob@x.org"}},
		{"mailto", "mailto:jane@x.org, <MAILTO:Bob%2Bx@x.org?subject=Hi>", []string{"jane@x.org", "Bob+x@x.org"}},
		{"stray brackets", "<<a@x.org>>, [b@x.org], (c@x.org), <d@x.org, e@x.org>", []string{"a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org"}},
		{"name after", "jane@x.org (Jane Doe)", []string{"Jane Doe|jane@x.org"}},
		{"zero width and no-break", "\ufeffa\u200b@x.org\u00a0,\u202ab@x.org\u202c", []string{"a@x.org", "b@x.org"}},
		{"wide characters", "a＠x.org，b＠x.org；c＠x.org、Jane ＜d＠x.org＞", []string{"a@x.org", "b@x.org", "c@x.org", "Jane|d@x.org"}},
		{"space between", "a@x.org b@x.org  c@x.org", []string{"a@x.org", "b@x.org", "c@x.org"}},
		{"brackets between", "Ann <a@x.org> Bob <b@x.org> c@x.org", []string{"Ann|a@x.org", "Bob|b@x.org", "c@x.org"}},
		{"text that is no address", "Please invite jane@x.org thanks", []string{"!extra_text Please invite jane@x.org thanks"}},
		{"name is the address", `"jane@x.org" <jane@x.org>`, []string{"jane@x.org"}},
		{"end of a sentence", "jane@x.org.", []string{"jane@x.org"}},
		{"empty brackets", "Jane <>", []string{"!no_at Jane <>"}},
		{"local part as typed, domain not", "Jane.Doe+News@EXAMPLE.ORG", []string{"Jane.Doe+News@example.org"}},
		{"line ends do not reach the name", "\"Jane\x00\x07 Doe\" <jane@x.org>", []string{"Jane Doe|jane@x.org"}},
		{"twice is two entries", "a@x.org, A@X.org", []string{"a@x.org", "A@x.org"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseRecipients(tc.in, 500)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, show(got)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseRecipientsIsBounded(t *testing.T) {
	var list strings.Builder
	for i := range 500 {
		fmt.Fprintf(&list, "u%d@example.org, ", i)
	}
	got, err := ParseRecipients(list.String(), 500)
	if err != nil || len(got) != 500 {
		t.Fatalf("%d entries, error %v; want 500", len(got), err)
	}
	if got, err := ParseRecipients(list.String()+"one@more.org", 500); !errors.Is(err, ErrTooManyRecipients) || got != nil {
		t.Errorf("%d entries, error %v; want none and ErrTooManyRecipients", len(got), err)
	}
	long := "x" + strings.Repeat("é", 5000) + "@example.org"
	got, err = ParseRecipients(long, 1)
	if err != nil || len(got) != 1 || got[0].Problem != ErrTooLong || len(got[0].Input) > maxShownInput || !strings.HasPrefix(long, got[0].Input) {
		t.Errorf("a long entry: %+v, %v", got, err)
	}
	name := strings.Repeat("N", 400)
	got, err = ParseRecipients(name+" <a@x.org>", 1)
	if err != nil || len(got) != 1 || got[0].Problem != "" || len(got[0].Name) != maxName {
		t.Errorf("a long name: %d entries, %v", len(got), err)
	}
}

func FuzzParseRecipients(f *testing.F) {
	for _, s := range []string{
		"a@x.com, Bob <b@x.com>; c@x", `"Doe, Jane" <jane@x.org>`, "Doe, Jane <jane@x.org>", "mailto:a%40x.org?x", "<<a@x.org>>",
		"a@x.org (Jane)", "a＠x.org，b", "\"", "\"\\", "<@>", "a@x.org b@x.org", "A <a@x.org> B <b@x.org>", "info@bücher.example", "STRAẞE@x.org",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		const limit = 50
		found, err := ParseRecipients(in, limit)
		if err != nil {
			if !errors.Is(err, ErrTooManyRecipients) {
				t.Fatal(err)
			}
			return
		}
		if len(found) > limit {
			t.Fatalf("%d entries", len(found))
		}
		var again []string
		for _, r := range found {
			if len(r.Input) > maxShownInput || r.Input == "" {
				t.Fatalf("Input has %d bytes", len(r.Input))
			}
			if r.Problem != "" {
				if r.Address != (Address{}) || r.Name != "" {
					t.Fatalf("%+v has a problem and a value", r)
				}
				continue
			}
			text := r.Address.String()
			if len(text) > maxAddress || strings.ContainsAny(text, " \r\n<>\"") || !isASCII(r.Address.Domain) {
				t.Fatalf("address %q", text)
			}
			same, err := ParseAddress(text)
			if err != nil || same != r.Address {
				t.Fatalf("%q is read again as %q, %v", text, same, err)
			}
			if key := r.Address.Key(); Fold(key) != key && isASCII(key) {
				t.Fatalf("the key of %q is not its own key", text)
			}
			if strings.ContainsAny(r.Name, "\r\n\x00\t") || CleanName(r.Name) != r.Name {
				t.Fatalf("name %q", r.Name)
			}
			again = append(again, text)
		}
		second, err := ParseRecipients(strings.Join(again, ";"), limit)
		if err != nil || len(second) != len(again) {
			t.Fatalf("%q is read again as %d entries, %v", again, len(second), err)
		}
		for i, r := range second {
			if r.Address.String() != again[i] {
				t.Fatalf("%q is read again as %q", again[i], r.Address)
			}
		}
	})
}

func BenchmarkParseRecipients(b *testing.B) {
	var list strings.Builder
	for i := range 500 {
		fmt.Fprintf(&list, "\"Doe, Jane %d\" <jane.doe%d@example.org>; ", i, i)
	}
	text := list.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := ParseRecipients(text, 500); err != nil || len(got) != 500 {
			b.Fatal(len(got), err)
		}
	}
}
