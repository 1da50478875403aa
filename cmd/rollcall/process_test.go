package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testToken is the token of organization default in the tests that start servers.
const testToken = "rc_chosen_by_the_tests_1234567890"

// process is a server in a process of its own: the test binary under another name (see TestMain).
type process struct {
	cmd         *exec.Cmd
	listen, ops string
	log         *bytes.Buffer // to be read after it ended
	done        chan error
}

// startServer starts a server on dir and waits until it is ready.
func startServer(t *testing.T, dir string, flags ...string) *process {
	t.Helper()
	temp := t.TempDir()
	p := launch(t, dir, temp, flags...)
	addr := filepath.Join(temp, addrFile)
	var err error
	p.listen, err = await(func() (string, error) {
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("the server ended: %v\n%s", err, p.log)
		default:
		}
		return readAddress(addr, "listen")
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.ops, err = readAddress(addr, "ops-listen"); err != nil {
		t.Fatal(err)
	}
	return p
}

const addrFile = "addr"

// launch starts a server on dir that writes its addresses into temp.
func launch(t *testing.T, dir, temp string, flags ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"rollcall", "serve", "--data", dir, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0",
		"--addr-file", filepath.Join(temp, addrFile), "--log-level", "warn",
	}, flags...)
	p := &process{log: &bytes.Buffer{}, done: make(chan error, 1)}
	p.cmd = &exec.Cmd{Path: exe, Args: args, Stdout: p.log, Stderr: p.log}
	p.cmd.Env = append(os.Environ(), "ROLLCALL_BOOTSTRAP_TOKEN="+testToken)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait returns how the process ended.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-timeout.C:
		t.Fatalf("the server does not end")
		return nil
	}
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.done <- <-p.done
}

// endedBy returns the signal that ended a process.
func endedBy(err error) (syscall.Signal, bool) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return status.Signal(), ok && status.Signaled()
}

func (p *process) url(path string) string { return "http://" + p.listen + scimRoot + path }

// request is a SCIM request with the test's token.
func (p *process) request(method, path, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/scim+json")
	return req, nil
}

func userJSON(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q}`, name)
}
