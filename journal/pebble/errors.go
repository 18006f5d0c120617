package pebble

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-d36415c0/dtc/journal"
)

// moment is when an error came.
type moment bool

const (
	opening moment = false
	running moment = true
)

// explain gives an error the journal's name for it, the directory, and what to
// do. It leaves alone what it has explained before.
func explain(dir string, when moment, err error) error {
	if e := (*explained)(nil); errors.As(err, &e) {
		return err
	}
	switch {
	case errors.Is(err, journal.ErrLocked):
		return &explained{dir, err, "close it there, or give this coordinator a directory of its own"}
	case errors.Is(err, journal.ErrFormat):
		return &explained{dir, err, "open it with the version that wrote it, or a newer one"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &explained{dir, mark(journal.ErrFull, err), "make room, then open it again"}
	case isDamage(when, err):
		return &explained{dir, mark(journal.ErrCorrupt, err), "restore the directory from a copy that was made while it was closed"}
	default:
		return &explained{dir, err, "see to the cause, then open it again"}
	}
}

// isDamage tells whether the journal's content is at fault. While a store is
// being opened, whatever the device does not complain about is. A file that is
// missing is damage, a directory that cannot be made is not.
func isDamage(when moment, err error) bool {
	if errors.Is(err, journal.ErrCorrupt) || pebble.IsCorruptionError(err) {
		return true
	}
	var number syscall.Errno
	var path *os.PathError
	made := !errors.As(err, &path) || path.Op != "mkdir"
	device := errors.As(err, &number) && !errors.Is(err, os.ErrNotExist)
	return when == opening && made && !device
}

func mark(kind, err error) error {
	if errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// explained is an error that names the directory and what to do.
type explained struct {
	dir    string
	err    error
	advice string
}

func (e *explained) Error() string { return fmt.Sprintf("%v (%s; %s)", e.err, e.dir, e.advice) }

func (e *explained) Unwrap() error { return e.err }

// logger drops what Pebble tells, except that it cannot go on.
type logger struct{ fail func(error) }

func (logger) Infof(string, ...any) {}

func (logger) Errorf(string, ...any) {}

// Fatalf must not return, and must not end the process: it ends the goroutine
// it is on, which is the store's own or one of Pebble's.
func (l logger) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			l.fail(err)
		}
	}
	l.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// asError makes an error of what was given to panic.
func asError(p any) error {
	if err, ok := p.(error); ok {
		return err
	}
	return fmt.Errorf("%v", p)
}
