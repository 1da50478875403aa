package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openRequest is a POST of which the server has all but the last byte of the body: it stays in flight.
type openRequest struct {
	conn   net.Conn
	answer *bufio.Reader
	last   string
}

func open(t *testing.T, p *process) *openRequest {
	t.Helper()
	conn, err := net.Dial("tcp", p.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	body := userJSON("ada")
	head := fmt.Sprintf("POST %s/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/scim+json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", scimRoot, p.listen, testToken, len(body))
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	// The server asks for the body only when the handler reads it: then the request is in flight for certain.
	o := &openRequest{conn, bufio.NewReader(conn), body[len(body)-1:]}
	resp, err := http.ReadResponse(o.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusContinue {
		t.Fatalf("the server answered %s before it had the body", resp.Status)
	}
	if _, err := io.WriteString(conn, body[:len(body)-1]); err != nil {
		t.Fatal(err)
	}
	return o
}

// awaitDraining waits until the server has heard the signal: it takes no connections and says that it is not ready.
func awaitDraining(t *testing.T, p *process) {
	t.Helper()
	_, err := await(func() (struct{}, error) {
		if c, err := net.Dial("tcp", p.listen); err == nil {
			_ = c.Close()
			return struct{}{}, fmt.Errorf("connections are still taken")
		}
		resp, err := http.Get("http://" + p.ops + "/readyz")
		if err != nil {
			return struct{}{}, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			return struct{}{}, fmt.Errorf("readyz is %s", resp.Status)
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDrain: a stop takes no new connections and lets the request that is in flight finish; what it wrote is kept.
func TestDrain(t *testing.T) {
	dir := t.TempDir()
	p := startServer(t, dir)
	o := open(t, p)
	p.signal(t, syscall.SIGTERM)
	awaitDraining(t, p)
	if _, err := io.WriteString(o.conn, o.last); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(o.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("the request in flight got %s", resp.Status)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("a graceful stop ended with %v\n%s", err, p.log)
	}
	again := startServer(t, dir)
	req, err := again.request(http.MethodGet, "/Users?filter=userName+eq+%22ada%22", "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Body.Close()
	text, err := io.ReadAll(found.Body)
	if err != nil || !strings.Contains(string(text), `"totalResults":1`) {
		t.Errorf("after the restart: %s, %v", text, err)
	}
}

// TestShutdownTimeout: a request that does not finish is cut off, and the exit code says so.
func TestShutdownTimeout(t *testing.T) {
	p := startServer(t, t.TempDir(), "--timeout-shutdown", "100ms")
	open(t, p)
	p.signal(t, syscall.SIGTERM)
	if err := p.wait(t); err == nil {
		t.Error("the exit code is 0")
	}
	if !strings.Contains(p.log.String(), "requests were still running after 100ms and were cut off") {
		t.Errorf("log:\n%s", p.log)
	}
}

// TestSecondSignal: whoever does not want to wait signals again.
func TestSecondSignal(t *testing.T) {
	p := startServer(t, t.TempDir())
	open(t, p)
	p.signal(t, syscall.SIGTERM)
	awaitDraining(t, p)
	p.signal(t, syscall.SIGTERM)
	if s, ok := endedBy(p.wait(t)); !ok || s != syscall.SIGTERM {
		t.Errorf("ended by %v, %v\n%s", s, ok, p.log)
	}
}

// TestSlowHeader: a client that sends its header a byte at a time is dropped when its time is over.
func TestSlowHeader(t *testing.T) {
	p := startServer(t, t.TempDir(), "--timeout-read-header", "200ms")
	conn, err := net.Dial("tcp", p.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("the connection is still open: %v", err)
	}
	if strings.Contains(string(answer), "200 OK") {
		t.Errorf("answered: %s", answer)
	}
}

// TestSlowBody: the same for a body.
func TestSlowBody(t *testing.T) {
	p := startServer(t, t.TempDir(), "--timeout-read", "300ms")
	answer, err := io.ReadAll(open(t, p).answer)
	if err != nil {
		t.Errorf("the connection is still open: %v", err)
	}
	if strings.Contains(string(answer), "201") {
		t.Errorf("answered: %s", answer)
	}
}

// TestLargeHeader: the limit, and what net/http adds to it, hold.
func TestLargeHeader(t *testing.T) {
	p := startServer(t, t.TempDir(), "--limit-header", "8KiB")
	for size, want := range map[int]int{7 << 10: http.StatusOK, 13 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := p.request(http.MethodGet, "/Users", "")
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("x", size))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a header of %d bytes got %s, want %d", size, resp.Status, want)
		}
	}
}
