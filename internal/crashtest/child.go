package crashtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
)

// Child is a process that runs one test of the test binary, to be killed.
type Child struct {
	cmd    *exec.Cmd
	pipe   *os.File // what it tells
	life   io.Closer
	broken error // why the pipe could not be read to its end
	said   strings.Builder
}

// Start starts a child that runs the named test, with these variables added to
// its environment.
func Start(test string, env ...string) (*Child, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	c := &Child{cmd: exec.Command(os.Args[0], "-test.run=^"+test+"$"), pipe: read}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.ExtraFiles = []*os.File{write}
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.said
	if c.life, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, read.Close())
	}
	return c, nil
}

// Lines are what the child tells, until it is gone. A line that was cut off was
// not told.
func (c *Child) Lines() iter.Seq[string] {
	return func(yield func(string) bool) {
		for in := bufio.NewReader(c.pipe); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				if err != io.EOF {
					c.broken = err
				}
				return
			}
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

// Kill ends the child with kill -9. It does nothing to one that is gone.
func (c *Child) Kill() error {
	if err := c.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Wait returns when the child is gone, and nil if it was killed: what ends in
// another way has failed, and the error has what it said.
func (c *Child) Wait() error {
	err := c.cmd.Wait()
	if killed := c.cmd.ProcessState.ExitCode() == -1; !killed && (err == nil || runtime.GOOS != "windows") {
		err = fmt.Errorf("the child was not killed but ended (%v):\n%s", err, &c.said)
	} else {
		err = nil
	}
	return errors.Join(err, c.broken, c.pipe.Close())
}

// toParent is the pipe to the parent, in a child.
var toParent = sync.OnceValue(func() *os.File { return os.NewFile(3, "lines") })

// Tell tells the parent one line, from any goroutine of a child. What it has
// returned from is told, even if the child is killed the next moment.
func Tell(line string) {
	if _, err := toParent().WriteString(line + "\n"); err != nil {
		os.Exit(1) // the parent is gone
	}
}

// EndWithParent ends the child when its parent is gone. It does not return.
func EndWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// Die ends this process with kill -9. It does not return.
func Die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}
