//go:build !unix

package main

// privateFiles has nothing to do where modes are inherited from the directory.
func privateFiles() {}
