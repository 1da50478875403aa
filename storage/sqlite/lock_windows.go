package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the lock of a data directory: the file is opened without sharing, which ends with the process.
func lockFile(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open the lock file: %w", err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (%s): %w", ErrLocked, path, err)
	}
	return os.NewFile(uintptr(h), path), nil
}

// syncDir does nothing: NTFS keeps its directories by itself.
func syncDir(string) error { return nil }
