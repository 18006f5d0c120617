//go:build !unix

package servers

import (
	"errors"
	"os"
	"os/exec"
)

// account is who a server runs as: whoever this process is.
type account struct{}

func unprivileged(string) (*account, error) { return &account{}, nil }

func (a *account) own(*exec.Cmd) {}

func (a *account) tempDir(pattern string) (string, error) { return os.MkdirTemp("", pattern) }

func (a *account) mkdir(dir string) error { return os.Mkdir(dir, 0o700) }

func suspend(int) error { return errors.ErrUnsupported }

func resume(int) error { return errors.ErrUnsupported }
