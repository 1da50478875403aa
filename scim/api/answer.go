package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"

	"rollcall/scim"
)

// keepBuffer is the largest buffer that goes back to a pool: one huge answer must not stay in memory.
const keepBuffer = 1 << 20

// minGzip is the smallest body that is worth compressing: less fits one packet anyway.
const minGzip = 1400

func (a *api) buffer() *[]byte {
	if b, ok := a.buffers.Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, 4096)
	return &b
}

func (a *api) release(b *[]byte) {
	if cap(*b) <= keepBuffer {
		a.buffers.Put(b)
	}
}

// pageBytes is room for the documents of a page of a hundred users.
const pageBytes = 192 << 10

func (a *api) pageMemory() *[]byte {
	if b, ok := a.pages.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, pageBytes)
	return &b
}

// send writes a whole answer with a body. A client that reads slowly holds up that body and nothing else.
func (x *exchange) send(status int, body []byte) {
	x.header("Content-Type", scim.MediaType)
	if len(body) >= minGzip {
		x.w.Header()["Vary"] = []string{"Accept-Encoding"}
		if wantsGzip(x.req.Header["Accept-Encoding"]) {
			var zipped bytes.Buffer
			x.api.compress(&zipped, body)
			x.w.Header()["Content-Encoding"] = []string{"gzip"}
			body = zipped.Bytes()
		}
	}
	x.header("Content-Length", strconv.Itoa(len(body)))
	x.done()
	x.status = status
	x.w.WriteHeader(status)
	if x.req.Method == http.MethodHead {
		x.flush()
		return
	}
	x.bytes, _ = x.w.Write(body) // an error means that the client is gone: nothing is left to do
}

// empty writes an answer without a body.
func (x *exchange) empty(status int) {
	x.done()
	x.status = status
	x.w.WriteHeader(status)
	x.flush()
}

// flush sends the header of an answer that has no body: Gin's writer keeps it back until the first Write.
func (x *exchange) flush() {
	if w, ok := x.w.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}

func (a *api) compress(dst *bytes.Buffer, body []byte) {
	z, _ := a.gzips.Get().(*gzip.Writer)
	if z == nil {
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid: no error
	}
	z.Reset(dst)
	// Writing to a bytes.Buffer does not fail.
	_, _ = z.Write(body)
	_ = z.Close()
	a.gzips.Put(z)
}
