package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"rollcall/scim"
	"rollcall/scim/compat"
)

// body reads and parses the request's JSON, of at most limit bytes and depth levels.
func (x *exchange) body(limit int64, depth int) (scim.Object, error) {
	buf, err := x.rawBody(limit)
	if err != nil {
		return nil, err
	}
	return x.parse(buf, depth)
}

// rawBody reads the body; parse gives its buffer back.
func (x *exchange) rawBody(limit int64) (*bytes.Buffer, error) {
	if err := x.contentType(); err != nil {
		return nil, err
	}
	if x.req.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	buf, _ := x.api.bodies.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	if err := x.receive(buf, limit); err != nil {
		x.api.releaseBody(buf)
		return nil, err
	}
	return buf, nil
}

func (x *exchange) parse(buf *bytes.Buffer, depth int) (scim.Object, error) {
	defer x.api.releaseBody(buf)
	v, err := scim.ParseJSON(buf.Bytes(), depth)
	if err != nil {
		return nil, err
	}
	o, ok := v.(scim.Object)
	if !ok {
		return nil, scim.InvalidSyntax("the body is not a JSON object")
	}
	return o, nil
}

// smallBody is how much of a body is read without asking whether there is memory for it. It is about what a
// connection costs anyway.
const smallBody = 64 << 10

// receive reads the body from outside of the gate, for as long as the client takes.
func (x *exchange) receive(buf *bytes.Buffer, limit int64) error {
	x.leave()
	body := http.MaxBytesReader(x.w, x.req.Body, limit)
	n, err := buf.ReadFrom(io.LimitReader(body, smallBody))
	if err == nil && n == smallBody {
		size := x.req.ContentLength
		if size < 0 {
			size = limit // it may become as large
		}
		if err := x.reserve(size); err != nil {
			return err
		}
		if x.req.ContentLength >= 0 {
			buf.Grow(int(size-n) + bytes.MinRead) // not to have grown to twice of it
		}
		_, err = buf.ReadFrom(body)
	}
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) || x.ctx.Err() != nil {
			return err
		}
		return scim.InvalidSyntax("the body could not be read to its end")
	}
	return x.enter()
}

func (a *api) releaseBody(buf *bytes.Buffer) {
	if buf.Cap() <= keepBuffer {
		buf.Reset()
		a.bodies.Put(buf)
	}
}

// contentType demands JSON (RFC 7644 3.1).
func (x *exchange) contentType() error {
	if e := x.req.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &scim.Error{Status: http.StatusUnsupportedMediaType, Detail: "request bodies must not be encoded"}
	}
	ct := x.req.Header.Get("Content-Type")
	switch ct {
	case scim.MediaType, "application/json":
		return nil
	case "":
		if x.caller.Compat.Allow(compat.MissingContentType) {
			return nil
		}
	default:
		t, _, err := mime.ParseMediaType(ct)
		if (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (t == scim.MediaType || t == "application/json") {
			return nil
		}
	}
	return &scim.Error{
		Status: http.StatusUnsupportedMediaType,
		Detail: "Content-Type must be " + scim.MediaType + " or application/json",
	}
}

// acceptable reports whether one of the media ranges of Accept admits SCIM's JSON; no header admits everything.
func acceptable(headers []string) bool {
	ranges := 0
	for _, h := range headers {
		for r := range strings.SplitSeq(h, ",") {
			t, params, _ := strings.Cut(r, ";")
			t = strings.TrimSpace(t)
			if t == "" {
				continue
			}
			ranges++
			switch strings.ToLower(t) {
			case scim.MediaType, "application/json", "application/*", "*/*", "*":
				if !zeroQuality(params) {
					return true
				}
			}
		}
	}
	return ranges == 0
}

// zeroQuality reports whether the parameters of a range or a coding say q=0: not this one.
func zeroQuality(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), "q") {
			v = strings.TrimSpace(v)
			return v != "" && strings.Trim(v, "0.") == ""
		}
	}
	return false
}

// wantsGzip reports whether the client asks for gzip (RFC 9110 12.5.3).
func wantsGzip(headers []string) bool {
	for _, h := range headers {
		for c := range strings.SplitSeq(h, ",") {
			name, params, _ := strings.Cut(c, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return !zeroQuality(params)
			}
		}
	}
	return false
}
