// Package sheet reads tables as spreadsheets export them (RFC 4180, with what people's spreadsheets make of it), and writes
// cells that no spreadsheet takes for more than text.
package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bound a table.
type Limits struct {
	Rows    int // without the header
	Columns int
	Cell    int // bytes of one cell
}

// Table is a table that was read.
type Table struct {
	Header []string // of the columns; names made up of their numbers if the file has none
	Named  bool     // the file has a header
	Rows   []Row
}

// Row is a row that is not empty.
type Row struct {
	Line  int // of the file, from 1, where the row begins
	Cells []string
}

// Error is what is wrong with a table: where, never what stands there.
type Error struct {
	Line, Column int // from 1; 0: none in particular
	Problem      string
	Rows         bool // the table is right, but has too many rows
}

// Error says where the problem is, and what.
func (e *Error) Error() string {
	switch {
	case e.Column > 0:
		return fmt.Sprintf("row %d, column %d: %s", e.Line, e.Column, e.Problem)
	case e.Line > 0:
		return fmt.Sprintf("row %d: %s", e.Line, e.Problem)
	}
	return e.Problem
}

const (
	utf8Mark   = "\xef\xbb\xbf"
	notUTF8    = "is not UTF-8: save the file as \"CSV UTF-8\""
	separators = ",;\t|"
)

// Read reads a table. A byte order mark, any of the usual separators, lines that end in CR LF, quotes in the middle of a
// cell, and rows without anything in them are no mistakes. header says from the first row whether it names the columns.
// The error is an *Error.
func Read(data []byte, l Limits, header func(cells []string) bool) (*Table, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &Error{Problem: "the file is UTF-16, which is not UTF-8: save it as \"CSV UTF-8\""}
	}
	data = bytes.TrimPrefix(data, []byte(utf8Mark))
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = separator(data), true, -1
	t := &Table{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			e := &Error{Problem: "is not a row of CSV"}
			if bad, ok := errors.AsType[*csv.ParseError](err); ok {
				e.Line, e.Column = bad.StartLine, bad.Column
			}
			return nil, e
		}
		line, _ := r.FieldPos(0)
		if err := check(cells, line, l); err != nil {
			return nil, err
		}
		if empty(cells) {
			continue
		}
		if t.Header == nil {
			t.head(cells, header(cells))
			if t.Named {
				continue
			}
		}
		if len(t.Rows) == l.Rows {
			return nil, &Error{Rows: true, Problem: fmt.Sprintf("the file has more than %d rows", l.Rows)}
		}
		for len(cells) > len(t.Header) && cells[len(cells)-1] == "" {
			cells = cells[:len(cells)-1]
		}
		if len(cells) > len(t.Header) {
			return nil, &Error{
				Line: line, Column: len(t.Header) + 1,
				Problem: "the row has more cells than the first one: a cell with a separator in it needs quotation marks",
			}
		}
		t.Rows = append(t.Rows, Row{line, cells})
	}
	if len(t.Rows) == 0 {
		return nil, &Error{Problem: "the file has no rows"}
	}
	return t, nil
}

// head takes the first row.
func (t *Table) head(cells []string, named bool) {
	t.Named = named
	t.Header = make([]string, len(cells))
	for i, c := range cells {
		if t.Header[i] = strings.TrimSpace(c); !named || t.Header[i] == "" {
			t.Header[i] = fmt.Sprintf("column %d", i+1)
		}
	}
}

// check refuses what cannot be read.
func check(cells []string, line int, l Limits) error {
	for i, c := range cells {
		switch {
		case i == l.Columns:
			return &Error{Line: line, Problem: fmt.Sprintf("the row has more than %d columns", l.Columns)}
		case !utf8.ValidString(c):
			return &Error{Line: line, Column: i + 1, Problem: notUTF8}
		case strings.ContainsRune(c, 0):
			return &Error{Line: line, Column: i + 1, Problem: "is not text"}
		case len(c) > l.Cell:
			return &Error{Line: line, Column: i + 1, Problem: fmt.Sprintf("the cell has more than %d bytes: is a quotation mark missing?", l.Cell)}
		}
	}
	return nil
}

func empty(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// separator is the one that stands most often in the first line that is not empty, quoted text aside.
func separator(data []byte) rune {
	quoted := false
	count := map[rune]int{}
	for _, b := range data {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n' && len(count) > 0:
			return pick(count)
		case strings.IndexByte(separators, b) >= 0:
			count[rune(b)]++
		}
	}
	return pick(count)
}

func pick(count map[rune]int) rune {
	best := ','
	for _, c := range separators {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

// Cell is text as a cell that no spreadsheet takes for a formula.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
