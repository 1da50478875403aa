package sheet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/sheet"
)

var limits = sheet.Limits{Rows: 3, Columns: 4, Cell: 20}

// named takes a first row with "mail" in it for a header.
func named(cells []string) bool {
	return strings.Contains(strings.ToLower(strings.Join(cells, " ")), "mail")
}

func TestRead(t *testing.T) {
	header := []string{"Name", "Mail"}
	ada := sheet.Row{Line: 2, Cells: []string{"Ada", "ada@example.com"}}
	tests := []struct {
		name, text string
		want       *sheet.Table
	}{
		{"plain", "Name,Mail\nAda,ada@example.com\n", &sheet.Table{Header: header, Named: true, Rows: []sheet.Row{ada}}},
		{"mark and carriage returns", "\xef\xbb\xbfName,Mail\r\nAda,ada@example.com\r\n", &sheet.Table{Header: header, Named: true, Rows: []sheet.Row{ada}}},
		{"semicolons", "Name;Mail\nAda;ada@example.com", &sheet.Table{Header: header, Named: true, Rows: []sheet.Row{ada}}},
		{"tabs", "Name\tMail\nAda\tada@example.com", &sheet.Table{Header: header, Named: true, Rows: []sheet.Row{ada}}},
		{"quoted separators", "\"Name\",\"Mail\"\n\"Doe, Jane;\",j@example.com", &sheet.Table{
			Header: header, Named: true, Rows: []sheet.Row{{Line: 2, Cells: []string{"Doe, Jane;", "j@example.com"}}},
		}},
		{"a quote inside", "Name,Mail\nBob \"B\" O,b@example.com", &sheet.Table{
			Header: header, Named: true, Rows: []sheet.Row{{Line: 2, Cells: []string{"Bob \"B\" O", "b@example.com"}}},
		}},
		{"empty rows and cells", "Name,Mail\n\n ,\nAda,ada@example.com,,\n", &sheet.Table{
			Header: header, Named: true, Rows: []sheet.Row{{Line: 4, Cells: []string{"Ada", "ada@example.com"}}},
		}},
		{"a line in a cell", "Name,Mail\n\"A\nB\",a@example.com\nC,c@example.com", &sheet.Table{
			Header: header, Named: true,
			Rows: []sheet.Row{{Line: 2, Cells: []string{"A\nB", "a@example.com"}}, {Line: 4, Cells: []string{"C", "c@example.com"}}},
		}},
		{"no header", "ada@example.com\nbob@example.com", &sheet.Table{
			Header: []string{"column 1"},
			Rows:   []sheet.Row{{Line: 1, Cells: []string{"ada@example.com"}}, {Line: 2, Cells: []string{"bob@example.com"}}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sheet.Read([]byte(tt.text), limits, named)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"latin 1", "Name,Mail\nJos\xe9,j@example.com", "row 2, column 1: is not UTF-8"},
		{"utf-16", "\xff\xfeN\x00", "the file is UTF-16"},
		{"binary", "Name,Mail\na\x00,b", "row 2, column 1: is not text"},
		{"nothing", "", "the file has no rows"},
		{"header only", "Name,Mail\n", "the file has no rows"},
		{"too many rows", "Mail\n1\n2\n3\n4\n", "the file has more than 3 rows"},
		{"too many columns", "mail,2,3,4,5\n", "row 1: the row has more than 4 columns"},
		{"more cells than the header", "Name,Mail\nDoe, Jane,j@example.com\n", "row 2, column 3: the row has more cells"},
		{"a quote that never ends", "Name,Mail\n\"Ada,ada@example.com\nBob,bob@example.com\n", "row 2, column 1: the cell has more than 20 bytes: is a quotation mark missing?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sheet.Read([]byte(tt.text), limits, named)
			var bad *sheet.Error
			if !errors.As(err, &bad) || !strings.HasPrefix(bad.Error(), tt.want) {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if strings.Contains(bad.Error(), "example.com") {
				t.Errorf("the error repeats a value: %v", err)
			}
			if bad.Rows != (tt.name == "too many rows") {
				t.Errorf("Rows is %v", bad.Rows)
			}
		})
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ada": "Ada", "=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "a=b": "a=b",
	} {
		if got := sheet.Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("Name,Mail\nAda,ada@example.com\n"))
	f.Add([]byte("\"a\nb;c\"\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := sheet.Read(data, limits, named)
		if err != nil {
			if _, ok := errors.AsType[*sheet.Error](err); !ok {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		for _, r := range table.Rows {
			if len(r.Cells) > len(table.Header) || r.Line < 1 {
				t.Fatalf("row %+v under %d columns", r, len(table.Header))
			}
		}
	})
}
