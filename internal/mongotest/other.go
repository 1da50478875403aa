//go:build !linux

package mongotest

import "os/exec"

// dieWithUs does nothing: only Linux can tie a process to the life of its parent.
func dieWithUs(*exec.Cmd) {}

// free does not know.
func free(string) uint64 { return 0 }
