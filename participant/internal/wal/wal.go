// Package wal keeps a state on disk: a file of records from which the state can
// be built again.
//
// The state changes in [Log.Do], under one lock. Do returns when everything its
// function saw or added is on stable storage; all callers that wait at the same
// moment share one write and one sync. When the file has grown to more than
// twice what the state needs, the next write puts a snapshot of the state into a
// new file that takes the old one's place, so the file stays bounded.
//
// Opening does the same at once. So what was read is forced before anybody acts
// on it, even if the earlier process never got to sync it or its sync had
// failed, and a torn tail is gone. A file that somebody has cut cannot be told from
// a torn one: it is read up to the cut.
package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Errors of a log. They come wrapped with the path and what was found.
var (
	// ErrLocked: the file is open already, in this process or another.
	ErrLocked = errors.New("file is locked by another process")
	// ErrFormat: the file is not of this format or of a newer version of it.
	ErrFormat = errors.New("file has an unknown format")
	// ErrCorrupt: the file is damaged, and not only at its torn end.
	ErrCorrupt = errors.New("file is damaged")
	// ErrFailed: a write or sync failed, now or earlier. What was waiting for it
	// may or may not be found when the file is opened again.
	ErrFailed = errors.New("writing failed; open the file again")
	// ErrClosed: the log has been closed.
	ErrClosed = errors.New("file is closed")
)

// State is what the log keeps. Its methods are called with the log's lock held.
type State interface {
	// Replay applies one record, in the order in which they were added.
	Replay(record []byte) error
	// Snapshot adds the records from which the present state can be built.
	Snapshot(add func(record []byte))
}

// File is a file that is being written.
type File interface {
	io.WriteCloser
	Sync() error
}

// Options of [Open].
type Options struct {
	// Format names the kind and version of the records; at most 16 bytes.
	Format string
	// Create makes an empty file; nil means in the file system.
	Create func(path string) (File, error)
	// Slack is by how many bytes the file may grow beyond twice the state's size
	// before it is written anew; zero means 1 MiB.
	Slack int64
}

// Log is a state on disk. Its methods may be called concurrently.
type Log struct {
	path  string
	o     Options
	state State
	lock  io.Closer

	mu       sync.Mutex
	progress sync.Cond
	err      error  // why nothing more can be done
	pending  []byte // records added and not yet handed to a write
	added    uint64 // records added
	durable  uint64 // of those, on stable storage
	writing  bool   // somebody writes, without the lock; file and size are theirs
	file     File
	frame    framer
	base     int64 // the file's size when it was written anew
}

// Open reads the file at path into the state, or creates it, and locks it until
// Close. The file's directory must exist.
func Open(path string, state State, o Options) (*Log, error) {
	if o.Create == nil {
		o.Create = createFile
	}
	if o.Slack <= 0 {
		o.Slack = 1 << 20
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // one file has one lock, and a link to it stays
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, o: o, state: state, lock: lock}
	l.progress.L = &l.mu
	if err := l.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

func (l *Log) load() error {
	data, err := os.ReadFile(l.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := read(data, l.o.Format, l.state.Replay); err != nil {
			return fmt.Errorf("%s: %w", l.path, err)
		}
	}
	return l.rewrite(l.snapshot())
}

// Do calls f, which may read and change the state and adds a record of every
// change. It returns f's error, but not before all that f saw or added is on
// stable storage; if that fails, it returns an error that wraps ErrFailed. A
// log that has failed or is closed does not call f.
//
// If f returns an error or panics it must not have changed anything, save what
// it added.
func (l *Log) Do(f func(add func(record []byte)) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	answer := f(l.add)
	if err := l.await(l.added); err != nil {
		return err
	}
	return answer
}

func (l *Log) add(record []byte) {
	l.pending = appendRecord(l.pending, record)
	l.added++
}

// await returns when the first n records are durable. Whoever finds nobody
// writing writes for all.
func (l *Log) await(n uint64) error {
	for l.durable < n && l.err == nil {
		if l.writing {
			l.progress.Wait()
			continue
		}
		l.flush()
	}
	if l.durable < n {
		return l.err
	}
	return nil
}

// flush writes what is pending. It holds the lock at both ends, but not while it
// writes. A failed sync is never repeated: it may report success without having
// written anything.
func (l *Log) flush() {
	l.writing = true
	// Those who are about to add something come in first, and share this sync.
	l.mu.Unlock()
	runtime.Gosched()
	l.mu.Lock()
	upTo, batch, write := l.added, l.pending, l.append
	if l.frame.size+int64(len(batch)) > 2*l.base+l.o.Slack {
		batch, write = l.snapshot(), l.rewrite
	}
	l.pending = nil
	l.mu.Unlock()
	err := write(batch)
	l.mu.Lock()
	l.writing = false
	if err != nil {
		l.err = fmt.Errorf("%s: %w: %w", l.path, ErrFailed, err)
	} else {
		l.durable = upTo
	}
	l.progress.Broadcast()
}

func (l *Log) append(batch []byte) error {
	if _, err := l.file.Write(l.frame.next(batch)); err != nil {
		return err
	}
	return l.file.Sync()
}

func (l *Log) snapshot() []byte {
	var batch []byte
	l.state.Snapshot(func(record []byte) { batch = appendRecord(batch, record) })
	return batch
}

// rewrite puts a new file with one batch in the place of the present one.
func (l *Log) rewrite(batch []byte) error {
	frame, header, err := newFramer(l.o.Format)
	if err != nil {
		return err
	}
	f, err := l.o.Create(l.path + ".new")
	if err != nil {
		return err
	}
	if err := fill(f, append(header, frame.next(batch)...)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := replace(l.path); err != nil {
		return errors.Join(err, f.Close())
	}
	old := l.file
	l.file, l.frame, l.base = f, frame, frame.size
	if old != nil {
		return old.Close()
	}
	return nil
}

// Close waits for what was added and releases the file; if something could not be
// kept, it says so once more. A second Close is harmless.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.await(l.added)
	for l.writing {
		l.progress.Wait()
	}
	if errors.Is(l.err, ErrClosed) {
		return nil
	}
	l.err = fmt.Errorf("%s: %w", l.path, ErrClosed)
	return errors.Join(err, l.file.Close(), l.lock.Close())
}
