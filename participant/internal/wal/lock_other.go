//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package wal

import (
	"errors"
	"fmt"
	"io"
)

// lockFile refuses: without a lock two processes could write to one file.
func lockFile(path string) (io.Closer, error) {
	return nil, fmt.Errorf("%s: no file locks on this system: %w", path, errors.ErrUnsupported)
}
