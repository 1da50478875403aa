package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one keep-alive connection. It writes ready-made requests and reads just enough of an answer to know
// its status and where it ends: the generator shares the processors with what it measures.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	body []byte
	// Of the last answer: it says when to come back, and that the server closes the connection.
	retryAfter, closed bool
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 256<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// do sends one request. With keep the answer's body is in c.body until the next call; else it is skipped.
func (c *client) do(request []byte, keep bool) (status int, size int, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return 0, 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, 0, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, errors.New("short status line")
	}
	status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, 0, fmt.Errorf("status line: %w", err)
	}
	length := 0
	chunked := false
	c.retryAfter, c.closed = false, false
	for {
		line, err = c.r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := header(line, "content-length:"); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return 0, 0, fmt.Errorf("content length: %w", err)
			}
		} else if v, ok := header(line, "transfer-encoding:"); ok {
			chunked = bytes.EqualFold(v, []byte("chunked"))
		} else if v, ok := header(line, "connection:"); ok {
			c.closed = bytes.EqualFold(v, []byte("close"))
		} else if _, ok := header(line, "retry-after:"); ok {
			c.retryAfter = true
		}
	}
	c.body = c.body[:0]
	if chunked {
		return status, len(c.body), c.readChunks()
	}
	if !keep {
		_, err = c.r.Discard(length)
		return status, length, err
	}
	c.body = append(c.body, make([]byte, length)...)
	_, err = io.ReadFull(c.r, c.body)
	return status, length, err
}

func (c *client) readChunks() error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		start := len(c.body)
		c.body = append(c.body, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, c.body[start:]); err != nil {
			return err
		}
		if _, err := c.r.Discard(2); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

func header(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

// request builds the bytes of one HTTP/1.1 request.
func request(method, target, token string, headers []string, body []byte) []byte {
	b := make([]byte, 0, 256+len(body))
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "...)
	b = append(b, token...)
	b = append(b, "\r\nAccept: application/scim+json\r\n"...)
	for _, h := range headers {
		b = append(b, h...)
		b = append(b, "\r\n"...)
	}
	if body != nil {
		b = append(b, "Content-Type: application/scim+json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}
