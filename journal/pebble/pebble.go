package pebble

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// ErrNoDirectory: Open was given the empty name. The current directory is ".".
var ErrNoDirectory = errors.New("journal: no directory is named")

// Options of a journal. The zero value and nil are the defaults.
type Options struct {
	// FS is the file system that holds the journal; nil is the operating
	// system's. Tests put one of package vfs here, to lose power or to fail.
	FS vfs.FS

	// memTable is the size in bytes at which what is in memory goes into a
	// table; 0 is Pebble's default. Tests make it small.
	memTable uint64
}

// Open opens the journal in the directory dir, and makes the directory where
// there is none. It holds the directory's lock until it is closed.
//
// What can be read once Open has returned is on stable storage, also where the
// process that wrote it had not forced it.
//
// Open fails with [journal.ErrLocked] where the journal is open already, in
// this process or another, [journal.ErrFormat] where dir holds a journal of a
// newer version or another program's Pebble store, [journal.ErrCorrupt] where
// the journal is damaged, [journal.ErrFull] where there is no room, and
// [ErrNoDirectory] where dir is empty. All other errors name the directory.
//
// Some damage is found only when the damaged part is read: Record, Records,
// Outcomes and Header answer [journal.ErrCorrupt] then. A value is never
// returned changed.
func Open(dir string, o *Options) (journal.Journal, error) {
	if dir == "" {
		return nil, ErrNoDirectory
	}
	if o == nil {
		o = &Options{}
	}
	fs := o.FS
	if fs == nil {
		fs = vfs.Default
		var err error
		if dir, err = resolve(dir); err != nil {
			return nil, fmt.Errorf("journal %s: %w", dir, err)
		}
	}
	s := &store{
		dir:     dir,
		calls:   make(chan func() error),
		results: make(chan error, 1),
		failed:  make(chan struct{}),
	}
	s.guard = &guard{FS: fs, dir: dir, fail: s.fail}
	go s.run()
	if err := s.do(func() error { return s.open(o) }); err != nil {
		close(s.calls)
		s.guard.release()
		return nil, explain(dir, opening, err)
	}
	s.opened.Store(true)
	s.guard.armed.Store(true)
	return s, nil
}

// resolve gives one directory one name: locks within a process go by name.
func resolve(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return dir, err
	}
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, os.ErrNotExist) && filepath.Dir(dir) != dir {
		parent, err := resolve(filepath.Dir(dir))
		return filepath.Join(parent, filepath.Base(dir)), err
	}
	if err != nil {
		return dir, err
	}
	return real, nil
}

// store is a journal in a Pebble store.
//
// Pebble ends the goroutine it is on, or panics, where it cannot go on (see
// errors.go and guard.go). So whatever changes the store runs on the store's
// own goroutine, in run, and callers wait for its result or for the failure.
type store struct {
	dir   string
	guard *guard
	db    *pebble.DB

	calls   chan func() error
	results chan error // one place, so that a result nobody waits for does not block

	failing sync.Once
	failed  chan struct{} // closed by the first failure
	cause   error         // that failure; valid once failed is closed

	mu     sync.Mutex // held by Append and Close
	opened atomic.Bool
	closed atomic.Bool
	// oldest is at or before the finish time of every outcome. Expire deletes
	// from here, so that its ranges do not overlap: overlapping ones would be
	// cut into pieces, a square of their number.
	oldest instant
}

// open need not force what it reads: Pebble's Open does, before it removes
// anything. What it replays from the logs, an empty one too, it flushes into
// tables that it syncs (see its replayWAL); the edit that names these goes to a
// new manifest, which begins with all that was read from the old one and is
// synced as well.
func (s *store) open(o *Options) error {
	db, err := pebble.Open(s.dir, s.options(o))
	if err == nil && !s.guard.marker.exists() {
		// Pebble begins a new store, and its log, in the oldest format, in
		// which damage in the middle of the log cannot be told from a torn end.
		// The log of a store that is opened again is in the newest.
		if err = db.Close(); err == nil {
			db, err = pebble.Open(s.dir, s.options(o))
		}
	}
	if err != nil {
		return err
	}
	s.db = db
	s.oldest, err = s.findOldest()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

func (s *store) options(o *Options) *pebble.Options {
	return &pebble.Options{
		FS:     s.guard,
		Logger: logger{s.fail},
		// From FormatWALSyncChunks on, Pebble tells a torn end of the log from
		// damage in the middle of it.
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       o.memTable,
		// A table being written holds up no batch.
		MemTableStopWritesThreshold: 4,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				s.fail(err)
				// Pebble would try again at once, for ever.
				runtime.Goexit()
			},
			// On the goroutine of somebody who reads, Open included: who gets
			// the error anyway.
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				if s.opened.Load() {
					s.fail(i.Details)
				}
			},
		},
	}
}

// run is the store's own goroutine.
func (s *store) run() {
	defer func() {
		if p := recover(); p != nil {
			s.fail(fmt.Errorf("pebble panics: %w", asError(p)))
		}
	}()
	for call := range s.calls {
		s.results <- call()
	}
}

// do runs call on the store's own goroutine and returns its result, or the
// failure that keeps it from having one.
func (s *store) do(call func() error) error {
	select {
	case s.calls <- call:
	case <-s.failed:
		return s.cause
	}
	select {
	case err := <-s.results:
		return err
	case <-s.failed:
		return s.cause
	}
}

// fail ends the store for good. Nothing it does reaches the disk any more.
func (s *store) fail(cause error) {
	s.failing.Do(func() {
		s.guard.tripped.Store(true)
		s.cause = explain(s.dir, moment(s.opened.Load()), cause)
		close(s.failed)
	})
}

// usable says why the store takes no call.
func (s *store) usable() error {
	if s.closed.Load() {
		return fmt.Errorf("%w: %s", journal.ErrClosed, s.dir)
	}
	select {
	case <-s.failed:
		return fmt.Errorf("%w: %w", journal.ErrFailed, s.cause)
	default:
		return nil
	}
}

func (*store) Lasts() bool { return true }

// Close forces what was appended, closes the store, and frees the directory.
// A store that has failed is not touched; Close then returns the failure.
func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil
	}
	err := s.usable()
	if err == nil {
		err = s.do(s.db.Close)
	}
	s.closed.Store(true)
	close(s.calls)
	s.guard.release()
	return err
}
