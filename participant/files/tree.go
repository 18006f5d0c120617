package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/turns"
	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// Options of [Open]. The zero value is ready; a number that is zero or less means
// the default.
type Options struct {
	// MaxFiles is how many paths a branch changes or expects something of, and how
	// many changes a payload has; the default is 1000.
	MaxFiles int
	// MaxBytes is how much new content a branch stages; the default is 1 GiB.
	MaxBytes int64
	// MaxOpen is how many branches may be begun and neither prepared nor decided;
	// the default is 1000.
	MaxOpen int
	// Lifetime is how long a branch that was begun may stay unprepared: after that
	// it is given up as soon as another one begins or needs a path of it. It must be
	// longer than transactions last; the default is 10 minutes.
	Lifetime time.Duration
	// Limit is how many finished branches are remembered; the default is
	// participant.DefaultLimit. It should cover what finishes in the time in which
	// a call can come late.
	Limit int

	around func(call, path string, do func() error) error // see disk
	create func(path string) (wal.File, error)            // see wal.Options
	slack  int64                                          // see wal.Options
}

func (o *Options) filled() Options {
	var all Options
	if o != nil {
		all = *o
	}
	if all.MaxFiles <= 0 {
		all.MaxFiles = 1000
	}
	if all.MaxBytes <= 0 {
		all.MaxBytes = 1 << 30
	}
	if all.MaxOpen <= 0 {
		all.MaxOpen = 1000
	}
	if all.Lifetime <= 0 {
		all.Lifetime = 10 * time.Minute
	}
	return all
}

const format = "dtc files 1"

// Tree is a participant that changes the files under a directory. Its methods may
// be called by many goroutines.
type Tree struct {
	name, path string
	o          Options
	disk       *disk
	log        *wal.Log
	book       *book // guarded by the log
	locks      locks
	turns      turns.Turns[participant.Key]
	calls      sync.WaitGroup // those between enter and leave

	mu     sync.Mutex
	closed bool
	failed error                 // why nothing more can be done
	open   map[uuid.UUID]*Branch // begun, and neither prepared nor decided
}

var (
	_ participant.OnePhaseCommitter = (*Tree)(nil)
	_ participant.Recoverer         = (*Tree)(nil)
)

// Open opens the tree of files under a directory, which must exist, and locks it
// until Close: a second Open fails with [ErrLocked]. The name is the
// participant's. What an earlier process has begun to commit is finished, its
// prepared branches and their locks are as they were, and what it had not prepared
// is removed. A nil Options means the zero one.
//
// An Open that fails has left nothing but [Dir], with an empty log. It fails with
// [ErrFormat] or [ErrCorrupt] where the log is not a tree's or is damaged, and with
// a [*MountError] where Dir is a mount of its own.
func Open(name, dir string, o *Options) (*Tree, error) {
	t, err := open(name, dir, o.filled())
	if err != nil {
		return nil, fmt.Errorf("files: opening %s: %w", dir, err)
	}
	return t, nil
}

func open(name, dir string, o Options) (_ *Tree, err error) {
	dir, err = filepath.Abs(dir) // the process may change its own
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{
		name:  name,
		path:  dir,
		o:     o,
		disk:  &disk{root: root, around: o.around},
		book:  newBook(o.Limit),
		locks: locks{paths: make(map[string]map[*owner]struct{})},
		open:  make(map[uuid.UUID]*Branch),
	}
	if err := t.settle(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	w := wal.Options{Format: format, Create: o.create, Slack: o.slack}
	if t.log, err = wal.Open(filepath.Join(dir, filepath.FromSlash(logPath)), t.book, w); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := t.recover(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// settle makes sure of the tree's own directories.
func (t *Tree) settle() error {
	for _, d := range []struct{ path, in string }{{Dir, "."}, {staging, Dir}} {
		if err := t.disk.mkdir(d.path, 0o700); err != nil {
			return err
		}
		if found, err := t.disk.root.Lstat(d.path); err != nil {
			return err
		} else if !found.IsDir() {
			return &KindError{Path: d.path, Is: kindOf(found.Mode()), Want: aDirectory}
		}
		if err := t.disk.sync(d.in); err != nil {
			return err
		}
	}
	return t.sameMount(".")
}

// recover takes up what the log has: the locks of prepared branches, and commits
// that were begun. One that cannot be finished now is finished by a later call.
// What belongs to no branch is removed.
func (t *Tree) recover() error {
	names, err := t.disk.names(staging, 0)
	if err != nil {
		return err
	}
	kept := make(map[string]bool)
	for k, p := range t.book.prepared {
		kept[p.Stage] = true
		p.owner = newOwner(k.Transaction)
		if err := t.locks.take(p.owner, p.Locks); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	for _, name := range names {
		if !kept[name] {
			t.discard(name)
		}
	}
	for k, p := range t.book.decided() {
		if err := t.finish(context.Background(), k, p); errors.Is(err, ErrFailed) {
			return err
		}
	}
	return nil
}

// Close ends the tree when the calls under way have returned. Branches that are
// not prepared are lost. A second Close is harmless.
func (t *Tree) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	t.mu.Unlock()
	t.calls.Wait()
	for _, b := range t.open {
		t.end(b, ErrClosed)
	}
	return errors.Join(t.log.Close(), t.disk.root.Close())
}

// Name implements participant.Participant.
func (t *Tree) Name() string { return t.name }

// enter begins a call, and keeps Close waiting until it leaves.
func (t *Tree) enter() (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, fmt.Errorf("files: %s: %w", t.path, ErrClosed)
	case t.failed != nil:
		return nil, t.failed
	}
	t.calls.Add(1)
	return t.calls.Done, nil
}

// fail lets no more calls in: after a failed sync of a directory nobody knows
// what is on the disk.
func (t *Tree) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = fmt.Errorf("files: %s: %w: %w", t.path, ErrFailed, err)
	}
	return t.failed
}

// sync makes the names in some directories durable. One that is gone has none.
func (t *Tree) sync(directories ...string) error {
	slices.Sort(directories)
	for _, d := range slices.Compact(directories) {
		if err := t.disk.sync(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return t.fail(err)
		}
	}
	return nil
}

// discard removes what a branch has staged. Nobody looks for it any more: what
// cannot be removed now is removed by the next Open.
func (t *Tree) discard(stage string) {
	if stage != "" {
		_ = t.disk.removeAll(staging + "/" + stage)
	}
}
