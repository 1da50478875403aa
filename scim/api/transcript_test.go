package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"rollcall/scim/api"
)

var update = flag.Bool("update", false, "write what the server answers into the transcripts")

func TestTranscripts(t *testing.T) { runTranscripts(t, openSQLite) }

// runTranscripts replays every testdata/http/*.txtar against a server on a fresh store of its own; every store must
// give the same answers. A transcript is pairs of files:
//
//	-- 01 create --
//	POST /Users @acme          the token's name; @acme if left out, @none for none
//	Header: value              sent; "Clock: 2h" moves the clock, "Save: name=path" keeps a value of the answer
//
//	{"body": "..., {{name}} is a saved value"}
//	-- 01 answer --
//	201                        status, chosen headers, the body with names sorted
func runTranscripts(t *testing.T, open openStore) {
	t.Helper()
	files, err := filepath.Glob("testdata/http/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { replay(t, open, f) })
	}
}

func replay(t *testing.T, open openStore, file string) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, open, func(o *api.Options) { o.Limits.BulkOperations = 10 })
	saved := map[string]string{}
	var out []txtar.File
	for i := 0; i < len(ar.Files); i++ {
		request := ar.Files[i]
		want := ""
		if i+1 < len(ar.Files) && strings.HasSuffix(ar.Files[i+1].Name, "answer") {
			i++
			want = string(ar.Files[i].Data)
		}
		rec := w.send(t, request, saved)
		got := render(t, rec)
		number, _, _ := strings.Cut(request.Name, " ")
		out = append(out, request, txtar.File{Name: number + " answer", Data: []byte(got)})
		if d := cmp.Diff(want, got); d != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", request.Name, d)
		}
	}
	if *update {
		ar.Files = out
		if err := os.WriteFile(file, txtar.Format(ar), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// send sends a request as a transcript writes it and keeps what it wants to be saved.
func (w *world) send(t *testing.T, f txtar.File, saved map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	text := string(f.Data)
	for name, value := range saved {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	first := strings.Fields(lines[0])
	if len(first) < 2 {
		t.Fatalf("%s: no request line", f.Name)
	}
	token := "acme"
	if len(first) > 2 {
		token = strings.TrimPrefix(first[2], "@")
	}
	if token == "none" {
		token = ""
	}
	w.clock.Advance(time.Second)
	var header []string
	var save []string
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
			t.Fatalf("%s: header %q", f.Name, l)
		case name == "Clock":
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(d)
		case name == "Save":
			save = append(save, value)
		default:
			header = append(header, name, value)
		}
	}
	rec := w.do(t, token, first[0], first[1], strings.TrimSpace(body), header...)
	for _, s := range save {
		name, path, _ := strings.Cut(s, "=")
		saved[name] = dig(t, rec.Body.Bytes(), path)
	}
	return rec
}

// dig returns the string at a dotted path of a JSON body.
func dig(t *testing.T, body []byte, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("body: %v", err)
	}
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok {
			if i, err := strconv.Atoi(name); err == nil && i < len(list) {
				v = list[i]
			}
			continue
		}
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, ok := v.(string)
	if !ok {
		t.Fatalf("the answer has no string at %s: %s", path, body)
	}
	return s
}

// shownHeaders are the headers that a transcript states, in this order.
var shownHeaders = []string{
	"Content-Type", "Content-Encoding", "Location", "Content-Location", "Etag", "Allow", "Www-Authenticate", "Retry-After",
	"Connection",
}

// render writes an answer as transcripts state it: whole, names sorted.
func render(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", rec.Code, http.StatusText(rec.Code))
	for _, name := range shownHeaders {
		for _, v := range rec.Header().Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	body := rec.Body.Bytes()
	if len(body) == 0 {
		return b.String()
	}
	if n := rec.Header().Get("Content-Length"); n != fmt.Sprint(len(body)) {
		t.Errorf("Content-Length %s of a body of %d bytes", n, len(body))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // 1 and 1.0 differ
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("the body is not JSON: %v\n%s", err, body)
	}
	b.WriteByte('\n')
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
