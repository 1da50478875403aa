package mail

import (
	"context"
	"os"
	"path/filepath"
)

// Files writes messages into a directory in place of sending them, one file ID.eml each: what a server without a mail
// server does. The files hold links that let people in; the directory is its owner's only.
type Files struct {
	dir      string
	identity Identity
}

// NewFiles returns a Sender that makes the directory with its first mail: a server that sends none needs no disk.
func NewFiles(dir string, identity Identity) *Files { return &Files{dir: dir, identity: identity} }

// Dir is where the files are.
func (f *Files) Dir() string { return f.dir }

// Send writes the file whole or not at all; writing it a second time changes nothing.
func (f *Files) Send(_ context.Context, e *Envelope, m *Message) Result {
	if !isUUID(e.ID) {
		return Result{Class: Hard, Text: "the message has no id"}
	}
	source, err := f.identity.source(e, m)
	if err != nil {
		return Result{Class: Hard, Text: "the message cannot be written: " + err.Error()}
	}
	if err := f.write(e.ID+".eml", source); err != nil {
		return Result{Class: Soft, Text: "the message cannot be written to the disk", Err: err}
	}
	return Result{Class: Sent, Text: "written to a file"}
}

func (f *Files) write(name string, data []byte) (err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, name+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(f.dir, name))
}
