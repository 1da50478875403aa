package mongotest

import (
	"os/exec"
	"syscall"
)

// dieWithUs has the server killed when the tests die before they can stop it.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
