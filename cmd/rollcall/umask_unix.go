//go:build unix

package main

import "syscall"

// privateFiles makes every file of this process its owner's alone: the database holds personal data, and the data
// directory may have been made, with other modes, by somebody else.
func privateFiles() { syscall.Umask(0o077) }
