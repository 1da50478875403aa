package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// file is an answer that may be large: it is sent while it is written, and never all of it in memory.
type file struct {
	mediaType string
	name      string // that a browser saves it under
	write     func(io.Writer) error
}

// download adds an endpoint that answers with a file of one of the media types.
func download[I any](a *API, o operation, doc string, mediaTypes []string, fn func(context.Context, *Call, *I) (*file, error)) {
	op := a.describe(&o)
	content := map[string]*huma.MediaType{}
	for _, t := range mediaTypes {
		content[t] = &huma.MediaType{}
		if t != ndjsonType { // many values, which no schema describes
			content[t].Schema = &huma.Schema{Type: huma.TypeString}
		}
	}
	op.Responses["200"] = &huma.Response{Description: doc, Content: content}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		x := exchangeOf(ctx)
		f, err := fn(ctx, x.call(), in)
		if err != nil {
			return nil, x.refuse(err)
		}
		return &huma.StreamResponse{Body: func(huma.Context) { x.stream(f) }}, nil
	})
}

// streamChunk is how many bytes are kept before they are sent: an answer of fewer is one like any other.
const streamChunk = 64 << 10

// stream is the sending of a file.
type stream struct {
	x       *exchange
	buf     bytes.Buffer
	started bool // the header is with the client
}

// stream sends a file. What fails before the first chunk is complete is answered as an error; after it the connection
// breaks off, so that nobody takes half a file for a whole one.
func (x *exchange) stream(f *file) {
	h := x.answer.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	s := &stream{x: x}
	err := f.write(s)
	if err == nil && s.started {
		err = s.flush()
	}
	switch {
	case err != nil && s.started:
		x.api.Logger.LogAttrs(x.ctx, slog.LevelWarn, "a download was broken off",
			slog.String("request", x.id), slog.String("operation", x.name()), slog.String("error", err.Error()))
		panic(http.ErrAbortHandler)
	case err != nil:
		x.answer.reset()
		x.fail(err)
	case !s.started:
		_, _ = x.answer.Write(s.buf.Bytes())
	}
}

// Write keeps p until there is enough to send.
func (s *stream) Write(p []byte) (int, error) {
	_, _ = s.buf.Write(p) // never fails
	if s.buf.Len() < streamChunk {
		return len(p), nil
	}
	return len(p), s.flush()
}

var errClientGone = errors.New("the client is gone")

// flush sends what was kept. A slow client holds no place that others wait for: the request leaves the gate meanwhile.
func (s *stream) flush() error {
	x := s.x
	if !s.started {
		s.started, x.streamed = true, true
		x.answer.WriteHeader(http.StatusOK)
		x.alwaysHeaders(x.answer.Header())
		maps.Copy(x.w.Header(), x.answer.header)
		x.w.WriteHeader(x.answer.status)
	}
	x.leave()
	n, err := x.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if x.answer.written += n; err != nil {
		return errClientGone
	}
	return x.enter()
}
