package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketName = "control.sock"
	// redirectName is a file in the data directory that says where the socket is, when the directory's own path
	// is too long for one.
	redirectName = "control.path"
	tempPattern  = "rollcall-control-"
	// maxSocketPath is what every unix takes: sun_path has 104 bytes on the BSDs and 108 on Linux, with a NUL.
	maxSocketPath = 103
)

// Listen makes the socket of the data directory dir. The caller must hold the directory's lock: a socket that is
// there already was left by a process that died, and is replaced. Closing the listener removes what it made.
func Listen(dir string) (net.Listener, error) {
	if err := clean(dir); err != nil {
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	path := filepath.Join(dir, socketName)
	temp := ""
	if len(path) > maxSocketPath {
		var err error
		if temp, err = os.MkdirTemp("", tempPattern); err != nil { // mode 0700
			return nil, fmt.Errorf("make the control socket: %w", err)
		}
		path = filepath.Join(temp, socketName)
	}
	l, err := listen(path)
	if err == nil && temp != "" {
		// Written last, so that whoever reads it finds the socket.
		if err = os.WriteFile(filepath.Join(dir, redirectName), []byte(path+"\n"), 0o600); err != nil {
			_ = l.Close()
		}
	}
	if err != nil {
		if temp != "" {
			_ = os.RemoveAll(temp)
		}
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	return &listener{Listener: l, dir: dir}, nil
}

func listen(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

type listener struct {
	net.Listener
	dir string
}

// Close stops listening and removes the socket and the way to it.
func (l *listener) Close() error {
	return errors.Join(l.Listener.Close(), clean(l.dir))
}

// clean removes the socket of dir and, if it is elsewhere, the directory that was made for it.
func clean(dir string) error {
	path, redirected, err := socketPath(dir)
	if err != nil {
		return err
	}
	if redirected {
		// Only what Listen could have made is removed, whatever the file says.
		temp := filepath.Dir(path)
		if filepath.Dir(temp) == filepath.Clean(os.TempDir()) && strings.HasPrefix(filepath.Base(temp), tempPattern) {
			if err := os.RemoveAll(temp); err != nil {
				return err
			}
		}
		if err := remove(filepath.Join(dir, redirectName)); err != nil {
			return err
		}
	}
	return remove(filepath.Join(dir, socketName))
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// socketPath finds the socket of dir and says whether it is outside of it.
func socketPath(dir string) (path string, redirected bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, redirectName))
	switch {
	case err == nil:
		return strings.TrimSpace(string(text)), true, nil
	case errors.Is(err, fs.ErrNotExist):
		return filepath.Join(dir, socketName), false, nil
	}
	return "", false, err
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	path, _, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// Running reports whether a server listens on the socket of dir.
func Running(ctx context.Context, dir string) bool {
	c, err := dial(ctx, dir)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
