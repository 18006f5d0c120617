package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
)

// Kind is a kind of server.
type Kind struct {
	name    string
	program string   // that serves
	tools   []string // that are needed to make its directory
	paths   []string // patterns of folders where the programs are, beside PATH
	pkg     string   // Debian's package that has them
	user    string   // that the package runs it as

	// initialize fills data, a directory that is not there yet, where that takes
	// long: the result is copied for each server. Nil: data begins empty.
	initialize     func(s *Server, data string) error
	arguments      func(*Server) []string
	dsn            func(addr, database string) string
	ping           func(context.Context, *Server) error
	createDatabase func(context.Context, *Server, string) error
}

func (k Kind) String() string { return k.name }

// ErrNotInstalled is the sentinel of [*NotInstalledError].
var ErrNotInstalled = errors.New("servers: not installed")

// NotInstalledError says that the machine does not have a server's program.
type NotInstalledError struct {
	// Program that was looked for.
	Program string
	// Package of Debian that has it.
	Package string
}

func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("%s is not installed (Debian's package %s has it)", e.Program, e.Package)
}

// Is makes it an ErrNotInstalled.
func (e *NotInstalledError) Is(target error) bool { return target == ErrNotInstalled }

// Installed returns a [*NotInstalledError] where the machine does not have what
// the server needs.
func (k Kind) Installed() error {
	for _, program := range append([]string{k.program}, k.tools...) {
		if _, err := k.find(program); err != nil {
			return err
		}
	}
	return nil
}

// find looks for a program in the folders of the kind, newest version first, and
// then in PATH: what is there may be a wrapper.
func (k Kind) find(program string) (string, error) {
	for _, pattern := range k.paths {
		found, _ := filepath.Glob(filepath.Join(pattern, program)) // the patterns are well formed
		slices.Sort(found)
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return "", &NotInstalledError{Program: program, Package: k.pkg}
}

// templates are directories of servers that were never started, by kind. They
// are made once a process, and are gone with it.
var templates = struct {
	sync.Mutex
	made map[string]*template
}{made: make(map[string]*template)}

type template struct {
	once sync.Once
	data string
	err  error
}

// fill makes the server's directory.
func (k Kind) fill(s *Server) error {
	if k.initialize == nil {
		return s.account.mkdir(s.data())
	}
	templates.Lock()
	t := templates.made[k.name]
	if t == nil {
		t = new(template)
		templates.made[k.name] = t
	}
	templates.Unlock()
	t.once.Do(func() { t.data, t.err = k.template(s) })
	if t.err != nil {
		return t.err
	}
	return copyTree(t.data, s.data())
}

// template makes a directory that is copied for servers, by way of one of them.
func (k Kind) template(s *Server) (string, error) {
	if err := k.initialize(s, s.data()); err != nil {
		return "", err
	}
	dir, err := s.account.tempDir("dtc-" + k.name + "-template-")
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	return data, os.Rename(s.data(), data)
}

// RemoveTemplates removes what Start keeps to be quick the next time. A program
// calls it before it ends.
func RemoveTemplates() error {
	templates.Lock()
	defer templates.Unlock()
	var err error
	for name, t := range templates.made {
		if t.data != "" {
			err = errors.Join(err, os.RemoveAll(filepath.Dir(t.data)))
		}
		delete(templates.made, name)
	}
	return err
}

func copyTree(from, to string) error {
	return run(exec.Command("cp", "-a", from, to))
}

func run(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("servers: %s: %w: %s", filepath.Base(c.Path), err, out)
	}
	return nil
}

// freePort finds a port that nobody uses, below those that clients are given: a
// client that dials one of those while no server listens may meet itself.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 20000 + rand.IntN(12000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("servers: no free port: %w", err)
}
