// Package transcript plays conversations with an HTTP server that are written down in txtar files, and compares the whole
// answers. It is imported by tests only and knows neither what is served nor by whom.
//
// A transcript is pairs of files:
//
//	-- 01 create --
//	POST /Users @acme          the name of who asks, with an at sign; Player.Who if left out, @none for nobody
//	Header: value              sent; without a value it is left out. Five lines are the player's own:
//	Clock: 2h                  moves the clock before the request
//	Save: name=path            keeps a string of the answer
//	Save-Header: name=header   keeps a header of the answer
//	Base64: true               the body is sent as the bytes that it is the base64 of
//	Invalid: true              the request does not fit the server's own description of it
//
//	{"body": "..., {{name}} is a kept value"}
//	-- 01 answer --
//	201 Created                status, chosen headers, the body with names sorted; of a picture its size
package transcript

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	_ "image/jpeg" // pictures in answers
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
)

//nolint:gochecknoglobals // a flag of the test binary
var update = flag.Bool("update", false, "write what the server answers into the transcripts")

// Request is one request of a transcript.
type Request struct {
	Method, Path string
	Who          string // "" for nobody
	Header       http.Header
	Without      []string // headers that must not be sent
	Body         string
	Invalid      bool
}

// World is what a transcript talks to.
type World interface {
	// Do sends a request.
	Do(t testing.TB, r *Request) *httptest.ResponseRecorder
	// Advance moves the clock.
	Advance(d time.Duration)
}

// Player says how transcripts are played.
type Player struct {
	Who     string   // who asks if a request does not say
	Headers []string // of answers, canonical, in the order in which they are shown
	// World makes a world for one transcript.
	World func(t *testing.T) World
}

// Run plays every file that the pattern matches, each in a world of its own.
func (p *Player) Run(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts match %s: %v", pattern, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { p.play(t, f) })
	}
}

func (p *Player) play(t *testing.T, file string) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := p.World(t)
	kept := map[string]string{}
	var out []txtar.File
	for i := 0; i < len(ar.Files); i++ {
		request := ar.Files[i]
		want := ""
		if i+1 < len(ar.Files) && strings.HasSuffix(ar.Files[i+1].Name, "answer") {
			i++
			want = string(ar.Files[i].Data)
		}
		got := p.exchange(t, w, request, kept)
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

// exchange sends a request as it is written and returns the answer as it is written.
func (p *Player) exchange(t *testing.T, w World, f txtar.File, kept map[string]string) string {
	t.Helper()
	text := string(f.Data)
	for name, value := range kept {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	first := strings.Fields(lines[0])
	if len(first) < 2 {
		t.Fatalf("%s: no request line", f.Name)
	}
	r := &Request{Method: first[0], Path: first[1], Who: p.Who, Header: http.Header{}, Body: strings.TrimSpace(body)}
	if len(first) > 2 {
		r.Who = strings.TrimPrefix(first[2], "@")
	}
	if r.Who == "none" {
		r.Who = ""
	}
	w.Advance(time.Second)
	var save, saveHeader []string
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
			w.Advance(d)
		case name == "Save":
			save = append(save, value)
		case name == "Save-Header":
			saveHeader = append(saveHeader, value)
		case name == "Base64":
			b, err := base64.StdEncoding.DecodeString(r.Body)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			r.Body = string(b)
		case name == "Invalid":
			r.Invalid = true
		case value == "":
			r.Without = append(r.Without, name)
		default:
			r.Header.Add(name, value)
		}
	}
	rec := w.Do(t, r)
	for _, s := range save {
		name, path, _ := strings.Cut(s, "=")
		kept[name] = dig(t, rec.Body.Bytes(), path)
	}
	for _, s := range saveHeader {
		name, header, _ := strings.Cut(s, "=")
		if kept[name] = rec.Header().Get(header); kept[name] == "" {
			t.Fatalf("the answer has no header %s", header)
		}
	}
	return p.render(t, rec)
}

// dig returns the string at a dotted path of a JSON body.
func dig(t *testing.T, body []byte, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("body: %v: %s", err, body)
	}
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(list) {
				t.Fatalf("the answer has no element %s of %s: %s", name, path, body)
			}
			v = list[i]
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

// render writes an answer as transcripts state it: whole, names sorted.
func (p *Player) render(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", rec.Code, http.StatusText(rec.Code))
	for _, name := range p.Headers {
		for _, v := range rec.Header().Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	body := rec.Body.Bytes()
	if len(body) == 0 {
		return b.String()
	}
	if n := rec.Header().Get("Content-Length"); n != "" && n != fmt.Sprint(len(body)) {
		t.Errorf("Content-Length %s of a body of %d bytes", n, len(body))
	}
	b.WriteByte('\n')
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "image/") {
		// Not the bytes: the next version of an encoder may write others.
		c, format, err := image.DecodeConfig(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("the body is no picture: %v", err)
		}
		fmt.Fprintf(&b, "%s %dx%d\n", format, c.Width, c.Height)
		return b.String()
	}
	if !strings.Contains(rec.Header().Get("Content-Type"), "json") || strings.Contains(rec.Header().Get("Content-Type"), "ndjson") {
		b.WriteString(strings.TrimRight(string(body), "\n") + "\n")
		return b.String()
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // 1 and 1.0 differ
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("the body is not JSON: %v\n%s", err, body)
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
