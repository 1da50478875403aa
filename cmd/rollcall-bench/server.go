package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// token is the bearer token of the throw-away server.
const token = "rollcall-bench-token-0123456789"

// server is a child process that answers HTTP.
type server struct {
	cmd  *exec.Cmd
	addr string // host:port of the protocol
	ops  string // host:port of /metrics; empty for a floor
}

// freePort asks the kernel for a port that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func startRollcall(ctx context.Context, o options, dir string, log io.Writer) (*server, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	ops, err := freePort()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--listen", addr, "--ops-listen", ops, "--log-level", "warn"}, o.serve...)
	env := append(os.Environ(), "ROLLCALL_BOOTSTRAP_TOKEN="+token)
	if o.store != "" {
		env = append(env, "ROLLCALL_STORE="+o.store)
	} else {
		args = append(args, "--data", dir)
	}
	cmd := exec.Command(o.binary, args...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	s := &server{cmd: cmd, addr: addr, ops: ops}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.ready(ctx, "/readyz")
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the server does not become ready")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// cpu is the process's user and system time so far.
func (s *server) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Fields are counted after the command's name, which may hold blanks and ends with the last parenthesis.
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errors.New("unreadable process statistics")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// memory returns resident and peak resident bytes.
func (s *server) memory() (resident, peak int64) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var kb int64
		if n, _ := fmt.Sscanf(sc.Text(), "VmRSS: %d kB", &kb); n == 1 {
			resident = kb << 10
		}
		if n, _ := fmt.Sscanf(sc.Text(), "VmHWM: %d kB", &kb); n == 1 {
			peak = kb << 10
		}
	}
	return resident, peak
}

// mallocs reads the server's count of heap allocations from its metrics.
func (s *server) mallocs(ctx context.Context) (n float64, err error) {
	found := false
	err = s.metrics(ctx, func(name string, value float64) {
		if name == "go_memstats_mallocs_total" {
			n, found = value, true
		}
	})
	if err == nil && !found {
		err = errors.New("no count of allocations in the metrics")
	}
	return n, err
}

// metrics calls f with each series, its name with its labels, and its value.
func (s *server) metrics(ctx context.Context, f func(name string, value float64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		line := sc.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return err
		}
		f(line[:at], value)
	}
	return sc.Err()
}
