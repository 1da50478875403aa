//go:build linux

package mongotest

import (
	"os/exec"
	"syscall"
)

// dieWithUs has the server killed when the tests die before they can stop it.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// free returns how many bytes a file system has left.
func free(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
