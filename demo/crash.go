package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync/atomic"

	"github.com/seed-d36415c0/dtc"
)

// crashes is how often -crash kills the process.
const crashes = 5

// lifeVariable tells a process that another one started it and how many lives are
// left to it: a life that is not the last ends by SIGKILL.
const lifeVariable = "DTC_DEMO_LIFE"

// supervise runs the demo in lives of its own, and kills the databases meanwhile,
// if they are private.
func supervise(o options, dir string, kills int, d *databases, stop <-chan struct{}, out, diagnostics io.Writer) (int, error) {
	if d == nil {
		return superviseLives(o, dir, kills, stop, out, diagnostics)
	}
	over, calm := make(chan struct{}), make(chan error, 1)
	go func() { calm <- d.torment(over) }()
	code, err := superviseLives(o, dir, kills, stop, out, diagnostics)
	close(over)
	err = errors.Join(err, <-calm)
	fmt.Fprintf(out, "--- databases killed %d times\n", d.kills)
	return code, err
}

// superviseLives runs the demo in a process of its own, which kills itself, and
// starts it again on the same directory, so often or until it comes to its end,
// and says how often it was killed. When stop is closed, it has the process finish
// what is under way.
func superviseLives(o options, dir string, kills int, stop <-chan struct{}, out, diagnostics io.Writer) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return exitFailed, err
	}
	for left := kills; left >= 0; left-- {
		child := exec.Command(self, o.args(dir)...)
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%d/%d", lifeVariable, left, kills))
		child.Env = append(child.Env, o.environment()...)
		child.Stdout, child.Stderr = out, diagnostics
		if err := runChild(child, stop); err != nil {
			return exitFailed, err
		}
		if code := child.ProcessState.ExitCode(); code >= 0 {
			return code, tally(out, kills-left, kills)
		}
		fmt.Fprintf(out, "--- %v; starting again on the same directory\n", child.ProcessState)
	}
	return exitFailed, errors.New("the process was killed once too often: not by itself")
}

// tally says how often the process was killed: it may have been done before.
func tally(out io.Writer, killed, kills int) error {
	text := fmt.Sprintf("--- killed %d of %d times", killed, kills)
	if killed < kills {
		text += "; there was nothing left to do before the next"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// runChild runs a process to its end. Its standard input is a lifeline: when a
// line comes in, it finishes what is under way; when the input ends, because this
// process is gone, it exits at once.
func runChild(child *exec.Cmd, stop <-chan struct{}) error {
	lifeline, err := child.StdinPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-stop:
			_, _ = io.WriteString(lifeline, "stop\n") // it may have ended by itself
		case <-ended:
		}
	}()
	err = child.Wait() // closes the lifeline
	close(ended)
	var status *exec.ExitError
	if errors.As(err, &status) {
		return nil // for the caller to look at
	}
	return err
}

// life is one of several lives of the demo under supervise, each a process. Nil is
// the only life of a process of its own.
type life struct {
	left, of int
	armed    atomic.Bool
	answers  atomic.Int64 // still to be decided before the kill
	steps    atomic.Int64 // still to be taken after those
}

// thisLife is the life that supervise has given this process, if it has.
func thisLife() *life {
	l := &life{}
	if _, err := fmt.Sscanf(os.Getenv(lifeVariable), "%d/%d", &l.left, &l.of); err != nil {
		return nil
	}
	return l
}

func (l *life) first() bool { return l == nil || l.left == l.of }

// watcher is called with every step of every transaction; nil in a last life. One
// life in four may end in recovery, before any order is tried.
func (l *life) watcher() func(dtc.Event) {
	if l == nil || l.left == 0 {
		return nil
	}
	l.steps.Store(1 + rand.Int64N(500))
	l.armed.Store(rand.IntN(4) == 0)
	return l.step
}

// arm spreads the kills over the orders that are to be done: of each life's
// share there is enough left for the steps that come last.
func (l *life) arm(orders int) {
	if l == nil || l.left == 0 {
		return
	}
	share := orders / (l.left + 1)
	if most := int64(1 + share/2); l.steps.Load() > most {
		l.steps.Store(1 + rand.Int64N(most))
	}
	if share > 0 && !l.armed.Load() {
		l.answers.Store(int64(share/2 + rand.IntN(share)))
	}
	l.armed.Store(true)
}

func (l *life) step(e dtc.Event) {
	switch {
	case !l.armed.Load():
	case l.answers.Load() > 0:
		if e.Kind == dtc.EventDecided {
			l.answers.Add(-1)
		}
	case l.steps.Add(-1) == 0:
		killSelf()
	}
}

// killSelf ends this process as kill -9 does.
func killSelf() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // nothing else happens in this goroutine
}
