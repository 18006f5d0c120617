//go:build unix

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is who a server runs as: somebody unprivileged where this process is
// root, for databases refuse to run as root, else whoever this process is.
type account struct{ credential *syscall.Credential }

// unprivileged returns the named user's account, or nobody's where there is no
// such user.
func unprivileged(name string) (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("servers: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	return &account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// own has a process run under the account, and end with this one.
func (a *account) own(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential}
	endWithParent(c.SysProcAttr)
}

func (a *account) tempDir(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", err
	}
	return dir, a.give(dir)
}

func (a *account) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return a.give(dir)
}

func (a *account) give(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

func suspend(pid int) error { return send(pid, syscall.SIGSTOP) }

func resume(pid int) error { return send(pid, syscall.SIGCONT) }

func send(pid int, s syscall.Signal) error {
	err := syscall.Kill(pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
